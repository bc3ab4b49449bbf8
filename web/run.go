package web

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// showRun shows one run, live while it is on; a rehearsal that came to its end shows what a run would do.
func (s *Server) showRun(c echo.Context) error {
	id, err := idParam(c)
	if err != nil {
		return err
	}
	log, filter, err := logAsked(c)
	if err != nil {
		return err
	}
	page := s.frame(c, views.SectionRuns, "")
	read, err := s.readRun(c, page, id, log, filter)
	if err != nil {
		return err
	}
	page.Flash = s.takeFlash(c.Request().Context(), page)
	run, shown := read.run, read.shown
	page.Title, page.Tape.Own = labelOf(page.Lang, run.Workflow, run.Label), run.Workflow
	page.Crumbs = runCrumbs(page, run)
	if run.Mode == "simulation" && run.Status == "completed" && c.QueryParam("as") != "run" {
		return s.showSimulation(c, page, run, shown.Log)
	}
	shown.Page = page
	s.aroundRun(c, &shown, run)
	shown.Page.Live = shown.State == views.Running
	return s.render(c, http.StatusOK, views.RunPage(shown))
}

func runCrumbs(page views.Page, run db.Run) []views.Crumb {
	return []views.Crumb{
		{Text: page.T("rail.workflows"), Href: "/workflows"},
		{Text: packageOf(page.Lang, run.Package), Href: "/workflows?q=package:" + run.Package},
		{Text: run.Workflow, Href: "/workflows/" + run.Workflow},
		{Text: views.Number(run.ID)},
	}
}

// runPage turns a run into its page, but for its log.
func (s *Server) runPage(c echo.Context, page views.Page, run db.Run) views.Run {
	shown := s.runFacts(page, run)
	s.aroundRun(c, &shown, run)
	return shown
}

// aroundRun adds what the run's workflow is in now, and which orders it takes from who looks.
func (s *Server) aroundRun(c echo.Context, shown *views.Run, run db.Run) {
	shown.Label, shown.Severity = labelOf(shown.Lang, run.Workflow, run.Label), run.Severity
	shown.Next = moment(run.NextSlot)
	shown.Can, shown.Admin = ordersFor(s.actor(c), run.Situation()), s.actor(c).Has(db.Administration)
	shown.WorkflowPaused = run.Failed && run.State == db.Paused && run.LastEnded == run.ID
	if run.OrderAt != nil {
		shown.OrderAt, shown.OrderBy = *run.OrderAt, run.OrderBy
	}
}

// runFacts are what a run's page shows besides its log and its orders.
func (s *Server) runFacts(page views.Page, run db.Run) views.Run {
	shown := views.Run{
		Page: page, ID: run.ID, Workflow: run.Workflow,
		Package: packageOf(page.Lang, run.Package), State: runState(run.Status, run.Warnings),
		Simulated: run.Mode == "simulation", Trigger: run.Trigger, StartedBy: run.StartedBy, Node: run.Node,
		Due: moment(run.Due), Begun: run.Start, Ended: moment(run.End), CutOff: run.CutOff,
		Backend: run.BackendPID, Build: run.Build,
		UsualTook: run.Usual.P50, UsualFrom: run.Usual.P10, UsualTo: run.Usual.P90,
		RowsChanged: run.RowsChanged, Warnings: run.Warnings, Resumes: run.Resumes,
		Drifts: driftsOf(run.Compared.Drifts),
	}
	if run.Compared.Runs > 0 {
		shown.UsualTook, shown.UsualFrom, shown.UsualTo = run.Compared.Took.P50, run.Compared.Took.P10, run.Compared.Took.P90
	}
	switch {
	case run.Status == "running" && run.CancelRequested != "", run.Status == "running" && run.State == db.StopPending:
		shown.Order, shown.OrderAt = views.StopPending, moment(run.CancelAt)
	case run.Status == "running" && run.State == db.PausePending:
		shown.Order = views.PausePending
	}
	for _, step := range run.StepList {
		shown.Steps = append(shown.Steps, runStep(step, run, page.Now))
	}
	shown.Effects, shown.Dropped = tableEffects(run.Effects)
	if run.Status == "failed" {
		shown.Failure = failureOf(run)
	}
	for _, name := range slices.Sorted(maps.Keys(run.Options)) {
		read := optionRow(page, db.OptionAs(name, run.Options[name]))
		shown.Options = append(shown.Options, views.ReadOption{Name: name, Value: read.Value, Unit: read.Unit})
	}
	return shown
}

func failureOf(run db.Run) *views.Failure {
	return &views.Failure{Code: run.ErrorCode, Step: run.ErrorStep, Message: run.ErrorMessage, Detail: run.ErrorDetail}
}

// runStep turns a step into its line. One that was not begun is to come while the run is on, else it was not run.
func runStep(step db.RunStep, run db.Run, now time.Time) views.Step {
	shown := views.Step{
		Number: step.Order, Key: step.Key, Said: step.Message, Rows: step.RowsChanged, Counted: step.RowsChanged > 0 || step.Batches > 0,
		Begun: moment(step.Start), Usual: step.Usual.P50, Done: step.Done, Unit: step.Unit, Batches: step.Batches,
	}
	if step.Total != nil {
		shown.Total = *step.Total
	}
	switch {
	case step.Status == "kept":
		shown.State = views.Kept
	case step.Status != "":
		shown.State = runState(step.Status, 0)
	case run.Status == "running":
		shown.State = views.ToCome
	default:
		shown.State = views.NotRun
	}
	switch {
	case step.Start != nil && step.End != nil:
		shown.Took = step.End.Sub(*step.Start)
	case step.Start != nil && run.End != nil:
		shown.Took = run.End.Sub(*step.Start)
	case step.Start != nil:
		shown.Took = now.Sub(*step.Start)
	}
	shown.Took = max(0, shown.Took) // clocks of several machines are a little apart
	return shown
}

// tableEffects adds up the ledger by table, most rows first, and counts the tables that were dropped whole.
func tableEffects(effects []db.RunEffect) ([]views.Effect, int) {
	byTable := map[string]*views.Effect{}
	var dropped int
	for _, e := range effects {
		sum := byTable[e.Table]
		if sum == nil {
			sum = &views.Effect{Table: e.Table}
			byTable[e.Table] = sum
		}
		sum.Deleted += e.Deleted
		sum.Updated += e.Updated
		sum.Added += e.Inserted
		sum.Dropped += e.Dropped
		sum.Estimated = sum.Estimated || e.Estimated
		dropped += e.Dropped
	}
	list := make([]views.Effect, 0, len(byTable))
	for _, sum := range byTable {
		list = append(list, *sum)
	}
	slices.SortFunc(list, func(a, b views.Effect) int {
		return cmp.Or(cmp.Compare(b.Deleted+b.Updated+b.Added, a.Deleted+a.Updated+a.Added), cmp.Compare(a.Table, b.Table))
	})
	return list, dropped
}
