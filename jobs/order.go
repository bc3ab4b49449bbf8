package jobs

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// StopWorkflow stops another workflow unconditionally in the name of the operator admin, within a transaction of Tx. It
// is an order like any other, with its audit row and its line in that workflow's journal; a *db.Refusal when the
// workflow's state does not take it.
func (r *Run) StopWorkflow(ctx context.Context, tx pgx.Tx, workflowID int64, reason string) error {
	admin := db.Actor{Login: "admin", Rights: []string{db.Administration}}
	if err := tx.QueryRow(ctx, `
		SELECT id
		FROM xtk.operator
		WHERE login = $1`, admin.Login).Scan(&admin.ID); err != nil {
		return fmt.Errorf("find the operator %s: %w", admin.Login, err)
	}
	return r.db.OrderWithin(ctx, tx, db.Given{
		Actor: admin, WorkflowID: workflowID, Command: db.UnconditionalStop, Args: db.OrderArgs{Reason: reason},
	})
}
