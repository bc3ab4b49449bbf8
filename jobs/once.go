package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Once does an effect outside the database at most once per key: begun and done is skipped when repeated; do failed
// is taken back; begun and never confirmed is not repeated and shown as "result unknown". A simulation logs "would: effect" instead.
// An error that wraps ErrUnknown, or a run stopped while do was at work, leaves the result unknown.
func (r *Run) Once(ctx context.Context, key, effect string, do func(context.Context) error) error {
	if r.Simulated() {
		r.Log("would: %s", effect)
		return nil
	}
	if r.tx != nil {
		return fmt.Errorf("%s: %w", effect, errNested)
	}
	begun, done, err := r.beginOnce(ctx, key, effect)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", effect, err)
	case done:
		r.Log("%s: done before, not repeated", effect)
		return nil
	case !begun:
		r.Warn("%s: result unknown, begun before and not confirmed; not repeated", effect)
		return nil
	}
	failure := do(ctx)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	switch {
	case failure == nil:
		return r.bookkeep(end, `UPDATE xtk.workflow_outside_effect SET done_at = clock_timestamp() WHERE key = $1`, key)
	case errors.Is(failure, ErrUnknown) || ctx.Err() != nil:
		r.Warn("%s: result unknown: %s", effect, shortly(failure))
	default:
		if err := r.bookkeep(end, `DELETE FROM xtk.workflow_outside_effect WHERE key = $1 AND done_at IS NULL`, key); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", effect, failure), err)
		}
	}
	return r.asked(ctx, fmt.Errorf("%s: %w", effect, failure))
}

// beginOnce writes the key before the effect is begun. A key that is there already says whether its effect was confirmed.
func (r *Run) beginOnce(ctx context.Context, key, effect string) (begun, done bool, err error) {
	release, err := r.take(ctx)
	if err != nil {
		return false, false, err
	}
	defer release()
	var doneAt *time.Time
	err = r.session.QueryRow(ctx, `
		WITH begun AS (
			INSERT INTO xtk.workflow_outside_effect (key, workflow_id, task_id, effect)
			VALUES ($1, $2, $3, $4)
			ON CONFLICT (key) DO NOTHING
			RETURNING key
		)
		SELECT EXISTS (SELECT 1 FROM begun), (SELECT done_at FROM xtk.workflow_outside_effect WHERE key = $1)`,
		key, r.task.workflowID, r.task.id, effect).Scan(&begun, &doneAt)
	return begun, doneAt != nil, r.asked(ctx, err)
}

// bookkeep runs a statement of the Run's own tables, which the ledger does not show.
func (r *Run) bookkeep(ctx context.Context, sql string, args ...any) error {
	release, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	_, err = r.session.Exec(ctx, sql, args...)
	return r.asked(ctx, err)
}
