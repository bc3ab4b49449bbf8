package views

import "time"

// Frozen is the freeze that is in force, shown on every page. While On is true nothing begins by itself.
type Frozen struct {
	On           bool
	By, Reason   string
	Since, Until time.Time // Until is zero: until it is lifted
}

// FreezeForm asks before the instance is frozen.
type FreezeForm struct {
	Page
	Reason, Until, UntilAt string            // what was typed; Until as of a pause
	Errors                 map[string]string // by field: reason, until
	Trouble                string
	Runs                   int // in progress: they go on
	End                    time.Time
	Touched                []FreezeTouch // workflows with slots in the freeze, those that wait longest first
	More                   int           // workflows that are not listed
	Slots                  int
}

// FreezeTouch is what a freeze does to one workflow: slots that are skipped, and the first one after it.
type FreezeTouch struct {
	Workflow, Label string
	Slots           int
	First, Next     time.Time // Next is zero when none comes
}

// LiftForm asks before a freeze is lifted.
type LiftForm struct {
	Page
	Waiting int // signals and runs that begin at once
}

// frozenUntil says until when, or that it has to be lifted.
func (p Page) frozenUntil() string {
	if p.Frozen.Until.IsZero() {
		return p.T("freeze.until_lifted")
	}
	return p.T("freeze.until", p.When(p.Frozen.Until))
}

// frozenNote is a sentence for who orders something to begin during a freeze; empty when there is none.
func (p Dialog) frozenNote() string {
	if !p.Frozen.On {
		return ""
	}
	switch p.word() {
	case "run", "wakeup", "plan", "start_failed":
		return p.T("freeze.order_runs", p.frozenUntil(), p.Frozen.By)
	case "start", "start_paused", "restart":
		return p.T("freeze.order_starts", p.frozenUntil(), p.Frozen.By)
	}
	return ""
}

func (f FreezeForm) slotsWords() string {
	if f.Slots == 0 {
		return f.T("freeze.no_slots")
	}
	key := "freeze.slots_until"
	if f.Until == "" {
		key = "freeze.slots_day"
	}
	return f.N(key, int64(f.Slots), Number(int64(len(f.Touched)+f.More)), f.Stamp(f.End))
}
