package outbound

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var quick = []time.Duration{time.Millisecond, time.Millisecond}

// caller calls a server that speaks TLS, and trusts who signed its certificate.
func caller(t *testing.T, answer http.HandlerFunc) *Caller {
	t.Helper()
	server := httptest.NewUnstartedServer(answer)
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	c, err := New(server.URL, authority(server), quick)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func authority(server *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func get(ctx context.Context, c *Caller) (Answer, error) {
	return c.Do(ctx, Call{Method: http.MethodGet, Path: "/v1/things"})
}

func TestAnAnswerIsRead(t *testing.T) {
	t.Parallel()
	c := caller(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = fmt.Fprintf(w, `{"method": %q, "query": %q, "more": 1}`, r.Method, r.URL.RawQuery)
	})
	answer, err := c.Do(t.Context(), Call{Method: http.MethodPost, Path: "/v1/things", Query: map[string][]string{"a": {"b c"}}, Body: 1})
	var got struct{ Method, Query string }
	if err == nil {
		err = answer.Decode(&got)
	}
	if err != nil || got.Method != "POST" || got.Query != "a=b+c" {
		t.Errorf("got %+v and %v, want the request as it was made", got, err)
	}
}

// What a status costs: how often it is asked again, and that the answer is never quoted.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]int{301: 1, 307: 1, 400: 1, 401: 1, 403: 1, 404: 1, 409: 1, 429: 3, 500: 3, 502: 3, 503: 3} {
		calls := 0
		c := caller(t, func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.Header().Set("Location", "http://169.254.169.254/latest")
			w.WriteHeader(code)
			_, _ = w.Write([]byte("the secret is canary"))
		})
		_, err := get(t.Context(), c)
		var refused *StatusError
		if !errors.As(err, &refused) || refused.Code != code || calls != want || strings.Contains(err.Error(), "canary") {
			t.Errorf("%d: got %v after %d calls, want that status after %d", code, err, calls, want)
		}
		if Busy(err) != (code == 429) || Refused(err) != (code == 401 || code == 403) {
			t.Errorf("%d: got busy %t, refused %t", code, Busy(err), Refused(err))
		}
	}
}

func TestAPassingFailurePasses(t *testing.T) {
	t.Parallel()
	calls := 0
	c := caller(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if _, err := get(t.Context(), c); err != nil || calls != 3 {
		t.Errorf("got %v after %d calls, want success at the third", err, calls)
	}
}

func TestAServerThatAsksToWaitIsWaitedFor(t *testing.T) {
	t.Parallel()
	date := func(after time.Duration) string { return time.Now().Add(after).UTC().Format(http.TimeFormat) }
	// The headers are made when the server answers: a date is worth less with each second until then.
	for name, header := range map[string]func() map[string]string{
		"seconds": func() map[string]string { return map[string]string{"Retry-After": "1"} },
		"date": func() map[string]string {
			return map[string]string{"Date": date(0), "Retry-After": date(time.Second)}
		},
		"date of a clock that is wrong": func() map[string]string {
			return map[string]string{"Date": date(-100 * time.Hour), "Retry-After": date(-100*time.Hour + time.Second)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls, begin := 0, time.Now()
			c := caller(t, func(w http.ResponseWriter, _ *http.Request) {
				if calls++; calls > 1 {
					return
				}
				for key, value := range header() {
					w.Header().Set(key, value)
				}
				w.WriteHeader(http.StatusTooManyRequests)
			})
			_, err := get(t.Context(), c)
			if took := time.Since(begin); err != nil || calls != 2 || took < 500*time.Millisecond || took > time.Minute {
				t.Errorf("got %v after %d calls and %s, want success at the second, about a second later", err, calls, took)
			}
		})
	}
}

func TestMoreThanPatience(t *testing.T) {
	t.Parallel()
	calls := 0
	c := caller(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.Header().Set("Retry-After", "2000000000")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	if _, err := get(t.Context(), c); !Busy(err) || calls != 1 {
		t.Errorf("got %v after %d calls, want that it asks for too much after the first", err, calls)
	}
	for attempt, want := range []bool{true, true, false} {
		if _, again := c.pause(&StatusError{Code: 429, After: 10 * time.Minute}, attempt%2, time.Duration(attempt/2)*6*time.Minute); again != want {
			t.Errorf("10 min after %d min: got %t, want %t: 15 min in all", attempt/2*6, again, want)
		}
	}
}

func TestServersThatHangOrDrip(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"no header": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"half a body": func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("{"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"drip": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				w.(http.Flusher).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := caller(t, answer)
			c.http.Timeout, c.waits = 300*time.Millisecond, nil
			begin := time.Now()
			if _, err := get(t.Context(), c); err == nil || time.Since(begin) > 30*time.Second {
				t.Errorf("got %v after %s, want an error at the limit", err, time.Since(begin))
			}
			c.http.Timeout = time.Minute
			ctx, stop := context.WithCancelCause(t.Context())
			asked := errors.New("stopped by kim")
			time.AfterFunc(50*time.Millisecond, func() { stop(asked) })
			if _, err := get(ctx, c); !errors.Is(err, asked) {
				t.Errorf("stopped: got %v, want why it was stopped", err)
			}
		})
	}
}

