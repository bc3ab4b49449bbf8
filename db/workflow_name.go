package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// WorkflowName is what a choice of workflows needs of each.
type WorkflowName struct {
	ID          int64
	Name, Label string
}

// WorkflowNames lists all workflows by internal name.
func (d *DB) WorkflowNames(ctx context.Context) ([]WorkflowName, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT id, internal_name, label
		FROM xtk.workflow
		ORDER BY internal_name`)
	if err != nil {
		return nil, fmt.Errorf("names of the workflows: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowToStructByPos[WorkflowName])
	if err != nil {
		return nil, fmt.Errorf("names of the workflows: %w", err)
	}
	return names, nil
}
