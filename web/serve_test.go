package web

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// listening serves a console on a port of its own and returns its address and how to end it, which waits for the end.
func listening(t *testing.T) (address string, stop func() error) {
	t.Helper()
	c := bareConsole(t)
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ctx, listener) }()
	return listener.Addr().String(), func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(drain + time.Minute):
			return fmt.Errorf("it still serves after %s", drain)
		}
	}
}

func dial(t *testing.T, address, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Connections that never finish their request block nobody and are closed after five seconds.
func TestSlowRequests(t *testing.T) {
	t.Parallel()
	address, stop := listening(t)
	var slow []net.Conn
	for range 200 {
		slow = append(slow, dial(t, address, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "))
	}
	began := time.Now()
	got, err := http.Get("http://" + address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = got.Body.Close()
	if took := time.Since(began); got.StatusCode != http.StatusOK || took > 4*time.Second {
		t.Errorf("beside 200 slow connections: got %d after %s, want 200 at once", got.StatusCode, took)
	}
	for _, conn := range slow {
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.ReadAll(conn); err != nil {
			t.Fatalf("a slow connection was not closed: %v", err)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("stop: got %v", err)
	}
}

func TestLargeHeader(t *testing.T) {
	t.Parallel()
	address, stop := listening(t)
	conn := dial(t, address, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("x", 48<<10)+"\r\n\r\n")
	got, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = got.Body.Close()
	if got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 48 kB: got %d, want 431", got.StatusCode)
	}
	if err := stop(); err != nil {
		t.Errorf("stop: got %v", err)
	}
}

// A console that is reached over the network without TLS says so when it starts.
func TestWarnsWithoutTLS(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{"http://console.example": true, "http://10.0.0.7:8080": true, "https://console.example": false,
		"http://localhost:8080": false, "http://127.0.0.1:8080": false, "http://[::1]:8080": false} {
		where, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		s := &Server{config: Config{URL: where}, logger: slog.New(slog.NewJSONHandler(&log, nil))}
		s.warnWithoutTLS()
		if got := strings.Contains(log.String(), "in the clear"); got != want {
			t.Errorf("%s: warned %t, want %t", address, got, want)
		}
	}
}
