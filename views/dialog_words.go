package views

import (
	"fmt"
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

// slotFate is what becomes of the coming slots after the order.
func (p Dialog) slotFate() State {
	if p.Order == OrderPause || p.Order == OrderStop || p.Order == OrderUnconditionalStop {
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

// shownSlots are the first of the coming slots, as many as the picture has room for.
func (p Dialog) shownSlots() []time.Time { return p.Slots[:min(len(p.Slots), 6)] }

func (p Dialog) slotsEnd() time.Time {
	shown := p.shownSlots()
	span := max(shown[len(shown)-1].Sub(p.Now), time.Minute)
	return p.Now.Add(span + span/10)
}

func (p Dialog) slotX(at time.Time) string {
	return fmt.Sprintf("%.2f%%", 5+90*float64(at.Sub(p.Now))/float64(p.slotsEnd().Sub(p.Now)))
}

// slotText is the clock, or the day when the slots are a day and more apart.
func (p Dialog) slotText(at time.Time) string {
	if p.slotsEnd().Sub(p.Now) > 36*time.Hour {
		return p.Day(at)
	}
	return p.Clock(at)
}

// slotsWords is the picture in words: the first slot and what becomes of it.
func (p Dialog) slotsWords() string { return p.Stamp(p.Slots[0]) + ": " + p.fateWord() }
