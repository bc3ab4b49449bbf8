package db_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// kim may administer, lee may not.
func kim() db.Actor { return db.Actor{ID: 901, Login: "kim", Rights: []string{db.Administration}} }
func lee() db.Actor { return db.Actor{ID: 902, Login: "lee", Rights: []string{db.WorkflowRight}} }

// addWorkflow makes a workflow in a state and returns its id.
func addWorkflow(t *testing.T, d *db.DB, name, state string, failed bool) int64 {
	t.Helper()
	var id int64
	if err := d.Pool.QueryRow(t.Context(), `
		INSERT INTO xtk.workflow (internal_name, label, package, built, state, failed)
		VALUES ($1, $1, 'delivery', true, $2, $3)
		RETURNING id`, name, state, failed).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func addRunning(t *testing.T, d *db.DB, workflow int64) int64 {
	t.Helper()
	var id int64
	if err := d.Pool.QueryRow(t.Context(), `
		INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid)
		VALUES ($1, 'test', 0)
		RETURNING id`, workflow).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

func text(t *testing.T, d *db.DB, sql string, args ...any) string {
	t.Helper()
	var s string
	if err := d.Pool.QueryRow(t.Context(), sql, args...).Scan(&s); err != nil {
		t.Fatalf("%s: %s", sql, err)
	}
	return s
}

// takes says for each order in which states it is taken, written from the documentation and not from the code: "idle" means
// when nothing runs only, "busy" while something runs only.
func takes() map[db.Command]map[string]string {
	all := map[string]string{"being_edited": "yes", "start_pending": "yes", "started": "yes", "pause_pending": "yes",
		"paused": "yes", "stop_pending": "yes", "finished": "yes"}
	return map[db.Command]map[string]string{
		db.Start:        {"being_edited": "yes", "finished": "yes", "paused": "yes"},
		db.Pause:        {"started": "yes", "start_pending": "yes"},
		db.Stop:         {"started": "yes", "paused": "yes", "start_pending": "yes", "pause_pending": "yes", "being_edited": "busy", "finished": "busy"},
		db.Restart:      {"started": "yes", "paused": "yes", "finished": "yes", "stop_pending": "yes"},
		db.PurgeHistory: all,
		db.Simulate:     {"being_edited": "idle", "finished": "idle", "paused": "idle", "started": "idle"},
		db.Wakeup:       {"started": "idle"},
		db.RunNow:       {"being_edited": "idle", "started": "idle", "finished": "idle"},
		db.UnconditionalStop: {"start_pending": "yes", "started": "yes", "pause_pending": "yes", "paused": "yes",
			"stop_pending": "yes", "being_edited": "busy", "finished": "busy"},
	}
}

// TestOrderInEveryState gives each of the nine orders in each state, failed and not, with a run and without.
func TestOrderInEveryState(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for command, states := range takes() {
		for state := range takes()[db.PurgeHistory] {
			for _, failed := range []bool{false, true} {
				for _, running := range []bool{false, true} {
					if failed && state != db.Paused && state != db.Finished {
						continue
					}
					name := fmt.Sprintf("%s_%s_%t_%t", command, state, failed, running)
					want := states[state] == "yes" || states[state] == "idle" && !running || states[state] == "busy" && running
					orderOnce(t, d, name, command, db.Situation{State: state, Failed: failed, Running: running}, want)
				}
			}
		}
	}
	if count, bad, err := d.VerifyAudit(t.Context()); err != nil || bad != 0 || count == 0 {
		t.Errorf("audit chain: got %d rows, bad %d, error %v, want all to hold", count, bad, err)
	}
}

func orderOnce(t *testing.T, d *db.DB, name string, command db.Command, now db.Situation, want bool) {
	t.Helper()
	id := addWorkflow(t, d, name, now.State, now.Failed)
	if now.Running {
		addRunning(t, d, id)
	}
	err := d.Order(t.Context(), kim(), id, command, db.OrderArgs{})
	var refusal *db.Refusal
	if want != (err == nil) || !want && !errors.As(err, &refusal) {
		t.Errorf("%s: got %v, want taken %t", name, err, want)
		return
	}
	facts := text(t, d, `
		SELECT (SELECT count(*) FROM xtk.workflow_job WHERE workflow_id = $1) || ' jobs, ' ||
		       (SELECT count(*) FROM xtk.audit WHERE entity = $2 AND allowed) || ' audit, log ' ||
		       (SELECT string_agg(level, ',') FROM xtk.workflow_log WHERE workflow_id = $1)`, id, name)
	if expected := map[bool]string{true: "1 jobs, 1 audit, log info", false: "0 jobs, 0 audit, log warning"}[want]; facts != expected {
		t.Errorf("%s: got %s, want %s", name, facts, expected)
	}
	after := text(t, d, `SELECT state FROM xtk.workflow WHERE id = $1`, id)
	expected := now.State
	if want {
		expected = stateAfter(command, now.State, now.Running)
	}
	if after != expected {
		t.Errorf("%s: got state %s, want %s", name, after, expected)
	}
}

func stateAfter(command db.Command, state string, running bool) string {
	idle := state == db.BeingEdited || state == db.Finished
	switch {
	case command == db.Start, command == db.Restart && !running && state != db.StopPending:
		return db.StartPending
	case command == db.Pause:
		return db.PausePending
	case command == db.Restart, command == db.Stop && !idle:
		return db.StopPending
	case command == db.UnconditionalStop && state != db.BeingEdited:
		return db.Finished
	}
	return state
}

// TestOrderOfOthers: without ADMINISTRATION nothing changes, and the attempt stands in the audit trail.
func TestOrderOfOthers(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id := addWorkflow(t, d, "cleanupOther", db.Finished, false)
	for _, command := range db.Commands() {
		var missing *db.MissingRight
		if err := d.Order(t.Context(), lee(), id, command, db.OrderArgs{}); !errors.As(err, &missing) || missing.Right != db.Administration {
			t.Errorf("%s by lee: got %v, want the missing right %s", command, err, db.Administration)
		}
	}
	got := text(t, d, `
		SELECT (SELECT count(*) FROM xtk.workflow_job) || ' jobs, ' ||
		       (SELECT count(*) FROM xtk.audit WHERE NOT allowed AND operator_login = 'lee' AND entity = 'cleanupOther') || ' refusals, ' ||
		       (SELECT state FROM xtk.workflow WHERE id = $1)`, id)
	if want := "0 jobs, 9 refusals, finished"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := d.Order(t.Context(), kim(), 1<<30, db.Start, db.OrderArgs{}); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("unknown workflow: got %v, want not found", err)
	}
	if err := d.Order(t.Context(), kim(), id, "explode", db.OrderArgs{}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("unknown order: got %v, want a refusal", err)
	}
}

// TestOrderNotBuilt: a workflow without code never begins, but its history can be purged.
func TestOrderNotBuilt(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id := addWorkflow(t, d, "later", db.BeingEdited, false)
	if _, err := d.Pool.Exec(t.Context(), `UPDATE xtk.workflow SET built = false WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
	for _, command := range []db.Command{db.Start, db.Simulate, db.RunNow} {
		var refusal *db.Refusal
		if err := d.Order(t.Context(), kim(), id, command, db.OrderArgs{}); !errors.As(err, &refusal) || refusal.Key != "order.refused.not_built" {
			t.Errorf("%s: got %v, want not built", command, err)
		}
	}
	if err := d.Order(t.Context(), kim(), id, db.PurgeHistory, db.OrderArgs{}); err != nil {
		t.Errorf("purge history: got %v, want no error", err)
	}
}

// TestThousandOrders: of a thousand equal orders at once one is taken, the others are told so, and nobody waits long.
func TestThousandOrders(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id := addWorkflow(t, d, "popular", db.BeingEdited, false)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wait sync.WaitGroup
	var mu sync.Mutex
	taken, refused := 0, 0
	for range 50 {
		wait.Go(func() {
			for range 20 {
				var refusal *db.Refusal
				err := d.Order(ctx, kim(), id, db.Start, db.OrderArgs{})
				mu.Lock()
				switch {
				case err == nil:
					taken++
				case errors.As(err, &refusal):
					refused++
				default:
					t.Errorf("got %v, want taken or refused", err)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if taken != 1 || refused != 999 {
		t.Errorf("got %d taken, %d refused, want 1 and 999", taken, refused)
	}
	if jobs := text(t, d, `SELECT count(*)::text FROM xtk.workflow_job`); jobs != "1" {
		t.Errorf("got %s jobs, want 1", jobs)
	}
}

// TestOrderMakesDue: run, simulate and wakeup make one run due where they are given. While it waits the same order is
// refused; the engine's own runs are in nobody's way.
func TestOrderMakesDue(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	give := func(id int64, command db.Command) error {
		return d.Order(t.Context(), kim(), id, command, db.OrderArgs{Params: map[string]string{"full": "1"}})
	}
	refused := func(id int64, commands ...db.Command) {
		t.Helper()
		for _, command := range commands {
			var refusal *db.Refusal
			if err := give(id, command); !errors.As(err, &refusal) || refusal.Key != "order.refused.requested" {
				t.Errorf("%s: got %v, want refused because it waits already", command, err)
			}
		}
	}
	for command, mode := range map[db.Command]string{db.RunNow: "normal", db.Simulate: "simulation", db.Wakeup: "normal"} {
		id := addWorkflow(t, d, string(command), db.Started, false)
		if _, err := d.Pool.Exec(t.Context(), `
			INSERT INTO xtk.workflow_event (workflow_id, kind, mode, operator_login) VALUES ($1, 'manual', $2, 'nightshift')`, id, mode); err != nil {
			t.Fatal(err)
		}
		if err := give(id, command); err != nil {
			t.Fatalf("%s: %s", command, err)
		}
		got := text(t, d, `
			SELECT concat_ws(' ', j.outcome, j.applied_at IS NOT NULL, e.kind, e.mode, e.status, e.operator_login, e.operator_id, e.payload)
			FROM xtk.workflow_job j
			JOIN xtk.workflow_event e USING (workflow_id, operator_login)
			WHERE j.workflow_id = $1`, id)
		if want := "applied t manual " + mode + ` pending kim 901 {"args": {"full": "1"}}`; got != want {
			t.Errorf("%s: got %s, want %s", command, got, want)
		}
		if refused(id, command); command != db.Simulate {
			refused(id, db.RunNow, db.Wakeup)
		}
	}
}

// TestUnconditionalStop ends the run in the tables at once, with the step it was in and what was due.
func TestUnconditionalStop(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id := addWorkflow(t, d, "stuck", db.Started, false)
	task := addRunning(t, d, id)
	if _, err := d.Pool.Exec(t.Context(), `
		INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key) VALUES ($1, 1, 'endless')`, task); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(t.Context(), `
		INSERT INTO xtk.workflow_event (workflow_id, status, task_id, scheduled_at) VALUES
			($1, 'processing', $2, now()), ($1, 'pending', NULL, now() + interval '1 minute')`, id, task); err != nil {
		t.Fatal(err)
	}
	if err := d.Order(t.Context(), kim(), id, db.UnconditionalStop, db.OrderArgs{Reason: "it hangs"}); err != nil {
		t.Fatal(err)
	}
	got := text(t, d, `
		SELECT concat_ws(' ', w.state, t.status, t.completion_date IS NOT NULL, s.status,
		       (SELECT string_agg(e.status || coalesce('/' || e.reason, ''), ' ' ORDER BY e.scheduled_at)
		        FROM xtk.workflow_event e WHERE e.workflow_id = w.id))
		FROM xtk.workflow w
		JOIN xtk.workflow_task t ON t.workflow_id = w.id
		JOIN xtk.workflow_task_step s ON s.task_id = t.id
		WHERE w.id = $1`, id)
	if want := "finished stopped t stopped processed cancelled/stopped"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if line := text(t, d, `SELECT message FROM xtk.workflow_log WHERE workflow_id = $1`, id); line != "Stopped unconditionally by kim: it hangs" {
		t.Errorf("log: got %q", line)
	}
}

// TestOrderLeavesNothingOpen: an order whose transaction ends in the middle has written nothing and holds nothing.
func TestOrderLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id := addWorkflow(t, d, "cut", db.Started, false)
	if err := d.Order(t.Context(), kim(), 1<<30, db.RunNow, db.OrderArgs{}); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("order to an unknown workflow: got %v, want not found", err)
	}
	const open = `SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`
	if n := text(t, d, open); n != "0" {
		t.Errorf("transactions left open: got %s, want 0", n)
	}
	// The server loses the session while it waits for its turn to write the audit trail, with the workflow locked.
	holder, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_xact_lock(73010003)`); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- d.Order(t.Context(), kim(), id, db.RunNow, db.OrderArgs{}) }()
	waiting := true
	for waiting && text(t, d, `SELECT count(pg_terminate_backend(pid))::text FROM pg_locks
	                WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) == "0" {
		select {
		case err = <-ended: // it has given up by itself
			waiting = false
		case <-time.After(5 * time.Millisecond):
		}
	}
	if waiting {
		err = <-ended
	}
	if err == nil {
		t.Error("an order whose session was ended: got no error")
	}
	if err := holder.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	const traces = `
		SELECT concat_ws(' ', (SELECT count(*) FROM xtk.workflow_job), (SELECT count(*) FROM xtk.workflow_event),
		                      (SELECT count(*) FROM xtk.audit), (SELECT count(*) FROM xtk.workflow_log WHERE workflow_id = $1))`
	if got := text(t, d, traces, id); got != "0 0 0 0" {
		t.Errorf("jobs, events, audit rows and lines: got %s, want none", got)
	}
	if err := d.Order(t.Context(), kim(), id, db.RunNow, db.OrderArgs{}); err != nil {
		t.Fatal(err)
	}
	if got := text(t, d, traces, id); got != "1 1 1 1" {
		t.Errorf("jobs, events, audit rows and lines of the order given again: got %s, want one each", got)
	}
}
