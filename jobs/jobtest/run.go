// Package jobtest runs workflows in tests the way the engine does, and measures what they did without asking the ledger.
package jobtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
)

// Result is what a run left behind, as its rows say it.
type Result struct {
	TaskID          int64
	Status, Message string
	Log             []string // "level message", in order; without the line of the start
	Steps           []Step
	Effects         map[string]Effect // by table, all steps together
	Outcome         jobs.Outcome
}

// Step is one step of a run.
type Step struct {
	Order              int
	Key, Status        string
	Message            string
	RowsRead           int64
	RowsChanged        int64
	Done, Total        int64
	Batches            int
	Effects            map[string]Effect // by table
	Estimated, Dropped bool
}

// Effect is what the ledger says of one table.
type Effect struct{ Inserted, Updated, Deleted, Dropped int64 }

// Option changes how a test runs a workflow.
type Option func(*settings)

type settings struct {
	ctx      context.Context
	mode     string
	args     map[string]string
	resumes  *int64
	session  *pgx.Conn
	finish   func(context.Context, pgx.Tx, jobs.Outcome) error
	cutOff   *time.Time
	wantLost bool
	line     *wire
	origin   jobs.Origin
	alike    map[string]string
	rawLog   jobs.RawLog
}

// Args gives the run parameters.
func Args(args map[string]string) Option { return func(s *settings) { s.args = args } }

// Context runs under a context that the test may cancel.
func Context(ctx context.Context) Option { return func(s *settings) { s.ctx = ctx } }

// CutOff sets what the run's Now returns, so that two runs follow their rules from the same moment.
func CutOff(at time.Time) Option { return func(s *settings) { s.cutOff = &at } }

// Lost accepts a run that could not write its final state.
func Lost() Option { return func(s *settings) { s.wantLost = true } }

// Resume makes the run resume a failed one.
func Resume(taskID int64) Option { return func(s *settings) { s.resumes = &taskID } }

// Session runs on a session of the test's own, which stays open.
func Session(session *pgx.Conn) Option { return func(s *settings) { s.session = session } }

// From makes the run due for another reason than an operator's order.
func From(origin jobs.Origin) Option { return func(s *settings) { s.origin = origin } }

// RawLog gives the run a node's raw log.
func RawLog(server, folder string) Option {
	return func(s *settings) { s.rawLog = jobs.RawLog{Server: server, Folder: folder} }
}

// Alike makes a sweep take for equal what a pattern matches in a column ("nms.billing.html"): a measure of the moment.
func Alike(column, pattern string) Option {
	return func(s *settings) {
		if s.alike == nil {
			s.alike = map[string]string{}
		}
		s.alike[column] = pattern
	}
}

// Finish adds consequences to the transaction that ends the run.
func Finish(fn func(context.Context, pgx.Tx, jobs.Outcome) error) Option {
	return func(s *settings) { s.finish = fn }
}

// Run executes a workflow once. The test fails when the final state could not be written.
func Run(t testing.TB, d *db.DB, w jobs.Workflow, options ...Option) Result {
	t.Helper()
	return run(t, d, w, "normal", options)
}

// Simulate rehearses a workflow.
func Simulate(t testing.TB, d *db.DB, w jobs.Workflow, options ...Option) Result {
	t.Helper()
	return run(t, d, w, "simulation", options)
}

func run(t testing.TB, d *db.DB, w jobs.Workflow, mode string, options []Option) Result {
	t.Helper()
	s := settings{ctx: context.Background(), mode: mode}
	for _, option := range options {
		option(&s)
	}
	if s.session == nil {
		s.session = OpenSession(t, d, "nightshift "+w.Name+" (test)")
		defer func() { _ = s.session.Close(context.Background()) }()
	}
	id, err := begin(d, w, s)
	if err != nil {
		t.Fatalf("begin a run of %s: %v", w.Name, err)
	}
	var task jobs.Task
	var batch pgx.Batch
	jobs.QueueTasks(&batch, []int64{id}, func(read jobs.Task) { task = read })
	if err := d.Pool.SendBatch(context.Background(), &batch).Close(); err != nil {
		t.Fatalf("read the run of %s: %v", w.Name, err)
	}
	if s.line != nil {
		s.line.arm()
	}
	outcome := jobs.Execute(s.ctx, jobs.Execution{DB: d, Session: s.session, Task: task, Workflow: w, RawLog: s.rawLog, Finish: s.finish, Waits: Waits()})
	if outcome.Status == "lost" && !s.wantLost {
		t.Fatalf("run of %s: got lost (%v), want a final state", w.Name, outcome.Err)
	}
	return read(t, d, id, outcome)
}

// Waits are short pauses between the attempts of a transaction.
func Waits() []time.Duration {
	return []time.Duration{10 * time.Millisecond, 40 * time.Millisecond, 160 * time.Millisecond}
}

// OpenSession opens a run's connection.
func OpenSession(t testing.TB, d *db.DB, name string) *pgx.Conn {
	t.Helper()
	session, err := d.RunSession(context.Background(), name)
	if err != nil {
		t.Fatalf("open a run session: %v", err)
	}
	return session
}

