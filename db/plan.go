package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// PlanLasts is how long what a rehearsal announced may be run as a plan.
const PlanLasts = 30 * time.Minute

// Plan says why the plan of a rehearsal can no longer be run, as the key of a text of the console; empty when it can. A
// plan ends after PlanLasts, and when an option that the rehearsal read has another value now. ErrNotFound for a run that
// is no completed rehearsal of the workflow.
func (d *DB) Plan(ctx context.Context, workflowID, runID int64) (string, error) {
	var old bool
	err := d.Pool.QueryRow(ctx, `
		SELECT completion_date < now() - $3::interval
		FROM xtk.workflow_task
		WHERE id = $1 AND workflow_id = $2 AND mode = 'simulation' AND status = 'completed'`, runID, workflowID, PlanLasts).Scan(&old)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("plan %d: %w", runID, ErrNotFound)
	}
	if err != nil {
		return "", fmt.Errorf("plan %d: %w", runID, err)
	}
	if old {
		return "order.refused.plan_old", nil
	}
	changed, err := d.optionsChanged(ctx, runID)
	if err != nil {
		return "", fmt.Errorf("plan %d: %w", runID, err)
	}
	if changed {
		return "order.refused.plan_changed", nil
	}
	return "", nil
}

// optionsChanged reports whether an option that a run has read would be read with another value now.
func (d *DB) optionsChanged(ctx context.Context, runID int64) (bool, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT seen.key, seen.value, `+optionValue+`, o.name IS NOT NULL
		FROM xtk.workflow_task t
		CROSS JOIN LATERAL jsonb_each_text(t.options) seen
		LEFT JOIN xtk.option o ON o.name = seen.key
		WHERE t.id = $1`, runID)
	if err != nil {
		return false, err
	}
	var name, seen, now string
	var set, changed bool
	_, err = pgx.ForEachRow(rows, []any{&name, &seen, &now, &set}, func() error {
		if !set {
			if fact, known := knownOption(name); known && fact.Default != "" {
				stored, err := fact.stored(fact.Default)
				if err != nil {
					return err
				}
				now = stored
			}
		}
		changed = changed || seen != now
		return nil
	})
	return changed, err
}
