package engine

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs"
)

// once is a schedule of one moment, so that nothing else becomes due.
func once(at time.Time) string {
	return `{"kind": "once", "at": "` + at.UTC().Format("2006-01-02T15:04:05") + `"}`
}

// TestTwoNodesOneRun: of 200 ticks of a workflow that two processes see 300 ms apart, each gives one run.
func TestTwoNodesOneRun(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	const ticks = 200
	id := n.add("ticking", db.Started, yearly)
	ticking := quick("ticking")
	n.engine(Config{Node: "a", TakesUnassigned: true}, ticking)
	late := New(Config{DB: n.d, Workflows: []jobs.Workflow{ticking}, Node: "b", TakesUnassigned: true, Logger: slog.New(slog.DiscardHandler)})
	late.lag = 300 * time.Millisecond
	n.run(late)
	n.until("2", `SELECT count(*) FROM xtk.engine_node`)
	n.until("true", `SELECT next_processing IS NOT NULL FROM xtk.workflow WHERE id = $1`, id)
	for tick := range ticks {
		n.exec(`UPDATE xtk.workflow SET next_processing = date_trunc('second', now()) - $2 * interval '1 millisecond' WHERE id = $1`, id, ticks-tick)
		n.exec(`SELECT pg_notify('nightshift_work', '0')`)
		n.until(fmt.Sprint(tick+1), `SELECT count(*) FROM xtk.workflow_task WHERE status = 'completed'`)
	}
	<-time.After(late.lag)
	n.until("0", `SELECT count(*) FROM xtk.workflow_event WHERE status IN ('pending', 'processing')`)
	got := n.text(`SELECT concat_ws(' ', count(*), count(DISTINCT t.due_at), (SELECT count(*) FROM xtk.workflow_event)) FROM xtk.workflow_task t`)
	if want := "200 200 200"; got != want {
		t.Errorf("runs, different slots, events: got %s, want %s", got, want)
	}
}

// TestDownOverDueTimes: after an outage there is one run for the last slot, the others are accounted for as missed.
func TestDownOverDueTimes(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	daily := n.add("nightly", db.Started, `schedule = '{"kind": "cron", "cron": "0 4 * * *"}', next_processing = `+
		`date_trunc('day', now()) + interval '4 hours' - CASE WHEN now()::time < '04:05' THEN interval '1 day' ELSE '0' END`)
	often := n.add("tenMinutely", db.Started, `schedule = '{"kind": "cron", "cron": "*/10 * * * *"}', next_processing = date_trunc('hour', now()) - interval '40 days'`)
	some := n.add("everyHour", db.Started, hourly+`, next_processing = date_trunc('hour', now()) - interval '3 hours'`)
	n.engine(Config{}, quick("nightly"), quick("tenMinutely"), quick("everyHour"))
	for _, id := range []int64{daily, often, some} {
		n.until("completed", tasksSQL, id)
		n.has(id, "occurrence(s) missed while no process was up")
	}
	if got, want := n.text(slotsSQL, daily), "catch_up/processed"; got != want {
		t.Errorf("daily: got %s, want %s", got, want)
	}
	if got, want := n.text(slotsSQL, some), strings.Repeat("scheduled/missed/service_down ", 3)+"catch_up/processed"; got != want {
		t.Errorf("hourly: got %s, want %s", got, want)
	}
	got := n.text(`SELECT CASE WHEN count(*) <= 4 THEN 'a row a month, ' END || (sum(occurrences) > 5700)::text FROM xtk.workflow_event WHERE workflow_id = $1`, often)
	if want := "a row a month, true"; got != want {
		t.Errorf("every ten minutes over 40 days: got %s, want %s", got, want)
	}
	if got := n.text(`SELECT bool_and(next_processing > now()) FROM xtk.workflow`); got != "true" {
		t.Errorf("next slots ahead: got %s, want true", got)
	}
}

// TestCatchUpWindow: outside the allowed time range nothing is caught up, and the slot says so.
func TestCatchUpWindow(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	hour := time.Now().UTC().Add(3 * time.Hour).Format("15:04")
	id := n.add("nightly", db.Started, fmt.Sprintf(`schedule = '{"kind": "cron", "cron": "0 * * * *", "window_from": %q, "window_to": %q}',
		next_processing = now() - interval '90 minutes'`, hour, hour))
	// The last full hour may be less than the lateness ago: then it is on time, and not caught up.
	if now := time.Now().UTC(); now.Minute() < 4 {
		n.exec(`UPDATE xtk.workflow SET schedule = jsonb_set(schedule, '{cron}', '"30 * * * *"') WHERE id = $1`, id)
	}
	n.engine(Config{}, quick("nightly"))
	n.until("true", `SELECT count(*) > 0 AND bool_and(status = 'missed' AND reason = 'service_down') FROM xtk.workflow_event WHERE workflow_id = $1`, id)
	n.has(id, "not caught up outside the allowed time range")
	if got := n.text(tasksSQL, id); got != "" {
		t.Errorf("runs: got %s, want none", got)
	}
}

