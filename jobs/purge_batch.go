package jobs

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// keyRange is a part of the keys of one leaf: after one key, up to another; nil has no bound. Dense says that nearly
// every whole number in it was the key of one.
type keyRange struct {
	after, upTo *string
	rows        int64 // that match in it, as far as is known
	dense       bool
}

// empty deletes what matches in one table, batch by batch, until as many rows were passed as were counted.
func (w *purge) empty(ctx context.Context, part leaf) error {
	s := keyRange{dense: w.whole()}
	for passed := int64(0); w.total == nil || passed < part.rows; {
		begin := time.Now()
		wanted := int64(w.Batch)
		if w.total != nil {
			wanted = min(wanted, part.rows-passed)
		}
		s = keyRange{after: s.upTo, rows: wanted, dense: s.dense}
		deleted, err := w.batch(ctx, part, &s)
		if w.blocked(err) {
			w.Warn("%s: rows locked by another session, not rehearsed further", w.Table)
			return nil
		}
		if err != nil {
			return err
		}
		if deleted > 0 {
			if err := w.b.add(ctx, deleted, time.Since(begin)); err != nil {
				return err
			}
		}
		if s.upTo == nil {
			return nil
		}
		passed += s.rows
	}
	return nil
}

// batch deletes the rows of the next keyRange, completes it, and returns how many rows that were. Rows that others hold
// make it wait a moment, then it is tried again without them.
func (w *purge) batch(ctx context.Context, part leaf, s *keyRange) (deleted int64, err error) {
	window, err := w.window(ctx, part, s)
	if err == nil && !window {
		err = w.bound(ctx, part, s)
	}
	if err != nil {
		return 0, err
	}
	delete := func(sql string, args []any, hurry bool) ([]change, error) {
		return w.together(ctx, w.name.Sanitize(), func(batch *pgx.Batch) {
			if hurry && !w.Simulated() {
				batch.Queue(`SET LOCAL lock_timeout = '50ms'`)
			}
			batch.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
				deleted = tag.RowsAffected()
				return nil
			})
		})
	}
	sql, args := w.rangeSQL(part, *s)
	changes, err := delete(sql, args, true)
	switch {
	case err == nil:
		w.journal.changed(changes)
	case passing(err):
		sql, args = w.freeSQL(part, *s)
		err = w.change(ctx, func() ([]change, error) { return delete(sql, args, false) })
	default:
		err = w.asked(ctx, err)
	}
	if err != nil {
		return 0, err
	}
	if window {
		s.rows, s.dense = deleted, deleted+deleted/20 >= int64(w.Batch)
	}
	return deleted, nil
}

// window makes the range as many whole numbers wide as a batch has rows, where the keys before it lay dense: more rows
// than a batch it cannot hold, and nobody need read them first to find where the batch ends. The first range is tried so
// from the first key that matches, if it is a whole batch.
func (w *purge) window(ctx context.Context, part leaf, s *keyRange) (bool, error) {
	if !s.dense || s.after == nil && s.rows < int64(w.Batch) {
		return false, nil
	}
	if s.after == nil {
		sql, args := w.nextSQL(part, keyRange{rows: 1})
		first, err := w.find(ctx, sql, args)
		if err != nil || first == nil {
			return false, err
		}
		n, err := strconv.ParseInt(*first, 10, 64)
		if err != nil {
			return false, err
		}
		before := strconv.FormatInt(n-1, 10)
		s.after = &before
	}
	last, err := strconv.ParseInt(*s.after, 10, 64)
	if err != nil || last > math.MaxInt64-int64(w.Batch) {
		return false, err
	}
	end := strconv.FormatInt(last+int64(w.Batch), 10)
	s.upTo = &end
	return true, nil
}

// bound finds the last key of a range of so many rows; with fewer left it has none but the table's when counting began.
func (w *purge) bound(ctx context.Context, part leaf, s *keyRange) (err error) {
	sql, args := w.nextSQL(part, *s)
	s.dense = false
	if s.upTo, err = w.find(ctx, sql, args); err != nil || s.upTo == nil || s.after == nil || !w.whole() {
		return err
	}
	first, _ := strconv.ParseInt(*s.after, 10, 64)
	last, _ := strconv.ParseInt(*s.upTo, 10, 64)
	s.dense = last-first <= s.rows+s.rows/20
	return nil
}

// whole says that the keys are whole numbers.
func (w *purge) whole() bool {
	return slices.Contains([]string{"bigint", "integer", "smallint"}, w.keyType)
}

// find reads a key, or nil when there is none. That leaves PostgreSQL's counts as they are.
func (w *purge) find(ctx context.Context, sql string, args []any) (key *string, err error) {
	clean := w.clean
	err = w.Query(ctx, func(row pgx.Rows) error { return row.Scan(&key) }, sql, args...)
	w.clean = clean
	return key, err
}

// keys is the condition on the keys that the batch looks at: after the last batch's, up to a bound.
func (w *purge) keys(after, upTo *string) (string, []any) {
	args := append([]any{}, w.Args...)
	sql, kind := "", w.keyType
	if w.whole() {
		kind = "bigint" // a window may end above what the type holds
	}
	for _, bound := range []struct {
		sign string
		key  *string
	}{{">", after}, {"<=", upTo}} {
		if bound.key != nil {
			args = append(args, *bound.key)
			sql += fmt.Sprintf(" AND t.%s %s $%d::text::%s", w.key(), bound.sign, len(args), kind)
		}
	}
	return sql, args
}

// nextSQL finds the last key of the next batch, or nothing when fewer rows are left than a batch takes. It goes on from
// the key before: a search from the start of the table would pass over all that is deleted already, each time.
func (w *purge) nextSQL(part leaf, s keyRange) (string, []any) {
	keys, args := w.keys(s.after, w.top)
	return fmt.Sprintf(`
		SELECT t.%[1]s::text
		FROM %[2]s t
		WHERE (%[3]s)%[4]s
		ORDER BY t.%[1]s
		OFFSET $%[5]d
		LIMIT 1`, w.key(), part.name.Sanitize(), w.Where, keys, len(args)+1), append(args, s.rows-1)
}

// rangeSQL deletes what matches in a range: one index scan.
func (w *purge) rangeSQL(part leaf, s keyRange) (string, []any) {
	keys, args := w.keys(s.after, w.end(s))
	return fmt.Sprintf(`
		DELETE FROM %s t
		WHERE (%s)%s`, part.name.Sanitize(), w.Where, keys), args
}

// end is where a range ends: at the last key of the table when counting began, if it has no other.
func (w *purge) end(s keyRange) *string {
	if s.upTo == nil {
		return w.top
	}
	return s.upTo
}

// freeSQL does the same without the rows that others hold, by their place: looking them up by key would tempt the
// planner to read the whole table for each batch.
func (w *purge) freeSQL(part leaf, s keyRange) (string, []any) {
	keys, args := w.keys(s.after, w.end(s))
	return fmt.Sprintf(`
		DELETE FROM %[1]s
		WHERE ctid = ANY (ARRAY(
			SELECT t.ctid
			FROM %[1]s t
			WHERE (%[2]s)%[3]s
			ORDER BY t.%[4]s
			FOR UPDATE OF t SKIP LOCKED))`, part.name.Sanitize(), w.Where, keys, w.key()), args
}
