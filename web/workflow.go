package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/views"
	"nightshift/views/locale"
)

const (
	workflowRuns  = 12 // runs on a workflow's page
	workflowSlots = 12
	enoughRuns    = 8 // good runs before anything counts as usual
)

// showWorkflow shows one workflow: what it does, its recorder, its runs, its schedule and properties, what changed.
func (s *Server) showWorkflow(c echo.Context) error {
	ctx := c.Request().Context()
	w, err := s.db.WorkflowByName(ctx, c.Param("name"))
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionWorkflows, "")
	page.Refresh, page.Updated = listRefresh, true
	shown := s.workflowFacts(page, w)
	shown.Can, shown.CanEdit = ordersFor(s.actor(c), w.Situation()), s.actor(c).Has(db.Administration)
	if shown.Ladder, err = s.ladder(ctx, page, w); err != nil {
		return err
	}
	if shown.Accounts, err = s.failingAccounts(ctx, page, func(f db.FailingAccount) bool { return f.Workflow == w.Name }); err != nil {
		return err
	}
	recorder, err := s.db.Recorder(ctx, w.ID)
	if err != nil {
		return err
	}
	if len(recorder.Slots) > 0 {
		alarms, err := s.db.Drifts(ctx, []int64{w.ID}, recorder.Slots[0].At)
		if err != nil {
			return err
		}
		shown.Recorder = recorderOf(w.ID, recorder, alarms)
	}
	if shown.Runs, err = s.lastRuns(c, w); err != nil {
		return err
	}
	count, err := s.db.CountRuns(ctx, db.RunFilter{WorkflowID: w.ID})
	if err != nil {
		return err
	}
	shown.RunsTotal = capped(count)
	slots, _, err := s.db.Slots(ctx, db.SlotFilter{WorkflowID: w.ID, Limit: workflowSlots})
	if err != nil {
		return err
	}
	for _, slot := range slots {
		shown.Slots = append(shown.Slots, slotLine(slot, page.Now))
	}
	if shown.CanEdit {
		if shown.Changes, err = s.workflowChanges(c, w.Name); err != nil {
			return err
		}
	}
	return s.render(c, http.StatusOK, views.WorkflowPage(shown))
}

// workflowFacts are what the page says of the workflow itself.
func (s *Server) workflowFacts(page views.Page, w db.WorkflowRow) views.Workflow {
	label, pack := labelOf(page.Lang, w.Name, w.Label), packageOf(page.Lang, w.Package)
	page.Title, page.Tape.Own = label, w.Name
	page.Crumbs = []views.Crumb{
		{Text: page.T("rail.workflows"), Href: "/workflows"},
		{Text: pack, Href: "/workflows?q=package:" + w.Package},
	}
	state := workflowState(w, s.instanceType(), page.Now)
	shown := views.Workflow{
		Page: page, Name: w.Name, Label: label, Package: pack, State: state, Since: w.StateSince, By: w.StateBy,
		Reason: stateReason(page, w, state), Until: moment(w.PauseUntil), Severity: w.Severity,
		OrderAt: moment(w.OrderAt), OrderBy: w.OrderBy, Last: lastRun(w.Last), Reads: w.Reads, Writes: w.Writes,
		Schedule: s.scheduleFacts(page, w), Properties: properties(page, w), Drifts: driftsOf(w.Drifts),
	}
	measureNow(page, w, shown.Drifts)
	if key := "workflow." + w.Name + ".purpose"; locale.Has(key) {
		shown.Purpose = page.T(key)
	}
	switch state {
	case views.StartPending, views.PausePending, views.StopPending:
		shown.Order = state
	case views.Running:
		shown.Since = w.Running.Start
	case views.Late:
		shown.Since = moment(w.Waiting)
	}
	if w.Running != nil {
		shown.Run = w.Running.ID
	} else if w.Failed && w.Last != nil {
		shown.Run = w.Last.ID
	}
	if w.State == db.Started {
		shown.Next = s.nextRun(w)
	}
	return shown
}

