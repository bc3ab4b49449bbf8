package jobs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	defaultBatch = 5000
	slowBatch    = 2 * time.Second
	slowPause    = 10 * time.Millisecond
)

// countLimit is for a count that only serves the progress. What such a count of a smaller index or table takes is less
// than the start of the processes that would share it.
const (
	countLimit    = "5s"
	countSettings = `
		SELECT set_config('statement_timeout', '` + countLimit + `', true),
		       set_config('min_parallel_index_scan_size', '64MB', true),
		       set_config('min_parallel_table_scan_size', '64MB', true)`
)

// Purge names rows to delete: those of Table for which Where holds, Batch rows a transaction, with
// rows locked by others left for the next run.
type Purge struct {
	Table string // schema-qualified
	Key   string // unique column that orders the batches; empty: id
	Where string // predicate over the table, written with the alias t ("t.last_modified < $1")
	Args  []any
	Batch int    // rows a transaction; 0: 5,000
	Age   string // date column (of t) that the rule looks at, for the plan of a simulation; empty: none
	// Partitioned tables: a partition of which no row survives Where is dropped whole, its rows counted into the ledger first.
	Partitions bool
}

// Purge deletes the rows of a table that match one predicate, oldest ids first, in batches. The same
// predicate counts them before (for progress and for the plan of a simulation) and deletes them.
// It returns the rows deleted, those of dropped partitions included, those removed by a cascade not.
func (r *Run) Purge(ctx context.Context, effect string, p Purge) (int64, error) {
	w := &purge{Run: r, Purge: p, effect: effect}
	done, err := w.run(ctx)
	if err != nil {
		return done, fmt.Errorf("%s: %w", effect, err)
	}
	return done, nil
}

// purge is one Purge at work.
type purge struct {
	*Run
	Purge
	effect  string
	name    pgx.Identifier // of the table
	keyType string
	leaves  []leaf  // the tables that hold the rows: the partitions, or the table itself
	total   *int64  // rows that match, nil when counting took too long
	top     *string // the last key of the table, when the rows could not be counted
	facts   ruleFacts
	b       *batches
}

// leaf is a table with rows of its own.
type leaf struct {
	name      pgx.Identifier
	partition bool
	over      bool  // a partition whose range has ended before the run's cut-off
	outlived  bool  // one of which no row survives, as it seems
	rows      int64 // that match, as they were counted
}

func (w *purge) run(ctx context.Context) (int64, error) {
	if err := w.describe(ctx); err != nil {
		return 0, err
	}
	w.b = w.batches(w.Table, -1)
	defer w.b.finish()
	defer w.tell()
	if err := w.dropFirst(ctx); err != nil {
		return w.b.done, err
	}
	if err := w.count(ctx); err != nil {
		return w.b.done, err
	}
	if w.total != nil {
		*w.total += w.b.done
		if w.b.total = *w.total; w.b.total == w.b.done {
			return w.b.done, nil
		}
	}
	if done, skipped, err := w.tooLarge(ctx); skipped || err != nil {
		return done, err
	}
	for _, part := range w.leaves {
		if w.total != nil && part.rows == 0 {
			continue
		}
		w.wouldDrop(part)
		if err := w.empty(ctx, part); err != nil {
			return w.b.done, err
		}
	}
	return w.b.done, w.left(ctx)
}

// describe finds the key's type and the tables that hold the rows.
func (w *purge) describe(ctx context.Context) error {
	if w.Key == "" {
		w.Key = "id"
	}
	if w.Batch <= 0 {
		w.Batch = defaultBatch
	}
	w.name = pgx.Identifier(strings.Split(w.Table, "."))
	w.facts = ruleFacts{Effect: w.effect, Table: w.Table}
	err := w.Query(ctx, func(row pgx.Rows) error { return row.Scan(&w.keyType) }, `
		SELECT format_type(a.atttypid, a.atttypmod)
		FROM pg_attribute a
		WHERE a.attrelid = $1::text::regclass
		  AND a.attname = $2
		  AND NOT a.attisdropped`, w.name.Sanitize(), w.Key)
	if err != nil {
		return err
	}
	if w.keyType == "" {
		return fmt.Errorf("%s has no column %s", w.Table, w.Key)
	}
	// Partitions oldest first, by their bounds as text: all are months of one column.
	err = w.Query(ctx, func(row pgx.Rows) error {
		var schema, table string
		var part leaf
		err := row.Scan(&schema, &table, &part.partition, &part.over)
		part.name = pgx.Identifier{schema, table}
		w.leaves = append(w.leaves, part)
		return err
	}, `
		SELECT n.nspname, c.relname, c.relispartition,
		       coalesce(substring(pg_get_expr(c.relpartbound, c.oid) FROM $$TO \('([^']*)'\)$$)::timestamptz <= $2, false)
		FROM pg_partition_tree($1::text::regclass) tree
		JOIN pg_class c ON c.oid = tree.relid
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE tree.isleaf
		ORDER BY pg_get_expr(c.relpartbound, c.oid), c.relname`, w.name.Sanitize(), w.Now())
	if len(w.leaves) == 0 {
		w.leaves = []leaf{{name: w.name}}
	}
	return err
}

// count counts the rows that match, within 5 s in a real run: without a total the progress has no end, and the batches
// go to the last key that the table has now. A simulation is there to count, so it takes its time.
func (w *purge) count(ctx context.Context) error {
	begin := time.Now()
	err := w.counting(ctx)
	if sqlState(err) == queryCanceled && ctx.Err() == nil {
		w.Log("%s: counting took more than %s, going on without a total", w.Table, countLimit)
		return w.lastKey(ctx)
	}
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	if *w.total > 0 {
		w.Log("%s: %s counted (%s), batches of %s", w.Table, counted(*w.total, "row"), duration(time.Since(begin)), number(int64(w.Batch)))
	}
	return nil
}

