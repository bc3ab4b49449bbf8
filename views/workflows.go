package views

import "time"

// Workflows is the list of all workflows by package. The search and the view stand in its address: ?q=…&view=….
type Workflows struct {
	Page
	Query    string
	View     View
	Counts   map[View]int // rows of each view under this query
	Total    int          // workflows in the catalogue
	Packages []Package    // only rows of this view and query
	Trouble  string       // why the query was not understood; empty: it was
}

// View is one of the list's ready filters.
type View string

// The views, in the order of their tabs.
const (
	ViewAll      View = ""
	ViewNeeds    View = "needs"
	ViewRunning  View = "running"
	ViewStarted  View = "started"
	ViewPaused   View = "paused"
	ViewFailed   View = "failed"
	ViewLate     View = "late"
	ViewPending  View = "pending"
	ViewFinished View = "finished"
	ViewEdited   View = "edited"
	ViewNotHere  View = "not_here"
)

// Views lists the views in the order of their tabs.
func Views() []View {
	return []View{ViewAll, ViewNeeds, ViewRunning, ViewStarted, ViewPaused, ViewFailed, ViewLate, ViewPending, ViewFinished, ViewEdited, ViewNotHere}
}

// Holds reports whether a row in this state belongs to the view.
func (v View) Holds(s State) bool {
	switch v {
	case ViewAll:
		return true
	case ViewNeeds:
		return s.Calls()
	case ViewRunning:
		return s == Running
	case ViewStarted:
		return s == Started
	case ViewPaused:
		return s == Paused
	case ViewFailed:
		return s == Failed
	case ViewLate:
		return s == Late || s == Missed
	case ViewPending:
		return s == StartPending || s == PausePending || s == StopPending
	case ViewFinished:
		return s == Ended || s == Stopped
	case ViewEdited:
		return s == Edited
	case ViewNotHere:
		return s == NotBuilt || s == NotHere
	}
	return false
}

// sample is the state whose glyph stands beside the view's word.
func (v View) sample() State {
	switch v {
	case ViewRunning:
		return Running
	case ViewStarted:
		return Started
	case ViewPaused:
		return Paused
	case ViewFailed:
		return Failed
	case ViewLate:
		return Late
	case ViewPending:
		return StopPending
	case ViewFinished:
		return Ended
	case ViewEdited:
		return Edited
	case ViewNotHere:
		return NotHere
	}
	return ""
}

func (v View) key() string {
	if v == ViewAll {
		return "view.all"
	}
	return "view." + string(v)
}

// Package is a heading of the list with its workflows.
type Package struct {
	Key  string
	Name string
	Rows []WorkflowRow
}

// WorkflowRow is one workflow of the list.
type WorkflowRow struct {
	Name, Label string
	State       State // Running and Late come before Started; an order not applied comes before all
	Since       time.Time
	By          string    // who brought it into the state; empty: the engine
	Reason      string    // of an exceptional state: "no node has affinity mid"; empty: the row says when it ran last
	Until       time.Time // end of a pause; zero: until resumed
	Production  bool      // severity production or critical

	Run            int64 // the run that is on, or that failed
	Step, Steps    int   // of the run that is on
	StepName       string
	Schedule, Cron string // in words, and as an expression for the title
	Next           time.Time
	NextNote       string // instead of a next date: "at the next message"
	Spark          []SparkBar
	Drifts         []Drift // open alarms: its last runs are not as usual
	Last           LastRun
	Can            []Order
}

// LastRun is the last run that ended; ID 0: it never ran.
type LastRun struct {
	ID   int64
	At   time.Time
	Took time.Duration
	Rows int64  // rows changed
	Did  string // verb key of package locale that fits the rows: deleted, updated, added, changed; empty: changed
}

// SparkBar is one due slot of the last sixty, oldest first.
type SparkBar struct {
	Took  time.Duration
	State State // Finished, Failed, Late, Missed, Skipped, Running
}

// calm reports a package without news: nothing runs, waits or calls, and nothing ran in the last twelve hours.
func (g Package) calm(now time.Time) bool {
	for _, row := range g.Rows {
		look := row.State.look()
		if look.calls || len(row.Drifts) > 0 || row.State == Running || look.glyph == "pending" || now.Sub(row.Last.At) < 12*time.Hour {
			return false
		}
	}
	return true
}

// next is the first moment at which one of the package's workflows is due; zero: none.
func (g Package) next() time.Time {
	var first time.Time
	for _, row := range g.Rows {
		if !row.Next.IsZero() && (first.IsZero() || row.Next.Before(first)) {
			first = row.Next
		}
	}
	return first
}
