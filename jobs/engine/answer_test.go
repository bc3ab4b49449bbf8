package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs"
)

// TestAnswers: the slot knows how its run ended, also when the run's own row is purged later.
func TestAnswers(t *testing.T) {
	t.Parallel()
	n, stops, dies := newNight(t), newGate("stops"), newGate("dies")
	fails := jobs.Workflow{Name: "fails", Run: func(context.Context, *jobs.Run) error { return errors.New("no") }}
	ids := map[string]int64{}
	for _, name := range []string{"fine", "fails", "stops", "dies"} {
		ids[name] = n.add(name, db.Started, `next_processing = now(), schedule = '`+once(time.Now())+`'`)
	}
	n.engine(Config{}, quick("fine"), fails, stops.Workflow, dies.Workflow)
	n.wait(stops.begun, "the run that is stopped")
	n.wait(dies.begun, "the run that is stopped unconditionally")
	n.order(ids["stops"], db.Stop, db.OrderArgs{})
	n.order(ids["dies"], db.UnconditionalStop, db.OrderArgs{})
	for name, want := range map[string]string{"fine": "ran", "fails": "failed", "stops": "stopped", "dies": "stopped"} {
		n.until(want, `SELECT string_agg(answer, ' ') FROM xtk.workflow_event WHERE workflow_id = $1 AND slot`, ids[name])
	}
}

// TestManySlotsByMonth: slots that become one row are split where the month ends, so that each counts in its own.
func TestManySlotsByMonth(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("everyHour", db.Paused, hourly+`, next_processing = date_trunc('hour', now()) - interval '70 days', paused_at = now() - interval '71 days'`)
	n.engine(Config{}, quick("everyHour"))
	n.until("1681", `SELECT sum(occurrences) FROM xtk.workflow_event WHERE workflow_id = $1`, id)
	if got := n.text(`SELECT count(*) FROM xtk.workflow_event WHERE date_trunc('month', scheduled_at) <> date_trunc('month', scheduled_to)`); got != "0" {
		t.Errorf("rows over the end of a month: got %s, want 0", got)
	}
}
