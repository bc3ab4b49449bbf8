package db

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// listColumns reads of a task t what lists show. Sums of a run in progress are read by addProgress.
const listColumns = `
	t.id, t.workflow_id, t.mode, t.trigger, t.status, COALESCE(t.started_by, ''), t.start_date, t.completion_date, t.rows_changed,
	t.warnings, COALESCE(t.error_step, ''), COALESCE(t.error_message, ''), t.steps_done,
	CASE t.status
		WHEN 'completed' THEN t.steps_begun
		ELSE GREATEST(t.steps_begun, jsonb_array_length(t.result -> 'steps'))
	END, COALESCE(t.resumes_task_id, 0)`

func (r *RunRow) listed() []any {
	return []any{&r.ID, &r.WorkflowID, &r.Mode, &r.Trigger, &r.Status, &r.StartedBy, &r.Start, &r.End, &r.RowsChanged,
		&r.Warnings, &r.ErrorStep, &r.ErrorMessage, &r.StepsDone, &r.Steps, &r.Resumes}
}

// Runs lists runs, newest first, and says whether there are more beyond the page in the direction asked for. Of each it
// reads what a list shows: not its event, its package, its node, when it was due, what it read, its error's code and
// whether it was asked to stop.
func (d *DB) Runs(ctx context.Context, f RunFilter) ([]RunRow, bool, error) {
	where, args := f.where()
	order, beyond, cursor := "DESC", "<", f.Before
	if f.After != nil {
		order, beyond, cursor = "ASC", ">", f.After
	}
	if cursor != nil {
		where += ` AND (t.start_date, t.id) ` + beyond + ` (@start, @id)`
		args["start"], args["id"] = cursor.Start, cursor.ID
	}
	// The limit is written out: with a parameter PostgreSQL would take the page for a tenth of the table and, finding no
	// plan that serves all values, plan anew at every request.
	rows, err := d.Pool.Query(ctx, `
		SELECT `+listColumns+`
		FROM xtk.workflow_task t
		WHERE `+where+`
		ORDER BY t.start_date `+order+`, t.id `+order+`
		LIMIT `+strconv.Itoa(f.Limit+1), args)
	if err != nil {
		return nil, false, fmt.Errorf("runs: %w", err)
	}
	page, run := make([]RunRow, 0, f.Limit+1), RunRow{}
	if _, err := pgx.ForEachRow(rows, run.listed(), func() error {
		page = append(page, run)
		return nil
	}); err != nil {
		return nil, false, fmt.Errorf("runs: %w", err)
	}
	more := len(page) > f.Limit
	page = page[:min(len(page), f.Limit)]
	if f.After != nil {
		slices.Reverse(page)
	}
	if err := d.addNames(ctx, page); err != nil {
		return nil, false, err
	}
	return page, more, d.addProgress(ctx, page)
}

// addNames gives the runs of a list the names of their workflows. Joined in the statement they would be half of its cost.
func (d *DB) addNames(ctx context.Context, page []RunRow) error {
	names, err := d.names.read(ctx, d, func(names map[int64]WorkflowName) bool {
		return !slices.ContainsFunc(page, func(r RunRow) bool { _, known := names[r.WorkflowID]; return !known })
	})
	if err != nil {
		return fmt.Errorf("names of workflows: %w", err)
	}
	for i := range page {
		name := names[page[i].WorkflowID]
		page[i].Workflow, page[i].Label = name.Name, name.Label
	}
	return nil
}

// addProgress reads what the runs in progress have done by now. The row of a run that has ended holds its sums.
func (d *DB) addProgress(ctx context.Context, page []RunRow) error {
	place := map[int64]*RunRow{}
	var ids []int64
	for i := range page {
		if page[i].Status == "running" {
			place[page[i].ID], ids = &page[i], append(ids, page[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := d.Pool.Query(ctx, `
		SELECT t.id,
		       (SELECT COALESCE(sum(e.inserted + e.updated + e.deleted), 0)::bigint FROM xtk.workflow_task_effect e WHERE e.task_id = t.id),
		       (SELECT count(*) FROM xtk.workflow_task_step s WHERE s.task_id = t.id AND s.status IN ('completed', 'kept')),
		       (SELECT count(*) FROM xtk.workflow_task_step s WHERE s.task_id = t.id)
		FROM unnest($1::bigint[]) AS t (id)`, ids)
	if err != nil {
		return fmt.Errorf("progress of runs: %w", err)
	}
	var id, changed int64
	var done, begun int
	if _, err := pgx.ForEachRow(rows, []any{&id, &changed, &done, &begun}, func() error {
		run := place[id]
		run.RowsChanged, run.StepsDone, run.Steps = changed, done, max(run.Steps, begun)
		return nil
	}); err != nil {
		return fmt.Errorf("progress of runs: %w", err)
	}
	return nil
}
