package views

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shownState is the state with what a simulation adds: it ended well, and nothing was changed.
func (r Run) shownState() State {
	if r.Simulated && (r.State == Finished || r.State == Warned) {
		return Simulated
	}
	return r.State
}

// took is how long the run took, or has been on.
func (r Run) took() time.Duration {
	if r.Ended.IsZero() {
		return max(0, r.Now.Sub(r.Begun)) // it began by the database's clock
	}
	return r.Ended.Sub(r.Begun)
}

// stateTimes are the times behind the state: "since 04:00:00 CEST, 17 m 32 s".
func (r Run) stateTimes() string {
	if r.Ended.IsZero() {
		return r.T("run.since", r.moment(r.Begun), r.Took(r.took()))
	}
	return r.T("run.ended", r.moment(r.Ended), r.Took(r.took()))
}

// moment is a time to the second, with its day when that is not today.
func (r Run) moment(t time.Time) string {
	if r.sameDay(t, r.Now) {
		return r.Second(t)
	}
	return r.Day(t) + " " + r.Second(t)
}

// origin says where the run comes from: trigger, node, severity.
func (r Run) origin() []string {
	said := []string{r.T("trigger." + r.Trigger)}
	if r.StartedBy != "" {
		said = append(said, r.T("run.by", r.StartedBy))
	}
	if r.Simulated {
		said = append(said, r.T("run.simulation"))
	}
	if r.Node != "" {
		said = append(said, r.Node)
	}
	if r.Severity != "" {
		said = append(said, r.T("run.severity", r.T("severity."+r.Severity)))
	}
	return said
}

// first are the run's own actions, most useful first; others go behind the three dots.
func (r Run) first() []Action {
	var actions []Action
	for _, order := range r.mainOrders() {
		if !slices.Contains(r.Can, order) {
			continue
		}
		action := r.orderAction(r.Workflow, order, r.State)
		switch {
		case r.State == Running && order == OrderPause:
			action.Text = r.T("run.pause_after")
		case r.State == Failed && order == OrderStart:
			action.Kind = Filled
			if r.Failure != nil && r.Failure.Step != "" {
				action.Text = r.T("run.resume_at", r.failedStep())
			}
		case r.State == Failed && order == OrderRestart:
			action.Text = r.T("run.restart_first")
		}
		actions = append(actions, action)
	}
	return actions
}

func (r Run) mainOrders() []Order {
	switch r.State {
	case Running:
		return []Order{OrderStop, OrderPause}
	case Failed:
		return []Order{OrderRestart, OrderStart}
	}
	return []Order{OrderRun, OrderSimulate}
}

func (r Run) others() []Action {
	var rest []Order
	for _, order := range r.Can {
		if !slices.Contains(r.mainOrders(), order) {
			rest = append(rest, order)
		}
	}
	actions := r.orderActions(r.Workflow, rest, r.State)
	return append(actions, Action{Text: r.T("run.to_workflow"), Href: workflowPath(r.Workflow)})
}

// failedStep is the number of the step that the failure names; 0 when it is none of them.
func (r Run) failedStep() int {
	for _, step := range r.Steps {
		if step.State == Failed || (r.Failure != nil && step.Key == r.Failure.Step) {
			return step.Number
		}
	}
	return 0
}

// count tells how many steps are in one of some states.
func (r Run) count(states ...State) int64 {
	var n int64
	for _, step := range r.Steps {
		if slices.Contains(states, step.State) {
			n++
		}
	}
	return n
}

func (r Run) stepCounts() string {
	var said []string
	for _, kind := range []struct {
		key string
		n   int64
	}{
		{"finished", r.count(Finished, Warned)}, {"kept", r.count(Kept)}, {"running", r.count(Running)}, {"failed", r.count(Failed)},
		{"stopped", r.count(Stopped, Interrupted)}, {"to_come", r.count(ToCome)}, {"not_run", r.count(NotRun)},
	} {
		if kind.n > 0 {
			said = append(said, r.T("steps."+kind.key, kind.n))
		}
	}
	return strings.Join(said, " · ")
}

// progress says how far the current step is: "80 %, batch 63".
func (s Step) progress(p Page) string {
	var said []string
	if s.Total > 0 {
		said = append(said, p.T("step.percent", strconv.Itoa(int(100*s.share()))))
	} else if s.Done > 0 {
		said = append(said, p.T("step.done", s.Done, s.Unit))
	}
	if s.Batches > 0 {
		said = append(said, p.T("step.batch", s.Batches))
	}
	if len(said) == 0 {
		return s.Said
	}
	return strings.Join(said, ", ")
}

