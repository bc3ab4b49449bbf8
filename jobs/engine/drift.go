package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// watchDrift finds runs of this process that take, or change, more than comparable runs. All are judged in one statement;
// only those that are beyond a limit for the first time are judged again, under the lock of their workflow, and told of.
func (e *Engine) watchDrift(ctx context.Context) error {
	mine := e.mine()
	if len(mine) == 0 {
		return nil
	}
	drifting, err := e.config.DB.DriftingRuns(ctx, mine)
	if err != nil {
		return err
	}
	var failed []error
	for _, run := range drifting {
		failed = append(failed, e.inTx(ctx, func(tx pgx.Tx) error { return judgeDrift(ctx, tx, run, true) }))
	}
	return errors.Join(failed...)
}

// judgeEnded compares a run that has completed. It does so behind the run's own end and on a session of the pool, which
// knows the statement: a run's session is new, and would plan it for longer than most runs take. When the process is lost
// in between, the run opens and closes nothing.
func (e *Engine) judgeEnded(ctx context.Context, x *execution) {
	end, done := context.WithTimeout(ctx, drainFor)
	defer done()
	err := e.inTx(end, func(tx pgx.Tx) error {
		return judgeDrift(end, tx, db.DriftingRun{TaskID: x.run, WorkflowID: x.workflowID}, false)
	})
	if err != nil {
		e.config.Logger.WarnContext(end, "a run was not compared with others", "run", x.run, "error", err)
	}
}

// judgeDrift compares a run with comparable ones, under the lock of its workflow, and tells the supervisors once of what it
// opened.
func judgeDrift(ctx context.Context, tx pgx.Tx, run db.DriftingRun, running bool) error {
	var workflow string
	err := tx.QueryRow(ctx, `SELECT internal_name FROM xtk.workflow WHERE id = $1 FOR UPDATE`, run.WorkflowID).Scan(&workflow)
	if err != nil {
		return fmt.Errorf("lock the workflow: %w", err)
	}
	task := run.TaskID
	opened, err := db.JudgeDrift(ctx, tx, task)
	if err != nil || len(opened) == 0 {
		return err
	}
	link, err := linkTo(ctx, tx, task, false)
	if err != nil {
		return err
	}
	first := opened[0]
	notice := db.Notice{Key: fmt.Sprintf("workflow_drift:%d", first.ID), Event: "drift", Workflow: first.WorkflowID, Name: workflow, Task: task,
		Link: link, Texts: map[string]db.NoticeText{}}
	for language, words := range driftNotices {
		so := words.ended
		if running {
			so = words.running
		}
		notice.Texts[language] = db.NoticeText{Subject: fmt.Sprintf(words.subject, workflow, words.causes[first.Cause]),
			Body: fmt.Sprintf(words.body, workflow, task, so, strings.Join(words.lines(opened), "\n"), link)}
	}
	for _, line := range driftNotices["en"].lines(opened) {
		if err := db.LogWorkflow(ctx, tx, first.WorkflowID, task, "info", line); err != nil {
			return err
		}
	}
	_, _, err = db.WriteNotice(ctx, tx, notice)
	return err
}
