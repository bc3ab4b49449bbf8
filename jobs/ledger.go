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

// countTallies gives the rows that the session's open transaction has inserted, updated and deleted so far, per table.
// It asks the functions below pg_stat_xact_user_tables about the tables known ($1) and those made since ($2): the view,
// or a walk through pg_class, costs more than a small batch. Temporary tables are left out.
const countTallies = `
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

// flushTallies has PostgreSQL start its counts anew at the end of the transaction, so that the next need not read what
// they begin with.
const flushTallies = `SELECT pg_stat_force_next_flush()`

// settleTallies sums the counts up by table, less those that the transaction began with ($3 to $6), plus what only the
// caller knows of ($7 to $12), and adds them to the ledger of a step ($13, $14) unless the run is a simulation ($15).
// A partition goes under the name of its parent; the rows of a table that is gone again by now go nowhere.
const settleTallies = `
	WITH changes AS MATERIALIZED (
		SELECT table_name, sum(inserted)::bigint AS inserted, sum(updated)::bigint AS updated, sum(deleted)::bigint AS deleted,
		       sum(dropped)::int AS dropped, bool_or(estimated) AS estimated
		FROM (
			SELECT (SELECT n.nspname || '.' || root.relname
			        FROM pg_class root
			        JOIN pg_namespace n ON n.oid = root.relnamespace
			        WHERE root.oid = coalesce(pg_partition_root(c.oid), c.oid)) AS table_name,
			       c.inserted, c.updated, c.deleted, 0 AS dropped, false AS estimated
			FROM (` + countTallies + `
				UNION ALL
				SELECT oid, -inserted, -updated, -deleted
				FROM unnest($3::oid[], $4::bigint[], $5::bigint[], $6::bigint[]) AS b (oid, inserted, updated, deleted)
			) c
			UNION ALL
			SELECT *
			FROM unnest($7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::int[], $12::boolean[])
		) parts
		WHERE table_name IS NOT NULL
		GROUP BY table_name
		HAVING (sum(inserted), sum(updated), sum(deleted), sum(dropped)) <> (0, 0, 0, 0)
	), recorded AS (
		INSERT INTO xtk.workflow_task_effect AS e
		       (task_id, step_order, table_name, inserted, updated, deleted, dropped, estimated)
		SELECT $13, $14, c.*
		FROM changes c
		WHERE NOT $15
		ON CONFLICT (task_id, step_order, table_name) DO UPDATE
		SET inserted = e.inserted + EXCLUDED.inserted,
		    updated = e.updated + EXCLUDED.updated,
		    deleted = e.deleted + EXCLUDED.deleted,
		    dropped = e.dropped + EXCLUDED.dropped,
		    estimated = e.estimated OR EXCLUDED.estimated
	)
	SELECT *
	FROM changes`

// tableList is the tables that a run may change, read again now and then: a work table is made by anybody.
type tableList struct {
	root string // the table whose rows are deleted; empty: any table
	oids []uint32
	top  uint32 // above it are tables made since
	read time.Time
}

// listFor is how long a list of tables is taken for complete but for what is made meanwhile.
const listFor = 10 * time.Second

// tables reads the list of what a DELETE from the root can change, unless it is young: the root's own partitions, and the
// tables whose foreign keys act. A trigger or a rule on one of them may change any table, and so may any other statement.
func (r *Run) tables(ctx context.Context, root string) error {
	if r.list.root == root && time.Since(r.list.read) < listFor {
		return nil
	}
	l, on := tableList{root: root, read: time.Now()}, querier(r.session)
	if r.rehearsal != nil {
		on = r.rehearsal
	}
	err := each(ctx, on, func(row pgx.Rows) error { return row.Scan(&l.oids, &l.top) }, `
		WITH RECURSIVE reach (oid) AS (
			SELECT to_regclass($1)::oid
			WHERE $1 <> ''
			UNION
			SELECT next.oid
			FROM reach
			CROSS JOIN LATERAL (
				SELECT inhrelid AS oid
				FROM pg_inherits
				WHERE inhparent = reach.oid
				UNION ALL
				SELECT conrelid
				FROM pg_constraint
				WHERE confrelid = reach.oid
				  AND contype = 'f'
				  AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))
			) next
		)
		SELECT array_agg(c.oid) FILTER (WHERE anything OR c.oid IN (SELECT oid FROM reach)), max(c.oid)
		FROM pg_class c
		CROSS JOIN (
			SELECT $1 = ''
			       OR EXISTS (SELECT FROM pg_trigger t JOIN reach ON reach.oid = t.tgrelid WHERE NOT t.tgisinternal)
			       OR EXISTS (SELECT FROM pg_rewrite w JOIN reach ON reach.oid = w.ev_class) AS anything
		) touched
		WHERE c.oid >= 16384
		  AND c.relkind = 'r'
		  AND c.relpersistence <> 't'`, root)
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	r.list = l
	return nil
}

// snapshot reads the counts of the open transaction.
func (r *Run) snapshot(ctx context.Context, tx pgx.Tx) (tallies, error) {
	counts := tallies{}
	err := each(ctx, tx, func(row pgx.Rows) error {
		var oid uint32
		var n tally
		err := row.Scan(&oid, &n[0], &n[1], &n[2])
		counts[oid] = n
		return err
	}, countTallies, r.list.oids, r.list.top)
	if err != nil {
		return nil, fmt.Errorf("read the counts of the transaction: %w", err)
	}
	return counts, nil
}

// settle queues, as the last statements of a transaction, what works out its changes and, in a real run, writes them to
// the ledger: the ledger is what was committed, whatever happens to the process. What a deferred constraint would do at
// the commit is done first, so that it counts.
func (r *Run) settle(batch *pgx.Batch, before tallies, known []change) *[]change {
	var oids []uint32
	var less [3][]int64
	for oid, counts := range before {
		oids = append(oids, oid)
		for i, n := range counts {
			less[i] = append(less[i], n)
		}
	}
	n := len(known)
	tables, estimated, dropped := make([]string, n), make([]bool, n), make([]int64, n)
	inserted, updated, deleted := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, c := range known {
		tables[i], estimated[i], dropped[i] = c.table, c.estimated, c.dropped
		inserted[i], updated[i], deleted[i] = c.inserted, c.updated, c.deleted
	}
	changes := new([]change)
	batch.Queue(`SET CONSTRAINTS ALL IMMEDIATE`)
	if !r.Simulated() {
		batch.Queue(`SET LOCAL plan_cache_mode = force_generic_plan`) // to plan what follows takes three times as long as to do it
	}
	batch.Queue(settleTallies, r.list.oids, r.list.top, oids, less[0], less[1], less[2],
		tables, inserted, updated, deleted, dropped, estimated,
		r.task.id, r.journal.step(), r.Simulated()).Query(func(rows pgx.Rows) error {
		var c change
		_, err := pgx.ForEachRow(rows, []any{&c.table, &c.inserted, &c.updated, &c.deleted, &c.dropped, &c.estimated}, func() error {
			*changes = append(*changes, c)
			return nil
		})
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
		return nil
	})
	if !r.Simulated() {
		batch.Queue(flushTallies)
	}
	return changes
}
