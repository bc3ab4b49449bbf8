package web

import (
	"net/http/httptest"
	"strings"
	"testing"

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
	var s streams
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
}
