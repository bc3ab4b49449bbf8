package web

import (
	"slices"
	"time"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/views"
)

// heatOccurrences bounds the expected runs of one workflow in two days; one a minute is below it.
const heatOccurrences = 3000

// heatExpected lists the runs that begin or go on between now and the end of the day: each slot of the schedules, as long
// as its workflow usually takes, and what is at work now until its usual end.
func (s *Server) heatExpected(view views.HeatMap, day db.HeatDay, plans []db.HeatPlan, filter db.HeatFilter) []views.HeatRun {
	var all []views.HeatRun
	for _, plan := range plans {
		if plan.Usual < filter.Minimum || filter.Kind != "" && plan.Kind != filter.Kind ||
			filter.Names != nil && !slices.Contains(filter.Names, plan.Workflow) {
			continue
		}
		run := views.HeatRun{Workflow: plan.Workflow, Label: labelOf(view.Lang, plan.Workflow, plan.Label), Marketing: plan.Kind == "campaign", WorkflowID: plan.ID, Rows: plan.Rows,
			Database: &plan.Database}
		for _, at := range s.heatTimes(plan, view.Now, day.To) {
			run.Begun, run.Ended = at, at.Add(plan.Usual)
			if run.Ended.After(view.Now) && !run.Ended.Before(day.From) {
				all = append(all, run)
			}
		}
	}
	return all
}

// heatTimes are the moments at which a plan is expected to begin up to an end, with that of the run at work now.
func (s *Server) heatTimes(plan db.HeatPlan, now, end time.Time) []time.Time {
	var times []time.Time
	if plan.Since != nil {
		times = append(times, *plan.Since)
	}
	schedule, err := jobs.ParseSchedule(plan.Schedule)
	if err != nil || plan.Next == nil {
		return times
	}
	zone := s.zone()
	if plan.Zone != "" {
		if named, err := time.LoadLocation(plan.Zone); err == nil {
			zone = named
		}
	}
	for at := *plan.Next; !at.IsZero() && at.Before(end) && len(times) < heatOccurrences; at = schedule.Next(at, zone) {
		// A slot that waits for its turn is expected at once.
		if at.Before(now) {
			times = append(times, now)
			continue
		}
		times = append(times, at)
	}
	return times
}

// addExpected counts the expected runs into the cells behind now.
func addExpected(view *views.HeatMap, day db.HeatDay, expected []views.HeatRun) {
	for _, run := range expected {
		touched := int64(run.Ended.Sub(run.Begun.Truncate(db.HeatSlot))+db.HeatSlot-1) / int64(db.HeatSlot)
		share, busy := run.Rows/max(touched, 1), 0.0
		if run.Database != nil {
			busy = *run.Database / float64(max(touched, 1))
		}
		first, _ := slices.BinarySearchFunc(day.Slots, run.Begun.Truncate(db.HeatSlot), time.Time.Compare)
		for i := first; i < len(day.Slots) && touches(run, day.Slots[i]); i++ {
			if cell := &view.Cells[day.Cells[i]]; cell.Expected {
				cell.Runs++
				cell.Rows += share
				cell.Load.Database += busy
			}
		}
	}
}

// touches reports whether a run is at work in the five minutes from a moment on.
func touches(run views.HeatRun, slot time.Time) bool {
	return run.Begun.Before(slot.Add(db.HeatSlot)) && (run.Ended.After(slot) || !run.Begun.Before(slot))
}

// touching are the expected runs of a cell, longest first; none in a cell of the past.
func touching(expected []views.HeatRun, slots []time.Time) []views.HeatRun {
	var found []views.HeatRun
	for _, run := range expected {
		if slices.ContainsFunc(slots, func(slot time.Time) bool { return slot.After(time.Now()) && touches(run, slot) }) {
			found = append(found, run)
		}
	}
	slices.SortStableFunc(found, func(a, b views.HeatRun) int { return int(b.Ended.Sub(b.Begun) - a.Ended.Sub(a.Begun)) })
	return found
}
