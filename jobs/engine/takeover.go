package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// maxLosses is how often the process of one event may be lost within lossWindow before its workflow fails.
const (
	maxLosses  = 3
	lossWindow = "72 hours"
)

// lostRun is a task that is running although nobody holds its workflow's lock.
type lostRun struct {
	Task, Workflow, Event int64
	Mode, Node            string
}

// takeOver ends the runs whose process is lost and makes their events due again.
func (e *Engine) takeOver(ctx context.Context) error {
	// The session of a run holds the lock from before its row exists until it ends: a running task without a holder is lost.
	rows, err := e.config.DB.Pool.Query(ctx, `
		SELECT t.id, t.workflow_id, COALESCE(t.event_id, 0), t.mode, t.node
		FROM xtk.workflow_task t
		WHERE t.status = 'running'
		  AND NOT EXISTS (
			SELECT FROM pg_locks l
			WHERE l.locktype = 'advisory' AND l.classid = $1 AND l.objid = t.workflow_id::oid AND l.objsubid = 2 AND l.granted
			  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))`, db.LockWorkflow)
	if err != nil {
		return fmt.Errorf("lost runs: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[lostRun])
	if err != nil {
		return fmt.Errorf("lost runs: %w", err)
	}
	var failed []error
	for _, lost := range all {
		if err := e.inTx(ctx, func(tx pgx.Tx) error { return lost.takeOver(ctx, tx) }); err != nil {
			failed = append(failed, fmt.Errorf("take over run %d: %w", lost.Task, err))
		}
	}
	return errors.Join(failed...)
}

// takeOver interrupts one lost run. The workflow's row is locked and its advisory lock taken, so that the old session is
// known to be over and no other process does the same.
func (l lostRun) takeOver(ctx context.Context, tx pgx.Tx) error {
	var free, still bool
	err := tx.QueryRow(ctx, `
		SELECT pg_try_advisory_xact_lock($2, w.id::int)
		FROM xtk.workflow w
		WHERE w.id = $1
		FOR UPDATE`, l.Workflow, db.LockWorkflow).Scan(&free)
	if err != nil || !free {
		return ignoreNone(err)
	}
	err = tx.QueryRow(ctx, `
		UPDATE xtk.workflow_task
		SET status = 'interrupted', completion_date = clock_timestamp(),
		    error_message = 'The session of this run was lost with its process on ' || node
		WHERE id = $1 AND status = 'running'
		RETURNING true`, l.Task).Scan(&still)
	if err != nil {
		return ignoreNone(err)
	}
	if _, err := tx.Exec(ctx, `
		UPDATE xtk.workflow_task_step
		SET status = 'interrupted', end_date = clock_timestamp()
		WHERE task_id = $1 AND status = 'running'`, l.Task); err != nil {
		return fmt.Errorf("its step: %w", err)
	}
	givenUp, err := l.dueAgain(ctx, tx)
	if err != nil {
		return err
	}
	end := ending{workflow: l.Workflow, task: l.Task, mode: l.Mode, status: "lost", givenUp: givenUp,
		message: fmt.Sprintf("This event caused %d losses of a process", maxLosses)}
	return end.apply(ctx, tx)
}

// dueAgain gives the event back, except after the last loss allowed and for a rehearsal, which nobody waits for.
func (l lostRun) dueAgain(ctx context.Context, tx pgx.Tx) (givenUp bool, err error) {
	var losses int
	err = tx.QueryRow(ctx, `
		UPDATE xtk.workflow_event e
		SET losses = e.losses + 1
		WHERE e.id = $1
		RETURNING (SELECT count(*) FROM xtk.workflow_task t
		           WHERE t.event_id = e.id AND t.status = 'interrupted'
		             AND t.completion_date > now() - $2::interval)`, l.Event, lossWindow).Scan(&losses)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return false, fmt.Errorf("its event: %w", err)
	}
	givenUp = losses >= maxLosses && l.Mode == "normal"
	again := !givenUp && l.Mode == "normal"
	if _, err := tx.Exec(ctx, `
		UPDATE xtk.workflow_event
		SET status = CASE WHEN $2 THEN 'pending' ELSE 'processed' END, outcome = CASE WHEN NOT $2 THEN 'interrupted' END
		WHERE id = $1 AND status = 'processing'`, l.Event, again); err != nil {
		return givenUp, fmt.Errorf("its event: %w", err)
	}
	line, level := fmt.Sprintf("Run %d lost its process on %s", l.Task, l.Node), "warning"
	switch {
	case givenUp:
		line, level = fmt.Sprintf("%s, the %d. loss in %s: it is not tried again", line, losses, lossWindow), "error"
	case again:
		line = fmt.Sprintf("%s: taken over, a new run begins (loss %d of %d)", line, losses, maxLosses)
	}
	return givenUp, db.LogWorkflow(ctx, tx, l.Workflow, l.Task, level, line)
}
