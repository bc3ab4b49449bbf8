package delivery

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// auditFloor is the part of the audit trail that the database itself never lets go.
const auditFloor = 30 * day

// cleanAudit removes the old end of the audit trail. The anchor moves first: it holds number and hash of the last row
// that goes, so that the chain of the kept ones can still be verified, and only rows up to it can be deleted at all.
func cleanAudit(ctx context.Context, r *jobs.Run) error {
	cut, ok, err := before(ctx, r, "XtkCleanup_AuditTrailPurgeDelay", 180)
	if err != nil || !ok {
		return err
	}
	if floor := r.Now().Add(-auditFloor); cut.After(floor) {
		r.Warn("XtkCleanup_AuditTrailPurgeDelay is below 30 days: the audit trail of the last 30 days stays")
		cut = floor
	}
	// The last row before the first that is young enough to stay.
	_, err = r.Exec(ctx, "anchor of the audit trail", `
		INSERT INTO xtk.audit_anchor (seq, hash)
		SELECT a.seq, a.hash
		FROM xtk.audit a
		WHERE a.changed_at < $1
		  AND a.seq < COALESCE((SELECT min(kept.seq) FROM xtk.audit kept WHERE kept.changed_at >= $1), 9223372036854775807)
		ORDER BY a.seq DESC
		LIMIT 1
		ON CONFLICT (one) DO UPDATE
		SET seq = excluded.seq, hash = excluded.hash, purged_at = now()
		WHERE audit_anchor.seq < excluded.seq`, cut)
	if err != nil {
		return err
	}
	return purge(ctx, r, "old audit rows", jobs.Purge{Table: "xtk.audit", Key: "seq", Age: "changed_at",
		Where: "t.seq <= (SELECT n.seq FROM xtk.audit_anchor n)"})
}

// keepHouse removes what the platform itself leaves behind.
func keepHouse(ctx context.Context, r *jobs.Run) error {
	ago := func(age time.Duration) []any { return []any{r.Now().Add(-age)} }
	for _, one := range []struct {
		effect string
		purge  jobs.Purge
	}{
		// As long as the log files of sign-ins are kept.
		{"old sign-in attempts", jobs.Purge{Table: "xtk.login_attempt", Age: "created", Where: "t.created < $1", Args: ago(365 * day)}},
		{"one-time links beyond their time", jobs.Purge{Table: "xtk.setup_token", Key: "token_hash", Age: "expiration",
			Where: "t.expiration < $1", Args: ago(7 * day)}},
		{"sent mails", jobs.Purge{Table: "nms.notification", Age: "sent_at", Where: "t.state = 'sent' AND t.sent_at < $1", Args: ago(30 * day)}},
		{"received packages of offers", jobs.Purge{Table: "nms.offer_received", Age: "received", Where: "t.received < $1", Args: ago(180 * day)}},
		{"applied orders", jobs.Purge{Table: "xtk.workflow_job", Age: "applied_at", Where: "t.applied_at < $1", Args: ago(7 * day)}},
	} {
		if there, err := exists(ctx, r, one.purge.Table); err != nil {
			return err
		} else if !there {
			continue
		}
		if err := purge(ctx, r, one.effect, one.purge); err != nil {
			return err
		}
	}
	if err := cleanUnsent(ctx, r); err != nil {
		return err
	}
	return cleanHeatMap(ctx, r)
}

// cleanUnsent removes messages that failed for good, or whose result was never known, and that nobody had sent again for
// long: they count from their last change. One that waits is never removed.
func cleanUnsent(ctx context.Context, r *jobs.Run) error {
	cut, ok, err := before(ctx, r, "XtkCleanup_UnsentMessagePurgeDelay", 180)
	if err != nil || !ok {
		return err
	}
	return purge(ctx, r, "messages never sent", jobs.Purge{Table: "nms.notification", Age: "last_modified",
		Where: "t.state IN ('error', 'unknown') AND t.last_modified < $1", Args: []any{cut}})
}

// cleanHeatMap removes samples older than the longest history of a workflow. One that keeps its history for ever keeps them all.
func cleanHeatMap(ctx context.Context, r *jobs.Run) error {
	var longest int
	var forever bool
	err := r.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&longest, &forever) }, `
		SELECT COALESCE(max(history_days), 0), COALESCE(bool_or(history_days = 0), true)
		FROM xtk.workflow`)
	if err != nil || forever {
		return err
	}
	return purge(ctx, r, "old heat map samples", jobs.Purge{Table: "xtk.heatmap_sample", Key: "ctid", Age: "start_date",
		Where: "t.start_date < $1", Args: []any{r.Now().Add(-time.Duration(longest) * day)}})
}
