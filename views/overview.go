package views

import "time"

// Overview is the first page: whether to worry, then what needs someone, what runs, what comes.
type Overview struct {
	Page
	Total     int // workflows in the catalogue
	Attention []Attention
	Looks     []Look // worth a look, needing nobody
	Running   []RunningRow
	Places    int // runs at once, at most
	Ahead     []Ahead
	Frequent  []string // workflows that run more often than hourly
	Night     Night
	NoneYet   bool // nothing was ever started
	Mail      MailNeed
	Accounts  []AccountTrouble
}

// AccountTrouble is an external account whose last runs all failed.
type AccountTrouble struct {
	Name, Label string
	Workflows   []string // labels of those that fail
	Runs        int      // how many failed in a row, at least
	Run         int64    // the last
	Since       time.Time
	Message     string // of the last
}

// Attention is a workflow that needs someone.
type Attention struct {
	Workflow, Label string
	State           State
	Since           time.Time
	What            Rich   // what happened
	Follows         string // what it means
	Run             int64
	Can             []Order
	By              string
}

// RunningRow is a run that is on.
type RunningRow struct {
	Run             int64
	Workflow, Label string
	Step, Steps     int
	StepName        string
	Did             string // "1,128,904 rows deleted", "would change 12 rows"
	Took            time.Duration
	UsualTook       time.Duration
	Share           float64 // how much is done, a part of 1
}

// Ahead is a workflow that is due in the next 24 hours.
type Ahead struct {
	Workflow string // internal name
	Label    string
	At       []time.Time
	Lasts    time.Duration
	Bold     bool // severity production or critical
}

// Night is the account of the slots due since Since.
type Night struct {
	Since time.Time
	Due   int64
	Rows  []NightRow
}

// NightRow is one kind of answer that due slots got.
type NightRow struct {
	Count int64
	State State  // colours the number when it calls
	Key   string // word "night.…": on_time, late, caught_up, skipped, failed, missed, running, waiting
	Note  string
}
