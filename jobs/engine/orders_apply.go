package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// pause takes effect at once, or with the end of the run in progress, which is not interrupted.
func (o order) pause(batch *pgx.Batch) {
	waits := o.Task != 0 && o.TaskMode == "normal"
	var until *time.Time
	if !o.Args.Until.IsZero() {
		until = &o.Args.Until
	}
	batch.Queue(`
		UPDATE xtk.workflow
		SET state = CASE WHEN $2 THEN state ELSE 'paused' END,
		    state_since = CASE WHEN $2 THEN state_since ELSE now() END,
		    paused_at = now(), pause_reason = NULLIF($3, ''), pause_until = $4, state_by = $5,
		    pause_notice_count = 0, pause_last_notice_at = NULL, pause_warning = false
		WHERE id = $1`, o.Workflow, waits, o.Args.Reason, until, o.Login)
	line := "Paused by " + o.Login
	if waits {
		line = fmt.Sprintf("Pause by %s takes effect after run %d", o.Login, o.Task)
	}
	db.QueueLine(batch, o.Workflow, 0, "info", line)
}

// stop takes back what is due and cancels the run in progress, at whose end the workflow is finished; without one it is
// at once. A workflow that was being edited or finished only loses its single run.
func (o order) stop(batch *pgx.Batch) {
	batch.Queue(db.CancelDue, o.Workflow)
	if o.Task != 0 {
		o.askToStop(batch)
		return
	}
	batch.Queue(finishWorkflow, o.Workflow, o.Login)
	db.QueueLine(batch, o.Workflow, 0, "info", "Stopped by "+o.Login)
}

// finishWorkflow ends a workflow's life until it is started again. Parameters: id, who.
const finishWorkflow = `
	UPDATE xtk.workflow
	SET state = 'finished', failed = false, state_since = now(), state_by = $2, next_processing = NULL,
	    paused_at = NULL, pause_reason = NULL, pause_until = NULL, pause_notice_count = 0,
	    pause_last_notice_at = NULL, pause_warning = false
	WHERE id = $1`

// askToStop writes the wish on the run and rings for the process that has it. Asking twice changes nothing.
func (o order) askToStop(batch *pgx.Batch) {
	if o.CancelAsked {
		return
	}
	batch.Queue(`
		UPDATE xtk.workflow_task
		SET cancel_requested = 'stop', cancel_requested_at = now()
		WHERE id = $1 AND status = 'running'`, o.Task)
	batch.Queue(`
		UPDATE xtk.workflow
		SET state = 'stop_pending', failed = false
		WHERE id = $1 AND state NOT IN ('being_edited', 'finished', 'stop_pending')`, o.Workflow)
	db.QueueNotice(batch, db.ChannelStop, o.Task)
}

// makeDue writes an event in the name of who ordered it.
func (o order) makeDue(batch *pgx.Batch, kind, mode string, payload map[string]any) error {
	packed, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	batch.Queue(`
		INSERT INTO xtk.workflow_event (workflow_id, kind, mode, payload, scheduled_at, operator_id, operator_login)
		VALUES ($1, $2, $3, $4, clock_timestamp(), NULLIF($5, 0), $6)`, o.Workflow, kind, mode, packed, o.OperatorID, o.Login)
	return nil
}

// purgeBatch is how many rows of history one transaction deletes.
const purgeBatch = 5000

// purgeHistory deletes a workflow's history in batches: log lines, ended runs with their steps and effects, events that
// are over. The run in progress keeps its event, its row and its lines.
func (e *Engine) purgeHistory(ctx context.Context, id, workflow int64) error {
	for _, sql := range []string{`
		DELETE FROM xtk.workflow_log
		WHERE (id, log_date) IN (
			SELECT l.id, l.log_date
			FROM xtk.workflow_log l
			LEFT JOIN xtk.workflow_task t ON t.id = l.task_id
			WHERE l.workflow_id = $1 AND t.status IS DISTINCT FROM 'running'
			LIMIT $2)`, `
		DELETE FROM xtk.workflow_task
		WHERE id IN (SELECT t.id FROM xtk.workflow_task t WHERE t.workflow_id = $1 AND t.status <> 'running' LIMIT $2)`, `
		DELETE FROM xtk.workflow_event
		WHERE id IN (SELECT e.id FROM xtk.workflow_event e
		             WHERE e.workflow_id = $1 AND e.status IN ('processed', 'skipped', 'missed', 'cancelled')
		             LIMIT $2)`} {
		for {
			done, err := e.config.DB.Pool.Exec(ctx, sql, workflow, purgeBatch)
			if err != nil {
				return fmt.Errorf("purge history: %w", err)
			}
			if done.RowsAffected() < purgeBatch {
				break
			}
		}
	}
	return e.inTx(ctx, func(tx pgx.Tx) error {
		o, found, err := lockOrder(ctx, tx, id, workflow)
		if err != nil || !found {
			return err
		}
		var batch pgx.Batch
		db.QueueLine(&batch, workflow, 0, "info", "History purged by "+o.Login)
		o.close(&batch, applied)
		return tx.SendBatch(ctx, &batch).Close()
	})
}

