package views

import (
	"net/url"
	"slices"
	"strings"
)

// folded reports a package shown as one line: without news, and nobody searched. On an instance where nothing was started
// yet, those that hold something to start stand open.
func (p Workflows) folded(group Package) bool {
	return p.Query == "" && p.View == ViewAll && group.calm(p.Now) && !(p.untouched() && group.edited())
}

// untouched reports that no workflow ran or was started yet.
func (p Workflows) untouched() bool {
	for _, group := range p.Packages {
		for _, row := range group.Rows {
			if row.Last.ID != 0 || row.State != Edited && row.State != NotHere && row.State != NotBuilt {
				return false
			}
		}
	}
	return true
}

// edited reports a package with a workflow that waits for its first start.
func (g Package) edited() bool {
	return slices.ContainsFunc(g.Rows, func(row WorkflowRow) bool { return row.State == Edited })
}

func (p Workflows) viewPath(view View) string {
	query := url.Values{}
	if p.Query != "" {
		query.Set("q", p.Query)
	}
	if view != ViewAll {
		query.Set("view", string(view))
	}
	if len(query) == 0 {
		return "/workflows"
	}
	return "/workflows?" + query.Encode()
}

// summary says what a folded package is in: "3 started, on time".
func (p Workflows) summary(group Package) string {
	counts := map[State]int64{}
	var order []State
	for _, row := range group.Rows {
		if counts[row.State] == 0 {
			order = append(order, row.State)
		}
		counts[row.State]++
	}
	slices.Sort(order)
	var said []string
	for _, state := range order {
		said = append(said, p.T("workflows.of_state", counts[state], strings.ToLower(p.T(state.key()))))
	}
	return strings.Join(said, ", ")
}

func (p Workflows) packageNext(group Package) string {
	next := group.next()
	if next.IsZero() {
		return "—"
	}
	return p.T("workflows.next", p.Clock(next))
}

// dim reports a row that cannot do anything here.
func (r WorkflowRow) dim() bool {
	return r.State == NotBuilt || r.State == NotHere || r.State == Ended || r.State == Edited
}

// stateText is the state with its time: "Running 17 m 32 s", "Paused 9 d", "Failed 16 min ago".
func (r WorkflowRow) stateText(p Page) string {
	span := p.About(p.Now.Sub(r.Since))
	switch {
	case r.Since.IsZero():
	case r.State == Running:
		return p.T("row.running", p.Took(p.Now.Sub(r.Since)))
	case r.State == Paused:
		return p.T("row.paused", span)
	case r.State == Late:
		return p.T("row.late", span)
	case r.State == Failed:
		return p.T("row.failed", span)
	}
	return p.T(r.State.key())
}

// second is the line under the state: the reason of an exceptional one, else when it ran last.
func (r WorkflowRow) second(p Page) string {
	switch {
	case r.State == NotBuilt:
		return p.T("row.not_built")
	case r.Reason != "":
		return r.Reason
	case r.State == Running && r.Steps > 0:
		return p.T("row.step", r.Step, r.Steps)
	case r.State == Running:
		return r.StepName
	case r.State == Paused && r.Until.IsZero():
		return p.T("row.until_resumed", OrNone(r.By))
	case r.State == Paused:
		return p.T("row.until", OrNone(r.By), p.When(r.Until))
	case r.State.look().glyph == "pending":
		return p.T("row.asked", p.About(p.Now.Sub(r.Since)), r.By)
	case r.State == Edited:
		return p.T("row.by_hand")
	case r.State == Ended && r.By != "":
		return p.T("row.stopped_by", p.Day(r.Since), r.By)
	case r.Last.ID == 0:
		return p.T("row.never")
	}
	return p.T("row.ran", p.About(p.Now.Sub(r.Last.At)))
}

// drifts reports a row that says that its runs are not as usual instead of when it ran: one that needs somebody, or waits
// for an order, says that.
func (r WorkflowRow) drifts() bool {
	return len(r.Drifts) > 0 && (r.State == Running || r.State == Started)
}

// driftsNow reports that the run that is on is the unusual one.
func (r WorkflowRow) driftsNow() bool { return r.State == Running && r.Drifts[0].Run == r.Run }

func (r WorkflowRow) nextText(p Page) string {
	switch {
	case r.NextNote != "":
		return r.NextNote
	case r.State == Paused && !r.Until.IsZero():
		return p.T("row.resumes", p.In(r.Until))
	case r.Next.IsZero():
		return "—"
	case r.State == Late:
		return p.T("row.due", p.Clock(r.Next))
	}
	return p.In(r.Next)
}

// did says what a run did to the data: "1,182,077 deleted".
func (l LastRun) did(p Page) string {
	if l.Rows == 0 {
		return p.T("did.nothing")
	}
	verb := l.Did
	if verb == "" {
		verb = "changed"
	}
	return p.T("did."+verb, l.Rows)
}

// primary is the one button of a row that needs someone; a calm row has none.
func (r WorkflowRow) primary(p Page) (Action, bool) {
	switch {
	case r.State == Failed && r.Run != 0:
		return Action{Text: p.T("row.open_run"), Href: runPath(r.Run), Kind: Filled}, true
	case (r.State == Paused || r.State == Failed) && slices.Contains(r.Can, OrderStart):
		return p.orderAction(r.Name, OrderStart, r.State), true
	case r.State == Late:
		return Action{Text: p.T("row.open"), Href: workflowPath(r.Name)}, true
	}
	return Action{}, false
}

func (r WorkflowRow) rest(p Page) []Action {
	return p.orderActions(r.Name, r.Can, r.State)
}

// packageName is the package's name; workflows of no package stand under a word of their own.
func (p Workflows) packageName(group Package) string {
	if group.Name == "" {
		return p.T("workflows.no_package")
	}
	return group.Name
}
