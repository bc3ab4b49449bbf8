package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// AcknowledgeDrifts notes that a person knows of open alarms of a workflow, those that the person saw; audited, before →
// after. They stay open until a run is as usual again, so nothing new is told of their causes until then. ErrConflict when
// each of them was closed, or acknowledged, in the meantime.
func (d *DB) AcknowledgeDrifts(ctx context.Context, actor Actor, workflow string, seen []int64, reason string) error {
	entry := AuditEntry{EntityType: "workflow", Entity: workflow, Action: "Acknowledged"}
	return d.asAdministrator(ctx, actor, entry, func(tx pgx.Tx, entry AuditEntry) error {
		rows, err := tx.Query(ctx, `
			UPDATE xtk.workflow_drift d
			SET acknowledged_at = clock_timestamp(), acknowledged_by = @by, acknowledged_reason = @reason
			FROM xtk.workflow w
			WHERE w.internal_name = @workflow
			  AND d.workflow_id = w.id
			  AND d.id = ANY (@seen)
			  AND d.closed_at IS NULL
			  AND d.acknowledged_at IS NULL
			RETURNING d.cause`, pgx.StrictNamedArgs{"by": actor.Login, "reason": reason, "workflow": workflow, "seen": seen})
		if err != nil {
			return fmt.Errorf("acknowledge alarms of %s: %w", workflow, err)
		}
		causes, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("acknowledge alarms of %s: %w", workflow, err)
		}
		if len(causes) == 0 {
			return ErrConflict
		}
		changed := map[string]any{}
		for _, cause := range causes {
			changed["alarm_"+cause] = map[string]any{"before": "open", "after": "acknowledged"}
		}
		entry.Detail = map[string]any{"changed": changed}
		if reason != "" {
			entry.Detail["reason"] = reason
		}
		return d.Audit(ctx, tx, entry)
	})
}
