package views

import "time"

// Hindered is what keeps the engine of the node that shows the page from its work. The zero value: nothing does.
type Hindered struct {
	Since   time.Time
	Cause   string // word "hindered.…"
	Message string // PostgreSQL's or our own, for administrators; empty for others
}

// finding is the cause in words, without a full stop.
func (h Hindered) finding(p Page) string { return p.T("hindered." + h.Cause) }

// matter is the entry on the overview.
func (h Hindered) matter(p Page) matter {
	return matter{state: Failed, label: p.T("hindered.label"), finding: h.finding(p), word: p.T("hindered.for", p.About(p.Now.Sub(h.Since))),
		what: Rich(h.finding(p) + "."), follows: p.T("hindered." + h.Cause + "_do")}
}
