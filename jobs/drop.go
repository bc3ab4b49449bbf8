package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// dropWhole drops a partition none of whose rows survives the rule, and reports whether it did. Its rows are counted
// under a lock that keeps writers out, and go to the ledger as deleted. A partition in use, one that other tables
// refer to, one that is still written and the default one are left to the batches. So is every partition in a
// simulation, whose drop would keep real work waiting; there its rows are deleted, and taken back.
func (w *purge) dropWhole(ctx context.Context, part leaf) (bool, error) {
	if !w.Partitions || !part.partition || !part.over {
		return false, nil
	}
	var none, referred bool
	args := append([]any{}, w.Args...)
	err := w.within(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, fmt.Sprintf(`
			SELECT NOT EXISTS (SELECT 1 FROM %s t WHERE (%s) IS NOT TRUE),
			       EXISTS (SELECT 1 FROM pg_constraint WHERE contype = 'f' AND confrelid = $%d::text::regclass)`,
			part.name.Sanitize(), w.Where, len(args)+1), append(args, w.name.Sanitize())...).Scan(&none, &referred)
	})
	if err != nil || !none || referred {
		return false, err
	}
	if w.Simulated() {
		return false, w.wouldDrop(ctx, part)
	}
	begin := time.Now()
	rows, err := w.drop(ctx, part)
	switch {
	case sqlState(err) == lockNotAvailable || sqlState(err) == deadlock:
		w.Log("partition %s is in use, its rows are deleted in batches", part.name[1])
		return false, nil
	case err != nil || rows == 0:
		return false, err
	}
	w.facts.Dropped = append(w.facts.Dropped, part.name[1])
	w.Log("partition %s dropped with %s (%s)", part.name[1], counted(rows, "row"), duration(time.Since(begin)))
	return true, w.b.add(ctx, rows, 0)
}

// drop takes the partition if it is free at once, counts its rows, makes sure again that none survives, and drops it.
// Half a second is less than PostgreSQL takes to look for a deadlock: whoever else is in the way is not the victim.
func (w *purge) drop(ctx context.Context, part leaf) (rows int64, err error) {
	table := part.name.Sanitize()
	changes, err := w.attempt(ctx, func(t *transaction) error {
		if _, err := t.Exec(ctx, `SET LOCAL lock_timeout = '500ms'`); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `LOCK TABLE `+table+` IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		none := false
		count := `SELECT count(*), count(*) FILTER (WHERE (` + w.Where + `) IS NOT TRUE) = 0 FROM ` + table + ` t`
		if err := t.QueryRow(ctx, count, w.Args...).Scan(&rows, &none); err != nil {
			return err
		}
		if rows == 0 || !none {
			rows = 0
			return nil
		}
		t.known = append(t.known, change{table: w.Table, deleted: rows, dropped: 1})
		_, err := t.Exec(ctx, `DROP TABLE `+table)
		return err
	})
	if err != nil {
		return 0, w.asked(ctx, err)
	}
	w.journal.changed(changes)
	return rows, nil
}

// wouldDrop notes a partition that a real run would drop, unless it is empty.
func (w *purge) wouldDrop(ctx context.Context, part leaf) error {
	filled := false
	err := w.Query(ctx, func(row pgx.Rows) error { return row.Scan(&filled) },
		`SELECT EXISTS (SELECT 1 FROM `+part.name.Sanitize()+`)`)
	if err != nil || !filled {
		return err
	}
	w.facts.Dropped = append(w.facts.Dropped, part.name[1])
	w.journal.changed([]change{{table: w.Table, dropped: 1}})
	w.Log("would: drop partition %s", part.name[1])
	return nil
}

// DropTable drops a work table in a transaction of its own, with a lock_timeout of 5 s; a table in use is left with a warning.
// Its rows are not counted. It reports whether it was dropped (in a simulation: whether it would be).
// What depends on the table is never dropped with it: such a table is left with a warning too, and so is a view of that name.
func (r *Run) DropTable(ctx context.Context, schema, table string) (bool, error) {
	name := pgx.Identifier{schema, table}.Sanitize()
	if r.Simulated() {
		return r.wouldDropTable(ctx, schema, table)
	}
	changes, err := r.attempt(ctx, func(t *transaction) error {
		if _, err := t.Exec(ctx, `SET LOCAL lock_timeout = '5s'`); err != nil {
			return err
		}
		t.known = append(t.known, change{table: schema + "." + table, dropped: 1})
		_, err := t.Exec(ctx, `DROP TABLE `+name)
		return err
	})
	switch sqlState(err) {
	case lockNotAvailable, deadlock:
		r.Warn("table %s.%s is in use, left for the next run", schema, table)
		return false, nil
	case undefinedTable:
		return false, nil
	case dependentObjects, wrongObject:
		r.Warn("table %s.%s left: %s", schema, table, shortly(err))
		return false, nil
	}
	if err != nil {
		return false, r.asked(ctx, fmt.Errorf("drop table %s: %w", name, err))
	}
	r.journal.changed(changes)
	r.Log("Table %s dropped", table)
	return true, nil
}

// wouldDropTable drops the table and takes that back at once, so that nobody waits for the end of the rehearsal.
func (r *Run) wouldDropTable(ctx context.Context, schema, table string) (bool, error) {
	name := pgx.Identifier{schema, table}.Sanitize()
	err := r.within(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DROP TABLE `+name)
		return err
	})
	switch sqlState(err) {
	case "":
	case undefinedTable:
		return false, nil
	case lockNotAvailable, dependentObjects, wrongObject:
		r.Warn("would leave table %s.%s: %s", schema, table, shortly(err))
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("drop table %s: %w", name, err)
	}
	r.journal.changed([]change{{table: schema + "." + table, dropped: 1}})
	r.Log("would: drop table %s", table)
	return true, nil
}
