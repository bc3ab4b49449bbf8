package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/jobs"
)

// alarmsSQL are the alarms of a workflow in words: cause, whether its run is the first after the past, how it closed.
const alarmsSQL = `
	SELECT string_agg(d.cause || CASE WHEN d.closed_at IS NULL THEN ' open' ELSE ' closed by the ' || CASE
	       WHEN d.closed_task_id = d.task_id THEN 'same run' ELSE 'next run' END END, ', ' ORDER BY d.cause)
	FROM xtk.workflow_drift d
	WHERE d.workflow_id = $1`

const driftNoticesSQL = `
	SELECT string_agg(channel || ': ' || subject, ', ' ORDER BY id)
	FROM nms.notification
	WHERE template = 'workflow_drift'`

// past gives a workflow completed runs of the last months, one a day, equally long and equally large.
func (n night) past(id int64, count int, seconds float64, rows int64) {
	n.Helper()
	n.exec(`
		INSERT INTO xtk.workflow_task (workflow_id, status, node, backend_pid, start_date, completion_date, rows_changed)
		SELECT $1, 'completed', 'past', 1, at, at + make_interval(secs => $3), $4
		FROM generate_series(1, $2) i
		CROSS JOIN LATERAL (SELECT now() - i * interval '1 day' AS at) d`, id, count, seconds, rows)
}

// told makes a person who reads Korean the supervisor of all workflows, and a webhook beside her.
func (n night) told() {
	n.Helper()
	n.exec(`
		WITH o AS (
			INSERT INTO xtk.operator (login, label, email, language) VALUES ('lee', 'Lee', 'lee@example.com', 'ko')
			RETURNING id)
		INSERT INTO xtk.operator_group_member (group_id, operator_id)
		SELECT g.id, o.id FROM o, xtk.operator_group g WHERE g.internal_name = 'workflowSupervisors'`)
	n.exec(`INSERT INTO nms.ext_account (internal_name, label, type, active) VALUES ('hook', 'Hook', $1, true)`, db.AccountWebhook)
}

// TestDriftWhileRunning: a run that takes longer than comparable ones is told of while it is on, once however many engines
// look; its end does not close the alarm, the next usual run does, and nobody is told of that.
func TestDriftWhileRunning(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("slow")
	n.told()
	id := n.add("slow", db.Started, yearly)
	n.past(id, 12, 0.2, 0)
	n.engine(Config{Node: "a", TakesUnassigned: true}, g.Workflow)
	n.engine(Config{Node: "b", TakesUnassigned: true}, g.Workflow)
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.wait(g.begun, "the run")
	n.exec(`UPDATE xtk.workflow_task SET start_date = start_date - interval '70 seconds' WHERE status = 'running'`)
	n.until("slower open", alarmsSQL, id)
	if got := n.text(`SELECT status || ' ' || (d.measured BETWEEN 70 AND 95)::text FROM xtk.workflow_drift d JOIN xtk.workflow_task t ON t.id = d.task_id`); got != "running true" {
		t.Errorf("the alarm: got %s, want the run in progress with its 70 s", got)
	}
	g.letGo <- struct{}{}
	n.until(strings.Repeat("completed ", 12)+"completed", tasksSQL, id)
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.wait(g.begun, "the next run")
	if got := n.text(alarmsSQL, id); got != "slower open" {
		t.Errorf("after the slow run: got %s, want its alarm open", got)
	}
	g.letGo <- struct{}{}
	n.until("slower closed by the next run", alarmsSQL, id)
	want := "mail: 워크플로우 slow: 평소보다 느림, webhook: Workflow slow: slower than usual"
	if got := n.text(driftNoticesSQL); got != want {
		t.Errorf("told of:\ngot  %s\nwant %s", got, want)
	}
	n.has(id, "slower than usual: 1 m 1")
	n.has(id, "usually 0.2 s, median 0.2 s of 12 runs; the limit is 5.2 s")
}

