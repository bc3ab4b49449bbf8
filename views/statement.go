package views

import (
	"maps"
	"net/url"
	"strings"
	"time"
)

// Statement accounts for every slot that was due in a month, of all workflows or of one.
type Statement struct {
	Page
	Base            string    // address of this statement without its month
	Month           time.Time // its begin, in the zone of the page
	Open            bool      // the month is not over
	Workflow, Label string    // empty: all
	Rows            []StatementRow
	Total           StatementRow
	Reasons         []string // why slots are skipped, words "reason.…"
	Slots           []Slot   // of one workflow: those that did not run
	Paging          Paging
}

// StatementRow is the account of one workflow, or of all.
type StatementRow struct {
	Workflow, Label                                                  string
	Due, Ran, Late, CaughtUp, Failed, Stopped, Missed, Open, Skipped int
	Reasons                                                          map[string]int
}

// Plus adds the account of another workflow.
func (r StatementRow) Plus(o StatementRow) StatementRow {
	sum := StatementRow{Due: r.Due + o.Due, Ran: r.Ran + o.Ran, Late: r.Late + o.Late, CaughtUp: r.CaughtUp + o.CaughtUp, Failed: r.Failed + o.Failed,
		Stopped: r.Stopped + o.Stopped, Missed: r.Missed + o.Missed, Open: r.Open + o.Open, Skipped: r.Skipped + o.Skipped, Reasons: map[string]int{}}
	maps.Copy(sum.Reasons, r.Reasons)
	for reason, n := range o.Reasons {
		sum.Reasons[reason] += n
	}
	return sum
}

// NotRun counts the slots that have an answer and did not run to their end.
func (r StatementRow) NotRun() int { return r.Failed + r.Stopped + r.Missed + r.Skipped }

// answered counts the slots with one answer, a column of the statement.
type answered struct {
	word  string // "statement.…"
	slots int
}

// answers are the columns whose sum is what was due, what calls a person first.
func (r StatementRow) answers() []answered {
	return []answered{{"failed", r.Failed}, {"missed", r.Missed}, {"skipped", r.Skipped}, {"on_time", r.Ran}, {"late", r.Late},
		{"caught_up", r.CaughtUp}, {"stopped", r.Stopped}, {"open", r.Open}}
}

func (a answered) tone() string {
	switch {
	case a.slots == 0:
	case a.word == "failed":
		return "tone-failed calls"
	case a.word == "missed":
		return "tone-late calls"
	}
	return ""
}

func (r StatementRow) ran() int { return r.Ran + r.Late + r.CaughtUp }

// state is the worst that happened, for the mark in the margin.
func (r StatementRow) state() State {
	switch {
	case r.Failed > 0:
		return Failed
	case r.Missed > 0:
		return Missed
	case r.NotRun() > 0:
		return Skipped
	}
	return Finished
}

// Month writes a month with its year: November 2026.
func (p Page) Month(t time.Time) string {
	return p.T("time.month", p.T("month.long_"+t.In(p.Zone).Format("1")), t.In(p.Zone).Format("2006"))
}

// finding is the title: how many of the due slots ran.
func (s Statement) finding() string {
	switch r := s.Total; {
	case r.Due == 0:
		return s.T("statement.none", s.monthWords())
	case r.ran() == r.Due:
		return s.N("statement.all_ran", int64(r.Due), s.monthWords())
	}
	return s.N("statement.ran", int64(s.Total.Due), Number(int64(s.Total.ran())), s.monthWords())
}

// monthWords is the month of the statement in words.
func (s Statement) monthWords() string { return s.Page.Month(s.Month) }

// sentence says what happened to the others: "1 skipped: freeze, 1 missed, 2 ran late".
func (s Statement) sentence() string {
	r := s.Total
	var said []string
	say := func(n int, key string) {
		if n > 0 {
			said = append(said, s.N("statement.said_"+key, int64(n)))
		}
	}
	say(r.Failed, "failed")
	say(r.Missed, "missed")
	for _, reason := range s.Reasons {
		if n := r.Reasons[reason]; n > 0 {
			said = append(said, s.N("statement.said_skipped", int64(n), s.T("reason."+reason)))
		}
	}
	say(r.Stopped, "stopped")
	say(r.Open, "open")
	say(r.Late, "late")
	say(r.CaughtUp, "caught_up")
	if len(said) == 0 {
		return ""
	}
	return s.T("statement.sentence", strings.Join(said, ", "))
}

func (s Statement) at(month time.Time) string {
	return s.Base + "?" + url.Values{"month": {month.Format("2006-01")}}.Encode()
}

func (s Statement) csv() string {
	return s.Base + ".csv?" + url.Values{"month": {s.Month.Format("2006-01")}}.Encode()
}

// of is the address of one workflow's statement of the same month.
func (s Statement) of(workflow string) string {
	return workflowPath(workflow) + "/statement?" + url.Values{"month": {s.Month.Format("2006-01")}}.Encode()
}

// why says why slots of a row were skipped: "3 paused, 1 freeze".
func (s Statement) why(r StatementRow) string {
	var said []string
	for _, reason := range s.Reasons {
		if n := r.Reasons[reason]; n > 0 {
			said = append(said, Number(int64(n))+" "+s.T("reason."+reason))
		}
	}
	return strings.Join(said, ", ")
}
