package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Figure is one number of the instance for a monitoring system, with one label at most.
type Figure struct {
	Name, Help, Label, LabelValue string
	Value                         float64
}

// Figures reads what a monitoring system wants to know of the engine: workflows by state, runs of the last day by how
// they ended, slots that wait or were missed, and processes alive.
func (d *DB) Figures(ctx context.Context) ([]Figure, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT 'workflows', 'Technical workflows by state; failed ones count as failed.', 'state',
		       CASE WHEN failed THEN 'failed' ELSE state END, count(*)::float8
		FROM xtk.workflow
		GROUP BY 4
		UNION ALL
		SELECT 'runs_24h', 'Runs begun in the last 24 hours by status.', 'status', status, count(*)
		FROM xtk.workflow_task
		WHERE start_date > now() - interval '24 hours'
		GROUP BY 4
		UNION ALL
		SELECT 'slots_24h', 'Due slots of the last 24 hours by what became of them.', 'status', status, sum(occurrences)
		FROM xtk.workflow_event
		WHERE scheduled_at BETWEEN now() - interval '24 hours' AND now()
		GROUP BY 4
		UNION ALL
		SELECT 'orders_waiting', 'Orders of operators that are not applied yet.', '', '', count(*)
		FROM xtk.workflow_job
		WHERE applied_at IS NULL
		UNION ALL
		SELECT 'freeze', 'Whether a freeze is in force: 1 while nothing begins by itself.', '', '', xtk.frozen(now())::int
		UNION ALL
		SELECT 'nodes', 'Processes that hold their lock.', '', '', count(*)
		FROM pg_locks
		WHERE locktype = 'advisory' AND classid = $1 AND objsubid = 2 AND granted
		  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, LockNode)
	if err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Figure])
	if err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	return all, nil
}

// About is what the database says of itself.
type About struct {
	Postgres, Database string
	Schema             int   // version of the schema
	Size               int64 // bytes of the whole database
}

// About reads it.
func (d *DB) About(ctx context.Context) (About, error) {
	var a About
	err := d.Pool.QueryRow(ctx, `
		SELECT current_setting('server_version'), current_database(), version, pg_database_size(current_database())
		FROM xtk.schema_version`).Scan(&a.Postgres, &a.Database, &a.Schema, &a.Size)
	if err != nil {
		return About{}, fmt.Errorf("facts of the database: %w", err)
	}
	return a, nil
}
