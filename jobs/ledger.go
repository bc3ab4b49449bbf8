package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// change is what one transaction did to one table, partitions under the name of their parent.
type change struct {
	table                               string
	inserted, updated, deleted, dropped int64
	estimated                           bool
}

func (c change) rows() int64 { return c.inserted + c.updated + c.deleted }

// tally is PostgreSQL's count of one table's rows inserted, updated and deleted by the transaction.
type tally [3]int64

// tallies holds the counts of the tables that have any, by oid.
type tallies map[uint32]tally

// add adds the difference of two readings.
func (t tallies) add(after, before tallies) {
	for oid, a := range after {
		b, sum := before[oid], t[oid]
		for i := range sum {
			sum[i] += a[i] - b[i]
		}
		t[oid] = sum
	}
}

// columns gives the counts as arrays, for a statement.
func (t tallies) columns() (oids []uint32, inserted, updated, deleted []int64) {
	for oid, n := range t {
		oids = append(oids, oid)
		inserted, updated, deleted = append(inserted, n[0]), append(updated, n[1]), append(deleted, n[2])
	}
	return oids, inserted, updated, deleted
}

// readTallies gives the rows that the session's open transaction has inserted, updated and deleted so far, per table.
// It asks the functions below pg_stat_xact_user_tables about the tables known ($1) and those made since ($2): the view,
// or a walk through pg_class, costs more than a small batch. Temporary tables are left out.
const readTallies = `
	SELECT c.oid,
	       pg_stat_get_xact_tuples_inserted(c.oid) AS inserted,
	       pg_stat_get_xact_tuples_updated(c.oid) AS updated,
	       pg_stat_get_xact_tuples_deleted(c.oid) AS deleted
	FROM (
		SELECT unnest($1::oid[]) AS oid
		UNION ALL
		SELECT oid
		FROM pg_class
		WHERE oid > $2::oid
		  AND relkind = 'r'
		  AND relpersistence <> 't'
	) c`

const snapshotTallies = `SELECT oid, inserted, updated, deleted FROM (` + readTallies + `) x WHERE inserted + updated + deleted > 0`

// tableList is the tables that a run may change, read again now and then: a work table is made by anybody.
type tableList struct {
	oids []uint32
	top  uint32 // above it are tables made since
	read time.Time
}

// listFor is how long a list of tables is taken for complete but for what is made meanwhile.
const listFor = 10 * time.Second

// tables returns the list, for a session on which tx is open.
func (r *Run) tables(ctx context.Context, tx pgx.Tx) (tableList, error) {
	if time.Since(r.list.read) < listFor {
		return r.list, nil
	}
	l := tableList{read: time.Now()}
	err := tx.QueryRow(ctx, `
		SELECT coalesce(array_agg(oid) FILTER (WHERE relkind = 'r' AND relpersistence <> 't' AND oid >= 16384), '{}'), max(oid)
		FROM pg_class`).Scan(&l.oids, &l.top)
	if err != nil {
		return l, fmt.Errorf("list the tables: %w", err)
	}
	r.list = l
	return l, nil
}

// What the transaction changed: its counts now, less those it began with, plus what only the caller knows of
// (the rows of a dropped partition). Partitions count for their parent.
const settleTallies = `
	WITH change AS (
		SELECT table_name,
		       sum(inserted)::bigint AS inserted,
		       sum(updated)::bigint AS updated,
		       sum(deleted)::bigint AS deleted,
		       sum(dropped)::bigint AS dropped,
		       bool_or(estimated) AS estimated
		FROM (
			SELECT n.nspname || '.' || root.relname AS table_name,
			       a.inserted - coalesce(b.inserted, 0) AS inserted,
			       a.updated - coalesce(b.updated, 0) AS updated,
			       a.deleted - coalesce(b.deleted, 0) AS deleted,
			       0 AS dropped,
			       false AS estimated
			FROM (` + readTallies + `) a
			LEFT JOIN unnest($3::oid[], $4::bigint[], $5::bigint[], $6::bigint[]) AS b (oid, inserted, updated, deleted) USING (oid)
			JOIN pg_class root ON root.oid = coalesce(pg_partition_root(a.oid), a.oid)
			JOIN pg_namespace n ON n.oid = root.relnamespace
			WHERE a.inserted + a.updated + a.deleted > coalesce(b.inserted + b.updated + b.deleted, 0)
			UNION ALL
			SELECT table_name, 0, 0, deleted, dropped, estimated
			FROM unnest($7::text[], $8::bigint[], $9::bigint[], $10::boolean[]) AS known (table_name, deleted, dropped, estimated)
		) every
		GROUP BY table_name
	)`

