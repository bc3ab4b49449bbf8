package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightshift/db"
)

// keepEvery is how often a process looks after the tables of the engine itself.
const keepEvery = 6 * time.Hour

// keep forgets orders that were applied long ago and nodes not seen for a quarter, and tells people that this node is there.
func (e *Engine) keep(ctx context.Context) error {
	var failed []error
	if node := e.nodeNow(); node.ID != 0 && time.Since(e.seen) > 10*time.Second {
		err := errors.Join(e.config.DB.SeeNode(ctx, node.ID, false), e.config.DB.Beat(ctx, db.ModuleEngine))
		if err == nil {
			e.seen = time.Now()
		}
		failed = append(failed, err)
	}
	if time.Since(e.kept) < keepEvery {
		return errors.Join(failed...)
	}
	e.kept = time.Now()
	for _, sql := range []string{
		`DELETE FROM xtk.workflow_job WHERE applied_at < now() - interval '30 days'`,
		`DELETE FROM xtk.engine_node WHERE seen_at < now() - interval '90 days'`,
	} {
		if _, err := e.config.DB.Pool.Exec(ctx, sql); err != nil {
			failed = append(failed, fmt.Errorf("keep the engine's tables small: %w", err))
		}
	}
	return errors.Join(failed...)
}
