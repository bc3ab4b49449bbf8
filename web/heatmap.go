package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// heatQuestion is what the address of the heat map asks for.
type heatQuestion struct {
	noon           time.Time // of the day, in the page's zone
	today          int       // days from today: 1 is tomorrow
	measure, kind  string
	workflow, text string
	minimum        time.Duration
	cell           int // -1: none
	table          bool
}

// readHeat reads the address; what no link of the page makes is refused by name.
func readHeat(c echo.Context, page views.Page) (heatQuestion, error) {
	q := heatQuestion{measure: orElse(c.QueryParam("measure"), "runs"), kind: c.QueryParam("type"), workflow: c.QueryParam("workflow"),
		text: strings.TrimSpace(c.QueryParam("q")), cell: -1, table: c.QueryParam("view") == "table"}
	if !oneOf(q.measure, "runs", "rows", "database", "locks") {
		return q, badInput("measure=" + q.measure)
	}
	if !oneOf(q.kind, "", "technical", "campaign") {
		return q, badInput("type=" + q.kind)
	}
	if len(q.text) > 100 || len(q.workflow) > 200 {
		return q, badInput("q")
	}
	if text := c.QueryParam("minimum"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 0 || seconds > 3600 {
			return q, badInput("minimum=" + text)
		}
		q.minimum = time.Duration(seconds) * time.Second
	}
	if text := c.QueryParam("cell"); text != "" {
		cell, err := strconv.Atoi(text)
		if err != nil || cell < 0 || cell >= db.HeatCells {
			return q, badInput("cell=" + text)
		}
		q.cell = cell
	}
	var err error
	q.noon, q.today, err = heatDate(c.QueryParam("day"), page)
	return q, err
}

// heatDate reads the day: today when none is given, and none behind tomorrow.
func heatDate(text string, page views.Page) (noon time.Time, days int, err error) {
	now := page.Now.In(page.Zone)
	at := func(t time.Time, zone *time.Location) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, zone)
	}
	date := now
	if text != "" {
		if date, err = time.Parse(time.DateOnly, text); err != nil || date.Year() < 1970 || date.Year() > 9998 {
			return noon, 0, badInput("day=" + text)
		}
	}
	// Days are counted where each has 24 hours.
	days = int(at(date, time.UTC).Sub(at(now, time.UTC)) / (24 * time.Hour))
	if days > 1 {
		return noon, days, badInput("day=" + text)
	}
	return at(date, page.Zone), days, nil
}

// showHeatMap shows what ran in each five minutes of a day, and of today and tomorrow what is expected.
func (s *Server) showHeatMap(c echo.Context) error {
	ctx := c.Request().Context()
	page := s.page(c, views.SectionHeat, "")
	page.Title = page.T("rail.heat")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	q, err := readHeat(c, page)
	if err != nil {
		return err
	}
	day := db.NewHeatDay(q.noon.Year(), q.noon.Month(), q.noon.Day(), page.Zone)
	view := views.HeatMap{Page: page, Day: q.noon, Today: q.today == 0, Tomorrow: q.today == 1, Allowed: s.places(ctx), Measure: q.measure,
		SampledEvery: db.LoadEvery, Kind: q.kind, Minimum: q.minimum, Workflow: q.workflow, Query: q.text, Table: q.table, Cell: q.cell}
	filter := db.HeatFilter{Minimum: q.minimum}
	workflows, err := s.db.HeatWorkflows(ctx, day, filter)
	if err != nil {
		return err
	}
	var plans []db.HeatPlan
	if q.today >= 0 {
		if plans, err = s.db.HeatPlans(ctx); err != nil {
			return err
		}
	}
	filter.Kind, filter.Names = q.kind, heatNames(page, &view, workflows, plans)
	cells, err := s.db.HeatMap(ctx, day, filter)
	if err != nil {
		return err
	}
	fillHeat(&view, day, cells)
	if oneOf(q.measure, "database", "locks") || q.table {
		loads, err := s.db.HeatLoads(ctx, day, filter)
		if err != nil {
			return err
		}
		for i, load := range loads {
			view.Cells[i].Load = views.HeatLoad(load)
		}
	}
	expected := s.heatExpected(view, day, plans, filter)
	addExpected(&view, day, expected)
	view.Empty = len(workflows) == 0 && len(expected) == 0 && q.minimum == 0
	if view.Cell < 0 {
		view.Cell = view.Peak()
	}
	if view.Cell >= 0 {
		if err := s.fillHeatList(c, &view, day, filter); err != nil {
			return err
		}
		view.Expected = touching(expected, day.Of(view.Cell))
	}
	return s.render(c, http.StatusOK, views.HeatMapPage(view))
}