// begin takes the workflow's lock on the session and adds the task, as the engine does.
func begin(d *db.DB, w jobs.Workflow, s settings) (int64, error) {
	ctx := context.Background()
	var workflow int64
	err := d.Pool.QueryRow(ctx, `
		INSERT INTO xtk.workflow AS w (internal_name, label, built, state)
		VALUES ($1, $1, true, 'started')
		ON CONFLICT (internal_name) DO UPDATE SET label = w.label
		RETURNING id`, w.Name).Scan(&workflow)
	if err != nil {
		return 0, fmt.Errorf("the workflow's row: %w", err)
	}
	if _, err := s.session.Exec(ctx, `SELECT pg_advisory_lock($1, $2::int)`, db.LockWorkflow, workflow); err != nil {
		return 0, fmt.Errorf("the workflow's lock: %w", err)
	}
	args := map[string]string{}
	if s.args != nil {
		args = s.args
	}
	if s.origin.Trigger == "" {
		s.origin.Trigger = "manual"
	}
	var due *time.Time
	if !s.origin.Due.IsZero() {
		due = &s.origin.Due
	}
	var id int64
	err = d.Pool.QueryRow(ctx, `
		INSERT INTO xtk.workflow_task (workflow_id, mode, trigger, node, backend_pid, args, resumes_task_id, cut_off, event_id, due_at)
		VALUES ($1, $2, $7, 'test', $3, $4, $5, coalesce($6, now()), nullif($8::bigint, 0), $9)
		RETURNING id`, workflow, s.mode, int32(s.session.PgConn().PID()), args, s.resumes, s.cutOff,
		s.origin.Trigger, s.origin.Event, due).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("the task's row: %w", err)
	}
	return id, nil
}

// read collects what the run wrote of itself.
func read(t testing.TB, d *db.DB, id int64, outcome jobs.Outcome) Result {
	t.Helper()
	ctx := context.Background()
	r := Result{TaskID: id, Outcome: outcome, Effects: map[string]Effect{}}
	if err := d.Pool.QueryRow(ctx, `
		SELECT status, coalesce(error_message, '')
		FROM xtk.workflow_task
		WHERE id = $1`, id).Scan(&r.Status, &r.Message); err != nil {
		t.Fatalf("read task %d: %v", id, err)
	}
	rows, err := d.Pool.Query(ctx, `
		SELECT level || ' ' || message
		FROM xtk.workflow_log
		WHERE task_id = $1
		ORDER BY id
		OFFSET 1`, id)
	if err == nil {
		r.Log, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		t.Fatalf("read the log of task %d: %v", id, err)
	}
	readSteps(t, d, &r)
	return r
}

// readSteps adds the steps and the ledger, each effect to its step and to the run's sum.
func readSteps(t testing.TB, d *db.DB, r *Result) {
	t.Helper()
	rows, err := d.Pool.Query(context.Background(), `
		SELECT step_order, step_key, status, coalesce(message, ''), rows_read, rows_changed,
		       progress_done, coalesce(progress_total, 0), batches
		FROM xtk.workflow_task_step
		WHERE task_id = $1
		ORDER BY step_order`, r.TaskID)
	if err == nil {
		r.Steps, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Step, error) {
			s := Step{Effects: map[string]Effect{}}
			err := row.Scan(&s.Order, &s.Key, &s.Status, &s.Message, &s.RowsRead, &s.RowsChanged, &s.Done, &s.Total, &s.Batches)
			return s, err
		})
	}
	if err != nil {
		t.Fatalf("read the steps of task %d: %v", r.TaskID, err)
	}
	var order int
	var table string
	var e Effect
	var estimated bool
	rows, err = d.Pool.Query(context.Background(), `
		SELECT step_order, table_name, inserted, updated, deleted, dropped, estimated
		FROM xtk.workflow_task_effect
		WHERE task_id = $1`, r.TaskID)
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&order, &table, &e.Inserted, &e.Updated, &e.Deleted, &e.Dropped, &estimated}, func() error {
			sum := r.Effects[table]
			r.Effects[table] = Effect{sum.Inserted + e.Inserted, sum.Updated + e.Updated, sum.Deleted + e.Deleted, sum.Dropped + e.Dropped}
			for i := range r.Steps {
				if r.Steps[i].Order == order {
					r.Steps[i].Effects[table] = e
					r.Steps[i].Estimated = r.Steps[i].Estimated || estimated
					r.Steps[i].Dropped = r.Steps[i].Dropped || e.Dropped > 0
				}
			}
			return nil
		})
	}
	if err != nil {
		t.Fatalf("read the effects of task %d: %v", r.TaskID, err)
	}
}

// StepOf returns a step by its name; the test fails when the run has none.
func (r Result) StepOf(t testing.TB, key string) Step {
	t.Helper()
	for _, s := range r.Steps {
		if s.Key == key {
			return s
		}
	}
	t.Fatalf("run %d: got no step %q among %d", r.TaskID, key, len(r.Steps))
	return Step{}
}
