package web

import (
	"slices"
	"time"

	"nightshift/db"
	"nightshift/views"
	"nightshift/views/locale"
)

// orders ties what the console calls an order, in addresses and words, to what the database calls it.
var orders = map[views.Order]db.Command{
	views.OrderStart:             db.Start,
	views.OrderPause:             db.Pause,
	views.OrderStop:              db.Stop,
	views.OrderUnconditionalStop: db.UnconditionalStop,
	views.OrderRestart:           db.Restart,
	views.OrderPurgeHistory:      db.PurgeHistory,
	views.OrderSimulate:          db.Simulate,
	views.OrderWakeup:            db.Wakeup,
	views.OrderRun:               db.RunNow,
}

// ordersFor lists the orders that a workflow takes now from this operator, in the order of a menu.
func ordersFor(actor db.Actor, situation db.Situation) []views.Order {
	if !actor.Has(db.Administration) {
		return nil
	}
	var can []views.Order
	for _, order := range []views.Order{
		views.OrderSimulate, views.OrderRun, views.OrderStart, views.OrderPause, views.OrderStop,
		views.OrderWakeup, views.OrderRestart, views.OrderPurgeHistory, views.OrderUnconditionalStop,
	} {
		if orders[order].Judge(situation) == nil {
			can = append(can, order)
		}
	}
	return can
}

// workflowState says in one state what a workflow is in. An order that is not applied yet comes first, then what needs
// a person, then what runs.
func workflowState(w db.WorkflowRow, instance string, now time.Time) views.State {
	switch {
	case !w.Built:
		return views.NotBuilt
	case len(w.InstanceTypes) > 0 && !slices.Contains(w.InstanceTypes, instance):
		return views.NotHere
	case w.State == db.StartPending:
		return views.StartPending
	case w.State == db.PausePending:
		return views.PausePending
	case w.State == db.StopPending:
		return views.StopPending
	case w.Failed:
		return views.Failed
	case w.State == db.Paused:
		return views.Paused
	case w.Running != nil:
		return views.Running
	case isLate(w, now):
		return views.Late
	case w.State == db.Started:
		return views.Started
	case w.State == db.Finished:
		return views.Ended
	}
	return views.Edited
}

func isLate(w db.WorkflowRow, now time.Time) bool {
	return w.State == db.Started && w.Waiting != nil && now.Sub(*w.Waiting) > db.Lateness
}

// runState gives a run its state for people: one that ended well with warnings has its own.
func runState(status string, warnings int) views.State {
	switch status {
	case "running":
		return views.Running
	case "failed":
		return views.Failed
	case "stopped":
		return views.Stopped
	case "interrupted":
		return views.Interrupted
	}
	if warnings > 0 {
		return views.Warned
	}
	return views.Finished
}

// slotState gives a run or a due slot of the sparks and the recorder its state.
func slotState(status string) views.State {
	switch status {
	case "running", "processing":
		return views.Running
	case "failed":
		return views.Failed
	case "stopped":
		return views.Stopped
	case "interrupted":
		return views.Interrupted
	case "skipped":
		return views.Skipped
	case "missed":
		return views.Missed
	case "cancelled":
		return views.Cancelled
	case "pending":
		return views.Waiting
	}
	return views.Finished
}

// labelOf is a workflow's label in a language: the catalogue's, else what the database has (a copy for an account).
func labelOf(lang locale.Lang, name, label string) string {
	if key := "workflow." + name + ".label"; locale.Has(key) {
		return locale.T(lang, key)
	}
	return label
}

// packageOf is a package's name in a language.
func packageOf(lang locale.Lang, key string) string {
	if locale.Has("package." + key) {
		return locale.T(lang, "package."+key)
	}
	return key
}

// moment is a time that may be missing.
func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
