package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// empty deletes what matches in one table, batch by batch.
func (w *purge) empty(ctx context.Context, part leaf) error {
	var last *string
	for {
		begin := time.Now()
		deleted, next, err := w.batch(ctx, part, last)
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
		if next == nil {
			return nil
		}
		last = next
	}
}

// batch deletes the next rows after a key and returns how many, and the last of their keys, nil for the last batch.
// Rows that others hold make it wait a moment, then it is tried again without them.
func (w *purge) batch(ctx context.Context, part leaf, last *string) (deleted int64, next *string, err error) {
	delete := func(statement func(leaf, *string, *string) (string, []any), hurry bool) func(*transaction) error {
		return func(t *transaction) error {
			next = nil
			sql, args := w.nextSQL(part, last)
			if err := t.QueryRow(ctx, sql, args...).Scan(&next); err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
			upTo := next
			if next == nil {
				upTo = w.top
			}
			var batch pgx.Batch
			if hurry && !w.Simulated() {
				batch.Queue(`SET LOCAL lock_timeout = '50ms'`)
			}
			sql, args = statement(part, last, upTo)
			batch.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
				deleted = tag.RowsAffected()
				return nil
			})
			return t.SendBatch(ctx, &batch).Close()
		}
	}
	changes, err := w.attempt(ctx, delete(w.rangeSQL, true))
	if err == nil {
		w.journal.changed(changes)
		return deleted, next, nil
	}
	if !passing(err) {
		return 0, nil, w.asked(ctx, err)
	}
	err = w.change(ctx, delete(w.freeSQL, false))
	return deleted, next, err
}

// keys is the condition on the keys that the batch looks at: after the last batch's, up to a bound.
func (w *purge) keys(after, upTo *string) (string, []any) {
	args := append([]any{}, w.Args...)
	sql := ""
	for _, bound := range []struct {
		sign string
		key  *string
	}{{">", after}, {"<=", upTo}} {
		if bound.key != nil {
			args = append(args, *bound.key)
			sql += fmt.Sprintf(" AND t.%s %s $%d::text::%s", w.key(), bound.sign, len(args), w.keyType)
		}
	}
	return sql, args
}

// nextSQL finds the last key of the next batch, or nothing when fewer rows are left than a batch takes. It goes on from
// the key before: a search from the start of the table would pass over all that is deleted already, each time.
func (w *purge) nextSQL(part leaf, last *string) (string, []any) {
	keys, args := w.keys(last, w.top)
	return fmt.Sprintf(`
		SELECT t.%[1]s::text
		FROM %[2]s t
		WHERE (%[3]s)%[4]s
		ORDER BY t.%[1]s
		OFFSET $%[5]d
		LIMIT 1`, w.key(), part.name.Sanitize(), w.Where, keys, len(args)+1), append(args, w.Batch-1)
}

// rangeSQL deletes what matches between two keys: one index scan.
func (w *purge) rangeSQL(part leaf, last, next *string) (string, []any) {
	keys, args := w.keys(last, next)
	return fmt.Sprintf(`
		DELETE FROM %s t
		WHERE (%s)%s`, part.name.Sanitize(), w.Where, keys), args
}

// freeSQL does the same without the rows that others hold, by their place: looking them up by key would tempt the
// planner to read the whole table for each batch.
func (w *purge) freeSQL(part leaf, last, next *string) (string, []any) {
	keys, args := w.keys(last, next)
	return fmt.Sprintf(`
		DELETE FROM %[1]s
		WHERE ctid = ANY (ARRAY(
			SELECT t.ctid
			FROM %[1]s t
			WHERE (%[2]s)%[3]s
			ORDER BY t.%[4]s
			FOR UPDATE OF t SKIP LOCKED))`, part.name.Sanitize(), w.Where, keys, w.key()), args
}