// Half an answer is never taken for a whole one, however it is announced.
func TestHalfAnAnswer(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"by length": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[1,2]",
		"in chunks": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n",
	} {
		calls := 0
		c := caller(t, func(w http.ResponseWriter, _ *http.Request) {
			calls++
			line, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = line.Write([]byte(head))
				_ = line.Close()
			}
		})
		if _, err := get(t.Context(), c); err == nil || calls != 3 {
			t.Errorf("%s: got %v after %d calls, want an error after 3", name, err, calls)
		}
	}
}

func TestUnfitAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"huge": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) },
		"gzip bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			for range 64 {
				_, _ = packed.Write(make([]byte, 1<<20))
			}
			_ = packed.Close()
		},
		"HTML": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<html>Service unavailable</html>"))
		},
		"malformed":  sends(`{"a": `),
		"wrong type": sends(`{"a": "one"}`),
		"two values": sends(`{"a": 1} {"a": 2}`),
		"too deep":   sends(strings.Repeat("[", 100_000)),
		"empty":      sends(""),
	} {
		calls := 0
		c := caller(t, func(w http.ResponseWriter, r *http.Request) { calls++; answer(w, r) })
		got, err := c.Do(t.Context(), Call{Method: http.MethodGet, Path: "/v1/things", Limit: 1 << 20})
		if err == nil {
			err = got.Decode(&struct{ A int }{})
		}
		var unfit *UnfitError
		if !errors.As(err, &unfit) || calls != 1 {
			t.Errorf("%s: got %v after %d calls, want unfit at once", name, err, calls)
		}
	}
}

func sends(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(text))
	}
}

func TestWrongCertificates(t *testing.T) {
	t.Parallel()
	calls := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	defer server.Close()
	unknown, err := New(server.URL, "", quick)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := New(strings.Replace(server.URL, "127.0.0.1", "localhost", 1), authority(server), quick)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*Caller{"signed by nobody known": unknown, "of another host": elsewhere} {
		var distrusted *tls.CertificateVerificationError
		if _, err := get(t.Context(), c); !errors.As(err, &distrusted) || calls != 0 {
			t.Errorf("%s: got %v after %d requests, want that it is not trusted, and none", name, err, calls)
		}
	}
}

// A redirect is not followed and a proxy not used: nobody else sees the secret.
func TestSecretsStay(t *testing.T) {
	t.Parallel()
	seen := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen++ }))
	defer other.Close()
	c := caller(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	_, err := c.Do(t.Context(), Call{Method: http.MethodPost, Path: "/v1/token", Query: map[string][]string{"cuid": {"canary"}}, Body: "secret"})
	if err == nil || !strings.Contains(err.Error(), "redirect") || seen != 0 {
		t.Errorf("got %v and %d calls of the other server, want a refusal and none", err, seen)
	}
	gone, err := New("http://127.0.0.1:1", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Do(t.Context(), Call{Method: http.MethodGet, Path: "/x", Query: map[string][]string{"cuid": {"canary"}}}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("nobody answers: got %v, want an error without the query", err)
	}
	for _, bad := range []string{"", "ftp://x", "http://example.com", "https://user:pw@example.com", "service.example.com", "https://x/?a=b"} {
		if _, err := New(bad, "", nil); err == nil {
			t.Errorf("address %q: got no error, want a refusal", bad)
		}
	}
	if _, err := New("https://example.com", "not a certificate", nil); err == nil {
		t.Error("authority that is none: got no error, want a refusal")
	}
}
