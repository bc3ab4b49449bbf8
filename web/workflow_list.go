package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/views"
)

// listWorkflows shows all workflows by package. The search and the view stand in the address.
func (s *Server) listWorkflows(c echo.Context) error {
	page := s.page(c, views.SectionWorkflows, "")
	page.Title = page.T("rail.workflows")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	all, err := s.db.Workflows(c.Request().Context())
	if err != nil {
		return err
	}
	page.Refresh, page.Updated = listRefresh, true
	list := views.Workflows{Page: page, Query: strings.TrimSpace(c.QueryParam("q")), View: views.View(c.QueryParam("view")),
		Counts: map[views.View]int{}, Total: len(all)}
	status := http.StatusOK
	search, unknown := parseSearch(list.Query)
	if !slices.Contains(views.Views(), list.View) {
		unknown = "view=" + string(list.View)
		list.View = views.ViewAll
	}
	if unknown != "" {
		status, list.Trouble = http.StatusBadRequest, page.T("workflows.unknown_filter", unknown)
		search = workflowSearch{}
	}
	sortByCatalogue(all)
	s.fillList(&list, all, search, s.actor(c))
	return s.render(c, status, views.WorkflowsPage(list))
}

// sortByCatalogue keeps packages together, in the order in which the catalogue installed them.
func sortByCatalogue(all []db.WorkflowRow) {
	first := map[string]int64{}
	for _, w := range all {
		if id, ok := first[w.Package]; !ok || w.ID < id {
			first[w.Package] = w.ID
		}
	}
	slices.SortFunc(all, func(a, b db.WorkflowRow) int {
		return cmp.Or(cmp.Compare(first[a.Package], first[b.Package]), cmp.Compare(a.ID, b.ID))
	})
}

// fillList counts the views under the search and puts the rows of the chosen view under their packages.
func (s *Server) fillList(list *views.Workflows, all []db.WorkflowRow, search workflowSearch, actor db.Actor) {
	for _, w := range all {
		row := s.workflowRow(list.Page, w, actor)
		if !search.matches(w, row) {
			continue
		}
		for _, view := range views.Views() {
			if view.Holds(row.State) {
				list.Counts[view]++
			}
		}
		if !list.View.Holds(row.State) {
			continue
		}
		if n := len(list.Packages); n == 0 || list.Packages[n-1].Key != w.Package {
			list.Packages = append(list.Packages, views.Package{Key: w.Package, Name: packageOf(list.Lang, w.Package)})
		}
		last := &list.Packages[len(list.Packages)-1]
		last.Rows = append(last.Rows, row)
	}
}

// workflowRow turns a workflow into its row of the list.
func (s *Server) workflowRow(page views.Page, w db.WorkflowRow, actor db.Actor) views.WorkflowRow {
	row := views.WorkflowRow{
		Name: w.Name, Label: labelOf(page.Lang, w.Name, w.Label), State: workflowState(w, s.instanceType(), page.Now),
		Since: w.StateSince, By: w.StateBy, Production: w.Severity != "normal", Can: ordersFor(actor, w.Situation()),
	}
	row.Reason = stateReason(page, w, row.State)
	if w.PauseUntil != nil {
		row.Until = *w.PauseUntil
	}
	if w.Running != nil {
		row.Run, row.Step, row.StepName = w.Running.ID, w.Running.StepOrder, w.Running.Step
		if row.State == views.Running {
			row.Since = w.Running.Start
		}
	} else if w.Failed && w.Last != nil {
		row.Run = w.Last.ID
	}
	if row.State == views.Late {
		row.Since = moment(w.Waiting)
	}
	if schedule, err := jobs.ParseSchedule(w.Schedule); err == nil {
		row.Schedule, row.Cron = scheduleWords(page.Lang, schedule), schedule.Cron
	}
	if w.State == db.Started || w.State == db.StartPending {
		row.Next = s.nextRun(w)
	}
	row.Spark, row.Drifts = sparkBars(w.Spark), driftsOf(unacknowledged(w.Drifts))
	measureNow(page, w, row.Drifts)
	row.Last = lastRun(w.Last)
	return row
}

// stateReason says why a workflow is in an exceptional state; empty when there is nothing to say.
func stateReason(page views.Page, w db.WorkflowRow, state views.State) string {
	switch state {
	case views.Failed:
		if w.Last != nil {
			return views.BriefFailure(w.Last.Message)
		}
	case views.Running:
		if w.Running.Mode == "simulation" {
			return page.T("run.rehearsal")
		}
	case views.Paused:
		return w.PauseReason
	case views.Late:
		if w.Affinity != "" {
			return page.T("workflows.waits_affinity", w.Affinity)
		}
		return page.T("workflows.waits_place")
	case views.NotHere:
		return page.T("workflows.not_here", strings.Join(w.InstanceTypes, ", "))
	case views.StartPending, views.PausePending, views.StopPending:
		if w.OrderAt != nil {
			return page.T("workflows.asked", page.Ago(*w.OrderAt), w.OrderBy)
		}
	}
	return ""
}

func sparkBars(runs []db.SparkRun) []views.SparkBar {
	bars := make([]views.SparkBar, len(runs))
	for i, run := range runs {
		bars[i] = views.SparkBar{Took: time.Duration(run.Seconds * float64(time.Second)), State: slotState(run.Status)}
	}
	return bars
}

// lastRun tells the last run by what it did most of.
func lastRun(last *db.RunBrief) views.LastRun {
	if last == nil || last.End == nil {
		return views.LastRun{}
	}
	rows, did := last.Deleted+last.Updated+last.Inserted, "changed"
	switch {
	case last.Deleted > 0 && last.Deleted >= last.Updated && last.Deleted >= last.Inserted:
		rows, did = last.Deleted, "deleted"
	case last.Updated > 0 && last.Updated >= last.Inserted:
		rows, did = last.Updated, "updated"
	case last.Inserted > 0:
		rows, did = last.Inserted, "added"
	}
	return views.LastRun{ID: last.ID, At: *last.End, Took: last.End.Sub(last.Start), Rows: rows, Did: did}
}

// workflowSearch is the list's search: words, and filters of the form key:value.
type workflowSearch struct {
	words                []string
	state, reads, writes string
	pack                 string
}

// parseSearch reads a search; unknown names the filter that does not exist.
func parseSearch(query string) (search workflowSearch, unknown string) {
	for word := range strings.FieldsSeq(strings.ToLower(query)) {
		key, value, filter := strings.Cut(word, ":")
		if !filter {
			search.words = append(search.words, word)
			continue
		}
		switch key {
		case "state":
			search.state = value
			if !knownState(value) {
				return search, word
			}
		case "reads":
			search.reads = value
		case "writes":
			search.writes = value
		case "package":
			search.pack = value
		default:
			return search, word
		}
	}
	return search, ""
}

func knownState(word string) bool {
	for _, state := range views.States() {
		if string(state) == word {
			return true
		}
	}
	return false
}

// matches reports whether the workflow has all that the search names.
func (q workflowSearch) matches(w db.WorkflowRow, row views.WorkflowRow) bool {
	text := strings.ToLower(fmt.Sprintf("%s %s %s %s %s", w.Name, w.Label, row.Label, w.Description, w.Package))
	for _, word := range q.words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	touches := func(tables []string, table string) bool {
		return table == "" || slices.ContainsFunc(tables, func(t string) bool { return strings.Contains(strings.ToLower(t), table) })
	}
	return (q.state == "" || string(row.State) == q.state) && (q.pack == "" || w.Package == q.pack) &&
		touches(w.Reads, q.reads) && touches(w.Writes, q.writes)
}
