// Package jobs holds what a technical workflow is made of: its facts, the run it works through,
// the ledger of what it changed, and the calendar of its schedule.
package jobs

import "context"

// Workflow is one technical workflow: what the catalogue says of it, and the plain function that does its work.
type Workflow struct {
	Name       string   // Campaign's internal name
	Label      string   // in English; the console shows its own words
	Package    string   // key of the package that installs it, for example "delivery"
	Schedule   string   // default cron expression in the instance's zone; empty: started by a signal or by hand only
	Signals    []string // signals that start it besides the schedule
	PerAccount string   // type of external account of which each gets its own workflow
	Instances  []string // instance types it works on; empty: all of marketing, mid, execution
	Reads      []string // tables it reads
	Writes     []string // tables it writes
	OnError    string   // default error policy; empty: stop
	ErrorLimit int      // default number of consecutive errors that OnError "ignore" lets pass; 0: unlimited

	// Run does the work. It is nil for a workflow that this version does not have.
	Run func(ctx context.Context, r *Run) error
}
