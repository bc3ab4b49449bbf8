package web

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

// One event in is one event out: no text of a log line becomes a field of the stream.
func TestStreamKeepsTextInItsData(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	s := newStream(echo.New().NewContext(httptest.NewRequest("GET", "/", nil), recorder))
	if err := s.send("live", 7, "a\n\nevent: x\r\ndata: <b>\rretry: 1"); err != nil {
		t.Fatal(err)
	}
	got, want := recorder.Body.String(), "event: live\nid: 7\ndata: a\ndata: \ndata: event: x\ndata: data: <b>\ndata: retry: 1\n\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if strings.Count(got, "\n\n") != 1 {
		t.Errorf("got %d ends of an event, want 1", strings.Count(got, "\n\n"))
	}
}

// An operator has six streams at most, the process five hundred; a place given back can be taken again.
func TestStreamPlaces(t *testing.T) {
	t.Parallel()
	s := places{all: streamsAll, one: streamsOne}
	var leave func()
	for range streamsOne {
		ok := false
		if leave, ok = s.enter(1); !ok {
			t.Fatal("a place within the limit was refused")
		}
	}
	if _, ok := s.enter(1); ok {
		t.Errorf("the seventh stream of an operator was let in")
	}
	leave()
	if _, ok := s.enter(1); !ok {
		t.Error("a place given back was not given again")
	}
	operator := int64(1)
	for n := streamsOne; n < streamsAll; n++ {
		if n%streamsOne == 0 {
			operator++
		}
		if _, ok := s.enter(operator); !ok {
			t.Fatalf("stream %d of all: refused within the limit", n+1)
		}
	}
	if _, ok := s.enter(operator + 1); ok {
		t.Errorf("got one stream more than %d, want it refused", streamsAll)
	}
}

// busyRun is a run that is on, with more lines in its log than a connection takes that nobody reads.
func (c *console) busyRun() (id int64) {
	c.t.Helper()
	err := c.db.Pool.QueryRow(c.t.Context(), `
		WITH task AS (
			INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid)
			SELECT id, 'n', 1 FROM xtk.workflow WHERE internal_name = 'cleanup'
			RETURNING id, workflow_id),
		line AS (
			INSERT INTO xtk.workflow_log (workflow_id, task_id, message)
			SELECT workflow_id, id, repeat('&', 500) FROM task, generate_series(1, 6000))
		SELECT id FROM task`).Scan(&id)
	if err != nil {
		c.t.Fatal(err)
	}
	return id
}

// streamText is the request for the stream of a run, as a browser in which an operator is signed in sends it.
func (c *console) streamText(address, login string, run int64) string {
	return fmt.Sprintf("GET /runs/%d/stream HTTP/1.1\r\nHost: %s\r\nCookie: %s=%s\r\n\r\n", run, address, c.sessions.Cookie.Name, c.tokens[login])
}

// open is how many streams are open now.
func (p *places) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}

// A stream that nobody reads is dropped five seconds after its connection is full, long before the limit of other answers.
func TestStreamThatNobodyReads(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	address, _ := c.hurried(1)
	run := c.busyRun()
	lazy(t, address, c.streamText(address, "reader", run))
	began := time.Now()
	for opened := false; !opened || c.streams.open() > 0; time.Sleep(20 * time.Millisecond) {
		opened = opened || c.streams.open() > 0
		c.bell.ring(run)
		if time.Since(began) > writeWithin-10*time.Second {
			t.Fatalf("after %s: opened %t and still open", time.Since(began), opened)
		}
	}
}

// A stream outlasts the time that other answers have, and ends within seconds of its session.
func TestStreamOutlastsAnswers(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	address, _ := c.hurried(60)
	conn := dial(t, address, c.streamText(address, "reader", c.busyRun()))
	got, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name := range headers {
		if value := got.Header.Get(name); value != headers.Get(name) {
			t.Errorf("the stream's %s: got %q, want %q", name, value, headers.Get(name))
		}
	}
	events := bufio.NewScanner(got.Body)
	events.Buffer(nil, 64<<20)
	next := func() string {
		for events.Scan() {
			if name, ok := strings.CutPrefix(events.Text(), "event: "); ok {
				return name
			}
		}
		return fmt.Sprint("the end: ", events.Err())
	}
	for n := range 3 {
		if got := next(); got != "live" {
			t.Fatalf("event %d: got %s, want a look every five seconds", n, got)
		}
	}
	if _, err := c.db.Pool.Exec(t.Context(), `UPDATE xtk.session_info SET revoked_at = now()`); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "bye" {
		t.Errorf("after the session: got %s, want bye", got)
	}
}

// Where there is no place for a stream, the page is told to ask later: that is no failure of ours.
func TestNoPlaceForAStream(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	reader, err := c.db.OperatorByLogin(t.Context(), "reader")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := c.ask("reader", http.MethodGet, "/runs/999999/stream", nil); got.StatusCode != http.StatusNotFound {
		t.Errorf("a run that there is not: got %d, want 404", got.StatusCode)
	}
	for range streamsOne {
		c.streams.enter(reader.ID)
	}
	got, body := c.ask("reader", http.MethodGet, fmt.Sprintf("/runs/%d/stream", c.busyRun()), nil)
	if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "10" || strings.Contains(body, "PostgreSQL") {
		t.Errorf("got %d, Retry-After %q, want 503 and 10 s:\n%s", got.StatusCode, got.Header.Get("Retry-After"), body)
	}
}

// An operator has two files made at once, so that the rest of the process is there for pages; others have theirs.
func TestNoPlaceForAnExport(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	kim, err := c.db.OperatorByLogin(t.Context(), "kim")
	if err != nil {
		t.Fatal(err)
	}
	var leave func()
	for range exportsOne {
		leave, _ = c.exports.enter(kim.ID)
	}
	log := fmt.Sprintf("/runs/%d/log.txt", c.busyRun())
	for _, path := range []string{"/runs.csv", "/statement.csv", "/workflows/cleanup/statement.csv", "/audit.csv", log} {
		if got, _ := c.ask("kim", http.MethodGet, path, nil); got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") != "5" {
			t.Errorf("%s: got %d, Retry-After %q, want 429 and 5 s", path, got.StatusCode, got.Header.Get("Retry-After"))
		}
	}
	if got, _ := c.ask("reader", http.MethodGet, log, nil); got.StatusCode != http.StatusOK {
		t.Errorf("another operator: got %d, want 200", got.StatusCode)
	}
	leave()
	for range 3 {
		if got, _ := c.ask("kim", http.MethodGet, log, nil); got.StatusCode != http.StatusOK {
			t.Errorf("one after the other: got %d, want 200", got.StatusCode)
		}
	}
}