// time is how long the step took; of one to come, how long it usually takes.
func (s Step) time(p Page) string {
	switch s.State {
	case NotRun:
		return ""
	case ToCome:
		if s.Usual == 0 {
			return ""
		}
		if s.Usual < time.Second {
			return p.Took(s.Usual)
		}
		return "≈" + nnbsp + p.Lasted(s.Usual)
	case Kept:
		return p.T("step.kept")
	}
	return p.Took(s.Took)
}

// foldable are the lines that stand for the steps far from the current one on a narrow screen.
func (r Run) foldable() (before, after string) {
	at := slices.IndexFunc(r.Steps, func(s Step) bool { return s.State == Running })
	if at < 0 {
		return "", ""
	}
	if at > 2 {
		before = r.T("steps.fold_before", r.Steps[0].Number, r.Steps[at-3].Number)
	}
	if at+4 < len(r.Steps) {
		after = r.T("steps.fold_after", r.Steps[at+4].Number, r.Steps[len(r.Steps)-1].Number)
	}
	return before, after
}

// facts are what the run stands on.
func (r Run) facts() []Fact {
	facts := []Fact{{Label: r.T("run.started_by"), Value: r.startedBy()}, {Label: r.T("run.cut_off"), Value: r.Exact(r.CutOff)}}
	if r.Backend > 0 {
		facts = append(facts, Fact{Label: r.T("run.session"), Value: fmt.Sprintf("nightshift %s #%d, backend %d", r.Workflow, r.ID, r.Backend), Mono: true})
	}
	if r.Build != "" {
		facts = append(facts, Fact{Label: r.T("run.build"), Value: r.Build})
	}
	if r.Resumes > 0 {
		facts = append(facts, Fact{Label: r.T("run.resumes"), Value: strconv.FormatInt(r.Resumes, 10)})
	}
	if r.ResumedBy > 0 {
		facts = append(facts, Fact{Label: r.T("run.resumed_by"), Value: strconv.FormatInt(r.ResumedBy, 10)})
	}
	return facts
}

func (r Run) startedBy() string {
	who := r.T("trigger." + r.Trigger)
	if r.StartedBy != "" {
		who = r.T("run.by_trigger", r.StartedBy, who)
	}
	if r.Due.IsZero() {
		return who
	}
	return r.T("run.slot", who, r.moment(r.Due), r.Took(r.Begun.Sub(r.Due)))
}

// logNote counts the log: "1,318 lines, 2 warnings".
func (r Run) logNote() string {
	if r.Log.Following {
		return "" // it grows while it is read
	}
	said := []string{r.N("run.lines", r.Log.Total)}
	if r.Log.Warnings > 0 {
		said = append(said, r.N("run.warnings", r.Log.Warnings))
	}
	if r.Log.Errors > 0 {
		said = append(said, r.N("run.errors", r.Log.Errors))
	}
	return strings.Join(said, ", ")
}

// lineTimes writes the moment of a line in full, and of that the seconds and what is behind them.
func (p Page) lineTimes(t time.Time) (exact, second, rest string) {
	exact = p.Exact(t)
	at := strings.IndexByte(exact, ' ') + 1
	return exact, exact[at : at+8], exact[at+8 : at+12]
}

func (r Run) levels() []Option {
	return []Option{
		{"", r.T("run.all_lines")}, {"warning", r.T("run.warnings_tab", r.Log.Warnings)}, {"error", r.T("run.errors_tab", r.Log.Errors)},
	}
}

func (r Run) logPath(level string) string {
	query := url.Values{}
	if level != "" {
		query.Set("level", level)
	}
	if r.Log.Step > 0 {
		query.Set("step", strconv.Itoa(r.Log.Step))
	}
	if r.Log.Query != "" {
		query.Set("q", r.Log.Query)
	}
	if len(query) == 0 {
		return runPath(r.ID) + "#log"
	}
	return runPath(r.ID) + "?" + query.Encode() + "#log"
}

func (r Run) clearLog() Link {
	if r.Log.Level == "" && r.Log.Step == 0 && r.Log.Query == "" {
		return Link{}
	}
	return Link{r.T("filter.clear"), runPath(r.ID) + "#log"}
}

func (o ReadOption) text(p Page) string {
	if o.Unit == "" {
		return OrNone(o.Value)
	}
	return o.Value + p.unitGap() + o.Unit
}
