package web

import (
	"slices"

	"nightshift/db"
	"nightshift/views"
)

// driftsOf are alarms, or what a run is judged to be, as people see them.
func driftsOf(drifts []db.Drift) []views.Drift {
	shown := make([]views.Drift, len(drifts))
	for i, d := range drifts {
		shown[i] = views.Drift{Cause: d.Cause, Run: d.TaskID, Measured: d.Measured, Low: d.P10, Median: d.Median, High: d.P90, Bound: d.Bound,
			Runs: d.Runs, Weekday: d.Weekday, Busy: d.Busy, Since: d.Opened}
	}
	return shown
}

// lookOf is a workflow with open alarms. Of a run that is on, what was measured is what holds now.
func lookOf(page views.Page, w db.WorkflowRow) views.Look {
	look := views.Look{Workflow: w.Name, Label: labelOf(page.Lang, w.Name, w.Label), Run: w.Drifts[0].TaskID,
		Running: w.Running != nil && w.Running.ID == w.Drifts[0].TaskID, Drifts: driftsOf(w.Drifts)}
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

// causesAt are the ways in which a slot's run was not as usual: it opened the alarm, or completed while it was open.
func causesAt(alarms []db.Drift, slot db.RecordedSlot) []string {
	var causes []string
	for _, a := range alarms {
		during := slot.Status == "completed" && slot.TaskID != a.ClosedBy && slot.End != nil && slot.End.After(a.Opened) &&
			(a.Closed == nil || slot.End.Before(*a.Closed))
		if slot.TaskID != 0 && (slot.TaskID == a.TaskID || during) && !slices.Contains(causes, a.Cause) {
			causes = append(causes, a.Cause)
		}
	}
	return causes
}
