package views

import "time"

// Dialog asks before an order is given. It is a page of its own, so it works without script.
type Dialog struct {
	Page
	Order    Order
	Workflow string
	Label    string
	State    State
	Severity string
	Run      int64       // the run that is on; 0: none
	Effect   Rich        // one sentence: what the order does now
	Reason   string      // of a pause
	Until    string      // choice of a pause: "", 1h, tomorrow, at
	UntilAt  string      // date and time for "at", as datetime-local
	Params   string      // parameters of a run: name=value a line
	Resume   bool        // start from a failure: goes on at the failed step
	FailedAt string      // step at which it goes on
	Slots    []time.Time // coming slots that the order touches; of a pause that ends, then the run that makes up for them
	End      time.Time   // of a pause; zero: none, or the order is no pause
	Skips    int         // slots that a pause skips until its end, or in the next 24 hours
	Stale    []Stale     // what a pause leaves older than usual, the soonest read first
	StaleToo int         // more of those
	Version  int
	Errors   map[string]string // by field: reason, until, name, params
	Trouble  string            // the order was refused: why
	Plan     int64             // simulation whose plan is run; 0: none
	Purges   [2]int64          // runs and lines that a purge of the history takes
}

// Stale is a table that grows older than usual while its workflow is paused.
type Stale struct {
	Table      string
	UpTo, From time.Time // complete up to; older than usual from
	Reader     string    // workflow that reads it next meanwhile; empty: none
	At         time.Time // when it does
}

// ScheduleForm edits a schedule. Preview shows the next ten dates of what is typed.
type ScheduleForm struct {
	Page
	Workflow, Label string
	Version         int
	Kind            string // none, times, period, daily, weekly, monthly, once, cron
	Times           string // "08:00, 13:30"
	Every           string // minutes
	From, To        string
	Weekdays        []int // 0 is Sunday
	EveryDays       string
	MonthDays       string // "25, -1"
	Nth, NthWeekday string
	Months          []int
	At              string // datetime-local
	Cron            string
	WindowFrom      string
	WindowTo        string
	ValidFrom       string
	ValidTo         string
	MaxExecutions   string
	Timezone        string
	Zones           []Option
	Words           string // the schedule in words
	Next            []time.Time
	Warnings        []string
	Errors          map[string]string
	Trouble         string // somebody else saved meanwhile …
}

// PropertiesForm edits the properties of a workflow.
type PropertiesForm struct {
	Page
	Workflow, Label string
	Version         int
	Groups          [][]Field // fields by theme; Type "select", "checkbox" or an input type
	GroupNames      []string
	Trouble         string
}
