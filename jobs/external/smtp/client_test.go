package smtp_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"nightshift/jobs/external/smtp"
	"nightshift/jobs/external/smtp/fake"
)

func account(s *fake.Server, encryption string) smtp.Account {
	return smtp.Account{Server: s.Host, Port: s.Port, Login: s.Login, Password: s.Password, Encryption: encryption,
		From: "Nightshift <ops@nightshift.test>", Roots: s.Roots}
}

func mailTo(to string) smtp.Mail {
	return smtp.Mail{ID: "abc@nightshift.test", To: to, Subject: "Workflow cleanup has failed", Text: "Step: lists\n"}
}

// dial connects with what the test says, or fails it.
func dial(t *testing.T, a smtp.Account) *smtp.Conn {
	t.Helper()
	c, err := smtp.Dial(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestSendsOverEveryEncryption(t *testing.T) {
	t.Parallel()
	for encryption, settings := range map[string]fake.Settings{
		smtp.StartTLS:      {Login: "night", Password: "s3cret"},
		smtp.TLS:           {Login: "night", Password: "s3cret", Implicit: true},
		smtp.Opportunistic: {NoTLS: true},
		smtp.Plain:         {},
	} {
		t.Run(encryption, func(t *testing.T) {
			t.Parallel()
			server := fake.Start(t, settings)
			c := dial(t, account(server, encryption))
			m := mailTo("kim@example.com")
			m.Subject, m.HTML = "워크플로우 정리 실패", "<p>단계</p>"
			m.FileName, m.FileType, m.File = "report.csv", "text/csv; charset=utf-8", []byte("a,b\r\n1,2\r\n")
			for range 2 {
				if _, err := c.Send(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			got := server.Received()
			if len(got) != 2 || got[0].From != "ops@nightshift.test" || got[0].To != "kim@example.com" {
				t.Fatalf("got %d mails, the first %+v; want 2 to kim", len(got), got)
			}
			for _, want := range []string{"Message-ID: <abc@nightshift.test>", "Auto-Submitted: auto-generated", "=?UTF-8?", "multipart/mixed",
				`filename="report.csv"`, "text/html", "YSxi"} {
				if !strings.Contains(got[0].Text, want) {
					t.Errorf("the mail lacks %q:\n%s", want, got[0].Text)
				}
			}
		})
	}
}

// What a server refuses is told apart: for now, for good, and whether the connection can go on.
func TestRefusals(t *testing.T) {
	t.Parallel()
	server := fake.Start(t, fake.Settings{})
	for to, want := range map[string]smtp.Failure{
		"soft@example.com":    {Kind: smtp.Later, Code: 451},
		"hard@example.com":    {Kind: smtp.Refused, Code: 550},
		"closing@example.com": {Kind: smtp.Later, Code: 421, Broken: true},
		"gone@example.com":    {Kind: smtp.Unknown, Broken: true},
		"no address":          {Kind: smtp.Refused},
		"a@b.c\r\nBcc: x@y.z": {Kind: smtp.Refused},
		"A <a@b.c>":           {Kind: smtp.Refused},
		"a@b.c, d@e.f":        {Kind: smtp.Refused},
	} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			c := dial(t, account(server, smtp.StartTLS))
			_, err := c.Send(t.Context(), mailTo(to))
			var got *smtp.Failure
			if !errors.As(err, &got) || got.Kind != want.Kind || got.Code != want.Code || got.Broken != want.Broken {
				t.Fatalf("got %#v, want %+v", got, want)
			}
			if got.Text == "" || strings.Contains(got.Text, to) {
				t.Errorf("text: got %q, want what was said, without the receiver", got.Text)
			}
			if got.Broken {
				return
			}
			if _, err := c.Send(t.Context(), mailTo("next@example.com")); err != nil {
				t.Errorf("the next mail: got %v, want it sent", err)
			}
		})
	}
}

// No text of a mail becomes a header, and no line of it ends the mail.
func TestNoHeaderIsSlippedIn(t *testing.T) {
	t.Parallel()
	server := fake.Start(t, fake.Settings{})
	c := dial(t, account(server, smtp.StartTLS))
	m := mailTo("kim@example.com")
	m.Subject = "A\r\nBcc: evil@example.com\r\n\r\nbody"
	m.ID = "id@x\r\nX-Evil: 1"
	m.Text = "before\r\n.\r\nMAIL FROM:<evil@example.com>\r\n"
	m.FileName, m.FileType, m.File = "../a\"b\r\nX-Evil: 1.csv", "text/csv\r\nX-Evil: 1", []byte("x")
	if _, err := c.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got := server.Received()
	if len(got) != 1 {
		t.Fatalf("got %d mails, want 1", len(got))
	}
	for line := range strings.Lines(got[0].Text) {
		if strings.HasPrefix(line, "Bcc:") || strings.HasPrefix(line, "X-Evil") {
			t.Errorf("got the header %q", line)
		}
	}
	if !strings.Contains(got[0].Text, "MAIL FROM:<evil") {
		t.Errorf("the text of the mail was cut:\n%s", got[0].Text)
	}
}

// An account that cannot be used says so before a mail is touched, and never sends a password in the clear.
func TestDialRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings   fake.Settings
		encryption string
		change     func(*smtp.Account)
		want       string
	}{
		"no STARTTLS":          {fake.Settings{NoTLS: true}, smtp.StartTLS, nil, "does not support STARTTLS"},
		"unknown authority":    {fake.Settings{}, smtp.StartTLS, func(a *smtp.Account) { a.Roots = x509.NewCertPool() }, "unknown authority"},
		"even opportunistic":   {fake.Settings{}, smtp.Opportunistic, func(a *smtp.Account) { a.Roots = x509.NewCertPool() }, "unknown authority"},
		"another name":         {fake.Settings{Name: "other.test"}, smtp.StartTLS, nil, "not localhost"},
		"another name, TLS":    {fake.Settings{Name: "other.test", Implicit: true}, smtp.TLS, nil, "not localhost"},
		"wrong password":       {fake.Settings{Login: "a", Password: "b"}, smtp.StartTLS, func(a *smtp.Account) { a.Password = "s3cret-w" }, "535"},
		"password in clear":    {fake.Settings{Login: "a", Password: "b", NoTLS: true}, smtp.Opportunistic, nil, "AUTH"},
		"unknown encryption":   {fake.Settings{}, "rot13", nil, "rot13"},
		"nobody listens there": {fake.Settings{}, smtp.StartTLS, func(a *smtp.Account) { a.Port = 1 }, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := account(fake.Start(t, test.settings), test.encryption)
			if test.change != nil {
				test.change(&a)
			}
			_, err := smtp.Dial(t.Context(), a)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, want %q and no password", err, test.want)
			}
		})
	}
}

