package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// queueStopNow is the unconditional stop: the workflow is finished and its run ended, although its function may still
// work on a session that nothing it writes is believed from any more.
func queueStopNow(batch *pgx.Batch, w orderedWorkflow, login string) {
	// A workflow that was being edited or finished only loses its run.
	batch.Queue(`
		UPDATE xtk.workflow
		SET state = CASE WHEN state = 'being_edited' THEN state ELSE 'finished' END, failed = false,
		    state_since = now(), state_by = $2, next_processing = NULL, paused_at = NULL, pause_reason = NULL,
		    pause_until = NULL, pause_notice_count = 0, pause_last_notice_at = NULL, pause_warning = false
		WHERE id = $1`, w.ID, login)
	batch.Queue(CancelDue, w.ID)
	// Orders that wait are void: they were given to a workflow that still worked.
	batch.Queue(`
		UPDATE xtk.workflow_job
		SET applied_at = now(), outcome = 'void: stopped unconditionally'
		WHERE workflow_id = $1 AND applied_at IS NULL`, w.ID)
	if w.RunningTask != 0 {
		queueEndNow(batch, w, login)
	}
}

// queueEndNow ends the running task in the tables and asks its engine to drop the session.
func queueEndNow(batch *pgx.Batch, w orderedWorkflow, login string) {
	batch.Queue(`
		UPDATE xtk.workflow_task
		SET status = 'stopped', completion_date = now(), cancel_requested = 'unconditional_stop', cancel_requested_at = now(),
		    error_message = left('Stopped unconditionally by ' || $2, 512)
		WHERE id = $1 AND status = 'running'`, w.RunningTask, login)
	batch.Queue(`
		UPDATE xtk.workflow_task_step
		SET status = 'stopped', end_date = now()
		WHERE task_id = $1 AND status = 'running'`, w.RunningTask)
	batch.Queue(`
		UPDATE xtk.workflow_event
		SET status = 'processed', outcome = 'stopped'
		WHERE workflow_id = $1 AND status = 'processing'`, w.ID)
	QueueNotice(batch, ChannelStop, w.RunningTask)
}

// CancelDue takes back all that is due for a workflow ($1) and was not begun, with the reason that it was stopped.
const CancelDue = `
	UPDATE xtk.workflow_event
	SET status = 'cancelled', reason = 'stopped'
	WHERE workflow_id = $1 AND status = 'pending'`

// killSession acts on whoever still holds the workflow's lock as WdbcKillSessionPolicy says: 0 nothing, 1 cancel its
// statement, 2 end its session.
func (d *DB) killSession(ctx context.Context, w orderedWorkflow) error {
	function := map[string]string{"1": "pg_cancel_backend", "2": "pg_terminate_backend"}[w.KillPolicy]
	if w.RunningTask == 0 || function == "" {
		return nil
	}
	if _, err := d.Pool.Exec(ctx, `
		SELECT `+function+`(l.pid)
		FROM pg_locks l
		WHERE l.locktype = 'advisory' AND l.classid = $1 AND l.objid = $2::bigint::oid AND l.objsubid = 2 AND l.granted
		  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`, LockWorkflow, w.ID); err != nil {
		return fmt.Errorf("reach the session of workflow %d: %w", w.ID, err)
	}
	return nil
}
