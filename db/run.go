package db

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// CountCap is where lists stop counting: more are shown as "10,000+".
const CountCap = 10000

// RunRow is a run as lists show it.
type RunRow struct {
	ID, WorkflowID, EventID            int64
	Workflow, Label, Package           string
	Mode, Trigger, Status              string
	Node, StartedBy                    string
	Due                                *time.Time
	Start                              time.Time
	End                                *time.Time
	RowsRead, RowsChanged              int64
	Warnings                           int
	ErrorStep, ErrorCode, ErrorMessage string
	StepsDone, Steps                   int // completed or kept; and all, of a completed run those it came to
	CancelRequested                    string
	Resumes                            int64 // the failed run that this one goes on with; 0: none
}

// Duration is how long the run took, or has taken until now.
func (r RunRow) Duration(now time.Time) time.Duration {
	if r.End != nil {
		now = *r.End
	}
	return now.Sub(r.Start)
}

// RunFilter narrows the list of runs; empty fields narrow nothing.
type RunFilter struct {
	WorkflowID   int64
	Status, Mode string
	Node         string    // that ran it
	From, To     time.Time // the run's begin
	Warned       bool      // only runs with warnings
	// The list goes on below, or above, the run that began then and has this id.
	Before, After *RunCursor
	Limit         int
}

// RunCursor is a place in the list of runs, newest first.
type RunCursor struct {
	Start time.Time
	ID    int64
}

// Cursor is the place of the run in the list.
func (r RunRow) Cursor() RunCursor { return RunCursor{Start: r.Start, ID: r.ID} }

// where is the filter's condition over a task t. Only what is asked for stands in it, so that each
// question gets the index that is made for it.
func (f RunFilter) where() (string, pgx.StrictNamedArgs) {
	clauses, args := []string{"true"}, pgx.StrictNamedArgs{}
	add := func(asked bool, clause, name string, value any) {
		if asked {
			clauses = append(clauses, clause)
			args[name] = value
		}
	}
	add(f.WorkflowID != 0, "t.workflow_id = @workflow", "workflow", f.WorkflowID)
	add(f.Status != "", "t.status = @status", "status", f.Status)
	add(f.Node != "", "t.node = @node", "node", f.Node)
	add(f.Mode != "" && f.Mode != "simulation", "t.mode = @mode", "mode", f.Mode)
	if f.Mode == "simulation" {
		clauses = append(clauses, "t.mode = 'simulation'") // written out for the index of the few rehearsals
	}
	if f.Warned {
		clauses = append(clauses, "t.warnings > 0") // so for theirs
	}
	add(!f.From.IsZero(), "t.start_date >= @from", "from", f.From)
	add(!f.To.IsZero(), "t.start_date < @to", "to", f.To)
	return strings.Join(clauses, " AND "), args
}

// runColumns reads a task t with its workflow w. Only a run in progress is asked for its steps and its effects: the row of
// one that has ended holds their sums.
const runColumns = `
	t.id, t.workflow_id, COALESCE(t.event_id, 0), w.internal_name, w.label, COALESCE(w.package, ''), t.mode, t.trigger, t.status,
	t.node, COALESCE(t.started_by, ''), t.due_at, t.start_date, t.completion_date, t.rows_read,
	CASE WHEN t.status = 'running' THEN (
		SELECT COALESCE(sum(e.inserted + e.updated + e.deleted), 0)::bigint FROM xtk.workflow_task_effect e WHERE e.task_id = t.id)
	ELSE t.rows_changed END,
	t.warnings, COALESCE(t.error_step, ''), COALESCE(t.error_code, ''), COALESCE(t.error_message, ''),
	CASE WHEN t.status = 'running' THEN (
		SELECT count(*) FROM xtk.workflow_task_step s WHERE s.task_id = t.id AND s.status IN ('completed', 'kept'))
	ELSE t.steps_done END,
	CASE t.status
		WHEN 'completed' THEN t.steps_begun
		WHEN 'running' THEN GREATEST((SELECT count(*) FROM xtk.workflow_task_step s WHERE s.task_id = t.id), jsonb_array_length(t.result -> 'steps'))
		ELSE GREATEST(t.steps_begun, jsonb_array_length(t.result -> 'steps'))
	END,
	COALESCE(t.cancel_requested, ''), COALESCE(t.resumes_task_id, 0)`

func (r *RunRow) fields() []any {
	return []any{&r.ID, &r.WorkflowID, &r.EventID, &r.Workflow, &r.Label, &r.Package, &r.Mode, &r.Trigger, &r.Status,
		&r.Node, &r.StartedBy, &r.Due, &r.Start, &r.End, &r.RowsRead, &r.RowsChanged,
		&r.Warnings, &r.ErrorStep, &r.ErrorCode, &r.ErrorMessage, &r.StepsDone, &r.Steps, &r.CancelRequested, &r.Resumes}
}

// CountRuns counts the runs of a filter up to CountCap + 1, whatever its cursor. All of them are not counted where the
// statistics of the table say that they are far more.
func (d *DB) CountRuns(ctx context.Context, f RunFilter) (int, error) {
	where, args := f.where()
	known := "0"
	if len(args) == 0 && where == "true" {
		known = "(SELECT reltuples FROM pg_class WHERE oid = 'xtk.workflow_task'::regclass)"
	}
	limit := strconv.Itoa(CountCap + 1)
	var count int
	err := d.Pool.QueryRow(ctx, `
		SELECT CASE WHEN `+known+` > 2 * `+limit+` THEN `+limit+` ELSE (
			SELECT count(*)
			FROM (SELECT
			      FROM xtk.workflow_task t
			      WHERE `+where+`
			      LIMIT `+limit+`) AS found) END`, args).Scan(&count)
	if err != nil {
		return 0, fmt.Errorf("count the runs: %w", err)
	}
	return count, nil
}

// Ledger sums up what each of some runs did to rows, of all tables together.
func (d *DB) Ledger(ctx context.Context, runs []int64) (map[int64]RunEffect, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT task_id, sum(inserted)::bigint, sum(updated)::bigint, sum(deleted)::bigint
		FROM xtk.workflow_task_effect
		WHERE task_id = ANY($1)
		GROUP BY task_id`, runs)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	ledger := map[int64]RunEffect{}
	var run int64
	var did RunEffect
	if _, err := pgx.ForEachRow(rows, []any{&run, &did.Inserted, &did.Updated, &did.Deleted}, func() error {
		ledger[run] = did
		return nil
	}); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return ledger, nil
}

// RunRow reads one run as lists show it; ErrNotFound when there is none.
func (d *DB) RunRow(ctx context.Context, id int64) (RunRow, error) {
	var r RunRow
	err := d.Pool.QueryRow(ctx, `
		SELECT `+runColumns+`
		FROM xtk.workflow_task t
		JOIN xtk.workflow w ON w.id = t.workflow_id
		WHERE t.id = $1`, id).Scan(r.fields()...)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, fmt.Errorf("run %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return r, fmt.Errorf("run %d: %w", id, err)
	}
	return r, nil
}
