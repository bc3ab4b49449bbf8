package engine

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
)

func (n night) freeze(until time.Time) {
	n.Helper()
	if err := n.d.SetFreeze(n.Context(), kim(), "release 1.4", until); err != nil {
		n.Fatal(err)
	}
}

// TestFreeze: on every node nothing begins by itself, each due slot has a row with its reason, the run in progress goes
// on, a rehearsal and what a person orders run. Lifted, the next slot runs, and the signal that came meanwhile.
func TestFreeze(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("long")
	id, running := n.add("frozen", db.Started, yearly), n.add("long", db.Started, yearly)
	for _, node := range []string{"a", "b"} {
		n.engine(Config{Node: node, TakesUnassigned: true}, quick("frozen"), g.Workflow)
	}
	n.order(running, db.RunNow, db.OrderArgs{})
	n.wait(g.begun, "the run in progress")
	n.freeze(time.Time{})
	if err := n.d.SetFreeze(t.Context(), kim(), "again", time.Time{}); !errors.Is(err, db.ErrConflict) {
		t.Errorf("a second freeze: got %v, want ErrConflict", err)
	}
	n.exec(`UPDATE xtk.workflow SET schedule = $2, next_processing = clock_timestamp() WHERE id = $1`, id, once(time.Now()))
	n.exec(`INSERT INTO xtk.workflow_event (workflow_id, kind, signal) VALUES ($1, 'signal', 'approved')`, id)
	n.exec(`SELECT pg_notify('nightshift_work', '0')`)
	n.until("skipped/freeze", `SELECT status || '/' || reason FROM xtk.workflow_event WHERE workflow_id = $1 AND kind = 'scheduled'`, id)
	n.order(id, db.Simulate, db.OrderArgs{})
	n.until("simulation", `SELECT string_agg(mode, ' ' ORDER BY id) FROM xtk.workflow_task WHERE workflow_id = $1 AND status = 'completed'`, id)
	n.order(id, db.RunNow, db.OrderArgs{})
	n.until("simulation/manual normal/manual", `SELECT string_agg(mode || '/' || trigger, ' ' ORDER BY id) FROM xtk.workflow_task WHERE workflow_id = $1 AND status = 'completed'`, id)
	g.letGo <- struct{}{}
	n.until("completed", tasksSQL, running)
	if got := n.text(`SELECT status FROM xtk.workflow_event WHERE kind = 'signal'`); got != "pending" {
		t.Errorf("the signal in the freeze: got %s, want pending", got)
	}
	if err := n.d.LiftFreeze(t.Context(), kim()); err != nil {
		t.Fatal(err)
	}
	n.until("signal", `SELECT trigger FROM xtk.workflow_task WHERE workflow_id = $1 AND status = 'completed' ORDER BY id DESC LIMIT 1`, id)
	n.exec(`UPDATE xtk.workflow SET schedule = $2, next_processing = clock_timestamp() WHERE id = $1`, id, once(time.Now()))
	n.exec(`SELECT pg_notify('nightshift_work', '0')`)
	n.until("scheduled", `SELECT trigger FROM xtk.workflow_task WHERE workflow_id = $1 AND status = 'completed' ORDER BY id DESC LIMIT 1`, id)
}

// TestFreezeEndsExactly: a slot a moment before the end is skipped, one at the end runs, and what waited begins then.
func TestFreezeEndsExactly(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	end := time.Now().Add(3 * time.Second).Truncate(time.Millisecond)
	before := n.add("before", db.Started, "")
	at := n.add("at", db.Started, "")
	waits := n.add("waits", db.Started, yearly)
	n.exec(`UPDATE xtk.workflow SET next_processing = $2 WHERE id = $1`, before, end.Add(-time.Millisecond))
	n.exec(`UPDATE xtk.workflow SET next_processing = $2 WHERE id = $1`, at, end)
	n.freeze(end)
	n.exec(`INSERT INTO xtk.workflow_event (workflow_id, kind) VALUES ($1, 'resume')`, waits)
	n.engine(Config{}, quick("before"), quick("at"), quick("waits"))
	n.until("scheduled/skipped/freeze", slotsSQL, before)
	n.until("scheduled/processed", slotsSQL, at)
	n.until("completed", tasksSQL, waits)
	if late := n.text(`SELECT max(start_date) - $1::timestamptz FROM xtk.workflow_task`, end); n.text(`SELECT $1::interval BETWEEN '0' AND interval '1 second'`, late) != "true" {
		t.Errorf("the last run began %s after the end, want 0 to 1 s", late)
	}
}

// TestFreezeOverDowntime: what came due while no process was up is judged by its own moment: in the freeze, or missed.
func TestFreezeOverDowntime(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("everyHour", db.Started, hourly+`, next_processing = date_trunc('hour', now()) - interval '5 hours'`)
	n.exec(`INSERT INTO xtk.freeze (reason, by_login, since, until)
		SELECT 'move', 'kim', date_trunc('hour', now()) - interval '4 hours', date_trunc('hour', now()) - interval '2 hours'`)
	n.engine(Config{}, quick("everyHour"))
	n.until("scheduled/missed/service_down scheduled/skipped/freeze scheduled/skipped/freeze scheduled/missed/service_down "+
		"scheduled/missed/service_down catch_up/processed", slotsSQL, id)
}