// scheduleFacts say when the workflow runs, in words and in dates, and what the next change of the clocks does to it.
func (s *Server) scheduleFacts(page views.Page, w db.WorkflowRow) views.ScheduleFacts {
	zone := s.zoneOf(w)
	facts := views.ScheduleFacts{Zone: zone.String()}
	schedule, err := scheduleOf(w)
	if err != nil {
		return facts
	}
	facts.Words, facts.Cron = scheduleWords(page.Lang, schedule), schedule.Cron
	facts.Next = nextDates(schedule, 5, w, page.Now, zone)
	if len(facts.Next) > 0 {
		if note := clockChange(page, schedule, zone); note != "" {
			facts.Notes = append(facts.Notes, note)
		}
		facts.Notes = append(facts.Notes, page.T("schedule.note.down"))
	}
	if w.ValidTo != nil {
		facts.Notes = append(facts.Notes, page.T("schedule.note.valid_to", page.Stamp(*w.ValidTo)))
	}
	if w.MaxExecutions > 0 {
		facts.Notes = append(facts.Notes, page.T("schedule.note.executions", w.ExecutionCount, w.MaxExecutions))
	}
	return facts
}

// nextDates are the next n dates of a schedule inside the workflow's validity.
func nextDates(schedule jobs.Schedule, n int, w db.WorkflowRow, now time.Time, zone *time.Location) []time.Time {
	if w.ValidFrom != nil && w.ValidFrom.After(now) {
		now = w.ValidFrom.Add(-time.Second)
	}
	dates := schedule.NextN(now, n, zone)
	for i, at := range dates {
		if w.ValidTo != nil && at.After(*w.ValidTo) {
			return dates[:i]
		}
	}
	return dates
}

// clockChange says what the next change of the clocks within a year does to a daily time; empty where clocks do not change.
func clockChange(page views.Page, schedule jobs.Schedule, zone *time.Location) string {
	for at := page.Now.Truncate(time.Hour); at.Before(page.Now.AddDate(1, 0, 0)); at = at.Add(time.Hour) {
		_, before := at.In(zone).Zone()
		_, after := at.Add(time.Hour).In(zone).Zone()
		if before == after {
			continue
		}
		change := at.Add(time.Hour)
		key := "schedule.note.forward"
		if after < before {
			key = "schedule.note.back"
		}
		next := schedule.Next(change.Add(-time.Hour), zone)
		if next.IsZero() {
			return ""
		}
		return page.T(key, page.Day(change), next.In(zone).Format("15:04 MST"))
	}
	return ""
}

// properties are the workflow's settings as a list of facts.
func properties(page views.Page, w db.WorkflowRow) []views.Fact {
	yes := func(on bool) string {
		if on {
			return page.T("property.on")
		}
		return page.T("property.off")
	}
	facts := []views.Fact{
		{Label: page.T("property.severity"), Value: page.T("severity." + w.Severity)},
		{Label: page.T("property.on_error"), Value: page.T("on_error." + w.OnError)},
		{Label: page.T("property.overlap"), Value: page.T("property.overlap_value")},
		{Label: page.T("property.priority"), Value: page.T("priority." + strconv.Itoa(w.Priority))},
		{Label: page.T("property.affinity"), Value: orElse(w.Affinity, page.T("property.any_node"))},
		{Label: page.T("property.history"), Value: historyDays(page, w.HistoryDays)},
		{Label: page.T("property.log_sql"), Value: yes(w.LogSQL)},
	}
	if w.MaxSeconds > 0 {
		facts = append(facts, views.Fact{Label: page.T("property.max_period"), Value: page.Took(time.Duration(w.MaxSeconds) * time.Second)})
	}
	if w.OnError == "ignore" {
		facts = append(facts, views.Fact{Label: page.T("property.errors"), Value: page.T("property.errors_value", w.ConsecutiveErrors, w.ErrorLimit)})
	}
	return append(facts, views.Fact{Label: page.T("property.changed"), Value: page.Stamp(w.LastModified)})
}

