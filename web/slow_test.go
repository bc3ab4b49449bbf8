package web

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/static"
)

// hurried serves a console with its limits of time divided, as the tests have less of it, and tells of each connection
// that has ended.
func (c *console) hurried(by time.Duration) (address string, ended <-chan struct{}) {
	c.t.Helper()
	closed := make(chan struct{}, 1000)
	server := c.httpServer()
	server.ReadTimeout /= by
	server.WriteTimeout /= by
	server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(c.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	c.config.URL = &url.URL{Scheme: "http", Host: listener.Addr().String()}
	go func() { _ = server.Serve(listener) }()
	c.t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String(), closed
}

// lazy connects with a buffer so small that whoever sends to it soon has to wait until something is read.
func lazy(t *testing.T, address, text string) *net.TCPConn {
	t.Helper()
	conn := dial(t, address, "").(*net.TCPConn)
	if err := conn.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A body that is not sent in time is an answer that says so, in a form and to a program.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	c := bareConsole(t)
	address, _ := c.hurried(30)
	for path, kind := range map[string]string{"/sign-in": formType, "/api/v1/logon": echo.MIMEApplicationJSON} {
		conn := dial(t, address, "POST "+path+" HTTP/1.1\r\nHost: "+address+"\r\nContent-Type: "+kind+"\r\nContent-Length: 100\r\n\r\nlogin=")
		got, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(got.Body)
		if got.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), "within 30 s") {
			t.Errorf("%s: got %d %s, want 408 that says within which time", path, got.StatusCode, text)
		}
	}
}

// A form that says it is too large is refused before any of it is sent.
func TestLargeBodyIsNotAskedFor(t *testing.T) {
	t.Parallel()
	c := bareConsole(t)
	address, _ := c.hurried(1)
	conn := dial(t, address, "POST /sign-in HTTP/1.1\r\nHost: "+address+"\r\nExpect: 100-continue\r\nContent-Type: "+formType+"\r\nContent-Length: 1000000\r\n\r\n")
	got, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || got.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %v, %v, want 413 and no word to go on", got, err)
	}
}

// Who asks and does not take the answers is cut off.
func TestAnswersThatNobodyTakes(t *testing.T) {
	t.Parallel()
	c := bareConsole(t)
	address, ended := c.hurried(30)
	lazy(t, address, strings.Repeat("GET "+static.Path("app.css")+" HTTP/1.1\r\nHost: "+address+"\r\n\r\n", 500))
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the connection is still open")
	}
}

// An answer that breaks off does not look like a whole one.
func TestBrokenOffAnswer(t *testing.T) {
	t.Parallel()
	c := bareConsole(t)
	e := echo.New()
	e.GET("/half", c.Server.enter(route{method: http.MethodGet, path: "/half", right: anyone, handle: func(e echo.Context) error {
		_ = e.String(http.StatusOK, "half a log")
		return context.DeadlineExceeded
	}}))
	c.handler = c.outermost(e)
	address, _ := c.hurried(1)
	got, err := http.Get("http://" + address + "/half")
	if err == nil {
		var text []byte
		text, err = io.ReadAll(got.Body)
		_ = got.Body.Close()
		if err == nil {
			t.Errorf("got %d %q as a whole answer, want one that breaks off", got.StatusCode, text)
		}
	}
}
