package views

// State is what a workflow, a run, a step or a due slot is in, as people see it.
type State string

// All states. Orders that are not applied yet (StartPending …) share a glyph and have their own words.
const (
	Started      State = "started"
	Running      State = "running"
	Finished     State = "finished"
	Warned       State = "warned" // a run that ended well, with warnings
	Failed       State = "failed"
	Late         State = "late"
	Missed       State = "missed"
	Paused       State = "paused"
	StartPending State = "start_pending"
	PausePending State = "pause_pending"
	StopPending  State = "stop_pending"
	Waiting      State = "waiting" // due, and not claimed yet
	Stopped      State = "stopped"
	Ended        State = "ended" // a workflow in state finished: no task left, or stopped by an operator
	Skipped      State = "skipped"
	Cancelled    State = "cancelled"
	Interrupted  State = "interrupted"
	Simulated    State = "simulated"
	Edited       State = "edited"
	NotBuilt     State = "not_built" // in the catalogue, not in this version
	NotHere      State = "not_here"  // package or account missing on this instance
	Refused      State = "refused"
	Kept         State = "kept"    // a step done by the run that this one resumes
	ToCome       State = "to_come" // a step not begun
	NotRun       State = "not_run" // a step that the end of its run left out
	Due          State = "due"     // a slot ahead
)

// look is one row of the table of states: the only place that knows shape and colour.
type look struct {
	glyph  string // symbol of glyphs.svg; empty: no mark in the margin
	colour string // class that colours glyph and word
	loud   bool   // the word is coloured too
	calls  bool   // someone is needed
}

// mark are the classes of the glyph: its colour, and that of what runs turns.
func (l look) mark() string {
	if l.glyph == "running" {
		return "mark-running tone-" + l.colour
	}
	return "tone-" + l.colour
}

// look is the row of a state. Outline is calm, filled asks for a person; colour comes third, after shape and word.
func (s State) look() look {
	switch s {
	case Started:
		return look{"started", "calm", false, false}
	case Running:
		return look{"running", "running", true, false}
	case Finished, Kept:
		return look{"finished", "finished", true, false}
	case Warned:
		return look{"finished", "late", true, false}
	case Failed:
		return look{"failed", "failed", true, true}
	case Late, Missed:
		return look{"late", "late", true, true}
	case Paused:
		return look{"paused", "paused", true, true}
	case StartPending, PausePending, StopPending, Waiting:
		return look{"pending", "pending", true, false}
	case Stopped, Ended:
		return look{"stopped", "stopped", false, false}
	case Skipped, Cancelled:
		return look{"skipped", "off", true, false}
	case Interrupted:
		return look{"interrupted", "late", true, false}
	case Simulated:
		return look{"simulated", "calm", false, false}
	case Edited:
		return look{"edited", "off", false, false}
	case NotBuilt, NotHere, Refused:
		return look{"off", "off", false, false}
	case ToCome, NotRun, Due:
		return look{"", "off", false, false}
	}
	return look{"off", "off", false, false}
}

// Calls reports whether the state asks for a person.
func (s State) Calls() bool { return s.look().calls }

// key is the state's word in package locale.
func (s State) key() string { return "state." + string(s) }

// States lists all states, for tests and for the legend.
func States() []State {
	return []State{
		Started, Running, Finished, Warned, Failed, Late, Missed, Paused, StartPending, PausePending, StopPending, Waiting,
		Stopped, Ended, Skipped, Cancelled, Interrupted, Simulated, Edited, NotBuilt, NotHere, Refused, Kept, ToCome, NotRun, Due,
	}
}
