package engine

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs"
)

// still is an engine that is registered and does nothing by itself.
func (n night) still(config Config, workflows ...jobs.Workflow) *Engine {
	n.Helper()
	config.DB, config.Workflows, config.Build, config.Node = n.d, workflows, "test", "still"
	config.Logger = slog.New(slog.DiscardHandler)
	e := New(config)
	clock, err := newClock(func() {})
	if err != nil {
		n.Fatal(err)
	}
	e.clock, e.spares = clock, newSpares(n.d)
	conn, err := n.d.RunSession(n.Context(), "nightshift node still")
	if err != nil {
		n.Fatal(err)
	}
	if err := e.join(n.Context(), conn); err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() {
		ctx := context.WithoutCancel(n.Context())
		e.done.Wait()
		_ = clock.close()
		e.leave(ctx)
		e.spares.close(ctx)
		_ = conn.Close(ctx)
	})
	return e
}

// The lock of workflow 0, which does not exist, is tried by spare sessions while they are made ready.
const locksSQL = `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7301 AND objid <> 0
	AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

// TestBellBeginsTheRun: the run that a bell names begins without a look, where and when a look would let it begin first, and
// else is left alone, with nothing held.
func TestBellBeginsTheRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config   Config
		set, sql string
		began    bool
	}{
		"free":                 {began: true},
		"rehearsed":            {set: "state = 'paused', paused_at = now()", sql: `UPDATE xtk.workflow_event SET mode = 'simulation'`, began: true},
		"where its word is":    {config: Config{Affinities: []string{"east"}}, set: "affinity = 'east'", began: true},
		"elsewhere":            {set: "affinity = 'east'"},
		"not without a word":   {config: Config{Affinities: []string{"east"}}},
		"moved since":          {sql: `UPDATE xtk.workflow SET affinity = 'east'`},
		"paused since":         {sql: `UPDATE xtk.workflow SET state = 'paused', paused_at = now()`},
		"taken back":           {sql: `UPDATE xtk.workflow_event SET status = 'cancelled', reason = 'stopped'`},
		"begun already":        {sql: `INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid) SELECT id, 'other', 1 FROM xtk.workflow`},
		"no room":              {sql: `INSERT INTO xtk.option (name, data_type, long_value) VALUES ('XtkWorkflow_ConcurrencyLimit', 'long', 1); ` + busy},
		"beside what is alone": {sql: busy + `; UPDATE xtk.workflow SET exclusive = true WHERE internal_name = 'busy'`},
		"alone":                {set: "exclusive = true", sql: busy},
		"another comes first":  {sql: `WITH w AS (INSERT INTO xtk.workflow (internal_name, label, built, state, severity) VALUES ('first', 'first', true, 'started', 'critical') RETURNING id) INSERT INTO xtk.workflow_event (workflow_id, kind) SELECT id, 'manual' FROM w`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, set := newNight(t), "label = 'asked'"
			if c.set != "" {
				set = c.set
			}
			c.config.TakesUnassigned = len(c.config.Affinities) == 0
			id := n.add("asked", db.Started, set)
			e := n.still(c.config, quick("asked"), quick("first"))
			n.exec(`INSERT INTO xtk.workflow_event (workflow_id, kind, operator_login) VALUES ($1, 'manual', 'kim')`, id)
			for sql := range strings.SplitSeq(c.sql, "; ") {
				n.exec(sql)
			}
			before := n.text(tasksSQL, id)
			e.hear(fmt.Sprintf(`{"workflow": %d, "name": "asked", "affinity": %q}`, id, map[bool]string{true: "east"}[strings.Contains(c.set, "east")]))
			if err := e.answer(n.Context()); err != nil {
				t.Fatal(err)
			}
			e.done.Wait()
			want := before
			if c.began {
				want = "completed"
			}
			if got := n.text(tasksSQL, id); got != want {
				t.Errorf("runs: got %q, want %q", got, want)
			}
			if got := n.text(locksSQL); got != "0" {
				t.Errorf("locks of workflows: got %s, want 0", got)
			}
		})
	}
}

// busy is another workflow with a run.
const busy = `WITH w AS (INSERT INTO xtk.workflow (internal_name, label, built, state) VALUES ('busy', 'busy', true, 'started') RETURNING id)
	INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid) SELECT id, 'other', 1 FROM w`

// TestBellsOfOthers: notices of other versions and of other things ask for a round and begin nothing.
func TestBellsOfOthers(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	e := n.still(Config{TakesUnassigned: true}, quick("asked"))
	for _, payload := range []string{"", "0", "42", "null", `"asked"`, `{"workflow": "42"}`, `{"name": "asked"}`, `[{"workflow": 42}]`} {
		e.hear(payload)
		select {
		case <-e.bell:
		default:
			t.Errorf("%q: got no round, want one", payload)
		}
	}
	if len(e.rung) != 0 {
		t.Errorf("got %v, want nothing to begin", e.rung)
	}
}

// cut ends the session that waits for a lock, and returns what whoever used it says of that.
func (n night) cut(ended <-chan error) error {
	for {
		select {
		case err := <-ended: // it has given up by itself
			return err
		case <-time.After(5 * time.Millisecond):
		}
		if n.text(`SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) != "0" {
			return <-ended
		}
	}
}

