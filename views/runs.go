package views

// Runs is the list of runs, newest first, with its filter in the address.
type Runs struct {
	Page
	Rows     []RunRow
	Drawn    *Drawings // of these rows, for all who read them in one language and zone
	Count    string    // capped: "10,000+"
	Workflow string
	Names    []Option // workflows to choose from
	State    string   // running, completed, failed, stopped, interrupted; empty: all
	Mode     string   // normal, simulation; empty: both
	Node     string   // that ran them; empty: any
	From, To string   // dates of the page's zone
	Warnings bool     // only runs with warnings
	Paging   Paging
}
