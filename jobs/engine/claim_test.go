package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs"
)

// TestAffinity: a workflow with a word runs only where the word is declared, one without only where it is wanted.
func TestAffinity(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	special := n.add("special", db.Started, yearly+`, affinity = 'nodeB'`)
	plain := n.add("plain", db.Started, yearly)
	n.engine(Config{Node: "a", Affinities: []string{"nodeA"}, TakesUnassigned: true}, quick("special"), quick("plain"))
	n.order(special, db.Wakeup, db.OrderArgs{})
	n.order(plain, db.Wakeup, db.OrderArgs{})
	n.until("completed", tasksSQL, plain)
	w, err := n.d.Workflow(t.Context(), special)
	if err != nil || w.Waiting == nil || w.Last != nil {
		t.Errorf("special: got waiting %v, last %v, %v, want it to wait", w.Waiting, w.Last, err)
	}
	n.engine(Config{Node: "b", Affinities: []string{"nodeB"}}, quick("special"), quick("plain"))
	n.until("completed", tasksSQL, special)
	n.order(plain, db.Wakeup, db.OrderArgs{})
	n.until("completed completed", tasksSQL, plain)
	if got := n.text(`SELECT string_agg(w.internal_name || '@' || t.node, ' ' ORDER BY t.id)
		FROM xtk.workflow_task t JOIN xtk.workflow w ON w.id = t.workflow_id`); got != "plain@a special@b plain@a" {
		t.Errorf("got %s, want plain@a special@b plain@a", got)
	}
}

// TestCeiling: over all nodes never more runs at once than the option allows, and in the end all have run.
func TestCeiling(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	n.exec(`INSERT INTO xtk.option (name, data_type, long_value) VALUES ('XtkWorkflow_ConcurrencyLimit', 'long', 3)`)
	var all []jobs.Workflow
	for i := range 12 {
		name := fmt.Sprintf("w%02d", i)
		all = append(all, jobs.Workflow{Name: name, Run: func(ctx context.Context, r *jobs.Run) error {
			_, err := r.Exec(ctx, "wait", `SELECT pg_sleep(0.1)`)
			return err
		}})
		id := n.add(name, db.Started, yearly)
		n.exec(`INSERT INTO xtk.workflow_event (workflow_id, kind) VALUES ($1, 'manual')`, id)
	}
	n.engine(Config{Node: "a", TakesUnassigned: true}, all...)
	n.engine(Config{Node: "b", TakesUnassigned: true}, all...)
	n.until("12", `SELECT count(*) FROM xtk.workflow_task WHERE status = 'completed'`)
	peak := n.text(`SELECT max((SELECT count(*) FROM xtk.workflow_task o
			WHERE o.start_date <= t.start_date AND o.completion_date > t.start_date)) FROM xtk.workflow_task t`)
	if peak != "3" {
		t.Errorf("at once: got %s, want 3", peak)
	}
}

// TestSeverityFirst: severity decides before priority, priority before age.
func TestSeverityFirst(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	n.exec(`INSERT INTO xtk.option (name, data_type, long_value) VALUES ('XtkWorkflow_ConcurrencyLimit', 'long', 1)`)
	var all []jobs.Workflow
	for i, set := range []string{`severity = 'normal', priority = 2`, `severity = 'critical', priority = 0`,
		`severity = 'production'`, `severity = 'critical', priority = 1`, `severity = 'production'`} {
		name := fmt.Sprintf("w%d", i)
		all = append(all, quick(name))
		n.exec(`INSERT INTO xtk.workflow_event (workflow_id, kind) VALUES ($1, 'manual')`, n.add(name, db.Started, yearly+", "+set))
	}
	n.engine(Config{}, all...)
	n.until("5", `SELECT count(*) FROM xtk.workflow_task WHERE status = 'completed'`)
	order := n.text(`SELECT string_agg(w.internal_name, ' ' ORDER BY t.id) FROM xtk.workflow_task t JOIN xtk.workflow w ON w.id = t.workflow_id`)
	if want := "w3 w1 w2 w4 w0"; order != want {
		t.Errorf("order: got %s, want %s", order, want)
	}
}

// TestExclusive: what must run alone waits until nothing runs, holds back the rest, and runs alone.
func TestExclusive(t *testing.T) {
	t.Parallel()
	n, first, alone := newNight(t), newGate("first"), newGate("alone")
	one, two := n.add("first", db.Started, yearly), n.add("alone", db.Started, yearly+`, exclusive = true`)
	three := n.add("third", db.Started, yearly)
	n.engine(Config{}, first.Workflow, alone.Workflow, quick("third"))
	n.order(one, db.Wakeup, db.OrderArgs{})
	n.wait(first.begun, "the first run")
	n.order(two, db.Wakeup, db.OrderArgs{})
	n.until("manual/pending", slotsSQL, two)
	n.order(three, db.Wakeup, db.OrderArgs{})
	n.until("manual/pending", slotsSQL, three)
	first.letGo <- struct{}{}
	n.wait(alone.begun, "the exclusive run")
	if got := n.text(slotsSQL, three); got != "manual/pending" {
		t.Errorf("third beside the exclusive run: got %s, want manual/pending", got)
	}
	alone.letGo <- struct{}{}
	n.until("completed", tasksSQL, three)
}

