package webhook

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// endpoint is a receiver that speaks TLS, on this machine, which its account allows.
func endpoint(t *testing.T, answer http.HandlerFunc) Endpoint {
	t.Helper()
	server := httptest.NewTLSServer(answer)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return Endpoint{URL: server.URL + "/hook/canary-path", Secret: "canary-s3cret", Private: true,
		Authority: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))}
}

func send(t *testing.T, ctx context.Context, e Endpoint) (string, *Failure) {
	t.Helper()
	c, err := New(e)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Send(ctx, "workflow_failed:7", []byte(`{"text":"hello"}`))
	var f *Failure
	if err != nil && !errors.As(err, &f) {
		t.Fatalf("got %v, want a failure", err)
	}
	if f != nil && strings.Contains(f.Error(), "canary") {
		t.Errorf("the failure tells a secret: %s", f)
	}
	return answer, f
}

func TestSignedMessage(t *testing.T) {
	t.Parallel()
	e := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		at := r.Header.Get("Nightshift-Timestamp")
		if err != nil || string(body) != `{"text":"hello"}` || r.Header.Get("Nightshift-Delivery") != "workflow_failed:7" ||
			r.Header.Get("Nightshift-Signature") != "v1="+Sign("canary-s3cret", at, body) || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			t.Errorf("got %s %v, %v", body, r.Header, err)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if answer, f := send(t, t.Context(), e); f != nil || !strings.HasPrefix(answer, "HTTP 204 in ") {
		t.Errorf("got %q, %v; want it taken", answer, f)
	}
	// A value computed with another program: printf '1700000000.{}' | openssl dgst -sha256 -hmac secret
	if got, want := Sign("secret", "1700000000", []byte("{}")), "b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"; got != want {
		t.Errorf("signature: got %s, want %s", got, want)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for code, refused := range map[int]bool{301: true, 307: true, 400: true, 401: true, 404: true, 410: true, 408: false, 429: false, 500: false, 503: false} {
		e := endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://169.254.169.254/latest")
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(code)
			_, _ = w.Write([]byte("canary"))
		})
		_, f := send(t, t.Context(), e)
		wait := 90 * time.Second
		if refused {
			wait = 0
		}
		if f == nil || f.Refused != refused || f.Code != code || f.After != wait {
			t.Errorf("%d: got %+v, want refused %t, to wait %s", code, f, refused, wait)
		}
	}
}

func TestEndpointsThatHangOrFlood(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"hangs": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server see that the client is gone
			<-r.Context().Done()
		},
		"cuts": func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = conn.Close()
			}
		},
		"huge header": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		if _, f := send(t, ctx, endpoint(t, answer)); f == nil || f.Refused || f.Code != 0 {
			t.Errorf("%s: got %+v, want a failure to try again", name, f)
		}
		cancel()
	}
	// An answer that does not end costs no more than its beginning: reading on would last the 15 s of a call.
	began := time.Now()
	endless := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	if _, f := send(t, t.Context(), endless); f != nil || time.Since(began) > 12*time.Second {
		t.Errorf("an endless answer: got %v after %s, want it taken at once", f, time.Since(began))
	}
}

// An address of our own network is refused when it is dialled, whatever its name says.
func TestPrivateAddresses(t *testing.T) {
	t.Parallel()
	called := 0
	e := endpoint(t, func(http.ResponseWriter, *http.Request) { called++ })
	e.Private = false
	local := e
	local.URL = strings.Replace(e.URL, "127.0.0.1", "localhost", 1) // a name that leads inside
	for _, inside := range []Endpoint{e, local} {
		if _, f := send(t, t.Context(), inside); f == nil || !f.Refused || !errors.Is(f, ErrPrivate) {
			t.Errorf("got %v, want that the address is refused", f)
		}
	}
	if called != 0 {
		t.Errorf("got %d calls, want none", called)
	}
	for address, want := range map[string][2]bool{ // public only, private allowed
		"93.184.216.34": {true, true}, "2606:2800:220:1::1": {true, true},
		"127.0.0.1": {false, true}, "::1": {false, true}, "10.1.2.3": {false, true}, "172.16.0.1": {false, true}, "192.168.1.1": {false, true},
		"100.64.0.1": {false, true}, "fd00::1": {false, true}, "::ffff:127.0.0.1": {false, true}, "::ffff:10.0.0.1": {false, true},
		"64:ff9b::a00:1": {false, true}, "2002:a00:1::": {false, true}, "::7f00:1": {false, true}, "198.18.0.1": {false, true}, "255.255.255.255": {false, true},
		"169.254.169.254": {false, false}, "fe80::1": {false, false}, "::ffff:169.254.169.254": {false, false}, "0.0.0.0": {false, false}, "::": {false, false},
		"224.0.0.1": {false, false}, "ff02::1": {false, false},
	} {
		a := netip.MustParseAddr(address)
		if got := [2]bool{allowed(a, false), allowed(a, true)}; got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
	for _, bad := range []Endpoint{{URL: ""}, {URL: "http://example.com"}, {URL: "ftp://example.com", Private: true}, {URL: "https://u:p@example.com"},
		{URL: "https://example.com", Authority: "x"}} {
		if _, err := New(bad); err == nil {
			t.Errorf("%+v: got no error, want a refusal", bad)
		}
	}
}

func TestWrongCertificate(t *testing.T) {
	t.Parallel()
	called := 0
	e := endpoint(t, func(http.ResponseWriter, *http.Request) { called++ })
	e.Authority = ""
	if _, f := send(t, t.Context(), e); f == nil || f.Refused || called != 0 {
		t.Errorf("got %v after %d calls, want a failure and none", f, called)
	}
}
