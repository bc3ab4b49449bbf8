// Package smtp hands mails over to a mail server: one connection, then mail after mail. It says of each whether it was
// taken, refused for now, refused for good, or whether nobody can tell.
package smtp

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

// Limits of a server that hangs, drips or floods. A mail is handed over within SendTimeout or not at all.
const (
	DialTimeout = 20 * time.Second
	SendTimeout = 45 * time.Second
	maxReply    = 64 << 10 // bytes between two of our commands
)

// How a connection is encrypted. Certificates are always verified.
const (
	StartTLS      = "starttls"      // asked for, and refused without it
	TLS           = "tls"           // from the first byte
	Opportunistic = "opportunistic" // when the server offers it; a password is never sent without it
	Plain         = "none"
)

// Account is how a mail server is reached and as whom.
type Account struct {
	Server          string
	Port            int
	Login, Password string // no login: nobody signs on
	Encryption      string
	From            string         // address of the sender, which may hold a name: Nightshift <ops@example.com>
	Roots           *x509.CertPool // nil: those of the system
}

// Mail is one message to one person. ID makes its Message-ID, so that a mail that is sent again can be told by it.
type Mail struct {
	ID, To, Subject, Text, HTML string
	FileName, FileType          string
	File                        []byte
}

// Conn is a connection that has signed on. It serves one mail after the other.
type Conn struct {
	account Account
	client  *gomail.Client
	line    *line
}

// Dial connects, encrypts and signs on. What fails here concerns the account, not a mail.
func Dial(ctx context.Context, account Account) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	c := &Conn{account: account}
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	if c.client, err = gomail.NewClient(account.Server, options...); err != nil {
		return nil, fmt.Errorf("mail account: %w", err)
	}
	// The library knows no limit for the whole of the talk: when time is up, the connection is gone.
	closed := context.AfterFunc(ctx, c.Close)
	defer closed()
	if err := c.client.DialWithContext(ctx); err != nil {
		c.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("connect to %s: %w", net.JoinHostPort(account.Server, strconv.Itoa(account.Port)), err)
	}
	return c, nil
}

func (c *Conn) options() ([]gomail.Option, error) {
	policy := gomail.TLSOpportunistic
	switch c.account.Encryption {
	case StartTLS:
		policy = gomail.TLSMandatory
	case Plain:
		policy = gomail.NoTLS
	case TLS, Opportunistic:
	default:
		return nil, fmt.Errorf("mail account: the encryption %q is not known", c.account.Encryption)
	}
	options := []gomail.Option{gomail.WithPort(c.account.Port), gomail.WithTimeout(SendTimeout), gomail.WithTLSPolicy(policy),
		gomail.WithTLSConfig(c.tlsConfig()), gomail.WithDialContextFunc(c.dial)}
	if name, err := os.Hostname(); err == nil && !strings.ContainsFunc(name, unicode.IsSpace) {
		options = append(options, gomail.WithHELO(name))
	}
	if c.account.Login != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(c.account.Login),
			gomail.WithPassword(c.account.Password))
	}
	return options, nil
}

func (c *Conn) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: c.account.Server, RootCAs: c.account.Roots, MinVersion: tls.VersionTLS12}
}

// dial opens the connection; encryption from the first byte is made here, so that the library sees it as encrypted.
func (c *Conn) dial(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.line = &line{Conn: raw, left: maxReply}
	if c.account.Encryption != TLS {
		return c.line, nil
	}
	encrypted := tls.Client(c.line, c.tlsConfig())
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return encrypted, nil
}

// Close ends the connection without a word: a server that hangs is not asked for its leave.
func (c *Conn) Close() {
	if c.line != nil {
		_ = c.line.Close()
	}
}

// Send hands a mail over and returns what the server said to it. Any error is a *Failure.
func (c *Conn) Send(ctx context.Context, m Mail) (answer string, err error) {
	message, err := c.message(m)
	if err != nil {
		return "", &Failure{Kind: Refused, Text: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, SendTimeout)
	defer cancel()
	closed := context.AfterFunc(ctx, c.Close)
	defer closed()
	err = c.client.Send(message)
	if message.IsDelivered() {
		return oneLine(message.ServerResponse()), nil
	}
	return "", failure(err, strings.TrimSpace(m.To))
}

// message writes the mail. No text of it can become a header: addresses are parsed, the rest loses its control characters.
func (c *Conn) message(m Mail) (*gomail.Msg, error) {
	from, err := mail.ParseAddress(c.account.From)
	if err != nil {
		return nil, fmt.Errorf("the account's sender is not an address: %w", err)
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil || to.Address != strings.TrimSpace(m.To) || strings.ContainsFunc(to.Address, unicode.IsControl) {
		return nil, errors.New("the receiver is not an address")
	}
	message := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	message.FromMailAddress(from)
	message.ToMailAddress(to)
	message.Subject(oneLine(m.Subject))
	message.SetDate()
	message.SetMessageIDWithValue(oneLine(m.ID))
	message.SetGenHeader("Auto-Submitted", "auto-generated") // nobody answers it: no "out of office"
	message.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		message.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	if m.FileName != "" {
		err := message.AttachReader(fileName(m.FileName), bytes.NewReader(m.File), gomail.WithFileContentType(gomail.ContentType(oneLine(m.FileType))))
		if err != nil {
			return nil, fmt.Errorf("attach the file: %w", err)
		}
	}
	return message, nil
}

// fileName keeps of a name what no mail program takes for a path.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == '"' {
			return '_'
		}
		return r
	}, oneLine(name))
}

// oneLine makes one line of a text, without control characters.
func oneLine(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text))
}
