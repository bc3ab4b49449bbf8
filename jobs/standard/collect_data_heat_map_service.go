package standard

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
)

const (
	lastCollect = "XtkHeatMap_LastCollect"
	// overlap is read again before the last collection: an execution that ended just then may have become visible later.
	overlap = time.Hour
)

// CollectDataHeatMapService keeps a sample of every execution, and of each of its activities, for the heat map. It collects what
// was at work since the last collection, then drops the samples of executions that no longer exist. Simulations are left
// out. What is collected already changes only when its end has become known.
func CollectDataHeatMapService(ctx context.Context, r *jobs.Run) error {
	if err := r.Steps(ctx, "collect", "gone"); err != nil {
		return err
	}
	if err := r.Step(ctx, "collect", func(ctx context.Context) error { return collect(ctx, r) }); err != nil {
		return err
	}
	return r.Step(ctx, "gone", func(ctx context.Context) error {
		rows, err := r.Purge(ctx, "samples without an execution", jobs.Purge{
			Table: "xtk.heatmap_sample", Key: "ctid", Age: "start_date", Where: db.HeatGone})
		if err == nil && rows == 0 {
			r.Say("every sample has its execution")
		}
		return err
	})
}

func collect(ctx context.Context, r *jobs.Run) error {
	since, err := cursor(ctx, r)
	if err != nil {
		return err
	}
	from, begin := time.Time{}, "the beginning"
	if !since.IsZero() {
		from, begin = since.Add(-overlap), since.UTC().Format("2006-01-02 15:04 UTC")
	}
	var runs, read, last int64
	workflows := map[int64]bool{}
	for {
		page, err := collectPage(ctx, r, from, last)
		if err != nil {
			return err
		}
		for _, id := range page.Workflows {
			workflows[id] = true
		}
		runs, read, last = runs+page.Runs, read+page.Read, page.Last
		r.Read(page.Read)
		r.Progress(read, 0, "executions")
		if page.Read < db.HeatPage {
			r.Say("%d executions of %d workflows since %s", runs, len(workflows), begin)
			return nil
		}
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
	}
}

// collectPage writes the samples of one page. The last page moves the cursor in the same transaction: until all pages are
// written, the next run begins where this one did.
func collectPage(ctx context.Context, r *jobs.Run, from time.Time, after int64) (db.HeatCollected, error) {
	var page db.HeatCollected
	err := r.Tx(ctx, func(tx pgx.Tx) (err error) {
		if page, err = db.CollectHeat(ctx, tx, from, r.Now(), after); err != nil || page.Read == db.HeatPage {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO xtk.option AS o (name, data_type, timestamp_value)
			VALUES ($1, 'timestamp', $2)
			ON CONFLICT (name) DO UPDATE
			SET data_type = 'timestamp', timestamp_value = excluded.timestamp_value
			WHERE o.timestamp_value IS DISTINCT FROM excluded.timestamp_value`, lastCollect, r.Now())
		if err != nil {
			return fmt.Errorf("move %s: %w", lastCollect, err)
		}
		return nil
	})
	return page, err
}

// cursor is up to when executions were collected; zero: never. A cursor of the future is none: the clock was wrong.
func cursor(ctx context.Context, r *jobs.Run) (time.Time, error) {
	var since time.Time
	err := r.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&since) }, `
		SELECT timestamp_value
		FROM xtk.option
		WHERE name = $1
		  AND timestamp_value <= $2`, lastCollect, r.Now())
	if err != nil {
		return since, fmt.Errorf("read %s: %w", lastCollect, err)
	}
	return since, nil
}
