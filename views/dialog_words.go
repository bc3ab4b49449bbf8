package views

import (
	"nightshift/views/locale"
)

// word is the part of a text's key that names the order; a start after a failure or a pause has words of its own.
func (p Dialog) word() string {
	switch {
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
	return p.Order == OrderUnconditionalStop || p.Order == OrderPurgeHistory
}

func (p Dialog) kind() Kind {
	if p.Order == OrderUnconditionalStop {
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
		return []Field{{Name: "name", Label: p.T("stop.type_name", p.Workflow), Error: p.Errors["name"], Mono: true, Required: true}}
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
