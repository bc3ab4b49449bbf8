package web

import (
	"context"
	"slices"
	"time"

	"nightshift/db"
	"nightshift/views"
)

const (
	// onceADay is within what a daily workflow has to have ended well: a day, and what it may take or be late.
	onceADay = 26 * time.Hour
	// recurrent is how many failed runs in a day are no longer one.
	recurrent = 2
)

// routine is what an operator of the platform looks at every day: cleanup, tracking, the refresh of the rules, the campaign
// processes.
func (s *Server) routine(ctx context.Context, page views.Page, all []db.WorkflowRow) ([]views.RoutineRow, error) {
	named := func(name string) db.WorkflowRow {
		if i := slices.IndexFunc(all, func(w db.WorkflowRow) bool { return w.Name == name }); i >= 0 {
			return all[i]
		}
		return db.WorkflowRow{Name: name}
	}
	rules, err := s.rulesRoutine(ctx, page, named("deliverabilityUpdate"))
	if err != nil {
		return nil, err
	}
	return []views.RoutineRow{s.dailyRoutine(page, named("cleanup")), s.trackingRoutine(page, named("tracking")), rules, s.campaignRoutine(page, all)}, nil
}

// routineRow is the row of a workflow; of one that is not started it says so.
func (s *Server) routineRow(page views.Page, w db.WorkflowRow) (row views.RoutineRow, started bool) {
	row = views.RoutineRow{Workflow: w.Name, Label: labelOf(page.Lang, w.Name, w.Label), Level: views.RoutineOK}
	switch state := workflowState(w, s.instanceType(), page.Now); {
	case state == views.NotBuilt || state == views.NotHere:
		row.Level, row.Text = views.RoutineOff, page.T(stateKey(state))
	case w.State != db.Started:
		row.Level, row.Text = views.RoutineWarning, page.T("monitor.not_started", page.T(stateKey(state)))
	default:
		return row, true
	}
	return row, false
}

func stateKey(state views.State) string { return "state." + string(state) }

// dailyRoutine wants a run that ended well within a day, about as long as usual.
func (s *Server) dailyRoutine(page views.Page, w db.WorkflowRow) views.RoutineRow {
	row, started := s.routineRow(page, w)
	if !started {
		return row
	}
	last, days := lastCompleted(w, page)
	if last.TaskID == 0 || page.Now.Sub(last.At) > onceADay {
		row.Level, row.Text = views.RoutineWarning, page.T("monitor.not_daily")
		if last.TaskID != 0 {
			row.Text = page.T("monitor.not_daily_since", page.Stamp(last.At))
		}
		return row
	}
	took := page.Took(time.Duration(last.Seconds * float64(time.Second)))
	row.Text = page.T("monitor.daily", page.Stamp(last.At), took, page.Took(w.Usual), days)
	for _, d := range w.Drifts {
		if d.Cause == "slower" || d.Cause == "faster" {
			row.Level, row.Text = views.RoutineWarning, page.T("monitor.daily_"+d.Cause, page.Stamp(last.At), took, page.Took(w.Usual))
		}
	}
	return row
}

// lastCompleted is the newest run that ended well, and on how many of the last seven days one began.
func lastCompleted(w db.WorkflowRow, page views.Page) (last db.SparkRun, days int) {
	seen := map[string]bool{}
	for _, run := range w.Spark {
		if run.Status != "completed" {
			continue
		}
		last = run
		if page.Now.Sub(run.At) < 7*24*time.Hour {
			seen[run.At.In(page.Zone).Format(time.DateOnly)] = true
		}
	}
	return last, min(len(seen), 7)
}

// lastDay counts what became of a workflow's slots in the last 24 hours.
func lastDay(w db.WorkflowRow, now time.Time) (ran, failed, missed int) {
	for _, run := range w.Spark {
		if now.Sub(run.At) > 24*time.Hour {
			continue
		}
		switch run.Status {
		case "completed":
			ran++
		case "failed":
			failed++
		case "missed":
			missed++
		}
	}
	return ran, failed, missed
}

// trackingRoutine wants no slot late or missed, and no errors that recur.
func (s *Server) trackingRoutine(page views.Page, w db.WorkflowRow) views.RoutineRow {
	row, started := s.routineRow(page, w)
	if !started {
		return row
	}
	ran, failed, missed := lastDay(w, page.Now)
	row.Text = page.T("monitor.hourly", ran, failed, missed)
	switch {
	case isLate(w, page.Now):
		row.Level, row.Text = views.RoutineWarning, page.T("monitor.hourly_late", page.Stamp(moment(w.Waiting)))
	case missed > 0 || failed >= recurrent:
		row.Level = views.RoutineWarning
	}
	return row
}

// rulesRoutine wants the rules of the deliverability service fetched within a day.
func (s *Server) rulesRoutine(ctx context.Context, page views.Page, w db.WorkflowRow) (views.RoutineRow, error) {
	sets, monitored, err := s.db.RuleSets(ctx)
	if err != nil {
		return views.RoutineRow{}, err
	}
	row, started := s.routineRow(page, w)
	if !started {
		return row, nil
	}
	if !monitored {
		row.Level, row.Text = views.RoutineOff, page.T("monitor.rules_off")
		return row, nil
	}
	if row = s.dailyRoutine(page, w); row.Level == views.RoutineWarning {
		return row, nil
	}
	var newest time.Time
	for _, set := range sets {
		if set.Synchronised.After(newest) {
			newest = set.Synchronised
		}
	}
	row.Text = page.T("monitor.rules_never")
	if !newest.IsZero() {
		last, _ := lastCompleted(w, page)
		row.Text = page.T("monitor.rules", page.Stamp(last.At), page.Stamp(newest))
	}
	return row, nil
}

// campaignRoutine wants no slot of the campaign processes late, missed or failed in a day.
func (s *Server) campaignRoutine(page views.Page, all []db.WorkflowRow) views.RoutineRow {
	row := views.RoutineRow{Label: page.T("monitor.campaign"), Level: views.RoutineOff, Text: page.T("monitor.campaign_off")}
	var started, ran, behind int
	for _, w := range all {
		if w.Package != "campaign" || !w.Built || w.State != db.Started {
			continue
		}
		started++
		done, failed, missed := lastDay(w, page.Now)
		ran += done
		behind += failed + missed
		if isLate(w, page.Now) {
			behind++
		}
	}
	if started > 0 {
		row.Level, row.Text = views.RoutineOK, page.T("monitor.campaign_ran", started, ran, behind)
	}
	if behind > 0 {
		row.Level = views.RoutineWarning
	}
	return row
}
