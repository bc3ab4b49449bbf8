package jobs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// dropFirst drops the partitions none of whose rows survives the rule, before anything is counted: to count their rows
// once is most of what it takes. A partition in use, one that other tables refer to, one that is still written and the
// default one are left to the batches. So is every partition in a simulation, whose drop would keep real work waiting;
// there its rows are deleted, and taken back.
func (w *purge) dropFirst(ctx context.Context) error {
	if !w.Partitions {
		return nil
	}
	condition := w.newest
	if w.Simulated() {
		condition = w.none
	}
	if err := w.mayDrop(ctx, condition); err != nil || w.Simulated() {
		return err
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

// mayDrop finds, with one question, the partitions that have ended, are not referred to, and whose rows meet a condition.
func (w *purge) mayDrop(ctx context.Context, condition func(leaf) string) error {
	var conditions []string
	for _, part := range w.leaves {
		if part.partition && part.over {
			conditions = append(conditions, condition(part))
		} else {
			conditions = append(conditions, "false")
		}
	}
	var met []bool
	args := append(append([]any{}, w.Args...), w.name.Sanitize())
	err := w.within(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, fmt.Sprintf(`
			SELECT CASE WHEN NOT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = $%d::text::regclass)
			       THEN ARRAY[%s]::boolean[] END`, len(args), strings.Join(conditions, ", ")), args...).Scan(&met)
	})
	for i := range met {
		w.leaves[i].outlived = met[i]
	}
	return err
}

// dropWhole drops a partition that may be dropped, and reports whether it did.
func (w *purge) dropWhole(ctx context.Context, part leaf) (bool, error) {
	if !part.outlived {
		return false, nil
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

// none says that no row of a partition survives. Of a rule that looks at nothing but the age, the youngest row answers.
func (w *purge) none(part leaf) string {
	if w.Where == "t."+w.Age+" < $1" {
		return w.newest(part)
	}
	return `NOT EXISTS (SELECT FROM ` + part.name.Sanitize() + ` t WHERE (` + w.Where + `) IS NOT TRUE)`
}

// newest says that the youngest row does not survive, which an index on the age tells at once; one without an age counts
// as younger than all. It spares a partition that is to stand the lock under which all of its rows may be looked at.
func (w *purge) newest(part leaf) string {
	if w.Age == "" {
		return w.none(part)
	}
	return `coalesce((SELECT (` + w.Where + `) FROM ` + part.name.Sanitize() + ` t ORDER BY t.` + pgx.Identifier{w.Age}.Sanitize() + ` DESC NULLS FIRST LIMIT 1), false)`
}

// drop takes the partition if it is free at once, counts its rows, makes sure that none survives, and drops it.
// Half a second is less than PostgreSQL takes to look for a deadlock: whoever else is in the way is not the victim.
func (w *purge) drop(ctx context.Context, part leaf) (rows int64, err error) {
	table := part.name.Sanitize()
	changes, err := w.attempt(ctx, w.name.Sanitize(), func(t *transaction) error {
		if _, err := t.Exec(ctx, `SET LOCAL lock_timeout = '500ms'`); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `LOCK TABLE `+table+` IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		none := false
		count := `SELECT (SELECT count(*) FROM ` + table + `), ` + w.none(part)
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

// wouldDrop notes, in a simulation, a partition with rows to delete that a real run would drop.
func (w *purge) wouldDrop(part leaf) {
	if !w.Simulated() || !part.outlived {
		return
	}
	w.facts.Dropped = append(w.facts.Dropped, part.name[1])
	w.journal.changed([]change{{table: w.Table, dropped: 1}})
	w.Log("would: drop partition %s", part.name[1])
}

// DropTable drops a work table in a transaction of its own, with a lock_timeout of 5 s; a table in use is left with a warning.
// Its rows are not counted. It reports whether it was dropped (in a simulation: whether it would be).
// What depends on the table is never dropped with it: such a table is left with a warning too, and so is a view of that name.
func (r *Run) DropTable(ctx context.Context, schema, table string) (bool, error) {
	name := pgx.Identifier{schema, table}.Sanitize()
	if r.Simulated() {
		return r.wouldDropTable(ctx, schema, table)
	}
	changes, err := r.attempt(ctx, "", func(t *transaction) error {
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
