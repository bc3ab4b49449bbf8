package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs"
)

// hourly is due every full hour; yearly will not be due in a test.
const (
	hourly = `schedule = '{"kind": "cron", "cron": "0 * * * *"}'`
	yearly = `schedule = '{"kind": "cron", "cron": "0 0 1 1 *"}'`
)

// TestPauseLetsTheRunEnd: the run in progress completes, slots are skipped while paused, and Start makes up for them once.
func TestPauseLetsTheRunEnd(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("hourly")
	id := n.add("hourly", db.BeingEdited, yearly)
	n.engine(Config{}, g.Workflow)
	n.order(id, db.Start, db.OrderArgs{})
	n.until("started", stateSQL, id)
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.wait(g.begun, "the run")
	n.order(id, db.Pause, db.OrderArgs{Reason: "release"})
	n.until("true", `SELECT applied_at IS NOT NULL FROM xtk.workflow_job WHERE workflow_id = $1 AND command = 'pause'`, id)
	if got := n.text(stateSQL, id); got != "pause_pending" {
		t.Errorf("while the run lasts: got %s, want pause_pending", got)
	}
	g.letGo <- struct{}{}
	n.until("paused", stateSQL, id)
	if got := n.text(tasksSQL, id); got != "completed" {
		t.Errorf("got %s, want completed", got)
	}
	n.exec(`UPDATE xtk.workflow SET `+hourly+`, next_processing = date_trunc('hour', now()) WHERE id = $1`, id)
	n.until("skipped/paused", `SELECT string_agg(status || '/' || reason, ' ') FROM xtk.workflow_event WHERE workflow_id = $1 AND kind = 'scheduled'`, id)
	n.exec(`UPDATE xtk.workflow SET paused_at = now() - interval '2 hours' WHERE id = $1`, id)
	n.order(id, db.Start, db.OrderArgs{})
	n.wait(g.begun, "the run that catches up")
	g.letGo <- struct{}{}
	n.until("completed completed", tasksSQL, id)
	n.until("started", stateSQL, id)
	n.has(id, "1 occurrence(s) missed during the pause, one run catches up")
}

// TestStop: a long run ends within a second of the order, a second Stop meanwhile is refused, the workflow is finished.
func TestStop(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	n.exec(`CREATE TABLE nms.many (id int PRIMARY KEY)`)
	n.exec(`INSERT INTO nms.many SELECT generate_series(1, 1000)`)
	begun := make(chan struct{}, 1)
	long := jobs.Workflow{Name: "long", Run: func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "slowly", func(ctx context.Context) error {
			if _, err := r.Exec(ctx, "the first", `DELETE FROM nms.many WHERE id <= 10`); err != nil {
				return err
			}
			begun <- struct{}{}
			_, err := r.Exec(ctx, "the rest", `DELETE FROM nms.many WHERE pg_sleep(1) IS NOT NULL`)
			return err
		})
	}}
	id := n.add("long", db.Started, yearly)
	n.engine(Config{}, long)
	n.order(id, db.RunNow, db.OrderArgs{})
	n.wait(begun, "the run")
	n.order(id, db.Stop, db.OrderArgs{})
	var refusal *db.Refusal
	if err := n.d.Order(t.Context(), kim(), id, db.Stop, db.OrderArgs{}); !errors.As(err, &refusal) {
		t.Errorf("a second stop: got %v, want a refusal", err)
	}
	n.until("finished", stateSQL, id)
	took := n.text(`SELECT t.completion_date - j.created FROM xtk.workflow_task t JOIN xtk.workflow_job j USING (workflow_id) WHERE j.command = 'stop'`)
	if n.text(`SELECT $1::interval < '1 second'`, took) != "true" {
		t.Errorf("stop took %s, want less than a second", took)
	}
	if got := n.text(`SELECT (SELECT status FROM xtk.workflow_task WHERE workflow_id = $1) || ', ' || (SELECT count(*) FROM nms.many) || ' left'`, id); got != "stopped, 990 left" {
		t.Errorf("got %s, want stopped, 990 left", got)
	}
}

// TestUnconditionalStopThenStart: a function that ignores every cancel is left behind, its later writes fail, and the
// next run begins although it still works.
func TestUnconditionalStopThenStart(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"0", "1", "2"} {
		t.Run("policy "+policy, func(t *testing.T) {
			t.Parallel()
			n := newNight(t)
			n.exec(`CREATE TABLE nms.written (n int)`)
			n.exec(`INSERT INTO xtk.option (name, string_value) VALUES ('WdbcKillSessionPolicy', $1)
				ON CONFLICT (name) DO UPDATE SET string_value = excluded.string_value, long_value = NULL`, policy)
			begun, letGo, late := make(chan struct{}, 2), make(chan struct{}), make(chan error, 2)
			stubborn := jobs.Workflow{Name: "stubborn", Run: func(ctx context.Context, r *jobs.Run) error {
				begun <- struct{}{}
				<-letGo
				_, err := r.Exec(context.WithoutCancel(ctx), "late", `INSERT INTO nms.written VALUES (1)`)
				late <- err
				return err
			}}
			id := n.add("stubborn", db.Started, yearly)
			n.engine(Config{}, stubborn)
			n.order(id, db.RunNow, db.OrderArgs{})
			n.wait(begun, "the first run")
			n.order(id, db.UnconditionalStop, db.OrderArgs{})
			if got := n.text(stateSQL, id) + " " + n.text(tasksSQL, id); got != "finished stopped" {
				t.Errorf("at once: got %s, want finished stopped", got)
			}
			n.order(id, db.Start, db.OrderArgs{})
			n.until("started", stateSQL, id)
			n.order(id, db.RunNow, db.OrderArgs{})
			n.wait(begun, "the second run, beside the first function")
			close(letGo)
			ends := []error{<-late, <-late}
			if slices.IndexFunc(ends, func(err error) bool { return err != nil }) < 0 {
				t.Errorf("the late write: got no error, want the session to be gone")
			}
			n.until("stopped completed", tasksSQL, id)
			if got := n.text(`SELECT count(*) FROM nms.written`); got != "1" {
				t.Errorf("rows: got %s, want only the second run's", got)
			}
		})
	}
}

