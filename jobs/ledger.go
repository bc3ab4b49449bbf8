package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
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

// plus adds what another transaction, or another part of this one, did to the same table.
func (c change) plus(d change) change {
	return change{d.table, c.inserted + d.inserted, c.updated + d.updated, c.deleted + d.deleted, c.dropped + d.dropped, c.estimated || d.estimated}
}

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

// snapshotTallies gives the rows that the session's open transaction has inserted, updated and deleted so far, per table.
// It asks the functions below pg_stat_xact_user_tables about the tables known ($1) and those made since ($2): the view,
// or a walk through pg_class, costs more than a small batch. Temporary tables are left out.
const snapshotTallies = `
	SELECT oid, inserted, updated, deleted
	FROM (
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
		) c
	) counts
	WHERE inserted + updated + deleted > 0`

// tableList is the tables that a run may change, read again now and then: a work table is made by anybody.
type tableList struct {
	oids  []uint32
	names map[uint32]string // a partition has its parent's
	top   uint32            // above it are tables made since
	read  time.Time
}

// listFor is how long a list of tables is taken for complete but for what is made meanwhile.
const listFor = 10 * time.Second

// tables returns the list, for a session on which tx is open.
func (r *Run) tables(ctx context.Context, tx pgx.Tx) (tableList, error) {
	if time.Since(r.list.read) < listFor {
		return r.list, nil
	}
	l := tableList{read: time.Now(), names: map[uint32]string{}}
	if err := l.add(ctx, tx, 0); err != nil {
		return l, err
	}
	r.list = l
	return l, nil
}

// add reads the tables above an oid into the list.
func (l *tableList) add(ctx context.Context, tx pgx.Tx, above uint32) error {
	rows, err := tx.Query(ctx, `
		SELECT c.oid, n.nspname || '.' || root.relname
		FROM pg_class c
		JOIN pg_class root ON root.oid = coalesce(pg_partition_root(c.oid), c.oid)
		JOIN pg_namespace n ON n.oid = root.relnamespace
		WHERE c.oid > $1::oid
		  AND c.oid >= 16384
		  AND c.relkind = 'r'
		  AND c.relpersistence <> 't'`, above)
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	var oid uint32
	var name string
	_, err = pgx.ForEachRow(rows, []any{&oid, &name}, func() error {
		l.oids, l.names[oid], l.top = append(l.oids, oid), name, max(l.top, oid)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	return nil
}

// snapshot reads the counts of the transaction as they are once the statements given are done.
func (r *Run) snapshot(ctx context.Context, tx pgx.Tx, first ...string) (tallies, error) {
	list, err := r.tables(ctx, tx)
	if err != nil {
		return nil, err
	}
	var batch pgx.Batch
	for _, sql := range first {
		batch.Queue(sql)
	}
	counts := tallies{}
	batch.Queue(snapshotTallies, list.oids, list.top).Query(func(rows pgx.Rows) error {
		var oid uint32
		var n tally
		_, err := pgx.ForEachRow(rows, []any{&oid, &n[0], &n[1], &n[2]}, func() error {
			counts[oid] = n
			return nil
		})
		return err
	})
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("read the counts of the transaction: %w", err)
	}
	return counts, nil
}

// settle works out what the transaction changed and, in a real run, writes it to the ledger in the same transaction:
// the ledger is what was committed, whatever happens to the process. What a deferred constraint would do at the commit
// is done first, so that it counts.
func (t *transaction) settle(ctx context.Context) ([]change, error) {
	after, err := t.run.snapshot(ctx, t.Tx, `SET CONSTRAINTS ALL IMMEDIATE`)
	if err != nil {
		return nil, err
	}
	changes, err := t.changes(ctx, after)
	if err == nil && !t.run.Simulated() {
		err = t.record(ctx, changes)
	}
	return changes, err
}

// changes sums the counts up by table, less those the transaction began with, plus what only the caller knows of.
func (t *transaction) changes(ctx context.Context, after tallies) ([]change, error) {
	sum := map[string]change{}
	for oid, n := range after {
		before := t.before[oid]
		if n == before {
			continue
		}
		name, ok := t.run.list.names[oid]
		if !ok {
			if err := t.run.list.add(ctx, t.Tx, t.run.list.top); err != nil {
				return nil, err
			}
			name = t.run.list.names[oid]
		}
		sum[name] = sum[name].plus(change{table: name, inserted: n[0] - before[0], updated: n[1] - before[1], deleted: n[2] - before[2]})
	}
	for _, c := range t.known {
		sum[c.table] = sum[c.table].plus(c)
	}
	return slices.Collect(maps.Values(sum)), nil
}

// record adds the changes to the ledger, and has PostgreSQL start its counts anew after the commit, so that the next
// transaction need not read what they begin with.
func (t *transaction) record(ctx context.Context, changes []change) error {
	n := len(changes)
	tables, estimated := make([]string, n), make([]bool, n)
	inserted, updated, deleted, dropped := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i, c := range changes {
		tables[i], estimated[i] = c.table, c.estimated
		inserted[i], updated[i], deleted[i], dropped[i] = c.inserted, c.updated, c.deleted, c.dropped
	}
	var batch pgx.Batch
	batch.Queue(`SELECT pg_stat_force_next_flush()`)
	if n > 0 {
		batch.Queue(`
			INSERT INTO xtk.workflow_task_effect AS e
			       (task_id, step_order, table_name, inserted, updated, deleted, dropped, estimated)
			SELECT $1, $2, c.*
			FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::int[], $8::boolean[]) AS c
			ON CONFLICT (task_id, step_order, table_name) DO UPDATE
			SET inserted = e.inserted + EXCLUDED.inserted,
			    updated = e.updated + EXCLUDED.updated,
			    deleted = e.deleted + EXCLUDED.deleted,
			    dropped = e.dropped + EXCLUDED.dropped,
			    estimated = e.estimated OR EXCLUDED.estimated`,
			t.run.task.id, t.run.journal.step(), tables, inserted, updated, deleted, dropped, estimated)
	}
	if err := t.Tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}
