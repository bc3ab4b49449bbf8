package jobtest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
)

// How many statements of a run a sweep interrupts; of a run with more, evenly spread ones. Each costs a copy of the database.
const (
	cutLimit  = 16
	stopLimit = 8
)

// CrashSweep runs a workflow on copies of the database that setup fills, cuts its connection before, and after, each
// statement, lets a second run recover as the engine does, and fails when the business tables are not those of a run
// that nobody disturbed. Times of the run and ids it gave are not compared: they differ by nature.
func CrashSweep(t *testing.T, w jobs.Workflow, setup func(testing.TB) *db.DB, options ...Option) {
	t.Helper()
	for _, finding := range Sweep(t, w, setup, options...) {
		t.Error(finding)
	}
}

// StopSweep stops the run, as an operator would, at each statement, runs it again, and fails in the same way.
func StopSweep(t *testing.T, w jobs.Workflow, setup func(testing.TB) *db.DB, options ...Option) {
	t.Helper()
	s := newSweep(t, w, setup, options)
	for _, k := range s.picks(stopLimit) {
		if finding := s.stopAt(t, k); finding != "" {
			t.Error(finding)
		}
	}
}

// Sweep is CrashSweep that returns what it found.
func Sweep(t testing.TB, w jobs.Workflow, setup func(testing.TB) *db.DB, options ...Option) []string {
	t.Helper()
	s := newSweep(t, w, setup, options)
	var findings []string
	for _, k := range s.picks(cutLimit) {
		for _, after := range []bool{false, true} {
			if finding := s.cutAt(t, k, after); finding != "" {
				findings = append(findings, finding)
			}
		}
	}
	return findings
}

// sweep is a workflow, the data it begins with, and what an undisturbed run makes of it.
type sweep struct {
	w          jobs.Workflow
	copy       func(testing.TB) *db.DB
	options    []Option
	cutOff     time.Time
	reading    map[string]string // a digest statement a table
	want       map[string]string
	statements int
}

// newSweep lets setup fill a database and runs the workflow undisturbed on a copy of it.
func newSweep(t testing.TB, w jobs.Workflow, setup func(testing.TB) *db.DB, options []Option) *sweep {
	t.Helper()
	d := setup(t)
	s := &sweep{w: w, options: options, reading: map[string]string{}}
	if err := d.Pool.QueryRow(context.Background(), `SELECT clock_timestamp()`).Scan(&s.cutOff); err != nil {
		t.Fatalf("the sweep's cut-off: %v", err)
	}
	s.prepare(t, d)
	s.copy = dbtest.Fork(t, d)
	d = s.copy(t)
	session, line := openWire(t, d, "undisturbed")
	r := run(t, d, w, "normal", s.with(on(session, line)))
	if r.Status != "completed" {
		t.Fatalf("undisturbed run of %s: got %s (%s), want completed", w.Name, r.Status, r.Message)
	}
	s.statements = line.count()
	t.Logf("%s: a run of %d statements", w.Name, s.statements)
	s.want = s.digests(t, d)
	_ = session.Close(context.Background())
	d.Close()
	return s
}

// on runs on a session whose statements are counted once the run has begun.
func on(session *pgx.Conn, line *wire) Option {
	return func(s *settings) { s.session, s.line = session, line }
}

// with is the options of every run of the sweep: all follow their rules from the same moment.
func (s *sweep) with(more ...Option) []Option {
	return append(append(slices.Clone(s.options), CutOff(s.cutOff)), more...)
}

// picks lists the statements to interrupt, the first and the last among them. NIGHTSHIFT_SWEEP=all in the environment
// takes every one.
func (s *sweep) picks(limit int) []int {
	n := min(s.statements, limit)
	if os.Getenv("NIGHTSHIFT_SWEEP") == "all" {
		n = s.statements
	}
	var ks []int
	for i := range n {
		ks = append(ks, 1+i*(s.statements-1)/max(n-1, 1))
	}
	return ks
}

