package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// LoadEvery is how often the backends of runs are looked at.
const LoadEvery = 5 * time.Second

// SampleLoad looks at the backends of some runs, which are those that hold their locks, and adds what it sees to their five
// minutes: whether each is in a statement, and whether that waits for a lock. The look stands for the time since the one
// before it. Rehearsals are left out.
func (d *DB) SampleLoad(ctx context.Context, tasks []int64, since time.Duration) error {
	_, err := d.Pool.Exec(ctx, `
		INSERT INTO xtk.heatmap_load AS h (task_id, slot, samples, database_seconds, lock_seconds)
		SELECT t.id, date_bin('5 minutes', now(), 'epoch'), 1,
		       CASE WHEN a.state = 'active' THEN $2::float8 ELSE 0 END,
		       CASE WHEN a.state = 'active' AND a.wait_event_type = 'Lock' THEN $2 ELSE 0 END
		FROM xtk.workflow_task t
		JOIN pg_locks l ON l.locktype = 'advisory' AND l.classid = $3 AND l.objid = t.workflow_id::oid AND l.objsubid = 2 AND l.granted
		 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE t.id = ANY ($1)
		  AND t.status = 'running'
		  AND t.mode = 'normal'
		ORDER BY t.id
		ON CONFLICT (task_id, slot) DO UPDATE
		SET samples = h.samples + 1,
		    database_seconds = h.database_seconds + excluded.database_seconds,
		    lock_seconds = h.lock_seconds + excluded.lock_seconds`, tasks, since.Seconds(), LockWorkflow)
	if err != nil {
		return fmt.Errorf("sample the load of runs: %w", err)
	}
	return nil
}

// HeatLoad is what the samples of a cell say: seconds that runs were in a statement, and that they waited for locks in it.
// It is Unsampled when a run was at work in it long enough to be seen, and nobody looked.
type HeatLoad struct {
	Database, Locks float64
	Unsampled       bool
}

// unseen is how long a run may be at work in a cell without a look at it: three times the pause between two.
const unseen = 3 * LoadEvery

// HeatLoads adds up, in one query, the samples of the runs of a day that pass a filter, cell by cell.
func (d *DB) HeatLoads(ctx context.Context, day HeatDay, filter HeatFilter) ([HeatCells]HeatLoad, error) {
	var cells [HeatCells]HeatLoad
	slots := numbers(day.Slots)
	type seen struct {
		Cell int
		Load HeatLoad
	}
	all, err := serially(ctx, d, func(row pgx.CollectableRow) (one seen, err error) {
		err = row.Scan(&one.Cell, &one.Load.Database, &one.Load.Locks, &one.Load.Unsampled)
		return one, err
	}, `
		WITH run AS (`+heatRuns+`), seen AS (
			SELECT task_id, slot, database_seconds, lock_seconds
			FROM xtk.heatmap_load
			WHERE slot >= $1
			  AND slot < $2
		)
		SELECT n.cell, COALESCE(sum(l.database_seconds), 0), COALESCE(sum(l.lock_seconds), 0),
		       bool_or(l.task_id IS NULL AND LEAST(r.ended, five.at + interval '5 minutes') - GREATEST(r.start_date, five.at) > $10::interval)
		FROM run r
		CROSS JOIN LATERAL generate_series(GREATEST(r.first, $6::bigint), LEAST(r.last, $7::bigint)) AS slot (number)
		JOIN unnest($8::bigint[], $9::int[]) AS n (number, cell) USING (number)
		CROSS JOIN LATERAL (SELECT to_timestamp(number * 300) AS at) AS five
		LEFT JOIN seen l ON l.task_id = r.task_id AND l.slot = five.at
		GROUP BY n.cell`, append(filter.args(day), slots[0], slots[len(slots)-1], slots, day.Cells, unseen)...)
	if err != nil {
		return cells, fmt.Errorf("load of %s: %w", day.From.Format(time.DateOnly), err)
	}
	for _, one := range all {
		cells[one.Cell] = one.Load
	}
	return cells, nil
}
