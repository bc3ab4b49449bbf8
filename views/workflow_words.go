package views

import (
	"slices"
	"strconv"
)

func digits(n int64) string { return strconv.FormatInt(n, 10) }

// again is how often the page asks anew: each second while an order waits or a run is on.
func (p Workflow) again() string {
	if p.Order != "" || p.State == Running || len(p.Flash) > 0 {
		return "every 1s"
	}
	return "every 5s"
}

// first are the workflow's own actions: at most four, one of them filled.
func (p Workflow) first() []Action {
	var actions []Action
	if p.State == Running && p.Run > 0 {
		actions = append(actions, Action{Text: p.T("workflow.watch", digits(p.Run)), Href: runPath(p.Run), Kind: Filled})
	}
	for _, order := range p.mainOrders() {
		if slices.Contains(p.Can, order) {
			action := p.orderAction(p.Name, order, p.State)
			if len(actions) == 0 {
				action.Kind = Filled
			}
			actions = append(actions, action)
		}
	}
	return actions
}

func (p Workflow) mainOrders() []Order {
	switch p.State {
	case Paused, Failed:
		return []Order{OrderStart, OrderSimulate, OrderRestart, OrderStop}
	case Edited, Ended, Stopped:
		return []Order{OrderStart, OrderSimulate, OrderRun}
	case Running:
		return []Order{OrderStop, OrderPause}
	}
	return []Order{OrderSimulate, OrderRun, OrderPause, OrderStop}
}

func (p Workflow) others() []Action {
	var rest []Order
	for _, order := range p.Can {
		if !slices.Contains(p.mainOrders(), order) {
			rest = append(rest, order)
		}
	}
	return p.orderActions(p.Name, rest, p.State)
}

// idle reports a workflow whose schedule nobody watches.
func (p Workflow) idle() bool {
	return slices.Contains([]State{Edited, Ended, NotBuilt, NotHere}, p.State)
}

// whyNone says why there is nothing yet: a workflow that cannot be started here has another reason than others.
func (p Workflow) whyNone(key string) string {
	if p.State == NotBuilt || p.State == NotHere {
		return p.T("workflow.cannot_start")
	}
	return p.T(key)
}

// stateMore says since when, why, and what is next.
func (p Workflow) stateMore() string {
	said := ""
	switch {
	case p.Order != "":
		said = ", " + p.T("run.asked", p.About(p.Now.Sub(p.OrderAt)), p.OrderBy)
	case p.State == Running || p.State == Late || p.State == Failed:
		said = ", " + p.About(p.Now.Sub(p.Since))
	case p.State == Paused && p.By != "":
		said = ", " + p.T("workflow.since_by", p.When(p.Since), p.By)
	case p.State == Paused:
		said = ", " + p.T("workflow.since", p.When(p.Since))
	}
	if p.State == Paused && !p.Until.IsZero() {
		said += ", " + p.T("workflow.until", p.When(p.Until), p.In(p.Until))
	}
	if p.Reason != "" && p.Order == "" {
		said += ": " + p.Reason
	}
	if p.State == Started && !p.Next.IsZero() {
		said += ", " + p.T("workflow.next_in", p.In(p.Next), p.Stamp(p.Next))
	}
	return said
}

func (p Workflow) runWord() string { return p.T("workflow.run", digits(p.Run)) }

// lastTime is what the last run did, as a sentence.
func (p Workflow) lastTime() string {
	if p.Last.ID == 0 {
		return ""
	}
	if p.Last.Rows == 0 {
		return p.T("workflow.last_nothing", p.Day(p.Last.At), p.Lasted(p.Last.Took))
	}
	return p.T("workflow.last", p.Day(p.Last.At), p.Last.did(p.Page), p.Lasted(p.Last.Took))
}

func (p Workflow) allRuns() Link {
	if len(p.Runs) == 0 {
		return Link{}
	}
	return Link{p.T("workflow.all_runs", p.RunsTotal), "/runs?workflow=" + p.Name}
}

func (p Workflow) edit(what string) Link {
	if !p.CanEdit {
		return Link{}
	}
	return Link{p.T("workflow.edit"), workflowPath(p.Name) + "/" + what}
}

// shown is the run's state, or simulated.
func (r RunRow) shown() State {
	if r.Simulated && (r.State == Finished || r.State == Warned) {
		return Simulated
	}
	return r.State
}

func (r RunRow) by(p Page) string {
	if r.By != "" {
		return r.By
	}
	return p.T("trigger." + r.Trigger)
}

func (r RunRow) took(p Page) string {
	if r.ID == 0 {
		return "—"
	}
	return p.Took(r.Took)
}

func (r RunRow) steps(p Page) string {
	if r.Steps == 0 {
		return "—"
	}
	return p.T("runs.steps_of", r.StepsDone, r.Steps)
}

func (r RunRow) note(p Page) string {
	switch {
	case r.Note != "" && len(r.Causes) > 0:
		return r.Note + ", " + p.causeWords(r.Causes)
	case r.Note != "":
		return r.Note
	case len(r.Causes) > 0:
		return p.causeWords(r.Causes)
	case r.Simulated && r.State == Running:
		return p.T("run.rehearsal")
	case r.Simulated && r.Rows > 0:
		return p.T("runs.would_change", r.Rows)
	case r.State == Finished && !r.Simulated:
		return p.T("runs.as_usual")
	}
	return ""
}

// plain reports whether the row has nothing to say but that the run was as usual.
func (r RunRow) plain() bool {
	return r.Note == "" && len(r.Causes) == 0 && r.State == Finished && !r.Simulated
}

// when is the slot's moment, or the stretch that it stands for.
func (s Slot) when(p Page) string {
	if s.Count > 1 && !s.To.IsZero() {
		return p.T("slots.stretch", p.DayTime(s.At), p.When(s.To))
	}
	return p.DayTime(s.At)
}

// answer is what became of the slot: ran, ran late, skipped …
func (s Slot) answer(p Page) string {
	switch s.State {
	case Finished, Warned:
		return p.T("slots.ran")
	case Late:
		return p.T("slots.ran_late", p.Took(s.Lag))
	}
	if s.Count > 1 {
		return p.T("slots.times", p.T(s.State.key()), s.Count)
	}
	return p.T(s.State.key())
}

func (s Slot) why(p Page) string {
	switch {
	case s.Note != "":
		return p.T("reason."+s.Why) + ", " + s.Note
	case s.Why != "":
		return p.T("reason." + s.Why)
	case s.Kind != "" && s.Kind != "scheduled":
		return p.T("trigger." + s.Kind)
	case s.State == Finished && s.Lag > 0:
		return p.T("slots.lag", p.Took(s.Lag))
	}
	return ""
}
