package db

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	monthsBack  = 14
	monthsAhead = 2
	// lockPartitions lets one process at a time make partitions.
	lockPartitions = 73010002
)

// EnsurePartitions gives every table that is partitioned by month the partitions from 14 months ago to 2 months ahead
// that it lacks, named like nms.broad_log_2026_11. Rows of such a month that waited in the default partition move in.
// The engine calls it daily, Migrate each time. It returns how many it made.
func (d *DB) EnsurePartitions(ctx context.Context) (int, error) {
	conn, err := d.RunSession(ctx, "nightshift partitions")
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return ensurePartitions(ctx, conn)
}

// partitioned is a table split by month over one date column.
type partitioned struct {
	Schema, Table, Column, Default string
	Options                        []string // storage parameters of the default partition, which the others share
}

func ensurePartitions(ctx context.Context, conn *pgx.Conn) (int, error) {
	tables, err := partitionedTables(ctx, conn)
	if err != nil {
		return 0, err
	}
	var now time.Time
	if err := conn.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return 0, fmt.Errorf("partitions: %w", err)
	}
	first := time.Date(now.UTC().Year(), now.UTC().Month()-monthsBack, 1, 0, 0, 0, 0, time.UTC)
	made := 0
	for _, table := range tables {
		for i := range monthsBack + monthsAhead + 1 {
			created, err := table.ensure(ctx, conn, first.AddDate(0, i, 0))
			if err != nil {
				return made, fmt.Errorf("partition of %s.%s: %w", table.Schema, table.Table, err)
			}
			if created {
				made++
			}
		}
	}
	return made, nil
}

// partitionedTables finds the tables that are split by range over one column and have a default partition.
func partitionedTables(ctx context.Context, conn *pgx.Conn) ([]partitioned, error) {
	rows, err := conn.Query(ctx, `
		SELECT n.nspname, c.relname, a.attname, def.relname, COALESCE(def.reloptions, '{}')
		FROM pg_partitioned_table p
		JOIN pg_class c ON c.oid = p.partrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = p.partattrs[0]
		JOIN pg_class def ON def.oid = p.partdefid
		WHERE p.partstrat = 'r'
		  AND p.partnatts = 1
		  AND n.nspname IN ('nms', 'xtk')
		ORDER BY n.nspname, c.relname`)
	if err != nil {
		return nil, fmt.Errorf("find the partitioned tables: %w", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[partitioned])
	if err != nil {
		return nil, fmt.Errorf("find the partitioned tables: %w", err)
	}
	return tables, nil
}

// ensure makes the partition of one month unless it exists. The rows that it takes out of the default partition are
// moved under the lock that attaching needs anyway.
func (p partitioned) ensure(ctx context.Context, conn *pgx.Conn, month time.Time) (bool, error) {
	name := p.Table + month.Format("_2006_01")
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, pgx.Identifier{p.Schema, name}.Sanitize()).Scan(&exists); err != nil || exists {
		return false, err
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockPartitions); err != nil {
		return false, err
	}
	if err := tx.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, pgx.Identifier{p.Schema, name}.Sanitize()).Scan(&exists); err != nil || exists {
		return false, err
	}
	for _, statement := range p.statements(name, month) {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
	}
	return true, tx.Commit(ctx)
}

func (p partitioned) statements(name string, month time.Time) []string {
	parent, partition := pgx.Identifier{p.Schema, p.Table}.Sanitize(), pgx.Identifier{p.Schema, name}.Sanitize()
	waiting, column := pgx.Identifier{p.Schema, p.Default}.Sanitize(), pgx.Identifier{p.Column}.Sanitize()
	from, to := month.Format("'2006-01-02 00:00:00+00'"), month.AddDate(0, 1, 0).Format("'2006-01-02 00:00:00+00'")
	create := fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED)", partition, parent)
	if len(p.Options) > 0 {
		create += " WITH (" + strings.Join(p.Options, ", ") + ")"
	}
	return []string{
		"LOCK TABLE " + parent + " IN SHARE UPDATE EXCLUSIVE MODE",
		"LOCK TABLE " + waiting + " IN ACCESS EXCLUSIVE MODE",
		create,
		fmt.Sprintf("WITH moved AS (DELETE FROM %s WHERE %s >= %s AND %s < %s RETURNING *) INSERT INTO %s SELECT * FROM moved",
			waiting, column, from, column, to, partition),
		fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)", parent, partition, from, to),
	}
}
