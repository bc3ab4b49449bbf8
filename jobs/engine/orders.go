package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// order is an operator's order that waits, with the workflow it is for, locked.
type order struct {
	ID         int64
	Command    db.Command
	Args       db.OrderArgs
	OperatorID *int64
	Login      string

	Workflow    int64
	Name        string
	Situation   db.Situation
	Task        int64 // the run in progress; 0: none
	TaskMode    string
	CancelAsked bool
	PausedSlots int64 // slots skipped since the pause
	FailedTask  int64 // the newest run, when it failed
}

// waiting is an order that is not applied yet.
type waiting struct{ ID, Workflow int64 }

// applyOrders applies what operators ordered, oldest first, each in a transaction of its own. An order that cannot be
// applied now (a restart whose run still ends) stays queued.
func (e *Engine) applyOrders(ctx context.Context, orders []waiting) error {
	var failed []error
	for _, w := range orders {
		if err := e.applyOrder(ctx, w.ID, w.Workflow); err != nil {
			failed = append(failed, fmt.Errorf("order %d: %w", w.ID, err))
		}
	}
	return errors.Join(failed...)
}

func (e *Engine) applyOrder(ctx context.Context, id, workflow int64) error {
	purge := false
	err := e.inTx(ctx, func(tx pgx.Tx) error {
		o, found, err := lockOrder(ctx, tx, id, workflow)
		if err != nil || !found {
			return err
		}
		if o.Command == db.PurgeHistory {
			purge = true
			return nil
		}
		outcome, err := o.apply(ctx, tx)
		if err != nil || outcome == "" {
			return err
		}
		return o.close(ctx, tx, outcome)
	})
	if err != nil || !purge {
		return err
	}
	return e.purgeHistory(ctx, id, workflow)
}

// lockOrder locks the workflow and then the order, as those who give orders do. found is false when another process
// was faster.
func lockOrder(ctx context.Context, tx pgx.Tx, id, workflow int64) (o order, found bool, err error) {
	o = order{ID: id, Workflow: workflow}
	var args []byte
	var batch pgx.Batch
	batch.Queue(`
		SELECT internal_name, state, failed, built
		FROM xtk.workflow
		WHERE id = $1
		FOR UPDATE`, workflow).QueryRow(func(row pgx.Row) error {
		return row.Scan(&o.Name, &o.Situation.State, &o.Situation.Failed, &o.Situation.Built)
	})
	// What was skipped while the workflow was paused, and whether its newest run failed, decide how a start goes on.
	batch.Queue(`
		SELECT j.command, j.args, j.operator_id, j.operator_login,
		       COALESCE(t.id, 0), COALESCE(t.mode, ''), t.cancel_requested IS NOT NULL,
		       (SELECT COALESCE(sum(e.occurrences), 0) FROM xtk.workflow_event e
		        WHERE e.workflow_id = w.id AND e.status = 'skipped' AND e.reason = 'paused'
		          AND COALESCE(e.scheduled_to, e.scheduled_at) >= w.paused_at),
		       COALESCE((SELECT CASE last.status WHEN 'failed' THEN last.id END
		                 FROM xtk.workflow_task last
		                 WHERE last.workflow_id = w.id AND last.mode = 'normal'
		                 ORDER BY last.start_date DESC, last.id DESC LIMIT 1), 0)
		FROM xtk.workflow_job j
		JOIN xtk.workflow w ON w.id = j.workflow_id
		LEFT JOIN xtk.workflow_task t ON t.workflow_id = w.id AND t.status = 'running'
		WHERE j.id = $1 AND j.applied_at IS NULL
		FOR UPDATE OF j`, id).QueryRow(func(row pgx.Row) error {
		return row.Scan(&o.Command, &args, &o.OperatorID, &o.Login, &o.Task, &o.TaskMode, &o.CancelAsked, &o.PausedSlots, &o.FailedTask)
	})
	err = tx.SendBatch(ctx, &batch).Close()
	if errors.Is(err, pgx.ErrNoRows) {
		return o, false, nil
	}
	if err != nil {
		return o, false, fmt.Errorf("read: %w", err)
	}
	o.Situation.Running = o.Task != 0
	if err := json.Unmarshal(args, &o.Args); err != nil {
		return o, false, fmt.Errorf("arguments: %w", err)
	}
	return o, true, nil
}

