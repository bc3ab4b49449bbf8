package engine

import (
	"context"
	"time"

	"nightshift/db"
)

// sample looks at the backends of this process's runs again and again: what they do in the database is shown by the heat
// map. A look that fails is missed, and the next one stands for it, too.
func (e *Engine) sample(ctx context.Context) {
	tick := time.NewTicker(e.sampleEvery)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		if mine := e.mine(); len(mine) > 0 {
			look, done := context.WithTimeout(ctx, db.LoadEvery)
			// More than a few pauses are not known to have been like this moment.
			err := e.config.DB.SampleLoad(look, mine, min(now.Sub(last), 3*e.sampleEvery))
			done()
			if err != nil {
				e.config.Logger.DebugContext(ctx, "the load of runs was not sampled", "error", err)
				continue
			}
		}
		last = now
	}
}
