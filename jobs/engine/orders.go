package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// order is an operator's order that waits, with the workflow it is for, locked.
type order struct {
	ID         int64
	Command    db.Command
	Args       db.OrderArgs
	OperatorID int64
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
		var batch pgx.Batch
		outcome, err := o.apply(&batch)
		if err != nil {
			return err
		}
		if outcome != "" {
			o.close(&batch, outcome)
		}
		return tx.SendBatch(ctx, &batch).Close()
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
		SELECT j.command, j.args, COALESCE(j.operator_id, 0), j.operator_login,
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
func (o order) close(batch *pgx.Batch, outcome string) {
	batch.Queue(`
		UPDATE xtk.workflow_job
		SET applied_at = now(), outcome = $2
		WHERE id = $1`, o.ID, outcome)
	if strings.HasPrefix(outcome, "void") {
		db.QueueLine(batch, o.Workflow, 0, "warning",
			fmt.Sprintf("%s requested by %s is not applied any more: the workflow is %s", o.Command.AuditName(), o.Login, o.Situation.State))
	}
}

const applied = "applied"

// apply judges the order again, against the state that other orders have left, and does it. An empty outcome leaves it queued.
func (o order) apply(batch *pgx.Batch) (outcome string, err error) {
	if !o.still() {
		return "void: the workflow is " + o.Situation.State, nil
	}
	switch o.Command {
	case db.Start:
		return applied, o.start(batch)
	case db.Pause:
		o.pause(batch)
	case db.Stop:
		o.stop(batch)
	case db.Restart:
		if o.Task != 0 {
			o.askToStop(batch)
			return "", nil
		}
		o.begin(batch, true)
	case db.Simulate, db.RunNow, db.Wakeup: // a console of an earlier version left them to the engine
		db.QueueDue(batch, o.Workflow, db.Actor{ID: o.OperatorID, Login: o.Login}, o.Command, o.Args)
	default:
		return "void: unknown", nil
	}
	return applied, nil
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
func (o order) start(batch *pgx.Batch) error {
	switch {
	case o.Args.From != db.Paused:
		o.begin(batch, false)
		return nil
	case o.Args.FromFailed && o.FailedTask != 0:
		return o.resume(batch, "resume", map[string]any{"task": o.FailedTask},
			fmt.Sprintf("Started by %s: run %d goes on from the step that failed", o.Login, o.FailedTask))
	case o.PausedSlots > 0:
		return o.resume(batch, "catch_up", map[string]any{},
			fmt.Sprintf("Started by %s: %d occurrence(s) missed during the pause, one run catches up", o.Login, o.PausedSlots))
	}
	return o.resume(batch, "", nil, "Started by "+o.Login)
}

// resume ends a pause and makes the run due that stands for it, if any.
func (o order) resume(batch *pgx.Batch, kind string, payload map[string]any, line string) error {
	o.setStarted(batch, true, false)
	if kind != "" {
		if err := o.makeDue(batch, kind, "normal", payload); err != nil {
			return err
		}
	}
	db.QueueLine(batch, o.Workflow, 0, "info", line)
	return nil
}

// begin starts from the beginning: what was due is taken back and the schedule is planned anew.
func (o order) begin(batch *pgx.Batch, keepVariables bool) {
	batch.Queue(db.CancelDue, o.Workflow)
	o.setStarted(batch, keepVariables, true)
	db.QueueLine(batch, o.Workflow, 0, "info", o.Command.AuditName()+"ed by "+o.Login)
}

func (o order) setStarted(batch *pgx.Batch, keepVariables, anew bool) {
	batch.Queue(`
		UPDATE xtk.workflow
		SET state = 'started', failed = false, state_since = now(), state_by = $2,
		    variables = CASE WHEN $3 THEN variables ELSE '{}' END,
		    consecutive_errors = 0,
		    execution_count = CASE WHEN $4 THEN 0 ELSE execution_count END,
		    next_processing = CASE WHEN $4 THEN NULL ELSE next_processing END,
		    paused_at = NULL, pause_reason = NULL, pause_until = NULL, pause_notice_count = 0,
		    pause_last_notice_at = NULL, pause_warning = false
		WHERE id = $1`, o.Workflow, o.Login, keepVariables, anew)
}
