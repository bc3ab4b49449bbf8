package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// dropFirst drops the partitions none of whose rows survives the rule, before anything is counted: to read their rows
// once is most of what it takes. A partition in use, one that other tables refer to, one that is still written and the
// default one are left to the batches. So is every partition in a simulation, whose drop would keep real work waiting;
// there its rows are deleted, and taken back.
func (w *purge) dropFirst(ctx context.Context) error {
	if !w.Partitions || w.Simulated() {
		return nil
	}
	var standing []leaf
	for _, part := range w.leaves {
		dropped, err := w.dropWhole(ctx, part)
		if err != nil {
			return err
		}
		if !dropped {
			standing = append(standing, part)
		}
	}
	w.leaves = standing
	return nil
}

// dropWhole drops a partition, and reports whether it did.
func (w *purge) dropWhole(ctx context.Context, part leaf) (bool, error) {
	if may, err := w.mayDrop(ctx, part, w.newest(part)); err != nil || !may {
		return false, err
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

// none says that no row of a partition survives.
func (w *purge) none(part leaf) string {
	return `NOT EXISTS (SELECT 1 FROM ` + part.name.Sanitize() + ` t WHERE (` + w.Where + `) IS NOT TRUE)`
}

// newest says that the youngest row does not survive, which an index on the age tells at once. It spares a partition that
// is to stand the lock under which all of its rows are looked at.
func (w *purge) newest(part leaf) string {
	if w.Age == "" {
		return w.none(part)
	}
	return `coalesce((SELECT (` + w.Where + `) FROM ` + part.name.Sanitize() + ` t ORDER BY t.` + pgx.Identifier{w.Age}.Sanitize() + ` DESC LIMIT 1), false)`
}

// mayDrop reports that a partition has ended, is not referred to, and that a condition on its rows holds.
func (w *purge) mayDrop(ctx context.Context, part leaf, condition string) (may bool, err error) {
	if !w.Partitions || !part.partition || !part.over {
		return false, nil
	}
	args := append(append([]any{}, w.Args...), w.name.Sanitize())
	err = w.within(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, fmt.Sprintf(`
			SELECT NOT EXISTS (SELECT 1 FROM pg_constraint WHERE contype = 'f' AND confrelid = $%d::text::regclass) AND %s`,
			len(args), condition), args...).Scan(&may)
	})
	return may, err
}

// drop takes the partition if it is free at once, counts its rows, makes sure that none survives, and drops it.
// Half a second is less than PostgreSQL takes to look for a deadlock: whoever else is in the way is not the victim.
func (w *purge) drop(ctx context.Context, part leaf) (rows int64, err error) {
	table := part.name.Sanitize()
	var oldest, newest *time.Time
	changes, err := w.attempt(ctx, func(t *transaction) error {
		if _, err := t.Exec(ctx, `SET LOCAL lock_timeout = '500ms'`); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `LOCK TABLE `+table+` IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		none := false
		count := `SELECT count(*), count(*) FILTER (WHERE (` + w.Where + `) IS NOT TRUE) = 0, ` + w.ages() + ` FROM ` + table + ` t`
		if err := t.QueryRow(ctx, count, w.Args...).Scan(&rows, &none, &oldest, &newest); err != nil {
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
	if rows > 0 {
		w.aged(oldest, newest)
	}
	w.journal.changed(changes)
	return rows, nil
}

// wouldDrop notes, in a simulation, a partition with rows to delete that a real run would drop.
func (w *purge) wouldDrop(ctx context.Context, part leaf) error {
	if !w.Simulated() {
		return nil
	}
	if may, err := w.mayDrop(ctx, part, w.none(part)); err != nil || !may {
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
