package views

import (
	"strings"
	"time"
)

// Drift is one way in which a run differs from comparable runs. Numbers are seconds of a duration, else rows.
type Drift struct {
	Cause                              string // slower, faster, more, fewer: word "drift.…"
	Run                                int64
	Measured, Low, Median, High, Bound float64
	Runs                               int
	Weekday                            int  // compared with runs of this day, Monday 1 to Sunday 7; 0: of any
	Busy                               bool // compared with runs that changed rows
	Since                              time.Time
	ID                                 int64     // of an open alarm
	Known                              time.Time // since when somebody knows of it; zero: nobody said so
	By, Why                            string
}

// AcknowledgeForm asks before the open alarms of a workflow are acknowledged.
type AcknowledgeForm struct {
	Page
	Workflow, Label string
	Run             int64 // the run that is on; 0: none
	Drifts          []Drift
	Reason, Wrong   string
}

// Look is a workflow that is worth a look, though it needs nobody.
type Look struct {
	Workflow, Label string
	Run             int64
	Running         bool
	Drifts          []Drift // at least one
}

// driftLine tells a drift with its arithmetic: "Slower than usual: 6 m 10 s, usually 38 s to 44 s, median 41 s of 28 runs on
// Mondays; the limit is 58 s."
func (p Page) driftLine(d Drift, running bool) Rich {
	measured := p.driftAmount(d, d.Measured)
	if running {
		measured = p.T("drift.so_far", measured)
	}
	low, high := p.driftAmount(d, d.Low), p.driftAmount(d, d.High)
	if low == high {
		return p.R("drift.line_steady", p.T("drift."+d.Cause), measured, low, p.driftOf(d), p.driftAmount(d, d.Bound))
	}
	if !d.timed() {
		low = Number(int64(d.Low + 0.5)) // the unit stands behind the end of the range
	}
	return p.R("drift.line", p.T("drift."+d.Cause), measured, low, high, p.driftAmount(d, d.Median), p.driftOf(d), p.driftAmount(d, d.Bound))
}

// driftOf names the runs that a drift was compared with.
func (p Page) driftOf(d Drift) string {
	switch {
	case d.Busy:
		return p.T("drift.busy", d.Runs)
	case d.Weekday > 0:
		return p.T("drift.on_"+string(rune('0'+d.Weekday)), d.Runs)
	}
	return p.T("drift.runs", d.Runs)
}

// timed reports a drift of the duration.
func (d Drift) timed() bool { return d.Cause == "slower" || d.Cause == "faster" }

func (p Page) driftAmount(d Drift, n float64) string {
	if d.timed() {
		return p.Took(time.Duration(n * float64(time.Second)))
	}
	return p.N("drift.rows", int64(n+0.5))
}

// driftWords names the drifts of a workflow in a few words: "slower, fewer rows than usual".
func (p Page) driftWords(drifts []Drift) string {
	causes := make([]string, len(drifts))
	for i, d := range drifts {
		causes[i] = d.Cause
	}
	return p.causeWords(causes)
}

func (p Page) causeWords(causes []string) string {
	brief := make([]string, len(causes))
	for i, cause := range causes {
		brief[i] = p.T("drift.brief." + cause)
	}
	return p.T("drift.than_usual", strings.Join(brief, ", "))
}

// driftTitle is the arithmetic of several drifts without marks, for a title.
func (p Page) driftTitle(drifts []Drift, running bool) string {
	lines := make([]string, len(drifts))
	for i, d := range drifts {
		lines[i] = p.driftLine(d, running).Plain()
	}
	return strings.Join(lines, "\n")
}

func (l Look) since(p Page) string {
	return p.T("look.since", p.driftWords(l.Drifts), p.About(p.Now.Sub(l.Drifts[0].Since)))
}

func (l Look) next(p Page) string {
	if l.Running {
		return p.T("look.next_running")
	}
	return p.T("look.next")
}

func (l Look) actions(p Page) []Action {
	actions := []Action{{Text: p.T("overview.open_run", digits(l.Run)), Href: runPath(l.Run)}}
	if p.Operator != nil && p.Operator.Admin {
		actions = append(actions, p.acknowledgeAction(l.Workflow))
	}
	return actions
}

func (p Page) acknowledgeAction(workflow string) Action {
	return Action{Text: p.T("alarm.acknowledge"), Href: workflowPath(workflow) + "/acknowledge"}
}

// known says who knows of an alarm, since when and why.
func (p Page) known(d Drift) string {
	if d.Why == "" {
		return p.T("alarm.known", d.By, p.When(d.Known))
	}
	return p.T("alarm.known_why", d.By, p.When(d.Known), d.Why)
}

// looks names the workflows that are worth a look, as a sentence; empty: none is.
func (p Overview) looks() string {
	var names []string
	for i, look := range p.Looks {
		if i == 3 {
			names = append(names, p.T("overview.more", len(p.Looks)-3))
			break
		}
		names = append(names, look.Label)
	}
	if len(names) == 0 {
		return ""
	}
	return p.T("look.names", strings.Join(names, ", ")) + " "
}