// close notes the outcome. One that begins with "void" is told in the journal, because somebody waits for it.
func (o order) close(ctx context.Context, tx pgx.Tx, outcome string) error {
	if _, err := tx.Exec(ctx, `
		UPDATE xtk.workflow_job
		SET applied_at = now(), outcome = $2
		WHERE id = $1`, o.ID, outcome); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if len(outcome) > 4 && outcome[:4] == "void" {
		return db.LogWorkflow(ctx, tx, o.Workflow, 0, "warning",
			fmt.Sprintf("%s requested by %s is not applied any more: the workflow is %s", o.Command.AuditName(), o.Login, o.Situation.State))
	}
	return nil
}

const applied = "applied"

// apply judges the order again, against the state that other orders have left, and does it. An empty outcome leaves it queued.
func (o order) apply(ctx context.Context, tx pgx.Tx) (outcome string, err error) {
	if !o.still() {
		return "void: the workflow is " + o.Situation.State, nil
	}
	switch o.Command {
	case db.Start:
		return applied, o.start(ctx, tx)
	case db.Pause:
		return applied, o.pause(ctx, tx)
	case db.Stop:
		return applied, o.stop(ctx, tx)
	case db.Restart:
		if o.Task == 0 {
			return applied, o.begin(ctx, tx, true)
		}
		return "", o.askToStop(ctx, tx)
	case db.Simulate:
		return applied, o.runOnce(ctx, tx, "simulation")
	case db.RunNow:
		return applied, o.runOnce(ctx, tx, "normal")
	case db.Wakeup:
		return applied, o.wakeup(ctx, tx)
	}
	return "void: unknown", nil
}

// still reports whether the workflow is as the order left it, or as its run's end did.
func (o order) still() bool {
	state := o.Situation.State
	switch o.Command {
	case db.Start:
		return state == db.StartPending
	case db.Pause:
		return state == db.PausePending
	case db.Stop:
		return state == db.StopPending || (state == db.BeingEdited || state == db.Finished) && o.Task != 0
	case db.Restart:
		return slices.Contains([]string{db.StartPending, db.StopPending, db.Finished}, state)
	}
	return o.Command.Judge(o.Situation) == nil
}

// start goes on where a paused workflow stopped, else begins anew.
func (o order) start(ctx context.Context, tx pgx.Tx) error {
	switch {
	case o.Args.From != db.Paused:
		return o.begin(ctx, tx, false)
	case o.Args.FromFailed && o.FailedTask != 0:
		return o.resume(ctx, tx, "resume", map[string]any{"task": o.FailedTask},
			fmt.Sprintf("Started by %s: run %d goes on from the step that failed", o.Login, o.FailedTask))
	case o.PausedSlots > 0:
		return o.resume(ctx, tx, "catch_up", map[string]any{},
			fmt.Sprintf("Started by %s: %d occurrence(s) missed during the pause, one run catches up", o.Login, o.PausedSlots))
	}
	return o.resume(ctx, tx, "", nil, "Started by "+o.Login)
}

// resume ends a pause and makes the run due that stands for it, if any.
func (o order) resume(ctx context.Context, tx pgx.Tx, kind string, payload map[string]any, line string) error {
	if err := o.setStarted(ctx, tx, true, false); err != nil {
		return err
	}
	if kind != "" {
		if err := o.makeDue(ctx, tx, kind, "normal", payload); err != nil {
			return err
		}
	}
	return db.LogWorkflow(ctx, tx, o.Workflow, 0, "info", line)
}

// begin starts from the beginning: what was due is taken back and the schedule is planned anew.
func (o order) begin(ctx context.Context, tx pgx.Tx, keepVariables bool) error {
	if err := db.CancelDue(ctx, tx, o.Workflow); err != nil {
		return err
	}
	if err := o.setStarted(ctx, tx, keepVariables, true); err != nil {
		return err
	}
	return db.LogWorkflow(ctx, tx, o.Workflow, 0, "info", o.Command.AuditName()+"ed by "+o.Login)
}

func (o order) setStarted(ctx context.Context, tx pgx.Tx, keepVariables, anew bool) error {
	if _, err := tx.Exec(ctx, `
		UPDATE xtk.workflow
		SET state = 'started', failed = false, state_since = now(), state_by = $2,
		    variables = CASE WHEN $3 THEN variables ELSE '{}' END,
		    consecutive_errors = 0,
		    execution_count = CASE WHEN $4 THEN 0 ELSE execution_count END,
		    next_processing = CASE WHEN $4 THEN NULL ELSE next_processing END,
		    paused_at = NULL, pause_reason = NULL, pause_until = NULL, pause_notice_count = 0,
		    pause_last_notice_at = NULL, pause_warning = false
		WHERE id = $1`, o.Workflow, o.Login, keepVariables, anew); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	return nil
}