// TestRestartWhileStopping: Restart waits for the end of the run that is being stopped and then starts, variables kept.
func TestRestartWhileStopping(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("again")
	id := n.add("again", db.Started, yearly+`, variables = '{"seen": 7}'`)
	n.engine(Config{}, g.Workflow)
	n.order(id, db.RunNow, db.OrderArgs{})
	n.wait(g.begun, "the run")
	n.order(id, db.Restart, db.OrderArgs{})
	n.until("started", stateSQL, id)
	if got := n.text(tasksSQL, id) + n.text(`SELECT variables FROM xtk.workflow WHERE id = $1`, id); got != `stopped{"seen": 7}` {
		t.Errorf("got %s, want a stopped run and the variables kept", got)
	}
	n.until("0", `SELECT count(*) FROM xtk.workflow_job WHERE applied_at IS NULL`)
}

// TestNoticesAreForgotten: whoever starts, restarts or stops a paused workflow ends the count of its notices.
func TestNoticesAreForgotten(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	n.engine(Config{}, quick("none"))
	for command, after := range map[db.Command]string{db.Start: db.Started, db.Restart: db.Started, db.Stop: db.Finished, db.UnconditionalStop: db.Finished} {
		id := n.add("paused_"+string(command), db.Paused, yearly+`, paused_at = now() - interval '22 days', pause_notice_count = 3,
			pause_last_notice_at = now() - interval '1 day', pause_warning = true`)
		n.order(id, command, db.OrderArgs{})
		n.until(after+" 0 false t", `SELECT concat_ws(' ', state, pause_notice_count, pause_warning::text, pause_last_notice_at IS NULL) FROM xtk.workflow WHERE id = $1`, id)
	}
}

// TestPurgeHistoryDuringARun: ended runs and their lines go, the run in progress and its lines stay.
func TestPurgeHistoryDuringARun(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("purged")
	id := n.add("purged", db.Started, yearly)
	n.engine(Config{}, g.Workflow)
	for range 2 {
		n.order(id, db.RunNow, db.OrderArgs{})
		n.wait(g.begun, "the run")
		g.letGo <- struct{}{}
		n.until("0", `SELECT count(*) FROM xtk.workflow_task WHERE status = 'running'`)
	}
	n.order(id, db.RunNow, db.OrderArgs{})
	n.wait(g.begun, "the last run")
	n.order(id, db.PurgeHistory, db.OrderArgs{})
	n.until("running", tasksSQL, id)
	n.has(id, "History purged by kim")
	n.until("true", `SELECT bool_and(l.task_id IS NULL OR l.task_id = t.id) AND count(*) FILTER (WHERE l.task_id = t.id) > 0
		FROM xtk.workflow_log l, xtk.workflow_task t WHERE t.workflow_id = $1`, id)
	g.letGo <- struct{}{}
	n.until("completed", tasksSQL, id)
}

// TestWakeup: a weekly workflow runs at once and its next date stays; a paused one refuses.
func TestWakeup(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("weekly", db.Started, `schedule = '{"kind": "cron", "cron": "0 5 * * 1"}'`)
	n.engine(Config{}, quick("weekly"))
	n.until("true", `SELECT next_processing IS NOT NULL FROM xtk.workflow WHERE id = $1`, id)
	next := n.text(`SELECT next_processing FROM xtk.workflow WHERE id = $1`, id)
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.until("completed", tasksSQL, id)
	if got := n.text(`SELECT next_processing FROM xtk.workflow WHERE id = $1`, id); got != next {
		t.Errorf("next date: got %s, want %s", got, next)
	}
}

// TestSimulateKeepsTheState: a rehearsal of a workflow that was never started leaves its state and the data.
func TestSimulateKeepsTheState(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	n.exec(`CREATE TABLE nms.many (id int PRIMARY KEY)`)
	n.exec(`INSERT INTO nms.many SELECT generate_series(1, 10)`)
	id := n.add("rehearsed", db.BeingEdited, yearly)
	n.engine(Config{}, jobs.Workflow{Name: "rehearsed", Run: func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "all", func(ctx context.Context) error {
			_, err := r.Exec(ctx, "all", `DELETE FROM nms.many`)
			return err
		})
	}})
	n.order(id, db.Simulate, db.OrderArgs{})
	n.until("completed", tasksSQL, id)
	got := n.text(`SELECT concat_ws(' ', w.state, t.mode, e.deleted, (SELECT count(*) FROM nms.many))
		FROM xtk.workflow w JOIN xtk.workflow_task t ON t.workflow_id = w.id JOIN xtk.workflow_task_effect e ON e.task_id = t.id
		WHERE w.id = $1`, id)
	if want := "being_edited simulation 10 10"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestPauseEndsByItself: at the end that was set, the workflow is started again in the system's name.
func TestPauseEndsByItself(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("resting", db.Started, yearly)
	n.engine(Config{}, quick("resting"))
	n.order(id, db.Pause, db.OrderArgs{Reason: "an hour", Until: time.Now().Add(time.Hour)})
	n.until("paused", stateSQL, id)
	n.exec(`UPDATE xtk.workflow SET pause_until = now() WHERE id = $1`, id)
	n.until("started", stateSQL, id)
	n.has(id, "Started by nightshift")
}
