package views

import "time"

// Simulation is the report of a rehearsal: what a run would do.
type Simulation struct {
	Page
	ID              int64
	Workflow, Label string
	Package         string
	State           State // Simulated; Running, Failed or Stopped when it did not come to its end
	By              string
	Begun, Ended    time.Time
	CutOff          time.Time
	Rows            int64 // that would be deleted
	Updated, Added  int64
	Tables          int
	Dropped         int
	Bytes           int64
	Unusual         []Rich // a sentence each
	Steps           []PlanStep
	Options         []ReadOption
	Failure         *Failure
	Log             Log
	Can             []Order // OrderRun: this plan can be run
}

// PlanStep is what one step would do.
type PlanStep struct {
	Number         int
	Key            string
	Tables         []string
	Rule           string // in words
	Option         string // "RecycledDelivery = 7 d"
	Said           string
	Rows           int64
	Dropped        int
	Usual          []int64 // smallest, tenth, median, ninetieth, largest of the good runs; empty: not known
	Bytes          int64
	Oldest, Newest time.Time
	Limit          time.Time
	Follows        string
	Estimated      bool
	Effects        []Effect
	State          State
}

// nothing reports a step that would find nothing to do.
func (s PlanStep) nothing() bool { return s.Rows == 0 && s.Dropped == 0 && len(s.Effects) == 0 }

// large reports a step larger than all of its good runs.
func (s PlanStep) large() bool {
	return len(s.Usual) == 5 && s.Usual[4] > 0 && s.Rows > s.Usual[4]
}