// TestDriftIsWatchedByTheNodeOfTheRun: each of two nodes judges the runs that it has, and not the other's.
func TestDriftIsWatchedByTheNodeOfTheRun(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	nodes, ids := map[string]*Engine{}, map[string]int64{}
	for _, name := range []string{"a", "b"} {
		ids[name] = n.add(name, db.Started, yearly)
		n.past(ids[name], 12, 0.2, 0)
		nodes[name] = New(Config{DB: n.d, Node: name})
		var task int64
		if err := n.d.Pool.QueryRow(t.Context(), `
			INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, start_date)
			VALUES ($1, $2, 1, now() - interval '70 seconds')
			RETURNING id`, ids[name], name).Scan(&task); err != nil {
			t.Fatal(err)
		}
		nodes[name].running[task] = &execution{run: task}
	}
	for _, step := range []struct{ node, a, b string }{{"a", "slower open", ""}, {"b", "slower open", "slower open"}} {
		if err := nodes[step.node].watchDrift(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a, b := n.text(alarmsSQL, ids["a"]), n.text(alarmsSQL, ids["b"]); a != step.a || b != step.b {
			t.Errorf("after node %s has looked: got alarms %q of a and %q of b, want %q and %q", step.node, a, b, step.a, step.b)
		}
	}
	if err := New(Config{DB: n.d, Node: "idle"}).watchDrift(t.Context()); err != nil {
		t.Errorf("a node without runs: %v", err)
	}
}

// TestDriftOfRowsWhileRunning: rows count as soon as they are committed.
func TestDriftOfRowsWhileRunning(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("much")
	n.exec(`CREATE TABLE nms.target (id int)`)
	hold := g.Run
	g.Run = func(ctx context.Context, r *jobs.Run) error {
		if _, err := r.Exec(ctx, "filled", `INSERT INTO nms.target SELECT generate_series(1, 400)`); err != nil {
			return err
		}
		return hold(ctx, r)
	}
	id := n.add("much", db.Started, yearly)
	n.past(id, 9, 0.2, 0)
	n.engine(Config{}, g.Workflow)
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.wait(g.begun, "the run")
	n.until("more open", alarmsSQL, id)
	n.has(id, "more rows than usual: 400 rows, usually 0 rows, median 0 rows of 9 runs; the limit is 50 rows")
	g.letGo <- struct{}{}
	n.until("true", `SELECT bool_and(status = 'completed') FROM xtk.workflow_task WHERE workflow_id = $1`, id)
	if got := n.text(alarmsSQL, id); got != "more open" {
		t.Errorf("after the run: got %s, want the alarm open", got)
	}
}

// TestDriftAtTheEnd: faster and fewer are known when a run has completed, and told of together. What did not complete, a
// rehearsal and a run that went on where another had failed open nothing.
func TestDriftAtTheEnd(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	n.told()
	fails := jobs.Workflow{Name: "fails", Run: func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "fail", func(context.Context) error { return errors.New("no") })
	}}
	ids := map[string]int64{}
	for name, runs := range map[string]int{"fine": 20, "fails": 20, "young": 7, "nowhere": 20} {
		ids[name] = n.add(name, db.Started, yearly)
		n.past(ids[name], runs, 60, 5000)
	}
	n.exec(`UPDATE xtk.workflow SET timezone = 'Nowhere/Land' WHERE internal_name = 'nowhere'`)
	n.engine(Config{}, quick("fine"), fails, quick("young"), quick("nowhere"))
	n.order(ids["fine"], db.Simulate, db.OrderArgs{})
	n.until("completed", `SELECT status FROM xtk.workflow_task WHERE workflow_id = $1 AND mode = 'simulation'`, ids["fine"])
	n.until("", alarmsSQL, ids["fine"])
	for _, name := range []string{"fine", "fails", "young", "nowhere"} {
		n.order(ids[name], db.Wakeup, db.OrderArgs{})
	}
	n.until("faster open, fewer open", alarmsSQL, ids["fine"])
	n.until("faster open, fewer open", alarmsSQL, ids["nowhere"])
	n.until("paused/failed", stateSQL, ids["fails"])
	n.until("8", `SELECT count(*) FROM xtk.workflow_task WHERE status = 'completed' AND workflow_id = $1`, ids["young"])
	for _, name := range []string{"fails", "young"} {
		if got := n.text(alarmsSQL, ids[name]); got != "" {
			t.Errorf("%s: got %s, want no alarm", name, got)
		}
	}
	if got, want := n.text(`SELECT count(*) FROM nms.notification WHERE template = 'workflow_drift'`), "4"; got != want {
		t.Errorf("told of two workflows by %s messages, want %s: one mail and one webhook each", got, want)
	}
	if got := n.text(`SELECT body_text FROM nms.notification WHERE template = 'workflow_drift' AND channel = 'mail' AND workflow_name = 'fine'`); !strings.Contains(got, "평소보다 적은 행: 0행 (평소 5,000행, 중앙값") ||
		!strings.Contains(got, "평소보다 빠름") || !strings.Contains(got, "/runs/") {
		t.Errorf("the mail says\n%s\nwant both facts and a link", got)
	}
}

// TestDriftOfALostRun: the alarm of a run whose process is lost stays, and the run that takes over closes it.
func TestDriftOfALostRun(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("lost")
	id := n.add("lost", db.Started, yearly)
	n.past(id, 8, 0.2, 0)
	n.engine(Config{}, g.Workflow)
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.wait(g.begun, "the run")
	n.exec(`UPDATE xtk.workflow_task SET start_date = start_date - interval '3 minutes' WHERE status = 'running'`)
	n.until("slower open", alarmsSQL, id)
	n.exec(runBackends)
	n.wait(g.begun, "the run that takes over")
	if got := n.text(alarmsSQL, id) + n.text(`SELECT ' ' || status FROM xtk.workflow_task t JOIN xtk.workflow_drift d ON d.task_id = t.id`); got != "slower open interrupted" {
		t.Errorf("after the loss: got %s, want the alarm of the interrupted run open", got)
	}
	g.letGo <- struct{}{} // the lost one may not know yet that it is over
	g.letGo <- struct{}{}
	n.until("slower closed by the next run", alarmsSQL, id)
	n.order(id, db.PurgeHistory, db.OrderArgs{})
	n.until("", alarmsSQL, id)
}

// TestDriftResumed: a run that goes on where a failed one had ended did only a part, and is compared with nothing.
func TestDriftResumed(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	fail := make(chan struct{}, 1)
	fail <- struct{}{}
	id := n.add("resumed", db.Started, yearly)
	n.past(id, 10, 60, 5000)
	n.engine(Config{}, jobs.Workflow{Name: "resumed", Run: func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "second", func(context.Context) error {
			select {
			case <-fail:
				return fmt.Errorf("once")
			default:
				return nil
			}
		})
	}})
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.until("paused/failed", stateSQL, id)
	n.order(id, db.Start, db.OrderArgs{From: db.Paused, FromFailed: true})
	n.until("completed true", `SELECT status || ' ' || (resumes_task_id IS NOT NULL)::text FROM xtk.workflow_task WHERE workflow_id = $1 ORDER BY id DESC LIMIT 1`, id)
	if got := n.text(alarmsSQL, id); got != "" {
		t.Errorf("a resumed run: got %s, want no alarm", got)
	}
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.until("faster open, fewer open", alarmsSQL, id)
}
