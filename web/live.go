package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

const (
	streamWrite = 5 * time.Second  // a reader that takes longer for one write is dropped; it comes back by itself
	streamLife  = 15 * time.Minute // or up to a tenth less, so that those opened together end one by one; then the reader comes back
	streamCheck = 5 * time.Second  // how often the session and the run are looked at without a ring
	// Looks at the run take one part in streamShare of the time at most, so that many readers of a busy run see it later rather
	// than keep the others from their pages. The run itself rings forty times a second at most.
	streamShare = 4
)

// liveRun answers what changed on a live run's page since a line: what the page asks for once a second when it has no stream.
func (s *Server) liveRun(c echo.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	after, _ := strconv.ParseInt(c.QueryParam("after"), 10, 64)
	live, _, err := s.live(c, id, after)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, views.RunLive(live))
}

// live reads what changed since a line, and the last line read.
func (s *Server) live(c echo.Context, id, after int64) (views.Live, int64, error) {
	run, journal, err := s.db.RunWithLog(c.Request().Context(), id, db.LogFilter{After: placeAfter(after), Limit: 500})
	if err != nil {
		return views.Live{}, after, err
	}
	shown := s.runPage(c, s.plainPage(c), run)
	shown.Log = views.Log{Run: id, Lines: logLines(journal.Lines), Following: true}
	if n := len(journal.Lines); n > 0 {
		after = journal.Lines[n-1].ID
	}
	return views.Live{Run: shown, Done: run.Status != "running" && !journal.More}, after, nil
}

// placeAfter is the place of the log before its first line for a reader who has none yet.
func placeAfter(after int64) int64 {
	if after <= 0 {
		return -1
	}
	return after
}

// streamRun is the event stream of one live run. It tells what changed as soon as the bell rings, with the id of the
// last line, so that a reader who comes back goes on behind it: nothing is lost and nothing is said twice.
func (s *Server) streamRun(c echo.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	leave, ok := s.streams.enter(s.actor(c).ID)
	if !ok {
		return &problem{status: http.StatusServiceUnavailable, key: "error.streams", wait: 10 * time.Second}
	}
	defer leave()
	after, _ := strconv.ParseInt(c.QueryParam("after"), 10, 64)
	if last, err := strconv.ParseInt(c.Request().Header.Get("Last-Event-ID"), 10, 64); err == nil {
		after = last
	}
	rings, end := s.bell.subscribe(id)
	defer end()
	stream := newStream(c)
	ctx, cancel := context.WithTimeout(c.Request().Context(), streamLife-rand.N(streamLife/10))
	defer cancel()
	c.SetRequest(c.Request().WithContext(ctx))
	for {
		if !s.holds(c) {
			return stream.send("bye", 0, "")
		}
		looked := time.Now()
		done, last, err := s.tell(c, stream, id, after)
		if err != nil || done {
			return streamEnd(err)
		}
		after = last
		if !waitRing(ctx, rings, looked.Add(streamShare*time.Since(looked))) {
			return nil
		}
	}
}

// holds reports whether who opened the stream may still see it: signed out, disabled or out of time ends it.
func (s *Server) holds(c echo.Context) bool {
	visit := s.visit(c)
	if visit.Operator == nil {
		return false
	}
	open, err := s.db.StillOpen(c.Request().Context(), visit.Operator.ID, visit.Session)
	return err == nil && open
}

// tell sends what changed since a line, and whether that was the end.
func (s *Server) tell(c echo.Context, stream *stream, id, after int64) (bool, int64, error) {
	live, last, err := s.live(c, id, after)
	if err != nil {
		return false, after, err
	}
	var html bytes.Buffer
	if err := views.RunLive(live).Render(c.Request().Context(), &html); err != nil {
		return false, after, fmt.Errorf("render the live run: %w", err)
	}
	if err := stream.send("live", last, html.String()); err != nil {
		return false, after, err
	}
	if live.Done {
		return true, last, stream.send("done", last, "")
	}
	return false, last, nil
}

// streamEnd makes an ordinary end of what only says that the reader has gone.
func streamEnd(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// waitRing waits for the bell, and at most until the next look at the session; false: the stream is over. The first ring
// after a rest is answered at once, those that come fast together, at the soonest moment given.
func waitRing(ctx context.Context, rings <-chan struct{}, soonest time.Time) bool {
	look := time.NewTimer(streamCheck)
	defer look.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-look.C:
		return true
	case <-rings:
	}
	pause := time.NewTimer(time.Until(soonest))
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-pause.C:
		return true
	}
}

// stream writes server-sent events with a deadline for each.
type stream struct {
	response   *echo.Response
	controller *http.ResponseController
}

// newStream begins a stream with its first event: what fails before is an answer of its own.
func newStream(c echo.Context) *stream {
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, "text/event-stream")
	header.Set(echo.HeaderCacheControl, "no-store")
	header.Set("X-Accel-Buffering", "no")
	return &stream{c.Response(), http.NewResponseController(c.Response().Writer)}
}

// send writes one event; the text is split into one data line a line, so that nothing in it becomes a field of its own.
func (s *stream) send(event string, id int64, text string) error {
	if err := s.controller.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("deadline of the stream: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "event: %s\n", event)
	if id > 0 {
		fmt.Fprintf(&b, "id: %d\n", id)
	}
	for line := range strings.SplitSeq(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteString("\n")
	if _, err := s.response.Write([]byte(b.String())); err != nil {
		return fmt.Errorf("write to the stream: %w", err)
	}
	return s.controller.Flush()
}
