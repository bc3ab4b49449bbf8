package views

import (
	"fmt"
	"slices"
	"time"

	"nightshift/views/locale"
)

// word is the part of a text's key that names the order; a start after a failure or a pause has words of its own.
func (p Dialog) word() string {
	switch {
	case p.Plan > 0:
		return "plan"
	case p.Order == OrderStart && p.Resume:
		return "start_failed"
	case p.Order == OrderStart && p.State == Paused:
		return "start_paused"
	}
	return string(p.Order)
}

// question is the title: the order with the workflow's name.
func (p Dialog) question() string { return p.T("ask."+p.word(), p.Label) }

// effect is one sentence on what the order does.
func (p Dialog) effect() Rich {
	switch p.word() {
	case "start_failed":
		return p.R("effect.start_failed", OrNone(p.FailedAt))
	case "purge-history":
		return p.R("effect.purge-history", p.Purges[0], p.Purges[1])
	}
	return p.R("effect." + p.word())
}

// verb is the order with its object, on the button.
func (p Dialog) verb() string { return p.T("verb." + p.word()) }

// destroys reports an order that cannot be taken back.
func (p Dialog) destroys() bool {
	return p.Order == OrderUnconditionalStop || p.Order == OrderPurgeHistory || p.Plan > 0
}

func (p Dialog) kind() Kind {
	if p.Order == OrderUnconditionalStop || p.Plan > 0 {
		return Destructive
	}
	return Filled
}

// fields are the lines that the order asks for.
func (p Dialog) fields() []Field {
	switch p.Order {
	case OrderPause:
		note := p.T("field.optional")
		if p.Severity != "normal" {
			note = p.T("pause.reason_needed", p.T("severity."+p.Severity))
		}
		return []Field{{Name: "reason", Label: p.T("pause.reason"), Note: note, Value: p.Reason, Error: p.Errors["reason"],
			Autofocus: true, Required: p.Severity != "normal"}}
	case OrderUnconditionalStop:
		return []Field{{Name: "name", Label: p.T("stop.type_name", p.Workflow), Error: p.Errors["name"], Mono: true, Required: true, Typed: p.Workflow}}
	}
	return nil
}

// paramsHelp says which parameters the workflow knows, as far as it is documented.
func (p Dialog) paramsHelp() string {
	if key := "params." + p.Workflow; locale.Has(key) {
		return p.T(key)
	}
	return p.T("params.none")
}

// touchesSlots reports an order that changes what becomes of the coming slots.
func (p Dialog) touchesSlots() bool {
	switch p.Order {
	case OrderPause, OrderStop, OrderStart, OrderUnconditionalStop, OrderRestart:
		return true
	}
	return false
}

// slotFate is what becomes of a coming slot after the order: a pause that ends skips those before its end.
func (p Dialog) slotFate(at time.Time) State {
	switch {
	case p.Order == OrderPause && (p.End.IsZero() || at.Before(p.End)), p.Order == OrderStop, p.Order == OrderUnconditionalStop:
		return Skipped
	}
	return Started
}

func (p Dialog) fateWord() string {
	switch p.Order {
	case OrderPause:
		return p.T("fate.skipped")
	case OrderStop, OrderUnconditionalStop:
		return p.T("fate.not_due")
	}
	return p.T("fate.runs")
}

// back is where the question came from.
func (p Dialog) back() string {
	switch {
	case p.Plan > 0:
		return runPath(p.Plan)
	case p.Run > 0:
		return runPath(p.Run)
	}
	return workflowPath(p.Workflow)
}

// shownSlots are the coming slots that the picture has room for; the last one of a pause that ends is the one that runs.
func (p Dialog) shownSlots() []time.Time {
	if n := len(p.Slots); n > slotsDrawn {
		return append(slices.Clone(p.Slots[:slotsDrawn-1]), p.Slots[n-1])
	}
	return p.Slots
}

// slotsDrawn is how many slots the picture of what follows has at most.
const slotsDrawn = 24

// slotMark is a slot in the picture; those too close to the one before have no text.
type slotMark struct {
	x, text string
	fate    State
}

func (p Dialog) slotMarks() []slotMark {
	shown := p.shownSlots()
	marks, last := make([]slotMark, len(shown)), -100.0
	end := p.slotShare(shown[len(shown)-1])
	for i, at := range shown {
		share := p.slotShare(at)
		marks[i] = slotMark{x: fmt.Sprintf("%.2f%%", share), fate: p.slotFate(at)}
		if i == len(shown)-1 || share-last >= 15 && end-share >= 15 {
			marks[i].text, last = p.slotText(at), share
		}
	}
	return marks
}

func (p Dialog) slotsEnd() time.Time {
	shown := p.shownSlots()
	span := max(shown[len(shown)-1].Sub(p.Now), time.Minute)
	return p.Now.Add(span + span/10)
}

// slotShare is where a slot stands in the picture, in parts of a hundred.
func (p Dialog) slotShare(at time.Time) float64 {
	return 5 + 90*float64(at.Sub(p.Now))/float64(p.slotsEnd().Sub(p.Now))
}

// slotText is the clock, or the day when the slots are a day and more apart.
func (p Dialog) slotText(at time.Time) string {
	if p.slotsEnd().Sub(p.Now) > 36*time.Hour {
		return p.Day(at)
	}
	return p.Clock(at)
}

// slotsWords is the picture in words: how many slots a pause skips and which one runs, else the first and what becomes of it.
func (p Dialog) slotsWords() string {
	if p.Order != OrderPause {
		return p.Stamp(p.Slots[0]) + ": " + p.fateWord()
	}
	switch {
	case p.End.IsZero():
		return p.N("pause.skips_open", int64(p.Skips))
	case p.Skips == 0:
		return p.T("pause.skips_none", p.When(p.End))
	}
	return p.N("pause.skips", int64(p.Skips), p.When(p.End))
}

// staleReader says who reads the table meanwhile.
func (p Dialog) staleReader(s Stale) string {
	if s.Reader == "" {
		return p.T("pause.no_reader")
	}
	return s.Reader
}
