package engine

import (
	"context"
	"time"
)

const (
	partitionsEvery = 24 * time.Hour
	partitionsAgain = 10 * time.Minute // after a failure: the tables were in use, or PostgreSQL away
)

// partitions makes the coming months' partitions once a day, long before their first row; Migrate made those of today.
func (e *Engine) partitions(ctx context.Context) {
	for wait := partitionsEvery; ; {
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		wait = partitionsEvery
		made, err := e.config.DB.EnsurePartitions(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			wait = partitionsAgain
			e.config.Logger.WarnContext(ctx, "partitions could not be made, tried again in 10 minutes", "node", e.nodeNow().Name, "error", err)
		case made > 0:
			e.config.Logger.InfoContext(ctx, "partitions made", "node", e.nodeNow().Name, "count", made)
		}
	}
}
