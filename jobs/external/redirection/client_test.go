package redirection

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"nightshift/jobs/external/outbound"
)

// server is a fake that speaks TLS, and a client of it.
func server(t *testing.T, password string) (*Fake, *Client) {
	t.Helper()
	fake := &Fake{Instance: "trk", Password: "canary"}
	s := httptest.NewTLSServer(fake)
	t.Cleanup(s.Close)
	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	client, err := New(Account{URL: s.URL, Authority: authority, Instance: "trk", Password: password, Database: "acme"},
		[]time.Duration{time.Millisecond, time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return fake, client
}

func line(id uint64) string {
	return "5" + hex(id) + "\t2026-03-04T05:06:07.08\t1\t2\t3\th\t\t\t\té <&>\t"
}

func TestLogs(t *testing.T) {
	t.Parallel()
	fake, client := server(t, "canary")
	for id := uint64(2500); id > 0; id-- {
		fake.Write(line(1<<33 + id))
	}
	pointer, sizes := uint64(0), []int{}
	for {
		answer, err := client.Logs(t.Context(), pointer, 1000)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(answer.Lines))
		for i, got := range answer.Lines {
			if want := line(pointer + uint64(i) + 1); pointer > 0 && string(got) != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
		if pointer = answer.Pointer; len(answer.Lines) < 1000 {
			break
		}
		fake.Expire()
	}
	if !slices.Equal(sizes, []int{1000, 1000, 500}) || pointer != 1<<33+2500 || len(fake.Asked()) != 3 {
		t.Errorf("got %v up to %x in %d questions, want 1000, 1000, 500 up to %x in 3", sizes, pointer, len(fake.Asked()), 1<<33+2500)
	}
	answer, err := client.Logs(t.Context(), pointer, 1000)
	if err != nil || len(answer.Lines) != 0 || answer.Pointer != pointer || time.Since(answer.ServerDate).Abs() > time.Minute {
		t.Errorf("nothing new: got %+v, %v, want no line, the same pointer and the server's date", answer, err)
	}
	if answer, err = client.Logs(t.Context(), pointer+9, 1000); err != nil || answer.Pointer != pointer {
		t.Errorf("a pointer of the future: got %x, %v, want the newest id %x", answer.Pointer, err, pointer)
	}
	fake.Purge()
	if answer, err = client.Logs(t.Context(), pointer, 1000); err != nil || answer.Pointer != 0 {
		t.Errorf("a log that is empty again: got %x, %v, want 0", answer.Pointer, err)
	}
}

// A server that contradicts itself gives nothing: what is taken of it would move the pointer past lines, or in a circle.
func TestUnfitAnswers(t *testing.T) {
	t.Parallel()
	const now = `"serverDate":"2026-03-04T05:06:07.000000Z"`
	for name, body := range map[string]string{
		"no pointer":           `{"logCount":0,"logs":"",` + now + `}`,
		"a decimal pointer":    `{"pointer":"7","logCount":0,"logs":"",` + now + `}`,
		"no date":              `{"pointer":"0x5","logCount":0,"logs":""}`,
		"fewer than it says":   `{"pointer":"0x6","logCount":2,"logs":"a\n",` + now + `}`,
		"more than asked":      `{"pointer":"0x6","logCount":3,"logs":"a\nb\nc\n",` + now + `}`,
		"a pointer that stays": `{"pointer":"0x5","logCount":1,"logs":"a\n",` + now + `}`,
		"a jump over nothing":  `{"pointer":"0x9","logCount":0,"logs":"",` + now + `}`,
		"half an answer":       `{"pointer":"0x6","logCou`,
		"a list":               `[]`,
	} {
		fake, client := server(t, "canary")
		fake.Misbehave = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != logsPath {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
			return true
		}
		var unfit *outbound.UnfitError
		if answer, err := client.Logs(t.Context(), 5, 2); !errors.As(err, &unfit) {
			t.Errorf("%s: got %+v, %v, want an unfit answer", name, answer, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	_, stranger := server(t, "wrong")
	var refused *outbound.StatusError
	if _, err := stranger.Logs(t.Context(), 0, 1); !errors.As(err, &refused) || refused.Code != http.StatusUnauthorized || strings.Contains(err.Error(), "wrong") {
		t.Errorf("a wrong password: got %v, want 401 without the password", err)
	}
	for code, want := range map[int]int{http.StatusForbidden: 1, http.StatusUnauthorized: 2, http.StatusServiceUnavailable: 3} {
		fake, client := server(t, "canary")
		calls := 0
		fake.Misbehave = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != logsPath {
				return false
			}
			calls++
			w.WriteHeader(code)
			return true
		}
		if _, err := client.Logs(t.Context(), 0, 1); !errors.As(err, &refused) || refused.Code != code || calls != want {
			t.Errorf("%d: got %v after %d calls, want that status after %d", code, err, calls, want)
		}
	}
	fake, client := server(t, "canary")
	fake.Misbehave = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/api/v1/logon" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, `{}`)
		}
		return r.URL.Path == "/api/v1/logon"
	}
	if _, err := client.Logs(t.Context(), 0, 1); err == nil {
		t.Error("a logon without a token: got no error, want one")
	}
	for _, bad := range []string{"", "ftp://x", "http://example.com", "https://user:pw@example.com", "trk.example.com"} {
		if _, err := New(Account{URL: bad}, nil); err == nil {
			t.Errorf("address %q: got no error, want a refusal", bad)
		}
	}
}