// TestAlreadyRunning: a slot that comes while the workflow runs is skipped with its reason; one of a workflow without
// code is, too.
func TestAlreadyRunning(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("busy")
	id := n.add("busy", db.Started, yearly)
	later := n.add("notYet", db.Started, `built = false, next_processing = now(), schedule = '`+once(time.Now())+`'`)
	n.engine(Config{}, g.Workflow)
	n.until("scheduled/skipped/not_configured", slotsSQL, later)
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.wait(g.begun, "the run")
	n.exec(`UPDATE xtk.workflow SET next_processing = now(), schedule = $2 WHERE id = $1`, id, once(time.Now()))
	n.until("skipped/already_running", `SELECT status || '/' || reason FROM xtk.workflow_event WHERE workflow_id = $1 AND kind = 'scheduled'`, id)
	n.has(id, "is still in progress, parallel execution is not allowed")
	g.letGo <- struct{}{}
	n.until("completed", tasksSQL, id)
}

// TestPunctual: a slot begins at its moment, without any bell. The sweep would find it a second and a half later.
func TestPunctual(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("punctual", db.Started, `next_processing = clock_timestamp() + interval '2.5 seconds'`)
	n.engine(Config{}, quick("punctual"))
	n.until("completed", tasksSQL, id)
	late := n.text(`SELECT start_date - due_at FROM xtk.workflow_task`)
	if got := n.text(`SELECT $1::interval BETWEEN '0' AND interval '1.2 seconds'`, late); got != "true" {
		t.Errorf("lateness: got %s, want 0 to 1.2 s", late)
	}
	n.has(id, "The schedule has ended")
}

// TestAlarms: the clock rings at the occurrences of our calendar, follows a change and forgets what is not started.
func TestAlarms(t *testing.T) {
	t.Parallel()
	c, err := newClock(func() {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.close() })
	seoul, err := time.LoadLocation("Asia/Seoul")
	if err != nil {
		t.Fatal(err)
	}
	daily := &scheduled{ID: 1, Raw: []byte("a"), Zone: seoul, Schedule: jobs.CronSchedule("30 6 * * *")}
	moved := &scheduled{ID: 1, Raw: []byte("b"), Zone: seoul, Schedule: jobs.CronSchedule("45 7 * * *")}
	never := &scheduled{ID: 2, Raw: []byte("c"), Zone: seoul, Schedule: jobs.Schedule{Kind: "none"}}
	for _, all := range [][]*scheduled{{daily, never}, {daily}, {moved}, {}} {
		if err := c.set(all); err != nil {
			t.Fatal(err)
		}
		if got := len(c.scheduler.Jobs()); got != len(all) {
			t.Fatalf("alarms: got %d, want %d", got, len(all))
		}
		for _, w := range all {
			next, err := c.alarms[w.ID].job.NextRun()
			want := w.Schedule.Next(time.Now(), seoul)
			if err != nil || w.ID == 1 && !next.Equal(want) {
				t.Errorf("workflow %d rings at %s, %v, want %s", w.ID, next, err, want)
			}
		}
	}
}

