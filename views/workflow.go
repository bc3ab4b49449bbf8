package views

import "time"

// Workflow is the page of one workflow.
type Workflow struct {
	Page
	Name, Label, Package string
	Purpose              string
	State                State
	Since                time.Time
	By                   string
	Reason               string    // of a pause, or why it cannot work here
	Until                time.Time // end of a pause; zero: until resumed
	Ladder               string    // how far a pause is from being ended by a stop; empty: nobody ends it
	Severity             string    // normal, production, critical
	Run                  int64     // the run that is on, or that failed; 0: none
	Order                State     // StartPending … while an order waits
	OrderAt              time.Time
	OrderBy              string
	Next                 time.Time
	Last                 LastRun

	Accounts   []AccountTrouble // with which it fails again and again
	Drifts     []Drift          // open alarms
	Recorder   Recorder
	Runs       []RunRow
	RunsTotal  string // capped: "1,204", "10,000+"
	Schedule   ScheduleFacts
	Properties []Fact
	Reads      []string
	Writes     []string
	Slots      []Slot
	Changes    []Change
	Can        []Order
	CanEdit    bool
}

// Fact is a line of a list of facts.
type Fact struct {
	Label, Value string
	Mono         bool
}

// ScheduleFacts are the schedule in words and its next dates.
type ScheduleFacts struct {
	Words string // "Every day at 04:00"
	Cron  string
	Zone  string
	Next  []time.Time
	Notes []string // clock changes, validity, what happens when the service is down
}

// RunRow is one run in a list.
type RunRow struct {
	ID              int64 // 0: a slot that was not run
	Workflow, Label string
	State           State
	Simulated       bool
	Begun           time.Time
	Took            time.Duration
	Trigger         string
	By              string
	Rows            int64
	StepsDone       int
	Steps           int
	Note            string // "lock timeout, step 14"; empty: as usual
	// Causes are the ways in which it was not as usual.
	Causes []string
}

// Slot is the account of one due moment.
type Slot struct {
	At    time.Time
	To    time.Time // of a row that stands for several
	Count int       // slots that the row stands for
	Kind  string    // scheduled, catch_up, manual, resume, signal: word "trigger.…"
	State State     // Finished: ran; Late: ran late; Skipped, Missed, Cancelled, Waiting, Running, Due
	Lag   time.Duration
	Why   string // reason key, word "reason.…"; empty: none
	Note  string // more on the reason
	Run   int64
}

// Change is a line of the audit trail.
type Change struct {
	At      time.Time
	By      string
	Action  string
	Before  string
	After   string
	Refused bool
}

// Recorder is the last slots of a workflow on one time axis: what became of each, how long it took, its rows, and what changed.
type Recorder struct {
	Slots   []RecorderSlot // oldest first, sixty at most
	Hourly  bool           // a line each six hours, else each Monday
	Took    Band
	Rows    Band
	Changes []Note
}

// RecorderSlot is one due slot.
type RecorderSlot struct {
	At    time.Time
	State State
	Took  time.Duration
	Rows  int64
	Run   int64
	// Causes are the ways in which its run was not as usual.
	Causes []string
}

// Band is what is usual: the tenth and the ninetieth of a hundred, and the median; seconds or rows.
type Band struct{ Low, Median, High float64 }

// Note is something that changed at a moment.
type Note struct {
	At   time.Time
	Text string
}
