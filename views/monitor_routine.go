package views

import "time"

// Gap is what cannot be known here, and why: word "monitor.gap_…".
type Gap struct {
	Key  string
	Args []any
}

// SentDelivery is a delivery that was sent, or that failed.
type SentDelivery struct {
	ID           int64
	Label        string
	Failed       bool
	At           time.Time
	Sent, Errors int64
	Why          string // it failed; may be empty
}

// Levels of a row of the routine.
const (
	RoutineOK      = "ok"
	RoutineWarning = "warning"
	RoutineOff     = "off" // nothing to look at on this instance
)

// RoutineRow is one thing that an operator looks at every day, with what is found.
type RoutineRow struct {
	Workflow, Label string // Workflow is empty where it is several
	Level, Text     string
}

func (r RoutineRow) state() State {
	switch r.Level {
	case RoutineOK:
		return Finished
	case RoutineWarning:
		return Late
	}
	return NotHere
}

// NotKnown says in words what cannot be known of the machine and of PostgreSQL here.
func (m Monitoring) NotKnown() []string {
	return append(m.gaps(m.HostGaps), m.gaps(m.DatabaseGaps)...)
}

func (p Page) gaps(all []Gap) []string {
	texts := make([]string, len(all))
	for i, g := range all {
		texts[i] = p.T("monitor.gap_"+g.Key, g.Args...)
	}
	return texts
}