// selfOrders does what nobody has to order: it ends pauses whose end has come, and starts workflows with a watchdog
// again some time after they failed.
func (e *Engine) selfOrders(ctx context.Context) error {
	rows, err := e.config.DB.Pool.Query(ctx, `
		SELECT w.id, w.failed
		FROM xtk.workflow w
		WHERE w.state IN ('paused', 'pause_pending')
		  AND (NOT w.failed AND w.pause_until <= now() AND (w.next_processing IS NULL OR w.next_processing >= w.pause_until)
		       OR w.failed AND w.watchdog AND w.state_since < now() - make_interval(secs => COALESCE(
		            (SELECT COALESCE(o.long_value::text, o.string_value)::float8 FROM xtk.option o
		             WHERE o.name = 'XtkWorkflow_WatchdogRestartTimerTimeout'), 30)))`)
	if err != nil {
		return fmt.Errorf("pauses that end: %w", err)
	}
	type ended struct {
		ID     int64
		Failed bool
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ended])
	if err != nil {
		return fmt.Errorf("pauses that end: %w", err)
	}
	for _, w := range all {
		if err := e.inTx(ctx, func(tx pgx.Tx) error { return selfOrder(ctx, tx, w.ID, w.Failed) }); err != nil {
			return fmt.Errorf("end the pause of workflow %d: %w", w.ID, err)
		}
		e.ring() // what has come due since the end of the pause is settled next
	}
	return nil
}

// selfOrder starts one workflow in the system's name: a planned pause goes on, a failure begins anew.
func selfOrder(ctx context.Context, tx pgx.Tx, workflow int64, failed bool) error {
	o := order{Workflow: workflow, Login: db.Self, Command: db.Start, Args: db.OrderArgs{From: db.Paused, FromFailed: failed}}
	var dueNow bool
	err := tx.QueryRow(ctx, `
		SELECT w.state, COALESCE(w.next_processing <= now() AND NOT xtk.frozen(now()), false),
		       (SELECT COALESCE(sum(e.occurrences), 0) FROM xtk.workflow_event e
		        WHERE e.workflow_id = w.id AND e.status = 'skipped' AND e.reason = 'paused'
		          AND COALESCE(e.scheduled_to, e.scheduled_at) >= w.paused_at)
		FROM xtk.workflow w
		WHERE w.id = $1 AND w.state IN ('paused', 'pause_pending') AND w.failed = $2 AND (w.failed OR w.pause_until <= now())
		FOR UPDATE OF w`, workflow, failed).Scan(&o.Situation.State, &dueNow, &o.PausedSlots)
	if err != nil {
		return ignoreNone(err)
	}
	var batch pgx.Batch
	if failed {
		o.Command = db.Restart
		o.begin(&batch, true)
		err = o.makeDue(&batch, "manual", "normal", map[string]any{})
	} else {
		err = o.endPause(&batch, dueNow)
	}
	if err != nil {
		return err
	}
	return tx.SendBatch(ctx, &batch).Close()
}

// endPause starts a workflow whose pause was to end now. One run makes up for the slots of the pause: that of a slot that
// is due at its end, where there is one. A pause that its run has outlasted never took effect.
func (o order) endPause(batch *pgx.Batch, dueNow bool) error {
	switch {
	case o.Situation.State == db.PausePending:
		return o.resume(batch, "", nil, "Started by "+db.Self+": the pause ended before the run in progress")
	case dueNow && o.PausedSlots > 0:
		return o.resume(batch, "", nil, fmt.Sprintf(
			"Started by %s: %d occurrence(s) missed during the pause, the run that is due now makes up for them", db.Self, o.PausedSlots))
	}
	return o.start(batch)
}