// heatNames fills the list of workflows to choose from, and returns the names that the filter lets pass; nil: all.
func heatNames(page views.Page, view *views.HeatMap, workflows []db.HeatWorkflow, plans []db.HeatPlan) []string {
	labels := map[string]string{}
	for _, w := range workflows {
		labels[w.Name] = labelOf(page.Lang, w.Name, w.Label)
		if w.Latest.After(view.Latest) {
			view.Latest = w.Latest
		}
	}
	for _, p := range plans {
		labels[p.Workflow] = labelOf(page.Lang, p.Workflow, p.Label)
	}
	var names []string
	for name, label := range labels {
		view.Workflows = append(view.Workflows, views.Option{Value: name, Text: label})
		if (view.Workflow == "" || view.Workflow == name) && contains(view.Query, name, label) {
			names = append(names, name)
		}
	}
	slices.SortFunc(view.Workflows, func(a, b views.Option) int { return strings.Compare(a.Text, b.Text) })
	if view.Workflow == "" && view.Query == "" {
		return nil
	}
	if names == nil {
		return []string{}
	}
	return names
}

// fillHeat puts the counts into the cells; what is behind now is expected, what the clock leaves out is absent.
func fillHeat(view *views.HeatMap, day db.HeatDay, cells [db.HeatCells]db.HeatCell) {
	for i, cell := range cells {
		view.Cells[i] = views.HeatCell{Runs: cell.Runs, Rows: cell.Rows, Absent: true}
	}
	for i, at := range day.Slots {
		cell := &view.Cells[day.Cells[i]]
		cell.Absent = false
		cell.Expected = at.After(view.Now)
		cell.Now = cell.Now || !at.After(view.Now) && view.Now.Before(at.Add(db.HeatSlot))
	}
}

// fillHeatList names the executions at work in the chosen cell.
func (s *Server) fillHeatList(c echo.Context, view *views.HeatMap, day db.HeatDay, filter db.HeatFilter) error {
	slots := day.Of(view.Cell)
	if len(slots) == 0 {
		return nil
	}
	runs, err := s.db.HeatRuns(c.Request().Context(), day, filter, slots)
	if err != nil {
		return err
	}
	for _, r := range runs {
		row := views.HeatRun{ID: r.TaskID, Workflow: r.Workflow, Label: labelOf(view.Lang, r.Workflow, r.Label), WorkflowID: r.WorkflowID, Marketing: r.Kind == "campaign",
			Begun: r.Start, Ended: r.End, Running: r.Running, Rows: r.Rows, Database: r.Database, Locks: r.Locks}
		for _, a := range r.Activities {
			activity := views.HeatActivity{Name: a.Name, Running: a.Seconds == nil}
			if a.Seconds != nil {
				activity.Took = time.Duration(*a.Seconds * float64(time.Second))
			}
			row.Activities = append(row.Activities, activity)
		}
		view.Runs, view.RunCount = append(view.Runs, row), r.Total
	}
	return nil
}

// loadHeatMap collects the executions of the displayed day, as the workflow does, which need not be started for it.
func (s *Server) loadHeatMap(c echo.Context) error {
	page := s.plainPage(c)
	noon, days, err := heatDate(c.FormValue("day"), page)
	if err != nil {
		return err
	}
	if days > 0 {
		return badInput("day=" + c.FormValue("day"))
	}
	runs, workflows, err := s.db.LoadHeat(c.Request().Context(), db.NewHeatDay(noon.Year(), noon.Month(), noon.Day(), page.Zone))
	if err != nil {
		return err
	}
	back := c.FormValue("back")
	if !strings.HasPrefix(back, "/heat-map?") {
		back = "/heat-map?day=" + noon.Format(time.DateOnly)
	}
	return s.done(c, back, views.Flash{State: views.Finished,
		Text: page.R("heat.loaded", views.Number(runs), views.Number(int64(workflows)))})
}
