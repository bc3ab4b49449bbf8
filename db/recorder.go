package db

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// RecordedSlot is one due slot of a workflow with what became of it.
type RecordedSlot struct {
	At         time.Time
	Status     string // of the run when there was one, else of the slot: skipped, missed, cancelled, pending
	Reason     string
	TaskID     int64 // 0: none
	Start, End *time.Time
	Rows       int64
}

// Recorder is the last slots of a workflow, oldest first, sixty at most, and what its good runs usually take and change.
type Recorder struct {
	Slots                    []RecordedSlot
	Good                     int // runs that the bands are made of; a band is worth drawing from eight on
	SecondsP10, Seconds, P90 float64
	RowsP10, Rows, RowsP90   float64
	Changes                  []RecordedChange
}

// RecordedChange is an audited change of the workflow's properties or of an option that it reads.
type RecordedChange struct {
	At            time.Time
	By, Entity    string
	Before, After string
}

// Recorder reads the recorder of a workflow.
func (d *DB) Recorder(ctx context.Context, workflowID int64) (Recorder, error) {
	var r Recorder
	batch := &pgx.Batch{}
	batch.Queue(`
		SELECT s.scheduled_at, COALESCE(t.status, s.status), COALESCE(s.reason, ''), COALESCE(t.id, 0),
		       t.start_date, t.completion_date, COALESCE(t.rows_changed, 0)
		FROM (SELECT e.id, e.scheduled_at, e.status, e.reason, e.task_id
		      FROM xtk.workflow_event e
		      WHERE e.workflow_id = $1 AND e.kind IN ('scheduled', 'catch_up')
		      ORDER BY e.scheduled_at DESC
		      LIMIT 60) s
		LEFT JOIN xtk.workflow_task t ON t.id = s.task_id
		ORDER BY s.scheduled_at, s.id`, workflowID).Query(func(rows pgx.Rows) error {
		slots, err := pgx.CollectRows(rows, pgx.RowToStructByPos[RecordedSlot])
		r.Slots = slots
		return err
	})
	batch.Queue(`
		SELECT count(*),
		       COALESCE(percentile_cont(0.1) WITHIN GROUP (ORDER BY seconds), 0),
		       COALESCE(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), 0),
		       COALESCE(percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds), 0),
		       COALESCE(percentile_cont(0.1) WITHIN GROUP (ORDER BY rows_changed), 0),
		       COALESCE(percentile_cont(0.5) WITHIN GROUP (ORDER BY rows_changed), 0),
		       COALESCE(percentile_cont(0.9) WITHIN GROUP (ORDER BY rows_changed), 0)
		FROM (SELECT extract(epoch FROM t.completion_date - t.start_date)::float8 AS seconds, t.rows_changed::float8 AS rows_changed
		      FROM xtk.workflow_task t
		      WHERE t.workflow_id = $1 AND t.status = 'completed' AND t.mode = 'normal'
		      ORDER BY t.start_date DESC, t.id DESC
		      LIMIT 30) good`, workflowID).QueryRow(func(row pgx.Row) error {
		return row.Scan(&r.Good, &r.SecondsP10, &r.Seconds, &r.P90, &r.RowsP10, &r.Rows, &r.RowsP90)
	})
	// Options count when a run of this workflow has read them.
	batch.Queue(`
		SELECT a.changed_at, a.operator_login, a.entity,
		       COALESCE(a.detail ->> 'before', ''), COALESCE(a.detail ->> 'after', '')
		FROM xtk.audit a
		WHERE lower(a.action) = 'modified' AND a.allowed AND a.changed_at > now() - interval '90 days'
		  AND (a.entity_type = 'workflow' AND a.entity = (SELECT internal_name FROM xtk.workflow WHERE id = $1)
		       OR a.entity_type = 'option' AND a.entity IN (
		           SELECT jsonb_object_keys(t.options)
		           FROM (SELECT options FROM xtk.workflow_task
		                 WHERE workflow_id = $1
		                 ORDER BY start_date DESC, id DESC
		                 LIMIT 1) t))
		ORDER BY a.changed_at DESC
		LIMIT 20`, workflowID).Query(func(rows pgx.Rows) error {
		changes, err := pgx.CollectRows(rows, pgx.RowToStructByPos[RecordedChange])
		r.Changes = changes
		return err
	})
	if err := d.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return Recorder{}, fmt.Errorf("recorder of workflow %d: %w", workflowID, err)
	}
	return r, nil
}

// UsualRows tells, by step, how many rows the last thirty good runs of a workflow before a run changed: smallest, tenth,
// median, ninetieth, largest. A workflow with fewer than eight good runs has no usual.
func (d *DB) UsualRows(ctx context.Context, workflowID, before int64) (map[string][]int64, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT s.step_key,
		       percentile_disc(ARRAY[0, 0.1, 0.5, 0.9, 1]) WITHIN GROUP (ORDER BY s.rows_changed)
		FROM (SELECT t.id
		      FROM xtk.workflow_task t
		      WHERE t.workflow_id = $1 AND t.status = 'completed' AND t.mode = 'normal' AND t.id < $2
		      ORDER BY t.start_date DESC, t.id DESC
		      LIMIT 30) good
		JOIN xtk.workflow_task_step s ON s.task_id = good.id
		WHERE s.status = 'completed'
		GROUP BY s.step_key
		HAVING count(*) >= 8`, workflowID, before)
	if err != nil {
		return nil, fmt.Errorf("usual rows of workflow %d: %w", workflowID, err)
	}
	usual := map[string][]int64{}
	var key string
	var five []int64
	if _, err := pgx.ForEachRow(rows, []any{&key, &five}, func() error { usual[key] = slices.Clone(five); return nil }); err != nil {
		return nil, fmt.Errorf("usual rows of workflow %d: %w", workflowID, err)
	}
	return usual, nil
}

// Purgeable counts what a purge of a workflow's history would take now: ended runs and log lines, each at most 1,000,000.
func (d *DB) Purgeable(ctx context.Context, workflowID int64) ([2]int64, error) {
	var runs, lines int64
	err := d.Pool.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM (SELECT FROM xtk.workflow_task t
		                              WHERE t.workflow_id = $1 AND t.status <> 'running'
		                              LIMIT 1000000) ended),
		       (SELECT count(*) FROM (SELECT FROM xtk.workflow_log l
		                              WHERE l.workflow_id = $1
		                              LIMIT 1000000) line)`, workflowID).Scan(&runs, &lines)
	if err != nil {
		return [2]int64{}, fmt.Errorf("history of workflow %d: %w", workflowID, err)
	}
	return [2]int64{runs, lines}, nil
}
