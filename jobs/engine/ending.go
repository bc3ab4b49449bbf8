package engine

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// ending is how a run ended, as far as its workflow is concerned. status is that of the run; "handed back" for one that
// will be made again because its process ended in order, "lost" for one whose process was lost.
type ending struct {
	workflow, task int64
	mode, status   string
	step, message  string
	givenUp        bool // lost too often: the workflow fails whatever its policy
}

// policy is what decides about a workflow when one of its runs ends.
type policy struct {
	name, state, onError          string
	errorLimit, consecutiveErrors int
	maxExecutions, executions     int
	failed                        bool
	alarm                         bool // people have been told that it fails
}

// consequence is what the end of a run makes of its workflow. An empty state leaves it.
type consequence struct {
	state  string
	failed bool
	errors int // consecutive, from now on
	counts bool
	line   string
}

// judge decides what an ending means. An order that waited for it wins over the policy: stop pending ends finished,
// pause pending paused.
func (p policy) judge(e ending) consequence {
	c := consequence{errors: p.consecutiveErrors, counts: e.mode == "normal" && (e.status == "completed" || e.status == "failed")}
	if e.mode == "normal" && e.status == "completed" {
		c.errors = 0
	}
	if e.mode == "normal" && (e.status == "failed" || e.givenUp) {
		c.errors++
		c = p.afterError(c, e)
	}
	switch {
	case p.state == db.StopPending:
		c.state, c.failed, c.line = db.Finished, false, "Stopped: run "+fmt.Sprint(e.task)+" has ended"
	case p.state == db.PausePending && c.state == "" && e.mode == "normal":
		c.state, c.line = db.Paused, "Paused after run "+fmt.Sprint(e.task)
	}
	return c
}

// afterError applies the error policy of a workflow that is at work. One whose single run was ordered while it was being
// edited or finished keeps its state: only the run has failed.
func (p policy) afterError(c consequence, e ending) consequence {
	if p.state != db.Started && p.state != db.PausePending {
		return c
	}
	limit := p.errorLimit > 0 && c.errors >= p.errorLimit
	switch {
	case e.givenUp, p.onError == "stop", p.onError == "ignore" && limit:
		c.state, c.failed = db.Paused, true
		c.line = "Failed: paused until somebody starts it"
		if p.onError == "ignore" && limit {
			c.line = fmt.Sprintf("Failed: %d errors in a row, paused until somebody starts it", c.errors)
		}
	case p.onError == "abort":
		c.state, c.failed, c.line = db.Finished, true, "Failed: aborted, it can only be started anew"
	default:
		c.line = fmt.Sprintf("Error ignored (%d in a row): the next occurrence runs as planned", c.errors)
	}
	return c
}

// apply writes the consequence and rings for what may now begin. The workflow's row is locked first, as everywhere.
func (e ending) apply(ctx context.Context, tx pgx.Tx) error {
	var p policy
	err := tx.QueryRow(ctx, `
		SELECT internal_name, state, failed, on_error, error_limit, consecutive_errors, COALESCE(max_executions, 0), execution_count, alarmed
		FROM xtk.workflow
		WHERE id = $1
		FOR UPDATE`, e.workflow).Scan(&p.name, &p.state, &p.failed, &p.onError, &p.errorLimit, &p.consecutiveErrors, &p.maxExecutions, &p.executions, &p.alarm)
	if err != nil {
		return fmt.Errorf("policy of workflow %d: %w", e.workflow, err)
	}
	c := p.judge(e)
	executions := p.executions
	if c.counts {
		executions++
	}
	ended := p.maxExecutions > 0 && executions >= p.maxExecutions
	var batch pgx.Batch
	c.write(&batch, e, executions, ended)
	if ended && c.counts && c.state == "" {
		db.QueueLine(&batch, e.workflow, 0, "info", "The schedule has ended: all its executions are done")
	}
	if c.line != "" {
		level := "info"
		if c.failed {
			level = "error"
		}
		db.QueueLine(&batch, e.workflow, e.task, level, c.line)
	}
	db.QueueNotice(&batch, db.ChannelWork, e.workflow)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("consequences for workflow %d: %w", e.workflow, err)
	}
	return p.tell(ctx, tx, e, c)
}

func (c consequence) write(batch *pgx.Batch, e ending, executions int, ended bool) {
	batch.Queue(`
		UPDATE xtk.workflow
		SET last_processed = CASE WHEN @mode = 'normal' AND @counts THEN clock_timestamp() ELSE last_processed END,
		    execution_count = @executions, consecutive_errors = @errors,
		    state = CASE WHEN @state = '' THEN state ELSE @state END,
		    failed = CASE WHEN @state = '' THEN failed ELSE @failed END,
		    state_since = CASE WHEN @state = '' THEN state_since ELSE clock_timestamp() END,
		    next_processing = CASE WHEN @state = 'finished' OR @ended THEN NULL ELSE next_processing END,
		    paused_at = CASE WHEN @failed THEN clock_timestamp() WHEN @state = 'finished' THEN NULL
		                 WHEN @state = 'paused' THEN COALESCE(paused_at, clock_timestamp()) ELSE paused_at END,
		    pause_reason = CASE WHEN @failed THEN NULLIF(left(@message, 512), '') WHEN @state = 'finished' THEN NULL ELSE pause_reason END,
		    pause_until = CASE WHEN @failed OR @state = 'finished' THEN NULL ELSE pause_until END
		WHERE id = @id`, pgx.StrictNamedArgs{"id": e.workflow, "mode": e.mode, "counts": c.counts, "executions": executions,
		"errors": c.errors, "state": c.state, "failed": c.failed, "ended": ended, "message": e.message})
}
