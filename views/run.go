package views

import "time"

// Run is the page of one run: while it is on, and after it ended.
type Run struct {
	Page
	ID             int64
	Workflow       string // internal name
	Label          string
	Package        string // shown
	State          State  // Running, Finished, Warned, Failed, Stopped, Interrupted
	Order          State  // StopPending or PausePending while an order waits; else empty
	OrderAt        time.Time
	OrderBy        string
	Simulated      bool
	Trigger        string // scheduled, catch_up, manual, resume, signal: word "trigger.…" of package locale
	StartedBy      string // login; empty: the engine
	Node           string
	Severity       string // normal, production, critical
	Due            time.Time
	Begun, Ended   time.Time
	CutOff         time.Time
	Backend        int
	Build          string
	UsualTook      time.Duration // median of its good runs; 0: not known
	UsualFrom      time.Duration // tenth and ninetieth of a hundred
	UsualTo        time.Duration
	RowsChanged    int64
	Warnings       int
	Steps          []Step
	Effects        []Effect // a table each, most rows first
	Dropped        int      // tables dropped whole
	Failure        *Failure
	WorkflowPaused bool      // the failure paused the workflow
	Next           time.Time // its next slot; zero: none
	Options        []ReadOption
	Resumes        int64 // the failed run that this one goes on with; 0: none
	ResumedBy      int64
	Drifts         []Drift
	Log            Log
	Can            []Order
	Admin          bool
	Drawn          *Drawings // of a run that has ended, for all who read its page in one language and zone, on one day
}

// Step is one step of a run, done, current or to come.
type Step struct {
	Number  int
	Key     string
	State   State // Finished, Warned, Running, Failed, Stopped, Interrupted, Kept, ToCome, NotRun
	Said    string
	Rows    int64
	Counted bool // it changes rows, so 0 is a real zero and not a dash
	Begun   time.Time
	Took    time.Duration
	Usual   time.Duration
	Done    int64
	Total   int64 // 0: unknown
	Unit    string
	Batches int
}

// share is how much of the current step is done, a part of 1; 0 when the total is unknown.
func (s Step) share() float64 {
	if s.Total <= 0 {
		return 0
	}
	return min(1, float64(s.Done)/float64(s.Total))
}

// Effect is what a run did to one table.
type Effect struct {
	Table                   string
	Deleted, Updated, Added int64
	Dropped                 int
	Estimated               bool // an upper bound, counted by the rule and not row by row
}

// Failure is why a run failed.
type Failure struct {
	Code    string // SQLSTATE, HTTP status …
	Step    string
	Message string
	Detail  string // statement, server's detail, stack: shown as it is
}

// ReadOption is an option that a run has read, with the value it saw.
type ReadOption struct{ Name, Value, Unit string }

// Log is a stretch of a run's log.
type Log struct {
	Run       int64
	Lines     []LogLine
	Total     int64
	Warnings  int64
	Errors    int64
	Earlier   int64  // lines before those shown
	EarlierAt string // address that shows them
	Level     string // filter: warning, error, sql; empty: all
	Step      int    // filter; 0: all
	Query     string
	Marked    int64 // line that the address names
	Following bool  // the run is on: new lines come to the end
	Purged    time.Time
}

// LogLine is one line, as it was written.
type LogLine struct {
	ID      int64
	At      time.Time
	Step    int // 0: none
	Level   string
	Message string
}

// lastLine is the id of the last line shown.
func (l Log) lastLine() int64 {
	if len(l.Lines) == 0 {
		return 0
	}
	return l.Lines[len(l.Lines)-1].ID
}

// Live is what changed on a live run's page since line After: sent on the event stream "live", and as the answer to
// GET /runs/{id}/live?after=…. Done tells the page to load itself anew.
type Live struct {
	Run  Run // with Log.Lines behind After only
	Done bool
}