// TestAlarmsFollowTheRows: whatever moves the occurrences of a schedule, and only that, has the alarms set anew.
func TestAlarmsFollowTheRows(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	c, err := newClock(func() {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.close() })
	e := New(Config{DB: n.d, Node: "alarms"})
	e.clock, e.spares = c, newSpares(n.d)
	t.Cleanup(func() { e.spares.close(context.WithoutCancel(t.Context())) })
	id := n.add("followed", db.Started, `schedule = '{"kind": "daily", "times": ["06:30"], "every_days": 3}', timezone = NULL`)
	var job any
	for _, change := range []struct {
		sql   string
		again bool
	}{
		{`UPDATE xtk.workflow SET label = 'first' WHERE id = $1`, true},
		{`UPDATE xtk.workflow SET label = 'second', next_processing = now() + interval '1 day' WHERE id = $1`, false},
		{`UPDATE xtk.workflow SET schedule = '{"kind": "daily", "times": ["07:45"], "every_days": 3}' WHERE id = $1`, true},
		{`UPDATE xtk.workflow SET valid_from = now() + interval '400 days' WHERE id = $1`, true},
		{`UPDATE xtk.workflow SET timezone = 'Asia/Seoul' WHERE id = $1`, true},
		{`UPDATE xtk.workflow SET timezone = NULL WHERE id = $1`, true},
		{`WITH zone AS (INSERT INTO xtk.option (name, data_type, string_value) VALUES ('WdbcTimeZone', 'string', 'Asia/Tokyo')
		                ON CONFLICT (name) DO UPDATE SET string_value = 'Asia/Tokyo')
		  SELECT $1::bigint`, true},
		{`UPDATE xtk.workflow SET state = 'paused', paused_at = now() WHERE id = $1`, false},
	} {
		n.exec(change.sql, id)
		if err := e.plan(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if again := job != c.alarms[id].job; again != change.again {
			t.Errorf("%s: alarm set anew is %t, want %t", change.sql, again, change.again)
		}
		job = c.alarms[id].job
	}
	n.exec(`UPDATE xtk.workflow SET state = 'finished' WHERE id = $1`, id)
	if err := e.plan(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if len(c.alarms) != 0 {
		t.Errorf("alarms of a stopped workflow: got %d, want none", len(c.alarms))
	}
}

// TestChangedSchedule: a saved schedule has its next slot at once.
func TestChangedSchedule(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("moved", db.Started, yearly)
	n.engine(Config{}, quick("moved"))
	n.until("true", `SELECT next_processing IS NOT NULL FROM xtk.workflow WHERE id = $1`, id)
	w, err := n.d.Workflow(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	edit := w.EditOf()
	edit.Schedule, edit.Zone = []byte(`{"kind": "cron", "cron": "30 6 * * *"}`), "Asia/Seoul"
	if err := n.d.SaveWorkflow(t.Context(), kim(), id, edit); err != nil {
		t.Fatal(err)
	}
	n.until("21:30", `SELECT to_char(next_processing AT TIME ZONE 'UTC', 'HH24:MI') FROM xtk.workflow WHERE id = $1`, id)
	n.has(id, "06:30 KST")
}

// TestExecutionsRunOut: a schedule of two executions makes no third.
func TestExecutionsRunOut(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("twice", db.Started, hourly+`, max_executions = 2, execution_count = 1, next_processing = date_trunc('hour', now())`)
	n.engine(Config{}, quick("twice"))
	n.until("completed", tasksSQL, id)
	n.until("true", `SELECT next_processing IS NULL AND execution_count = 2 FROM xtk.workflow WHERE id = $1`, id)
	n.has(id, "all its executions are done")
}

// TestClockChanges: over both changes of the clock an hourly schedule has a slot every real hour, and a daily one in the
// hour that does not exist, or exists twice, has exactly one.
func TestClockChanges(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, cron string
		first      time.Time
		lasts      time.Duration
		want       string
	}{
		{"spring, daily", "30 2 * * *", time.Date(2026, 3, 28, 2, 30, 0, 0, paris), 48 * time.Hour, "28 02:30 CET, 29 03:00 CEST, 30 02:30 CEST"},
		{"autumn, daily", "30 2 * * *", time.Date(2026, 10, 24, 2, 30, 0, 0, paris), 50 * time.Hour, "24 02:30 CEST, 25 02:30 CEST, 26 02:30 CET"},
		{"autumn, hourly", "0 * * * *", time.Date(2026, 10, 25, 1, 0, 0, 0, paris), 3 * time.Hour, "25 01:00 CEST, 25 02:00 CEST, 25 02:00 CET, 25 03:00 CET"},
		{"spring, hourly", "0 * * * *", time.Date(2026, 3, 29, 1, 0, 0, 0, paris), 2 * time.Hour, "29 01:00 CET, 29 03:00 CEST, 29 04:00 CEST"},
	} {
		w := &scheduled{Next: &c.first, Now: c.first.Add(c.lasts), Zone: paris, Schedule: jobs.CronSchedule(c.cron)}
		var got []string
		for _, slot := range w.slots() {
			got = append(got, slot.In(paris).Format("2 15:04 MST"))
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: got %s, want %s", c.name, text, c.want)
		}
	}
}

// TestSlotsAtOnce: processes that settle the same slots at the same moment write each once.
func TestSlotsAtOnce(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("contended", db.Started, hourly+`, next_processing = date_trunc('hour', now()) - interval '5 hours'`)
	var wait sync.WaitGroup
	for range 8 {
		e := New(Config{DB: n.d})
		wait.Go(func() {
			if err := e.due(t.Context()); err != nil {
				t.Errorf("due: got %v, want no error", err)
			}
		})
	}
	wait.Wait()
	if got := n.text(`SELECT count(*) || ' ' || count(DISTINCT scheduled_at) FROM xtk.workflow_event WHERE workflow_id = $1`, id); got != "6 6" {
		t.Errorf("slots: got %s, want 6 6", got)
	}
}