func (w *purge) key() string { return pgx.Identifier{w.Key}.Sanitize() }

// ages is the oldest and the newest of the rows that are counted, for the plan of a simulation.
func (w *purge) ages() string {
	if w.Age == "" || !w.Simulated() {
		return "NULL::timestamptz, NULL::timestamptz"
	}
	age := "t." + pgx.Identifier{w.Age}.Sanitize() + "::timestamptz"
	return "min(" + age + "), max(" + age + ")"
}

// aged widens the facts of the rule by the ages of some rows.
func (w *purge) aged(oldest, newest *time.Time) {
	if oldest != nil && (w.facts.Oldest == nil || oldest.Before(*w.facts.Oldest)) {
		w.facts.Oldest = oldest
	}
	if newest != nil && (w.facts.Newest == nil || newest.After(*w.facts.Newest)) {
		w.facts.Newest = newest
	}
}

// counting counts the rows of each leaf and, in a simulation, finds their ages. It asks for no key, so that an index on
// what the rule looks at is enough to answer.
func (w *purge) counting(ctx context.Context) error {
	if len(w.leaves) == 0 { // all were dropped
		w.total = new(int64)
		return nil
	}
	var sql []string
	for i, part := range w.leaves {
		sql = append(sql, fmt.Sprintf(`
			SELECT %d, count(*), %s
			FROM %s t
			WHERE (%s)`, i, w.ages(), part.name.Sanitize(), w.Where))
	}
	return w.within(ctx, func(tx pgx.Tx) error {
		if !w.Simulated() {
			if _, err := tx.Exec(ctx, countSettings); err != nil {
				return err
			}
		}
		rows, err := tx.Query(ctx, strings.Join(sql, " UNION ALL "), w.Args...)
		if err != nil {
			return err
		}
		total, i, found := int64(0), 0, int64(0)
		var oldest, newest *time.Time
		_, err = pgx.ForEachRow(rows, []any{&i, &found, &oldest, &newest}, func() error {
			w.leaves[i].rows = found
			total += found
			w.aged(oldest, newest)
			return nil
		})
		w.total = &total
		return err
	})
}

// lastKey finds the last key of the table. Some types have an order and no maximum: they go without a bound.
func (w *purge) lastKey(ctx context.Context) error {
	w.total = nil
	if w.keyType == "uuid" || w.keyType == "bytea" || w.keyType == "boolean" {
		return nil
	}
	return w.within(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "SELECT max(t."+w.key()+")::text FROM "+w.name.Sanitize()+" t").Scan(&w.top)
	})
}

// within reads in a transaction of its own: nothing goes to the ledger, nothing stays set. Like Tx it is repeated when a
// lock stood in its way.
func (r *Run) within(ctx context.Context, fn func(pgx.Tx) error) error {
	return r.repeat(ctx, func() error {
		release, err := r.take(ctx)
		if err != nil {
			return err
		}
		defer release()
		within, err := r.begin(ctx)
		if err != nil {
			return err
		}
		defer func() {
			end, done := ending(ctx)
			defer done()
			_ = within.Rollback(end)
		}()
		return fn(within)
	})
}

// left tells what was counted and not deleted: rows that others hold, or that have changed since.
func (w *purge) left(ctx context.Context) error {
	if w.total == nil || w.b.done >= *w.total {
		return nil
	}
	total := w.total
	err := w.counting(ctx)
	remaining := w.total
	w.total = total
	if sqlState(err) == queryCanceled && ctx.Err() == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("count what is left: %w", err)
	}
	if w.facts.Locked = *remaining; *remaining > 0 {
		w.Warn("%s: %s locked by another session, left for the next run", w.Table, counted(*remaining, "row"))
	}
	return nil
}

// tell keeps the facts of the rule with the step.
func (w *purge) tell() {
	w.facts.Rows = w.total
	w.journal.edit(func(s *step) { s.rules = append(s.rules, w.facts) })
}

// Rows that a rehearsal deletes at most by one rule, when the option is not set.
const defaultRowLimit = 5_000_000

// tooLarge spares a simulation a rule above XtkSimulation_RowLimit: its rows are taken from the count, an upper
// bound marked as estimated, since earlier rules may take some of them.
func (w *purge) tooLarge(ctx context.Context) (rows int64, skipped bool, err error) {
	if !w.Simulated() {
		return 0, false, nil
	}
	limit, err := w.rowLimit(ctx)
	if err != nil || *w.total <= limit {
		return 0, false, err
	}
	w.facts.Estimated = true
	w.journal.changed([]change{{table: w.Table, deleted: *w.total, estimated: true}})
	w.Log("would: %s: %s, counted and not rehearsed (more than %s)", w.effect, counted(*w.total, "row"), number(limit))
	return *w.total, true, nil
}

// rowLimit is the option XtkSimulation_RowLimit.
func (r *Run) rowLimit(ctx context.Context) (int64, error) {
	value, ok, err := r.Option(ctx, "XtkSimulation_RowLimit")
	if err != nil || !ok {
		return defaultRowLimit, err
	}
	var limit int64
	if _, err := fmt.Sscan(value, &limit); err != nil || limit <= 0 {
		r.Warn("XtkSimulation_RowLimit is %q, not a number above 0: %s taken", value, number(defaultRowLimit))
		return defaultRowLimit, nil
	}
	return limit, nil
}
