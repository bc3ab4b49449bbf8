package delivery

import (
	"context"

	"nightshift/jobs"
)

// cleanInstances removes the history of every workflow beyond its own number of days, 0 keeping it for ever: log lines, runs
// that have ended, events that were dealt with. Then the work tables that no workflow needs.
func cleanInstances(ctx context.Context, r *jobs.Run) error {
	const older = `EXISTS (
		SELECT FROM xtk.workflow w
		WHERE w.id = t.workflow_id
		  AND w.history_days > 0
		  AND `
	const kept = ` < $1::timestamptz - make_interval(days => w.history_days))`
	for _, rows := range []jobs.Purge{
		{Table: "xtk.workflow_log", Age: "log_date", Partitions: true, Where: older + "t.log_date" + kept},
		{Table: "xtk.workflow_task", Age: "completion_date", Where: "t.status <> 'running' AND " + older + "t.completion_date" + kept},
		{Table: "xtk.workflow_event", Age: "processing_date", Where: "t.status IN ('processed', 'skipped', 'missed', 'cancelled') AND " +
			older + "COALESCE(t.processing_date, t.scheduled_to, t.scheduled_at)" + kept},
	} {
		rows.Args = []any{r.Now()}
		if err := purge(ctx, r, "history beyond its days", rows); err != nil {
			return err
		}
	}
	return dropWorkflowTables(ctx, r)
}

// cleanLogins forgets which operator ran a workflow that is gone.
func cleanLogins(ctx context.Context, r *jobs.Run) error {
	return purge(ctx, r, "logins of deleted workflows", jobs.Purge{Table: "xtk.workflow_login", Key: "workflow_id",
		Where: "NOT EXISTS (SELECT FROM xtk.workflow w WHERE w.id = t.workflow_id)"})
}

// cleanRejects removes what imports refused long ago, then what was refused by an import that is gone.
func cleanRejects(ctx context.Context, r *jobs.Run) error {
	err := aged(ctx, r, "NmsCleanup_RejectsPurgeDelay", 180, "old rejects", jobs.Purge{Table: "xtk.reject", Age: "log_date"})
	if err != nil {
		return err
	}
	return purge(ctx, r, "rejects of deleted imports", jobs.Purge{Table: "xtk.reject", Age: "log_date",
		Where: "NOT EXISTS (SELECT FROM xtk.job j WHERE j.id = t.job_id)"})
}

// cleanSessions removes sessions of signed-in people, and tokens of other instances, that have expired.
func cleanSessions(ctx context.Context, r *jobs.Run) error {
	for _, kind := range []struct{ name, table string }{{"expired sessions", "xtk.session_info"}, {"expired tokens", "xtk.api_token"}} {
		err := purge(ctx, r, kind.name, jobs.Purge{Table: kind.table, Key: "token_hash", Age: "expiration",
			Where: "t.expiration < $1", Args: []any{r.Now()}})
		if err != nil {
			return err
		}
	}
	return nil
}
