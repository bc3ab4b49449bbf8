package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// HeatPage is how many executions one transaction collects.
const HeatPage = 2000

// HeatCollected is what one transaction has read and written. Last is the id of the last execution read, the place from
// which the next transaction goes on; Read below HeatPage means that there is none left.
type HeatCollected struct {
	Read, Last int64
	Runs       int64   // executions of which a sample was added or has ended
	Workflows  []int64 // ids of theirs
}

// collectHeat writes a sample for each execution that was at work between two moments ($1, $2), and one for each of its
// activities. Simulations are left out. Label and kind are those of the time when the execution was first collected. An
// execution that is called running, but of which nobody holds the lock, has lost its process: it ended when its node was
// last heard. What is collected already is written again only when its end has changed.
const collectHeat = `
	WITH run AS (
		SELECT t.id, t.workflow_id, t.start_date,
		       CASE
		           WHEN t.completion_date IS NOT NULL THEN GREATEST(t.completion_date, t.start_date)
		           WHEN NOT EXISTS (
		               SELECT FROM pg_locks l
		               WHERE l.locktype = 'advisory' AND l.classid = $5 AND l.objid = t.workflow_id::oid AND l.objsubid = 2 AND l.granted
		                 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
		           THEN GREATEST(t.start_date, n.seen_at)
		       END AS ended
		FROM xtk.workflow_task t
		LEFT JOIN xtk.engine_node n ON n.name = t.node
		WHERE t.id > $3
		  AND t.mode = 'normal'
		  AND t.start_date < $2
		  AND (t.completion_date >= $1 OR t.completion_date IS NULL)
		ORDER BY t.id
		LIMIT $4
	), sample AS (
		SELECT r.id, 0 AS step_order, NULL AS activity, r.start_date, r.ended
		FROM run r
		UNION ALL
		SELECT r.id, s.step_order, s.step_key, s.start_date,
		       CASE WHEN COALESCE(s.end_date, r.ended) IS NOT NULL THEN GREATEST(s.end_date, s.start_date, CASE WHEN s.end_date IS NULL THEN r.ended END) END
		FROM run r
		JOIN xtk.workflow_task_step s ON s.task_id = r.id
		WHERE s.step_order > 0
		  AND s.status <> 'kept'
	), written AS (
		INSERT INTO xtk.heatmap_sample AS h (task_id, step_order, workflow_id, workflow_name, workflow_label, kind, activity, start_date, end_date)
		SELECT s.id, s.step_order, w.id, w.internal_name, w.label, w.kind, s.activity, s.start_date, s.ended
		FROM sample s
		JOIN run r ON r.id = s.id
		JOIN xtk.workflow w ON w.id = r.workflow_id
		ORDER BY s.id, s.step_order
		ON CONFLICT (task_id, step_order) DO UPDATE
		SET end_date = excluded.end_date
		WHERE h.end_date IS DISTINCT FROM excluded.end_date
		RETURNING task_id, workflow_id
	)
	SELECT (SELECT count(*) FROM run), (SELECT COALESCE(max(id), 0) FROM run),
	       count(DISTINCT task_id), COALESCE(array_agg(DISTINCT workflow_id) FILTER (WHERE workflow_id IS NOT NULL), '{}')
	FROM written`

// CollectHeat writes the samples of at most HeatPage executions that were at work between two moments, those behind an
// id, lowest ids first. Repeated, it writes nothing.
func CollectHeat(ctx context.Context, tx pgx.Tx, from, to time.Time, after int64) (HeatCollected, error) {
	var c HeatCollected
	err := tx.QueryRow(ctx, collectHeat, from, to, after, HeatPage, LockWorkflow).Scan(&c.Read, &c.Last, &c.Runs, &c.Workflows)
	if err != nil {
		return c, fmt.Errorf("collect executions behind %d: %w", after, err)
	}
	return c, nil
}

// HeatGone holds for a sample (t) whose execution no longer exists: its history was cleaned up or purged.
const HeatGone = `NOT EXISTS (SELECT FROM xtk.workflow_task gone WHERE gone.id = t.task_id)`

// LoadHeat collects the executions of a day, as the workflow does at its hours, and drops the day's samples whose
// execution no longer exists. It returns the executions and workflows of which samples were added or have ended.
func (d *DB) LoadHeat(ctx context.Context, day HeatDay) (runs int64, workflows int, err error) {
	seen := map[int64]bool{}
	for last := int64(0); ; {
		var page HeatCollected
		err := d.inTx(ctx, func(tx pgx.Tx) (err error) {
			page, err = CollectHeat(ctx, tx, day.From, day.To, last)
			return err
		})
		if err != nil {
			return runs, len(seen), fmt.Errorf("load the heat map of %s: %w", day.From.Format(time.DateOnly), err)
		}
		runs, last = runs+page.Runs, page.Last
		for _, id := range page.Workflows {
			seen[id] = true
		}
		if page.Read < HeatPage {
			return runs, len(seen), d.dropGoneHeat(ctx, day)
		}
	}
}

// dropGoneHeat removes the samples of a day whose execution no longer exists, in batches.
func (d *DB) dropGoneHeat(ctx context.Context, day HeatDay) error {
	for {
		tag, err := d.Pool.Exec(ctx, `
			DELETE FROM xtk.heatmap_sample
			WHERE (task_id, step_order) IN (
				SELECT t.task_id, t.step_order
				FROM xtk.heatmap_sample t
				WHERE t.start_date < $2
				  AND (t.end_date >= $1 OR t.end_date IS NULL)
				  AND `+HeatGone+`
				ORDER BY t.task_id, t.step_order
				LIMIT 5000
				FOR UPDATE SKIP LOCKED)`, day.From, day.To)
		if err != nil {
			return fmt.Errorf("drop samples without an execution: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
	}
}
