package delivery

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"nightshift/jobs"
)

const undefinedTable = "42P01"

// refreshStatistics vacuums and analyzes every table of ours, one by one, so that a stop finds its place between two.
// XtkCleanup_NoStats makes it analyze only (2), or leave the tables alone (1).
func refreshStatistics(ctx context.Context, r *jobs.Run) error {
	value, set, err := r.Option(ctx, "XtkCleanup_NoStats")
	if err != nil {
		return err
	}
	command := "VACUUM (ANALYZE) "
	switch {
	case !set || value == "0" || value == "":
	case value == "2":
		command = "ANALYZE "
	case value == "1":
		r.Log("Option 'XtkCleanup_NoStats' is set to '1'")
		return nil
	default:
		r.Warn("XtkCleanup_NoStats is %q, not 0, 1 or 2: task skipped", value)
		return nil
	}
	tables, err := ownTables(ctx, r)
	if err != nil {
		return err
	}
	if r.Simulated() {
		r.Log("would: %sof %d tables", command, len(tables))
		return nil
	}
	for i, name := range tables {
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
		err := r.Session(ctx, command+name, command+name)
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code == undefinedTable {
			r.Log("%s is gone meanwhile", name)
		} else if busy(err) {
			r.Warn("left for the next run: %v", err)
		} else if err != nil {
			return err
		}
		r.Progress(int64(i+1), int64(len(tables)), "tables")
	}
	r.Say("%d tables", len(tables))
	return nil
}

// ownTables lists the tables of the two schemas that our role may vacuum, partitioned ones as a whole.
func ownTables(ctx context.Context, r *jobs.Run) ([]string, error) {
	var tables []string
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var schema, name string
		err := rows.Scan(&schema, &name)
		tables = append(tables, pgx.Identifier{schema, name}.Sanitize())
		return err
	}, `
		SELECT n.nspname, c.relname
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('nms', 'xtk')
		  AND c.relkind IN ('r', 'p')
		  AND NOT c.relispartition
		  AND pg_has_role(c.relowner, 'USAGE')
		ORDER BY n.nspname, c.relname`)
	if err != nil {
		return nil, fmt.Errorf("tables to vacuum: %w", err)
	}
	return tables, nil
}
