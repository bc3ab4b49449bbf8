package web

import (
	"context"
	"slices"
	"time"

	"nightshift/db"
	"nightshift/views"
)

// driftsOf are alarms, or what a run is judged to be, as people see them.
func driftsOf(drifts []db.Drift) []views.Drift {
	shown := make([]views.Drift, len(drifts))
	for i, d := range drifts {
		shown[i] = views.Drift{Cause: d.Cause, Run: d.TaskID, Measured: d.Measured, Low: d.P10, Median: d.Median, High: d.P90, Bound: d.Bound,
			Runs: d.Runs, Weekday: d.Weekday, Busy: d.Busy, Since: d.Opened, ID: d.ID, Known: moment(d.Acknowledged), By: d.KnownBy, Why: d.Why}
	}
	return shown
}

// unacknowledged are the open alarms that nobody has acknowledged.
func unacknowledged(drifts []db.Drift) []db.Drift {
	return slices.DeleteFunc(slices.Clone(drifts), func(d db.Drift) bool { return d.Acknowledged != nil })
}

// lookOf is a workflow with open alarms that nobody has acknowledged. Of a run that is on, what was measured is what holds now.
func lookOf(page views.Page, w db.WorkflowRow) views.Look {
	open := unacknowledged(w.Drifts)
	look := views.Look{Workflow: w.Name, Label: labelOf(page.Lang, w.Name, w.Label), Run: open[0].TaskID,
		Running: w.Running != nil && w.Running.ID == open[0].TaskID, Drifts: driftsOf(open)}
	measureNow(page, w, look.Drifts)
	return look
}

// measureNow brings the alarms of the run in progress to what it has taken and changed by now.
func measureNow(page views.Page, w db.WorkflowRow, drifts []views.Drift) {
	if w.Running == nil {
		return
	}
	for i := range drifts {
		switch {
		case drifts[i].Run != w.Running.ID:
		case drifts[i].Cause == "slower":
			drifts[i].Measured = max(drifts[i].Measured, page.Now.Sub(w.Running.Start).Seconds())
		case drifts[i].Cause == "more":
			drifts[i].Measured = max(drifts[i].Measured, float64(w.Running.Inserted+w.Running.Updated+w.Running.Deleted))
		}
	}
}

// causesOf are the ways in which a run of a list was not as usual; ended is nil while it is on.
func causesOf(alarms []db.Drift, workflow, task int64, status string, ended *time.Time) []string {
	var causes []string
	for _, a := range alarms {
		if status == "completed" && ended != nil && a.Shown(workflow, task, *ended) && !slices.Contains(causes, a.Cause) {
			causes = append(causes, a.Cause)
		}
	}
	return causes
}

// addCauses reads in which ways runs of a list were not as usual. The rows stand in the order of the runs.
func (s *Server) addCauses(ctx context.Context, runs []db.RunRow, rows []views.RunRow) error {
	if len(runs) == 0 {
		return nil
	}
	since := runs[0].Start
	for _, run := range runs {
		if run.Start.Before(since) {
			since = run.Start
		}
	}
	alarms, err := s.alarmsSince(ctx, since)
	if err != nil {
		return err
	}
	for i, run := range runs {
		if run.Mode == "normal" && run.Resumes == 0 {
			rows[i].Causes = causesOf(alarms, run.WorkflowID, run.ID, run.Status, run.End)
		}
	}
	return nil
}

// alarmsSince are the alarms of all workflows that are open, or were since a moment; maybe also some of the hour before.
func (s *Server) alarmsSince(ctx context.Context, since time.Time) ([]db.Drift, error) {
	since = since.Truncate(time.Hour)
	return s.alarms.get(ctx, since.Unix(), func(ctx context.Context) ([]db.Drift, error) {
		var workflows []int64
		for _, w := range s.night.known().Names {
			workflows = append(workflows, w.ID)
		}
		return s.db.Drifts(ctx, workflows, since)
	})
}
