package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// skip answers events that will not run: those that came while another run of their workflow is in progress, while it is
// paused, or after it was stopped. A rehearsal in progress holds nothing up but itself: what is due waits for its end.
func (e *Engine) skip(ctx context.Context) error {
	return e.inTx(ctx, func(tx pgx.Tx) error {
		// Signals carry work that must not be lost: they wait for the run in progress and for the end of a pause. So does
		// what was due before the pause, such as the event of a run whose process was lost.
		rows, err := tx.Query(ctx, `
			UPDATE xtk.workflow_event e
			SET status = CASE verdict.reason WHEN 'stopped' THEN 'cancelled' ELSE 'skipped' END, reason = verdict.reason
			FROM (
				SELECT p.id, w.internal_name,
				       CASE WHEN w.state IN ('finished', 'being_edited', 'stop_pending') AND p.kind <> 'manual' THEN 'stopped'
				            WHEN w.state = 'stop_pending' THEN 'stopped'
				            WHEN w.state IN ('paused', 'pause_pending') AND p.kind <> 'signal' AND p.scheduled_at >= w.paused_at THEN 'paused'
				            WHEN t.id IS NOT NULL AND p.kind <> 'signal' THEN 'already_running'
				            WHEN p.kind = 'scheduled' AND xtk.frozen(p.scheduled_at) THEN 'freeze' END AS reason,
				       t.id AS task_id, t.start_date
				FROM xtk.workflow_event p
				JOIN xtk.workflow w ON w.id = p.workflow_id
				LEFT JOIN xtk.workflow_task t ON t.workflow_id = w.id AND t.status = 'running' AND t.mode = 'normal'
				WHERE p.status = 'pending' AND p.mode = 'normal'
				FOR UPDATE OF p SKIP LOCKED) verdict
			WHERE e.id = verdict.id AND verdict.reason IS NOT NULL
			RETURNING e.workflow_id, e.scheduled_at, e.reason, COALESCE(verdict.task_id, 0)`)
		if err != nil {
			return fmt.Errorf("skip: %w", err)
		}
		type skipped struct {
			Workflow int64
			At       time.Time
			Reason   string
			Task     int64
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[skipped])
		if err != nil {
			return fmt.Errorf("skip: %w", err)
		}
		for _, s := range all {
			line := "Not run, due " + s.At.UTC().Format("2006-01-02 15:04:05 MST") + ": the workflow is paused"
			switch s.Reason {
			case "already_running":
				line = fmt.Sprintf("Not run, due %s: run %d is still in progress, parallel execution is not allowed",
					s.At.UTC().Format("2006-01-02 15:04:05 MST"), s.Task)
			case "stopped", db.ReasonFreeze:
				continue
			}
			if err := db.LogWorkflow(ctx, tx, s.Workflow, 0, "warning", line); err != nil {
				return err
			}
		}
		return nil
	})
}