func historyDays(page views.Page, days int) string {
	if days == 0 {
		return page.T("property.for_ever")
	}
	return page.T("unit.d", strconv.Itoa(days))
}

// capped is a count as people see it: counting stops at 10,000.
func capped(count int) string {
	if count > db.CountCap {
		return views.Number(db.CountCap) + "+"
	}
	return views.Number(int64(count))
}

// recorderOf draws what the database recorded. What is usual needs eight good runs.
func recorderOf(workflow int64, r db.Recorder, alarms []db.Drift) views.Recorder {
	shown := views.Recorder{}
	for _, slot := range r.Slots {
		drawn := views.RecorderSlot{At: slot.At, State: slotState(slot.Status), Run: slot.TaskID, Rows: slot.Rows,
			Causes: causesOf(alarms, workflow, slot.TaskID, slot.Status, slot.End)}
		if slot.Start != nil && slot.End != nil {
			drawn.Took = slot.End.Sub(*slot.Start)
		}
		if drawn.State == views.Finished && slot.Start != nil && slot.Start.Sub(slot.At) > db.Lateness {
			drawn.State = views.Late
		}
		shown.Slots = append(shown.Slots, drawn)
	}
	if n := len(shown.Slots); n > 1 {
		shown.Hourly = shown.Slots[n-1].At.Sub(shown.Slots[0].At) < time.Duration(n)*6*time.Hour
	}
	if r.Good >= enoughRuns {
		shown.Took = views.Band{Low: r.SecondsP10, Median: r.Seconds, High: r.P90}
		shown.Rows = views.Band{Low: r.RowsP10, Median: r.Rows, High: r.RowsP90}
	}
	for _, change := range r.Changes {
		shown.Changes = append(shown.Changes, views.Note{At: change.At, Text: change.Entity})
	}
	return shown
}

// slotLine is the account of one due moment.
func slotLine(slot db.Slot, now time.Time) views.Slot {
	line := views.Slot{At: slot.Due, To: moment(slot.To), Count: slot.Occurrences, Kind: slot.Kind, Why: slot.Reason, Run: slot.TaskID,
		State: slotState(slot.Status)}
	if slot.Status == "processed" && slot.TaskStatus != "" {
		line.State = slotState(slot.TaskStatus)
	}
	if slot.Mode == "simulation" && line.State == views.Finished {
		line.State = views.Simulated
	}
	if slot.Began != nil {
		line.Lag = slot.Began.Sub(slot.Due)
	}
	if slot.Late(now) && (line.State == views.Finished || line.State == views.Waiting) {
		line.State = views.Late
	}
	return line
}

// lastRuns are the newest runs of a workflow.
func (s *Server) lastRuns(c echo.Context, w db.WorkflowRow) ([]views.RunRow, error) {
	runs, _, err := s.db.Runs(c.Request().Context(), db.RunFilter{WorkflowID: w.ID, Limit: workflowRuns})
	if err != nil {
		return nil, err
	}
	page := s.plainPage(c)
	rows := make([]views.RunRow, len(runs))
	for i, run := range runs {
		rows[i] = runRow(page, run)
	}
	return rows, s.addCauses(c.Request().Context(), runs, rows)
}

// workflowChanges are the newest entries of the audit trail about a workflow.
func (s *Server) workflowChanges(c echo.Context, name string) ([]views.Change, error) {
	rows, _, err := s.db.AuditRows(c.Request().Context(), db.AuditFilter{EntityType: "workflow", Entity: name, Limit: workflowSlots})
	if err != nil {
		return nil, err
	}
	var changes []views.Change
	for _, line := range auditLines(s.plainPage(c), rows) {
		changes = append(changes, views.Change{At: line.At, By: line.By, Action: line.Action, Before: line.Before,
			After: orElse(line.After, line.Note), Refused: line.Refused})
	}
	return changes, nil
}