// TestClaimLostInTheMiddle: the connection that claims is lost while the session has the workflow's lock. Nothing is written,
// nothing is held, and the next round begins the run.
func TestClaimLostInTheMiddle(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("asked", db.Started, yearly)
	e := n.still(Config{TakesUnassigned: true}, quick("asked"))
	if _, err := e.look(n.Context()); err != nil { // connects
		t.Fatal(err)
	}
	turn, err := n.d.Pool.Begin(n.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := turn.Exec(n.Context(), `SELECT pg_advisory_xact_lock($1)`, lockClaim); err != nil {
		t.Fatal(err)
	}
	n.exec(`INSERT INTO xtk.workflow_event (workflow_id, kind, operator_login) VALUES ($1, 'manual', 'kim')`, id)
	e.hear(fmt.Sprintf(`{"workflow": %d, "name": "asked"}`, id))
	ended := make(chan error, 1)
	go func() { ended <- e.answer(n.Context()) }()
	if err := n.cut(ended); err == nil {
		t.Error("a claim whose connection was lost: got no error")
	}
	if err := turn.Rollback(n.Context()); err != nil {
		t.Fatal(err)
	}
	if got := n.text(`SELECT concat_ws(' ', (SELECT count(*) FROM xtk.workflow_task), (SELECT status FROM xtk.workflow_event), (` + locksSQL + `))`); got != "0 pending 0" {
		t.Errorf("runs, event and locks: got %q, want 0 pending 0", got)
	}
	for _, err := range e.round(n.Context(), false) {
		if err != nil {
			t.Error(err)
		}
	}
	e.done.Wait()
	if got := n.text(tasksSQL, id); got != "completed" {
		t.Errorf("runs: got %q, want completed", got)
	}
}

// TestBellsOfTwoNodes: both hear each order, one begins the run, and each order has one.
func TestBellsOfTwoNodes(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("asked", db.Started, yearly)
	n.engine(Config{Node: "a", TakesUnassigned: true}, quick("asked"))
	n.engine(Config{Node: "b", TakesUnassigned: true}, quick("asked"))
	n.until("2", `SELECT count(*) FROM xtk.engine_node`)
	for i := range 25 {
		n.order(id, db.RunNow, db.OrderArgs{})
		n.until(fmt.Sprint(i+1), `SELECT count(*) FROM xtk.workflow_task WHERE status = 'completed'`)
	}
	if got := n.text(`SELECT concat_ws(' ', count(*), count(DISTINCT event_id), count(DISTINCT id)) FROM xtk.workflow_task`); got != "25 25 25" {
		t.Errorf("runs, their events and numbers: got %s, want 25 of each", got)
	}
}

// TestDueLostInTheMiddle: the connection is lost between what has come due and its answer. The slot is due as before, and the
// next round answers it once.
func TestDueLostInTheMiddle(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("due", db.Started, yearly+`, next_processing = date_trunc('second', now())`)
	e := n.still(Config{TakesUnassigned: true}, quick("due"))
	const facts = `SELECT concat_ws(' ', (SELECT count(*) FROM xtk.workflow_event),
		(SELECT count(*) FROM xtk.workflow WHERE next_processing <= now()), (` + locksSQL + `))`
	table, err := n.d.Pool.Begin(n.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Exec(n.Context(), `LOCK TABLE xtk.workflow_event IN SHARE MODE`); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- e.due(n.Context()) }()
	if err := n.cut(ended); err == nil {
		t.Error("due slots whose connection was lost: got no error")
	}
	if err := table.Rollback(n.Context()); err != nil {
		t.Fatal(err)
	}
	if got := n.text(facts); got != "0 1 0" {
		t.Errorf("events, due workflows and locks: got %q, want 0 1 0", got)
	}
	for _, err := range e.round(n.Context(), false) {
		if err != nil {
			t.Error(err)
		}
	}
	e.done.Wait()
	if got := n.text(tasksSQL, id) + " " + n.text(facts); got != "completed 1 0 0" {
		t.Errorf("run, events, due workflows and locks: got %q, want completed 1 0 0", got)
	}
}
