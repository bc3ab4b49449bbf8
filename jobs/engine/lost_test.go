package engine

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs"
)

const runBackends = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE datname = current_database() AND application_name LIKE 'nightshift % #%'`

// TestLostSession: a run whose session dies is interrupted and run again within five seconds.
func TestLostSession(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("lost")
	id := n.add("lost", db.Started, yearly)
	n.engine(Config{}, g.Workflow)
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.wait(g.begun, "the run")
	at := n.text(`SELECT clock_timestamp()`)
	n.exec(runBackends)
	n.wait(g.begun, "the run that takes over")
	if took := n.text(`SELECT max(start_date) - $1::timestamptz FROM xtk.workflow_task`, at); n.text(`SELECT $1::interval <= '5 seconds'`, took) != "true" {
		t.Errorf("taken over after %s, want at most 5 s", took)
	}
	g.letGo <- struct{}{}
	g.letGo <- struct{}{}
	n.until("interrupted completed", tasksSQL, id)
	n.until("started", stateSQL, id)
	if got, want := n.text(slotsSQL, id), "manual/processed"; got != want {
		t.Errorf("event: got %s, want %s", got, want)
	}
	n.has(id, "taken over, a new run begins (loss 1 of 3)")
}

// TestLossBeforeAPause: a run that was to end before a pause, and was lost, runs again when the workflow is started.
func TestLossBeforeAPause(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("interrupted")
	id := n.add("interrupted", db.Started, yearly)
	n.engine(Config{}, g.Workflow)
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.wait(g.begun, "the run")
	n.order(id, db.Pause, db.OrderArgs{})
	n.until("0", `SELECT count(*) FROM xtk.workflow_job WHERE applied_at IS NULL`)
	n.exec(runBackends)
	n.until("paused", stateSQL, id)
	if got, want := n.text(slotsSQL, id)+" "+n.text(tasksSQL, id), "manual/pending interrupted"; got != want {
		t.Errorf("while paused: got %s, want %s", got, want)
	}
	n.order(id, db.Start, db.OrderArgs{})
	n.wait(g.begun, "the run again")
	g.letGo <- struct{}{}
	g.letGo <- struct{}{}
	n.until("interrupted completed", tasksSQL, id)
}

// TestThreeLosses: an event that takes its process with it three times fails its workflow and is not tried again.
func TestThreeLosses(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("deadly", db.Started, yearly+`, on_error = 'ignore'`)
	n.engine(Config{}, jobs.Workflow{Name: "deadly", Run: func(ctx context.Context, r *jobs.Run) error {
		_, err := r.Exec(ctx, "end myself", `SELECT pg_terminate_backend(pg_backend_pid())`)
		return err
	}}, quick("healthy"))
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.until("paused/failed", stateSQL, id)
	if got, want := n.text(tasksSQL, id), "interrupted interrupted interrupted"; got != want {
		t.Errorf("runs: got %s, want %s", got, want)
	}
	n.has(id, "it is not tried again")
	healthy := n.add("healthy", db.Started, yearly)
	n.order(healthy, db.Wakeup, db.OrderArgs{})
	n.until("completed", tasksSQL, healthy)
}

// TestTerminatedAtRandom: whatever connections of the engines the server ends, every slot has its answer and its rows are
// written exactly once.
func TestTerminatedAtRandom(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	n.exec(`CREATE TABLE nms.source (id int PRIMARY KEY)`)
	n.exec(`CREATE TABLE nms.target (id int)`)
	n.exec(`INSERT INTO nms.source SELECT generate_series(1, 3000)`)
	mover := jobs.Workflow{Name: "mover", Run: func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "move", func(ctx context.Context) error {
			_, err := r.Batches(ctx, "moved", `
				WITH moved AS (
					DELETE FROM nms.source
					WHERE id IN (SELECT id FROM nms.source ORDER BY id LIMIT 20 FOR UPDATE SKIP LOCKED)
					RETURNING id)
				INSERT INTO nms.target SELECT id FROM moved`)
			return err
		})
	}}
	id := n.add("mover", db.Started, yearly)
	n.engine(Config{Node: "a", TakesUnassigned: true}, mover)
	n.engine(Config{Node: "b", TakesUnassigned: true}, mover)
	n.order(id, db.Wakeup, db.OrderArgs{})
	for range 2 {
		n.until("true", `SELECT EXISTS (SELECT FROM xtk.workflow_task WHERE status = 'running')`)
		<-time.After(time.Duration(rand.IntN(40)) * time.Millisecond)
		// The listening connections and the runs, not the pool of this test.
		n.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name LIKE 'nightshift _%'`)
		if n.text(`SELECT count(*) FROM nms.source`) == "0" {
			break
		}
	}
	n.until("0", `SELECT count(*) FROM nms.source`)
	n.until("0", `SELECT count(*) FROM xtk.workflow_task WHERE status = 'running'`)
	if got := n.text(`SELECT count(*) || ' ' || count(DISTINCT id) FROM nms.target`); got != "3000 3000" {
		t.Errorf("moved: got %s, want each of 3000 once", got)
	}
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.until("0", `SELECT count(*) FROM xtk.workflow_event WHERE status IN ('pending', 'processing')`)
}

// TestShutdownHandsBack: a process that ends in order gives its event back; another one runs it, and it is no loss.
func TestShutdownHandsBack(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("handed")
	id := n.add("handed", db.Started, yearly)
	_, end := n.engine(Config{Node: "a", TakesUnassigned: true}, g.Workflow)
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.wait(g.begun, "the run")
	n.until("a engine", `SELECT n.name || ' ' || m.module FROM xtk.node_module m JOIN xtk.engine_node n ON n.id = m.node_id`)
	end()
	if got, want := n.text(slotsSQL, id)+" "+n.text(tasksSQL, id)+" "+n.text(stateSQL, id), "manual/pending stopped started"; got != want {
		t.Errorf("after the shutdown: got %s, want %s", got, want)
	}
	n.engine(Config{Node: "b", TakesUnassigned: true}, g.Workflow)
	n.wait(g.begun, "the run on the other node")
	g.letGo <- struct{}{}
	n.until("stopped completed", tasksSQL, id)
	if got := n.text(`SELECT losses FROM xtk.workflow_event`); got != "0" {
		t.Errorf("losses: got %s, want 0", got)
	}
	if got := n.text(`SELECT stopped_at IS NOT NULL FROM xtk.engine_node WHERE name = 'a'`); got != "true" {
		t.Errorf("node a stopped in order: got %s, want true", got)
	}
}

// TestNodesOfOneName are told apart, and a dead one's name is free again.
func TestNodesOfOneName(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	_, end := n.engine(Config{})
	const locks = `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
	n.until("1", locks, db.LockNode)
	n.engine(Config{})
	n.until("node node-2", `SELECT string_agg(name, ' ' ORDER BY name) FROM xtk.engine_node`)
	n.until("2", locks, db.LockNode) // a node is there before it has its lock
	end()
	nodes, err := n.d.Nodes(t.Context())
	if err != nil || len(nodes) != 2 || !nodes[0].Alive || nodes[0].Name != "node-2" || nodes[1].Alive {
		t.Errorf("got %+v, %v, want node-2 alive and node not", nodes, err)
	}
}