// TestFreezeAtClockChange: a freeze of the hour that the clock shows twice ends at its own of the two.
func TestFreezeAtClockChange(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	first := time.Date(2025, 10, 26, 1, 0, 0, 0, paris)
	id := n.add("autumn", db.Started, `next_processing = '2025-10-25 00:00+00'`)
	w := &scheduled{ID: id, Next: &first, Now: first.Add(4 * time.Hour), Zone: paris, Schedule: jobs.CronSchedule("0 * * * *")}
	n.exec(`INSERT INTO xtk.freeze (reason, by_login, since, until) VALUES ('night', 'kim', '2025-10-26 02:00 Europe/Paris'::timestamptz - interval '1 hour', '2025-10-26 01:30+00')`)
	n.exec(`INSERT INTO xtk.freeze (reason, by_login, since, until) VALUES ('long over', 'kim', '2025-10-20 02:00+00', '2025-10-21 02:00+00')`)
	found, err := n.d.Pool.Query(t.Context(), freezesSince)
	if err != nil {
		t.Fatal(err)
	}
	freezes, err := pgx.CollectRows(found, pgx.RowToStructByPos[freeze])
	if err != nil || len(freezes) != 1 {
		t.Fatalf("freezes that count: got %v (%v), want the one of the night", freezes, err)
	}
	var a answers
	var batch pgx.Batch
	a.answer(w, w.slots(), freezes)
	a.write(&batch)
	if err := n.d.Pool.SendBatch(t.Context(), &batch).Close(); err != nil {
		t.Fatal(err)
	}
	rows, err := n.d.Pool.Query(t.Context(), `SELECT scheduled_at FROM xtk.workflow_event WHERE reason = 'freeze' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	frozen, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, slot := range frozen {
		got = append(got, slot.In(paris).Format("15:04 MST"))
	}
	if want := "02:00 CEST, 02:00 CET"; strings.Join(got, ", ") != want {
		t.Errorf("frozen slots: got %s, want %s", strings.Join(got, ", "), want)
	}
}

// TestPauseEndsOnASlot: the slot at the end of a pause runs, once, and makes up for those of the pause.
func TestPauseEndsOnASlot(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	end := time.Now().Add(3 * time.Second).Truncate(time.Millisecond)
	id := n.add("resting", db.Paused, `paused_at = now() - interval '3 hours'`)
	n.exec(`UPDATE xtk.workflow SET next_processing = $2, pause_until = $2 WHERE id = $1`, id, end)
	n.exec(`INSERT INTO xtk.workflow_event (workflow_id, status, reason, scheduled_at) VALUES ($1, 'skipped', 'paused', now() - interval '1 hour')`, id)
	n.engine(Config{}, quick("resting"))
	n.until("scheduled/skipped/paused scheduled/processed", slotsSQL, id)
	n.until("completed", tasksSQL, id)
	if late := n.text(`SELECT state_since - pause FROM xtk.workflow, (SELECT $2::timestamptz AS pause) p WHERE id = $1`, id, end); n.text(`SELECT $1::interval BETWEEN '0' AND interval '1 second'`, late) != "true" {
		t.Errorf("the pause ended %s after its end, want 0 to 1 s", late)
	}
	n.has(id, "1 occurrence(s) missed during the pause, the run that is due now makes up for them")
}

// TestPauseEndsWhileDown: after a restart, slots before the end of the pause were paused, those after it were missed, and
// one run makes up for all.
func TestPauseEndsWhileDown(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("resting", db.Paused, hourly+`, paused_at = now() - interval '6 hours', next_processing = date_trunc('hour', now()) - interval '4 hours',
		pause_until = date_trunc('hour', now()) - interval '2 hours'`)
	n.engine(Config{}, quick("resting"))
	n.until("scheduled/skipped/paused scheduled/skipped/paused scheduled/missed/service_down scheduled/missed/service_down catch_up/processed", slotsSQL, id)
	n.until("completed", tasksSQL, id)
	n.until("started", stateSQL, id)
}

// TestPauseOutlasted: a pause whose end comes before the end of the run in progress leaves the workflow started.
func TestPauseOutlasted(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("long")
	id := n.add("long", db.Started, yearly)
	n.engine(Config{}, g.Workflow)
	n.order(id, db.RunNow, db.OrderArgs{})
	n.wait(g.begun, "the run")
	n.order(id, db.Pause, db.OrderArgs{Until: time.Now().Add(2 * time.Second)})
	n.until("started", stateSQL, id)
	g.letGo <- struct{}{}
	n.until("completed", tasksSQL, id)
	n.until("started", stateSQL, id)
	n.has(id, "the pause ended before the run in progress")
}
