package views

import (
	"strings"
	"testing"
	"time"

	"nightshift/views/locale"
)

// TestDrawings: a picture is drawn once for those who see the same, and anew for another language, zone or workflow, and
// for new marks.
func TestDrawings(t *testing.T) {
	t.Parallel()
	seoul, err := time.LoadLocation("Asia/Seoul")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 27, 3, 12, 0, 0, time.UTC)
	page := Page{Lang: locale.English, Zone: time.UTC, Now: now, Tape: Tape{Drawn: new(Drawings),
		Marks: []TapeMark{{Workflow: "cleanup", At: now.Add(time.Hour), Lasts: time.Minute, State: Due}}}}
	tape := func(p Page) string {
		t.Helper()
		var b strings.Builder
		if err := p.drawn("tape", tapeBand(p)).Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	first := tape(page)
	later := page
	later.Now = now.Add(time.Second)
	if tape(later) != first {
		t.Error("the same marks a second later: got another picture, want the one that was kept")
	}
	for name, change := range map[string]func(*Page){
		"language":  func(p *Page) { p.Lang = locale.Korean },
		"zone":      func(p *Page) { p.Zone = seoul },
		"workflow":  func(p *Page) { p.Tape.Own = "cleanup" },
		"new marks": func(p *Page) { p.Tape.Drawn, p.Tape.Marks = new(Drawings), nil },
	} {
		other := page
		change(&other)
		if tape(other) == first {
			t.Errorf("another %s: got the same picture, want its own", name)
		}
		if plain := func() Page { p := other; p.Tape.Drawn = nil; return p }(); tape(plain) != tape(other) {
			t.Errorf("another %s: got a picture that differs from the one drawn without keeping", name)
		}
	}
}
