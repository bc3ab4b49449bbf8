package engine

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
)

// loadSQL says of what a workflow's runs were seen at: no time in the database, some, or some of it waiting for a lock.
const loadSQL = `
	SELECT CASE WHEN sum(samples) < 6 THEN 'too few samples'
	            WHEN sum(lock_seconds) > 0.1 AND sum(lock_seconds) <= sum(database_seconds) THEN 'locked'
	            WHEN sum(database_seconds) > 0.1 AND sum(lock_seconds) = 0 THEN 'in statements'
	            WHEN sum(database_seconds) < 0.02 * sum(samples) / 2 THEN 'idle' END
	FROM xtk.heatmap_load h
	JOIN xtk.workflow_task t ON t.id = h.task_id
	WHERE t.workflow_id = $1`

// A run is looked at while it works: what it spends in statements is seen, and what it waits for locks in them, but not
// what it does beside the database. A rehearsal is not looked at.
func TestLoadIsSampled(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	blocker, err := n.d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = blocker.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := blocker.Exec(t.Context(), `LOCK TABLE nms.service`); err != nil {
		t.Fatal(err)
	}
	// A run that spends its time in one statement after another, until the test has seen enough.
	enough := make(chan struct{})
	working := func(name, sql string) jobs.Workflow {
		return jobs.Workflow{Name: name, Run: func(ctx context.Context, r *jobs.Run) error {
			return r.Tx(ctx, func(tx pgx.Tx) error {
				for {
					if _, err := tx.Exec(ctx, sql); err != nil {
						return err
					}
					select {
					case <-enough:
						return nil
					default:
					}
				}
			})
		}}
	}
	const sleep = `SELECT pg_sleep(0.1)`
	idle, busy, locked, rehearsed := n.add("idle", "started", ""), n.add("busy", "started", ""), n.add("locked", "started", ""), n.add("rehearsed", "started", "")
	g := newGate("idle")
	e := New(Config{DB: n.d, Node: "node", TakesUnassigned: true, Workflows: []jobs.Workflow{g.Workflow, working("busy", sleep),
		working("locked", `SET LOCAL lock_timeout = 0; LOCK TABLE nms.service`), working("rehearsed", sleep)}})
	e.sampleEvery = 20 * time.Millisecond
	end := n.run(e)
	for _, id := range []int64{idle, busy, locked} {
		n.order(id, db.Command("run"), db.OrderArgs{})
	}
	n.order(rehearsed, db.Command("simulate"), db.OrderArgs{})
	n.until("locked", loadSQL, locked)
	n.until("in statements", loadSQL, busy)
	n.until("idle", loadSQL, idle)
	n.until("running", tasksSQL, rehearsed)
	const looks = `SELECT sum(h.samples) FROM xtk.heatmap_load h JOIN xtk.workflow_task t ON t.id = h.task_id WHERE t.workflow_id = $1`
	n.until("true", `SELECT ($2::int + 3 < (`+looks+`))`, busy, n.text(looks, busy))
	if got := n.text(looks, rehearsed); got != "" {
		t.Errorf("a rehearsal: got %s samples, want none", got)
	}
	if err := blocker.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(enough)
	g.letGo <- struct{}{}
	n.until("completed", tasksSQL, locked)
	end()
	// What was seen of a run goes with its history.
	n.exec(`DELETE FROM xtk.workflow_task WHERE workflow_id = $1`, locked)
	if got := n.text(loadSQL, locked); got != "" {
		t.Errorf("without the run: got %q, want nothing", got)
	}
}
