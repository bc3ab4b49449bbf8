package db

import "github.com/jackc/pgx/v5"

// WorkflowName is what a choice of workflows needs of each.
type WorkflowName struct {
	ID          int64
	Name, Label string
}

// queueNames lists all workflows by internal name.
func queueNames(batch *pgx.Batch, into *[]WorkflowName) {
	batch.Queue(`
		SELECT id, internal_name, label
		FROM xtk.workflow
		ORDER BY internal_name`).Query(func(rows pgx.Rows) error {
		names, err := pgx.CollectRows(rows, pgx.RowToStructByPos[WorkflowName])
		*into = names
		return err
	})
}