// cutAt breaks the connection at one statement, recovers, and says what differs; empty: nothing.
func (s *sweep) cutAt(t testing.TB, k int, after bool) string {
	t.Helper()
	d := s.copy(t)
	defer dbtest.Drop(t, d)
	session, line := openWire(t, d, "cut")
	line.cutAt, line.after = k, after
	first := run(t, d, s.w, "normal", s.with(on(session, line), Lost()))
	_ = session.Close(context.Background())
	if err := takeOver(d, first.TaskID); err != nil {
		t.Fatalf("take over: %v", err)
	}
	where := fmt.Sprintf("%s: connection cut before statement %d of %d", s.w.Name, k, s.statements)
	if after {
		where = strings.Replace(where, "before", "after", 1)
	}
	return s.again(t, d, first, where)
}

// stopAt stops the run at one statement and runs it again.
func (s *sweep) stopAt(t testing.TB, k int) string {
	t.Helper()
	d := s.copy(t)
	defer dbtest.Drop(t, d)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	session, line := openWire(t, d, "stopped")
	line.cutAt, line.onReach = k, func() { cancel(jobs.ErrStopped) }
	first := run(t, d, s.w, "normal", s.with(on(session, line), Context(ctx)))
	_ = session.Close(context.Background())
	return s.again(t, d, first, fmt.Sprintf("%s: stopped at statement %d of %d", s.w.Name, k, s.statements))
}

// again runs once more where the first run did not complete, and compares.
func (s *sweep) again(t testing.TB, d *db.DB, first Result, where string) string {
	t.Helper()
	if first.Status = stateOf(t, d, first.TaskID); first.Status != "completed" {
		second := run(t, d, s.w, "normal", s.with())
		if second.Status != "completed" {
			return fmt.Sprintf("%s: the run after it got %s (%s), want completed", where, second.Status, second.Message)
		}
	}
	got := s.digests(t, d)
	var differ []string
	for _, table := range slices.Sorted(maps.Keys(s.want)) {
		if got[table] != s.want[table] {
			differ = append(differ, table)
		}
	}
	if len(differ) > 0 || len(got) != len(s.want) {
		return fmt.Sprintf("%s: %s differ from an undisturbed run's (%d tables, want %d)", where, strings.Join(differ, ", "), len(got), len(s.want))
	}
	return ""
}

// stateOf is a task's state: a connection cut after the last statement leaves a run that has completed.
func stateOf(t testing.TB, d *db.DB, task int64) (status string) {
	t.Helper()
	if err := d.Pool.QueryRow(context.Background(), `SELECT status FROM xtk.workflow_task WHERE id = $1`, task).Scan(&status); err != nil {
		t.Fatalf("state of task %d: %v", task, err)
	}
	return status
}

// takeOver ends a run whose process is gone, as the engine does once it holds the workflow's lock.
func takeOver(d *db.DB, task int64) error {
	ctx := context.Background()
	session, err := d.RunSession(ctx, "take over")
	if err != nil {
		return err
	}
	defer func() { _ = session.Close(ctx) }()
	return pgx.BeginFunc(ctx, session, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			SELECT pg_advisory_xact_lock($1, workflow_id::int)
			FROM xtk.workflow_task
			WHERE id = $2`, db.LockWorkflow, task)
		if err != nil {
			return fmt.Errorf("wait for the lock: %w", err)
		}
		if _, err := tx.Exec(ctx, `
			UPDATE xtk.workflow_task_step
			SET status = 'interrupted', end_date = now()
			WHERE task_id = $1 AND status = 'running'`, task); err != nil {
			return fmt.Errorf("end the steps: %w", err)
		}
		_, err = tx.Exec(ctx, `
			UPDATE xtk.workflow_task
			SET status = 'interrupted', completion_date = now()
			WHERE id = $1 AND status = 'running'`, task)
		return err
	})
}
