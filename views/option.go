package views

import "time"

// Options is the list of options by part.
type Options struct {
	Page
	Query   string
	Groups  []OptionGroup
	Total   int
	Changed int // options whose value is not the default
	Wrong   int // options whose stored value is not allowed
}

// OptionGroup is a part of the list of options.
type OptionGroup struct {
	Title, Note string
	Rows        []OptionRow
}

// OptionRow is one option: its name, what it does, its value.
type OptionRow struct {
	Name, About   string
	Value, Unit   string
	Span          string // what a value of many seconds comes to: 30 d
	Default       string // empty: it has none
	Editable, Set bool
	Trouble       string // why the stored value does not count; empty: it does
	Changed       time.Time
	By            string
}

// OptionForm is the page of one option.
type OptionForm struct {
	Page
	Row     OptionRow
	Field   Field
	Choices bool
	Lines   bool // a text of several lines
	Log     []AuditLine
}

// Audit is the audit trail, newest first.
type Audit struct {
	Page
	Days                    []AuditDay
	Search                  string
	Operator, Kind, Refused Field
	From, To                Field
	Filtered                bool
	Refusals                int // in the last 7 days
	KeptDays                string
	Chain                   Chain
	Paging                  Paging
	CSV                     string
}

// AuditDay is a day of the trail.
type AuditDay struct {
	Day   time.Time
	Lines []AuditLine
}

// AuditLine is one act, or an attempt that was refused.
type AuditLine struct {
	Seq                       int64
	At                        time.Time
	By, Action, Object, Kind  string
	Before, After, Note, From string
	Refused                   bool
}

// Chain is what the verification of the trail found.
type Chain struct {
	Count    int64
	FirstBad int64 // 0: all entries hold
	At       time.Time
}

// About is the page of what runs here.
type About struct {
	Page
	Build, Go, Postgres, Database string
	Schema                        int
	Size                          int64
	NodeRows                      []NodeRow
	Licences                      []Licence
}

// NodeRow is a process that serves this database.
type NodeRow struct {
	Name, Host, Affinities, Version string
	Process                         int
	Alive                           bool
	Started, Seen                   time.Time
}

// Licence is a library in the binary, and under which licence.
type Licence struct{ Module, Version, Licence string }