// script is a server that sends what it likes.
func script(t *testing.T, talk func(c net.Conn)) smtp.Account {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				talk(c)
			}()
		}
	}()
	return smtp.Account{Server: "localhost", Port: listener.Addr().(*net.TCPAddr).Port, Encryption: smtp.Opportunistic, From: "a@b.c"}
}

func TestBadServersEndInTime(t *testing.T) {
	t.Parallel()
	for name, talk := range map[string]func(net.Conn){
		"hangs": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"drips": func(c net.Conn) {
			for {
				if _, err := fmt.Fprint(c, "220-x\r\n"); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		},
		"closes":      func(net.Conn) {},
		"speaks HTTP": func(c net.Conn) { _, _ = fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n") },
		"421":         func(c net.Conn) { _, _ = fmt.Fprint(c, "421 too busy\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			began := time.Now()
			if _, err := smtp.Dial(ctx, script(t, talk)); err == nil {
				t.Error("got a connection, want an error")
			}
			if took := time.Since(began); took > smtp.DialTimeout/2 {
				t.Errorf("got an end after %s, want one in time", took)
			}
		})
	}
}

// A greeting without end is cut off long before it fills the memory.
func TestHugeGreeting(t *testing.T) {
	t.Parallel()
	sent := make(chan int, 1)
	a := script(t, func(c net.Conn) {
		n, chunk := 0, strings.Repeat("x", 64<<10)
		for n < 1<<30 {
			wrote, err := c.Write([]byte(chunk))
			n += wrote
			if err != nil {
				break
			}
		}
		sent <- n
	})
	if _, err := smtp.Dial(t.Context(), a); err == nil {
		t.Error("got a connection, want an error")
	}
	if n := <-sent; n > 64<<20 {
		t.Errorf("the server sent %d bytes, want to be cut off", n)
	}
}

// A server that falls silent after the last byte leaves the result unknown, in time.
func TestSilenceAfterTheLastDot(t *testing.T) {
	t.Parallel()
	server := fake.Start(t, fake.Settings{})
	release := make(chan struct{})
	ctx, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	server.OnData(func(string) {
		giveUp()
		<-release
	})
	t.Cleanup(func() { close(release) })
	c := dial(t, account(server, smtp.StartTLS))
	_, err := c.Send(ctx, mailTo("kim@example.com"))
	var got *smtp.Failure
	if !errors.As(err, &got) || got.Kind != smtp.Unknown {
		t.Errorf("got %v, want that the result is unknown", err)
	}
}