// TestExclusiveOnesAlone: of workflows that must run alone and are due together, one waits for the other, those of another
// node too.
func TestExclusiveOnesAlone(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	var all []jobs.Workflow
	for i := range 6 {
		name := fmt.Sprintf("alone%d", i)
		all = append(all, jobs.Workflow{Name: name, Run: func(ctx context.Context, r *jobs.Run) error {
			_, err := r.Exec(ctx, "wait", `SELECT pg_sleep(0.05)`)
			return err
		}})
		n.exec(`INSERT INTO xtk.workflow_event (workflow_id, kind) VALUES ($1, 'manual')`, n.add(name, db.Started,
			fmt.Sprintf(`%s, exclusive = true, affinity = 'node%d'`, yearly, i%2)))
	}
	n.engine(Config{Node: "a", Affinities: []string{"node0"}}, all...)
	n.engine(Config{Node: "b", Affinities: []string{"node1"}}, all...)
	n.until("6", `SELECT count(*) FROM xtk.workflow_task WHERE status = 'completed'`)
	if got := n.text(`SELECT count(*) FROM xtk.workflow_task t
		JOIN xtk.workflow_task o ON o.id <> t.id AND o.start_date <= t.start_date AND o.completion_date > t.start_date`); got != "0" {
		t.Errorf("runs beside an exclusive one: got %s, want 0", got)
	}
}

// TestOrderOfAnEarlierVersion: a run that an earlier console left to the engine begins.
func TestOrderOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("asked", db.Started, yearly)
	n.exec(`INSERT INTO xtk.workflow_job (workflow_id, command, operator_login) VALUES ($1, 'run', 'kim')`, id)
	n.engine(Config{}, quick("asked"))
	n.until("completed", tasksSQL, id)
	if got := n.text(`SELECT outcome FROM xtk.workflow_job WHERE workflow_id = $1`, id); got != "applied" {
		t.Errorf("the order: got %s, want applied", got)
	}
}

// TestSlotWaitsForARehearsal: what is due while the workflow is rehearsed runs afterwards.
func TestSlotWaitsForARehearsal(t *testing.T) {
	t.Parallel()
	n, g := newNight(t), newGate("rehearsed")
	id := n.add("rehearsed", db.Started, yearly)
	n.engine(Config{}, g.Workflow)
	n.order(id, db.Simulate, db.OrderArgs{})
	n.wait(g.begun, "the rehearsal")
	n.exec(`INSERT INTO xtk.workflow_event (workflow_id) VALUES ($1)`, id)
	n.exec(`SELECT pg_notify('nightshift_work', '0')`)
	g.letGo <- struct{}{}
	n.wait(g.begun, "the run")
	g.letGo <- struct{}{}
	n.until("completed completed", tasksSQL, id)
}

// TestParameters of an order reach the run.
func TestParameters(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	got := make(chan string, 1)
	id := n.add("asked", db.Finished, yearly)
	n.engine(Config{}, jobs.Workflow{Name: "asked", Run: func(_ context.Context, r *jobs.Run) error {
		value, _ := r.Arg("updateHits")
		got <- value
		return nil
	}})
	n.order(id, db.RunNow, db.OrderArgs{Params: map[string]string{"updateHits": "full"}})
	select {
	case value := <-got:
		if value != "full" {
			t.Errorf("parameter: got %q, want full", value)
		}
	case <-time.After(patience):
		t.Fatal("got no run")
	}
	n.until("finished", stateSQL, id)
}

// TestLatency measures from the order to the first line of its run.
func TestLatency(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("prompt", db.Started, yearly)
	n.engine(Config{}, quick("prompt"))
	var all []time.Duration
	for i := range 40 {
		at := time.Now()
		n.order(id, db.RunNow, db.OrderArgs{})
		n.until(fmt.Sprint(i+1), `SELECT count(*) FROM xtk.workflow_log WHERE message LIKE 'Run % begins on %'`)
		all = append(all, time.Since(at))
		n.until(fmt.Sprint(i+1), `SELECT count(*) FROM xtk.workflow_task WHERE status = 'completed'`)
	}
	slices.Sort(all)
	t.Logf("order to first line: p50 %s, p95 %s", all[20], all[38])
	if all[20] > time.Second {
		t.Errorf("p50: got %s, want less than 1 s: the bell does not ring", all[20])
	}
}
