package views

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// runTable writes the rows of a list of runs. What rows have in common is made once and not fifty times: glyph and word of
// a state, and the words of a day.
type runTable struct {
	Page
	named  bool // says which workflow each run is of
	states map[State]stateCells
	day    string // of the last row, with its year
	said   string // how that day is written
}

// stateCells are a state's glyph and its word. The glyph says nothing to those who do not see it: the word stands beside it.
type stateCells struct{ mark, word templ.Component }

func (t *runTable) state(s State) stateCells {
	cells, made := t.states[s]
	if !made {
		look := s.look()
		cells = stateCells{drawnOnce(Icon(look.glyph, look.mark())), drawnOnce(StateWord(t.Page, s))}
		if t.states == nil {
			t.states = map[State]stateCells{}
		}
		t.states[s] = cells
	}
	return cells
}

// drawnOnce is a component that is rendered at its first use; what came of it serves the others.
func drawnOnce(c templ.Component) templ.Component {
	var text string
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		if text == "" {
			var b strings.Builder
			if err := c.Render(ctx, &b); err != nil {
				return err
			}
			text = b.String()
		}
		_, err := io.WriteString(w, text)
		return err
	})
}

// dayTime is what Page.DayTime says of a moment of the page's zone.
func (t *runTable) dayTime(local time.Time) string {
	if day := local.Format(time.DateOnly); day != t.day {
		clock := t.Clock(local)
		t.day, t.said = day, strings.TrimSuffix(t.DayTime(local), clock)
	}
	return t.said + local.Format("15:04")
}

// zoneOf is the short name of a moment's zone, which a table that is stacked shows beside the clock time.
func zoneOf(local time.Time) string {
	name, _ := local.Zone()
	return name
}
