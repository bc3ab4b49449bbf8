package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// execution is one run of this process: its session, which it owns until it ends, and the ways to stop it.
type execution struct {
	run, event int64
	workflowID int64
	mode       string
	workflow   jobs.Workflow
	session    *pgx.Conn
	task       jobs.Task               // once the run is written
	cancel     context.CancelCauseFunc // its cause says who ended the run
}

// begin lets the run work in a goroutine of its own.
func (e *Engine) begin(ctx context.Context, x *execution) {
	// The run outlives the engine's context: it is cancelled by name, with a cause.
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	x.cancel = cancel
	e.mu.Lock()
	e.running[x.run] = x
	e.mu.Unlock()
	e.done.Go(func() { e.execute(run, x) })
}

// execute runs the function and sees to its session. A session that was lost wrote no end: the run is taken over.
func (e *Engine) execute(ctx context.Context, x *execution) {
	outcome := jobs.Execute(ctx, jobs.Execution{DB: e.config.DB, Session: x.session, Task: x.task, Workflow: x.workflow, RawLog: e.rawLog(),
		Finish: func(end context.Context, tx pgx.Tx, o jobs.Outcome) error {
			return x.finish(end, tx, o, errors.Is(context.Cause(ctx), errShutdown))
		}})
	e.mu.Lock()
	delete(e.running, x.run)
	e.mu.Unlock()
	// From here on nobody can cancel a statement of the session.
	undisturbed := outcome.Status == "completed" && x.mode == "normal" && ctx.Err() == nil
	x.cancel(nil)
	end := context.WithoutCancel(ctx)
	var closing error
	if undisturbed {
		closing = e.spares.giveBack(end, x.session)
	} else {
		closing = letGo(end, x.session)
	}
	if outcome.Status == "completed" && x.mode == "normal" {
		e.judgeEnded(end, x)
	}
	log := e.config.Logger.With("run", x.run, "workflow", x.workflow.Name, "status", outcome.Status)
	switch {
	case outcome.Status == "lost":
		e.sweep.Store(true)
		log.WarnContext(end, "the session of a run was lost", "error", errors.Join(outcome.Err, closing))
	case outcome.Err != nil && outcome.Status != "stopped":
		log.ErrorContext(end, "a run failed", "error", outcome.Err)
	default:
		log.InfoContext(end, "a run ended", "rows", outcome.RowsChanged)
	}
	e.ring()
}

// stopTask stops a run of this process as its row asks: at its next safe point, or by cutting its session at once, so
// that nothing it still writes can count.
func (e *Engine) stopTask(ctx context.Context, task int64) {
	e.mu.Lock()
	x := e.running[task]
	e.mu.Unlock()
	if x == nil {
		return
	}
	var asked string
	err := e.config.DB.Pool.QueryRow(ctx, `
		SELECT COALESCE(cancel_requested, '') FROM xtk.workflow_task WHERE id = $1`, task).Scan(&asked)
	if err != nil || asked == "" {
		return // the sweep asks again
	}
	x.cancel(jobs.ErrStopped)
	if asked == "unconditional_stop" {
		_ = x.session.PgConn().Conn().Close()
	}
}

// mine lists the runs of this process.
func (e *Engine) mine() []int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Keys(e.running))
}

// stopAsked finds runs of this process that were asked to stop while the bell was not heard.
func (e *Engine) stopAsked(ctx context.Context) error {
	mine := e.mine()
	if len(mine) == 0 {
		return nil
	}
	rows, err := e.config.DB.Pool.Query(ctx, `
		SELECT id FROM xtk.workflow_task WHERE id = ANY($1) AND cancel_requested IS NOT NULL`, mine)
	if err != nil {
		return fmt.Errorf("runs to stop: %w", err)
	}
	asked, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return fmt.Errorf("runs to stop: %w", err)
	}
	for _, task := range asked {
		e.stopTask(ctx, task)
	}
	return nil
}

// finish writes what the run's end means for its event and its workflow, in the transaction of its final state.
// A run that its process stopped because it ends itself gives its event back, due as before.
func (x *execution) finish(ctx context.Context, tx pgx.Tx, o jobs.Outcome, shutdown bool) error {
	handBack := o.Status == "stopped" && shutdown
	if handBack && x.mode == "normal" {
		if _, err := tx.Exec(ctx, `
			UPDATE xtk.workflow_event
			SET status = 'pending', task_id = NULL, processing_date = NULL
			WHERE id = $1`, x.event); err != nil {
			return fmt.Errorf("give the event back: %w", err)
		}
	} else if _, err := tx.Exec(ctx, `
		UPDATE xtk.workflow_event SET status = 'processed', outcome = $2 WHERE id = $1`, x.event, o.Status); err != nil {
		return fmt.Errorf("end the event: %w", err)
	}
	end := ending{workflow: x.workflowID, task: x.run, mode: x.mode, status: o.Status, step: o.Step, message: o.Message}
	if handBack {
		end.status = "handed back"
	}
	return end.apply(ctx, tx)
}

// rawLog is the raw log of this node, under a name that no other node of the database has.
func (e *Engine) rawLog() jobs.RawLog {
	if e.config.RawLog == "" {
		return jobs.RawLog{}
	}
	return jobs.RawLog{Server: e.nodeNow().Host + ":" + e.config.RawLog, Folder: e.config.RawLog}
}

// pid is the backend of the run's session; 0: it has none.
func (x *execution) pid() int32 {
	if x.session == nil {
		return 0
	}
	return int32(x.session.PgConn().PID())
}
