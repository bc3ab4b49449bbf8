package views

import (
	"time"
)

// axis is the minute axis of a run: from its begin to its end, or to where it usually ends.
type axis struct {
	from time.Time
	span time.Duration
	step time.Duration // between two numbers
}

// runAxis makes room for what is done, what is to come and the usual end.
func (r Run) runAxis() axis {
	span := r.took()
	switch r.State {
	case Running, Failed, Stopped, Interrupted:
		span = max(span+r.toCome(), r.UsualTo)
	}
	span = max(span, time.Second)
	a := axis{from: r.Begun, span: span + span/40}
	for _, step := range []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute,
		10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour,
	} {
		if a.step = step; a.span/step <= 7 {
			break
		}
	}
	return a
}

// toCome is how long the steps that are left usually take.
func (r Run) toCome() time.Duration {
	var left time.Duration
	for _, step := range r.Steps {
		if step.State == ToCome || step.State == NotRun {
			left += step.Usual
		}
	}
	if r.State == Running {
		left = max(left, r.remaining())
	}
	return left
}

// at places a moment after the begin.
func (a axis) at(d time.Duration) string { return percent(d, a.span) }

// labelRoom is the width in pixels for which the names on the tape are spread: they must not touch on a small window either.
const labelRoom = 760.0

// runPiece is one step on the run's tape.
type runPiece struct {
	x, width, class string
	label           string
	wide            bool
}

// pieces are the steps on the axis, in the order in which they ran and will run.
func (r Run) pieces(a axis) []runPiece {
	var pieces []runPiece
	var at time.Duration
	after := -1.0 // right end of the last label, in pixels of a 1,120 wide tape
	for _, step := range r.Steps {
		lasts := step.Took
		switch step.State {
		case ToCome, NotRun:
			lasts = step.Usual
			at = max(at, r.took())
		case Kept:
			continue
		default:
			if !step.Begun.IsZero() {
				at = max(0, step.Begun.Sub(r.Begun))
			}
		}
		piece := runPiece{x: a.at(at), width: a.at(lasts), class: pieceClass(step.State)}
		left, width := 1120*float64(at)/float64(a.span), 1120*float64(lasts)/float64(a.span)
		name := r.T("tape.step", step.Number, step.Key)
		if width > 70 && left > after {
			piece.label, piece.wide = name, true
			after = left + 1120/labelRoom*7.4*float64(len(name))
		}
		pieces = append(pieces, piece)
		at += lasts
	}
	return pieces
}

func pieceClass(s State) string {
	switch s {
	case Running:
		return "now"
	case Failed:
		return "bad"
	case Stopped, Interrupted:
		return "cut"
	case ToCome:
		return "due"
	case NotRun:
		return "left-out"
	}
	return "past"
}

// runTick is a number or a small line of the axis.
type runTick struct{ x, text string }

func (r Run) runTicks(a axis) []runTick {
	layout := "15:04"
	if a.step < time.Minute {
		layout = "15:04:05"
	}
	var ticks []runTick
	first := a.from.In(r.Zone).Truncate(a.step)
	now := min(r.took(), a.span)
	if first.Before(a.from) {
		if now > a.span/12 {
			ticks = append(ticks, runTick{"0%", a.from.In(r.Zone).Format(layout)})
		}
		first = first.Add(a.step)
	}
	for at := first; at.Sub(a.from) < a.span; at = at.Add(a.step) {
		tick := runTick{x: a.at(at.Sub(a.from))}
		// A number stands right of its line: the last ones would stand outside, on a phone from a seventh on.
		clear := (len(ticks) == 0 || at.Sub(a.from) > a.span/14) && at.Sub(a.from) < a.span-a.span/7
		if clear && a.apart(at.Sub(a.from), now) {
			tick.text = at.In(r.Zone).Format(layout)
		}
		ticks = append(ticks, tick)
	}
	return ticks
}

// apart says that a number does not touch the clock of the needle, which stands in its middle, or ends there when it is late.
func (a axis) apart(at, now time.Duration) bool {
	switch {
	case at > now:
		return at-now > a.span/15
	case a.late(now):
		return now-at > a.span/6
	}
	return now-at > a.span/9
}

// late says that a clock at this place has no room to its right.
func (a axis) late(at time.Duration) bool { return at > a.span-a.span/10 }

// tapeSays is the run's tape for those who do not see it.
func (r Run) tapeSays() string {
	return r.T("tape.run", r.count(Finished, Warned, Kept), len(r.Steps), r.Took(r.took()))
}

// endText is the clock at the needle: now, or the end.
func (r Run) endText() string { return r.Begun.Add(r.took()).In(r.Zone).Format("15:04:05") }
