package jobtest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// Counters counts rows by triggers on every table, without asking the ledger or PostgreSQL's statistics.
type Counters struct {
	d      *db.DB
	before map[string]tableCount
}

// tableCount is how many rows and partitions a table has.
type tableCount struct{ rows, partitions int64 }

// Count installs the triggers. What is changed from now on is counted, by the session that changed it.
func Count(t testing.TB, d *db.DB) *Counters {
	t.Helper()
	_, err := d.Pool.Exec(context.Background(), `
		CREATE SCHEMA jobtest;
		CREATE TABLE jobtest.counted (table_name text, operation text, row_count bigint, backend int DEFAULT pg_backend_pid());
		CREATE FUNCTION jobtest.count() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO jobtest.counted (table_name, operation, row_count)
			SELECT TG_ARGV[0], TG_OP, count(*) FROM changed HAVING count(*) > 0;
			RETURN NULL;
		END $$;
		DO $$
		DECLARE r record;
		BEGIN
			FOR r IN
				SELECT c.oid::regclass AS name, root.relnamespace::regnamespace || '.' || root.relname AS root, what.*
				FROM pg_class c
				JOIN pg_class root ON root.oid = coalesce(pg_partition_root(c.oid), c.oid), (VALUES ('INSERT', 'NEW'), ('UPDATE', 'NEW'), ('DELETE', 'OLD')) AS what (operation, side)
				WHERE c.relkind IN ('r', 'p')
				  AND c.relnamespace IN ('nms'::regnamespace, 'xtk'::regnamespace)
			LOOP
				EXECUTE format('CREATE TRIGGER jobtest_%s AFTER %s ON %s REFERENCING %s TABLE AS changed
					FOR EACH STATEMENT EXECUTE FUNCTION jobtest.count(%L)', r.operation, r.operation, r.name, r.side, r.root);
			END LOOP;
		END $$`)
	if err != nil {
		t.Fatalf("install the counters: %v", err)
	}
	c := &Counters{d: d}
	c.before = c.tables(t)
	return c
}

// tables counts the rows and the partitions of every table.
func (c *Counters) tables(t testing.TB) map[string]tableCount {
	t.Helper()
	counts := map[string]tableCount{}
	for _, table := range append(businessTables(t, c.d), bookkeeping...) {
		var n tableCount
		name := pgx.Identifier(strings.Split(table, ".")).Sanitize()
		err := c.d.Pool.QueryRow(context.Background(), `
			SELECT (SELECT count(*) FROM `+name+`), (SELECT count(*) FROM pg_inherits WHERE inhparent = $1::text::regclass)`, name).
			Scan(&n.rows, &n.partitions)
		if err != nil {
			t.Fatalf("count %s: %v", table, err)
		}
		counts[table] = n
	}
	return counts
}

// Check compares the ledger of the only run since Count with the counters: every table, cascades, partitions and dropped
// partitions included. What the Run writes of itself is not looked at; what a workflow deletes of it is.
func (c *Counters) Check(t testing.TB, r Result) {
	t.Helper()
	want := c.counted(t, r)
	after := c.tables(t)
	for table, was := range c.before {
		n, still := after[table]
		if !still { // a work table: its rows are not counted
			want[table] = Effect{Dropped: 1}
		} else if n.partitions < was.partitions {
			e := want[table]
			e.Dropped = was.partitions - n.partitions
			e.Deleted = was.rows + c.inserted(t, table) - n.rows
			want[table] = e
		}
	}
	for _, table := range slices.Sorted(maps.Keys(union(want, r.Effects))) {
		got, expected := r.Effects[table], want[table]
		if slices.Contains(bookkeeping, table) {
			got.Inserted, got.Updated, expected.Inserted, expected.Updated = 0, 0, 0, 0
		}
		if _, known := c.before[table]; known && got != expected {
			t.Errorf("ledger of %s: got %+v, want %+v as triggers counted", table, got, expected)
		}
	}
}

// counted sums what the triggers counted on the run's session.
func (c *Counters) counted(t testing.TB, r Result) map[string]Effect {
	t.Helper()
	rows, err := c.d.Pool.Query(context.Background(), `
		SELECT c.table_name,
		       coalesce(sum(c.row_count) FILTER (WHERE operation = 'INSERT'), 0)::bigint,
		       coalesce(sum(c.row_count) FILTER (WHERE operation = 'UPDATE'), 0)::bigint,
		       coalesce(sum(c.row_count) FILTER (WHERE operation = 'DELETE'), 0)::bigint
		FROM jobtest.counted c
		JOIN xtk.workflow_task t ON t.backend_pid = c.backend
		WHERE t.id = $1
		GROUP BY c.table_name`, r.TaskID)
	want := map[string]Effect{}
	var table string
	var e Effect
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&table, &e.Inserted, &e.Updated, &e.Deleted}, func() error {
			want[table] = e
			return nil
		})
	}
	if err != nil {
		t.Fatalf("read the counters: %v", err)
	}
	return want
}

// inserted is how many rows a table got from all sessions: what a run writes of itself does not go through its own.
func (c *Counters) inserted(t testing.TB, table string) (rows int64) {
	t.Helper()
	err := c.d.Pool.QueryRow(context.Background(), `
		SELECT coalesce(sum(row_count), 0)::bigint
		FROM jobtest.counted
		WHERE table_name = $1 AND operation = 'INSERT'`, table).Scan(&rows)
	if err != nil {
		t.Fatalf("read the counters of %s: %v", table, err)
	}
	return rows
}

// union has every table that either knows.
func union(a, b map[string]Effect) map[string]Effect {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}
