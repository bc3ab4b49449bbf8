package views

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tape is what the masthead shows of the 24 hours around now.
type Tape struct {
	Marks []TapeMark
	Own   string // workflow whose page this is: its marks take the lamp's colour, the others fade
	Drawn *Drawings
}

// TapeMark is one run on the tape: one that ended, one that runs, or one that is expected.
type TapeMark struct {
	Workflow string
	At       time.Time
	Lasts    time.Duration // as long as it took, or usually takes
	Every    time.Duration // usual time from run to run; below an hour the mark is left out, unless it is an exception
	State    State         // Finished, Running, Due; Failed, Late, Missed stand alone in the row above
}

// tapeSpan is the stretch of time that the tape shows.
const tapeSpan = 24 * time.Hour

// tapeGlyph is the width of an exception's glyph. Of two that would cover each other by half, the second is left out.
const tapeGlyph = tapeSpan * 12 / 1008

// tapeRow is a mark, placed.
type tapeRow struct {
	x, width, y string
	class       string
	glyph       string
}

// placed puts the marks on their lanes: 1 and 2 nightly work, 3 tracking, 4 and 5 what else runs hourly.
func (p Page) placed() (runs, exceptions []tapeRow) {
	from, to := p.Now.Add(-tapeSpan/2), p.Now.Add(tapeSpan/2)
	marks := slices.Clone(p.Tape.Marks)
	slices.SortStableFunc(marks, func(a, b TapeMark) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Workflow, b.Workflow)) })
	busy, drawn := map[int]time.Time{}, map[string]time.Time{}
	for _, mark := range marks {
		if mark.At.Add(mark.Lasts).Before(from) || mark.At.After(to) {
			continue
		}
		row := tapeRow{x: percent(mark.At.Sub(from), tapeSpan), class: p.tapeClass(mark)}
		switch mark.State {
		case Failed, Late, Missed:
			row.glyph = mark.State.look().glyph
			if mark.At.Sub(drawn[row.class+row.glyph]) < tapeGlyph/2 {
				continue
			}
			drawn[row.class+row.glyph] = mark.At
			exceptions = append(exceptions, row)
			continue
		}
		if mark.Every > 0 && mark.Every < time.Hour {
			continue
		}
		lane := mark.lane(busy)
		lasts := max(mark.Lasts, tapeSpan*3/1008)
		busy[lane] = mark.At.Add(lasts)
		row.width, row.y = percent(lasts, tapeSpan), strconv.Itoa(12+6*lane)
		runs = append(runs, row)
	}
	return runs, exceptions
}

// lane chooses the first free lane of the mark's kind.
func (m TapeMark) lane(busy map[int]time.Time) int {
	lanes := []int{1, 2}
	switch {
	case m.Workflow == "tracking":
		return 3
	case m.Every > 0 && m.Every < 6*time.Hour:
		lanes = []int{4, 5}
	}
	if busy[lanes[0]].After(m.At) {
		return lanes[1]
	}
	return lanes[0]
}

func (p Page) tapeClass(m TapeMark) string {
	class := "past"
	switch m.State {
	case Running:
		class = "now"
	case Due:
		class = "due"
	case Failed:
		class = "bad"
	case Late, Missed:
		class = "warn"
	}
	switch {
	case p.Tape.Own == "":
	case p.Tape.Own == m.Workflow:
		class += " own"
	case m.State != Failed && m.State != Late && m.State != Missed:
		class += " other"
	}
	return class
}

// tick is an hour on the ruler under the tape; those within 57 minutes of the needle lose their number to the clock.
type tick struct {
	x, number string
	midnight  bool
}

func (p Page) ticks() []tick {
	from := p.Now.Add(-tapeSpan / 2)
	var ticks []tick
	local := from.In(p.Zone)
	first := from.Add(time.Hour - time.Duration(local.Minute())*time.Minute - time.Duration(local.Second())*time.Second)
	for at := first; at.Before(p.Now.Add(tapeSpan / 2)); at = at.Add(time.Hour) {
		hour := at.In(p.Zone).Hour()
		t := tick{x: percent(at.Sub(from), tapeSpan), midnight: hour == 0}
		if gap := at.Sub(p.Now).Abs(); hour%2 == 0 && gap >= 57*time.Minute && gap < tapeSpan/2-12*time.Minute {
			t.number = fmt.Sprintf("%02d", hour)
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// tapeText is the tape for those who do not see it: "Next: cleanup 04:00; 1 failed, 1 late in the last 12 h".
func (p Page) tapeText() string {
	var failed, late int64
	var next *TapeMark
	for i, mark := range p.Tape.Marks {
		switch {
		case mark.State == Failed:
			failed++
		case mark.State == Late, mark.State == Missed:
			late++
		case mark.State == Due && mark.At.After(p.Now) && (next == nil || mark.At.Before(next.At)) && (mark.Every == 0 || mark.Every >= time.Hour):
			next = &p.Tape.Marks[i]
		}
	}
	said := []string{p.T("tape.nothing_next")}
	if next != nil {
		said[0] = p.T("tape.next", next.Workflow, p.Clock(next.At))
	}
	said = append(said, p.T("tape.exceptions", failed, late))
	return strings.Join(said, "; ")
}
