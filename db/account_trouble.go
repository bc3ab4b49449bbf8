package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// FailingAccount is an account whose last runs of a workflow all failed.
type FailingAccount struct {
	Name, Label             string
	Workflow, WorkflowLabel string
	Runs                    int       // how many failed in a row, at least
	Run                     int64     // the last
	Since                   time.Time // when the first of them began
	Message                 string    // of the last
}

// failingRuns is after how many failing runs in a row somebody is told of an account.
const failingRuns = 3

// FailingAccounts lists the active accounts of mid-sourcing servers of which a workflow has failed three times in a row,
// by name. Such a workflow has a step for each account, under the account's name; runs that did not come to it, or were
// stopped in it, do not count.
func (d *DB) FailingAccounts(ctx context.Context) ([]FailingAccount, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT a.internal_name, a.label, w.internal_name, w.label, last.failed, last.run, last.since, last.message
		FROM nms.ext_account a
		JOIN xtk.workflow w ON w.internal_name IN ('defaultMidSourcingDlv', 'defaultMidSourcingLog')
		CROSS JOIN LATERAL (
			SELECT count(*) FILTER (WHERE status = 'failed') AS failed, max(task_id) AS run, min(start_date) AS since,
			       (array_agg(message ORDER BY task_id DESC))[1] AS message
			FROM (
				SELECT s.task_id, s.status, s.start_date, COALESCE(s.message, '') AS message
				FROM (
					SELECT id, start_date
					FROM xtk.workflow_task
					WHERE workflow_id = w.id
					  AND mode = 'normal'
					ORDER BY start_date DESC, id DESC
					LIMIT 20) t
				JOIN xtk.workflow_task_step s ON s.task_id = t.id
				WHERE s.step_key = a.internal_name
				  AND s.status IN ('completed', 'failed', 'kept')
				ORDER BY t.start_date DESC, t.id DESC
				LIMIT $1) tried) last
		WHERE a.type = $2
		  AND a.active
		  AND last.failed = $1
		ORDER BY a.internal_name, w.internal_name
		LIMIT 100`, failingRuns, AccountMidSourcing)
	if err != nil {
		return nil, fmt.Errorf("failing accounts: %w", err)
	}
	failing, err := pgx.CollectRows(rows, pgx.RowToStructByPos[FailingAccount])
	if err != nil {
		return nil, fmt.Errorf("failing accounts: %w", err)
	}
	return failing, nil
}