// recordChanges writes the transaction's changes into the ledger, in the same transaction: the ledger is what was
// committed, whatever happens to the process. It reads the counts before it adds its own rows.
const recordChanges = `,
	record AS (
		INSERT INTO xtk.workflow_task_effect AS e
		       (task_id, step_order, table_name, inserted, updated, deleted, dropped, estimated)
		SELECT $11, $12, table_name, inserted, updated, deleted, dropped, estimated
		FROM change
		ON CONFLICT (task_id, step_order, table_name) DO UPDATE
		SET inserted = e.inserted + EXCLUDED.inserted,
		    updated = e.updated + EXCLUDED.updated,
		    deleted = e.deleted + EXCLUDED.deleted,
		    dropped = e.dropped + EXCLUDED.dropped,
		    estimated = e.estimated OR EXCLUDED.estimated
	)`

const listChanges = `
	SELECT table_name, inserted, updated, deleted, dropped, estimated
	FROM change`

// snapshot reads the counts of the transaction as they are now.
func (r *Run) snapshot(ctx context.Context, tx pgx.Tx) (tallies, error) {
	list, err := r.tables(ctx, tx)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, snapshotTallies, list.oids, list.top)
	if err != nil {
		return nil, fmt.Errorf("read the counts of the transaction: %w", err)
	}
	defer rows.Close()
	counts := tallies{}
	for rows.Next() {
		var oid uint32
		var n tally
		if err := rows.Scan(&oid, &n[0], &n[1], &n[2]); err != nil {
			return nil, fmt.Errorf("read the counts of the transaction: %w", err)
		}
		counts[oid] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the counts of the transaction: %w", err)
	}
	return counts, nil
}

// settle works out what the transaction changed and, in a real run, writes it to the ledger. What a deferred
// constraint would do at the commit is done now, so that it counts. PostgreSQL is told to start its counts anew after
// the commit, so that the next transaction need not read what they begin with.
func (t *transaction) settle(ctx context.Context) ([]change, error) {
	list, err := t.run.tables(ctx, t.Tx)
	if err != nil {
		return nil, err
	}
	oids, inserted, updated, deleted := t.before.columns()
	var tables []string
	var rows, drops []int64
	var estimates []bool
	for _, c := range t.known {
		tables, rows, drops, estimates = append(tables, c.table), append(rows, c.deleted), append(drops, c.dropped), append(estimates, c.estimated)
	}
	args := []any{list.oids, list.top, oids, inserted, updated, deleted, tables, rows, drops, estimates}
	sql := settleTallies
	if !t.run.Simulated() {
		sql += recordChanges
		args = append(args, t.run.task.id, t.run.journal.step())
	}
	var batch pgx.Batch
	batch.Queue(`SET CONSTRAINTS ALL IMMEDIATE`)
	var changes []change
	batch.Queue(sql+listChanges, args...).Query(func(found pgx.Rows) (err error) {
		changes, err = pgx.CollectRows(found, scanChange)
		return err
	})
	batch.Queue(`SELECT pg_stat_force_next_flush()`)
	if err := t.Tx.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("ledger of the transaction: %w", err)
	}
	return changes, nil
}

func scanChange(row pgx.CollectableRow) (change, error) {
	var c change
	err := row.Scan(&c.table, &c.inserted, &c.updated, &c.deleted, &c.dropped, &c.estimated)
	return c, err
}
