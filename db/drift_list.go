package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// queueComparison reads how a run stands beside comparable ones: nothing of a rehearsal and of one that goes on where a
// failed run had ended; of one that did not complete, only in what it is above them.
func queueComparison(batch *pgx.Batch, task int64, into *Comparison) {
	batch.Queue(driftRun(`t.id = $1`)+`
	SELECT j.beyond, j.at, `+driftColumns+`
	FROM judged j
	ORDER BY j.cause DESC`, task).Query(func(rows pgx.Rows) error {
		var d Drift
		var beyond bool
		_, err := pgx.ForEachRow(rows, append([]any{&beyond, &d.Opened}, d.fields()...), func() error {
			into.Runs = d.Runs
			if d.Cause == "slower" {
				into.Took = Usual{P10: seconds(d.P10), P50: seconds(d.Median), P90: seconds(d.P90), Runs: d.Runs}
			}
			if beyond {
				into.Drifts = append(into.Drifts, d)
			}
			return nil
		})
		return err
	})
}

// queueOpenDrifts reads the open alarms of workflows, by the small index that holds nothing else.
func queueOpenDrifts(batch *pgx.Batch, ids []int64, place map[int64]*WorkflowRow) {
	batch.Queue(`
		SELECT id, opened_at, acknowledged_at, COALESCE(acknowledged_by, ''), acknowledged_reason, `+driftColumns+`
		FROM xtk.workflow_drift
		WHERE closed_at IS NULL AND workflow_id = ANY($1)
		ORDER BY workflow_id, opened_at, id`, ids).Query(func(rows pgx.Rows) error {
		var d Drift
		_, err := pgx.ForEachRow(rows, append([]any{&d.ID, &d.Opened, &d.Acknowledged, &d.KnownBy, &d.Why}, d.fields()...), func() error {
			place[d.WorkflowID].Drifts = append(place[d.WorkflowID].Drifts, d)
			return nil
		})
		return err
	})
}

// Drifts lists the alarms of some workflows that are open, or were since a moment, the newest first.
func (d *DB) Drifts(ctx context.Context, workflows []int64, since time.Time) ([]Drift, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT id, opened_at, closed_at, COALESCE(closed_task_id, 0), `+driftColumns+`
		FROM xtk.workflow_drift
		WHERE workflow_id = ANY($1)
		  AND (closed_at IS NULL OR closed_at >= $2)
		ORDER BY opened_at DESC, id`, workflows, since)
	if err != nil {
		return nil, fmt.Errorf("alarms of workflows: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Drift, err error) {
		err = row.Scan(append([]any{&a.ID, &a.Opened, &a.Closed, &a.ClosedBy}, a.fields()...)...)
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("alarms of workflows: %w", err)
	}
	return all, nil
}
