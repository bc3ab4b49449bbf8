package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errGaveWay is why a simulation ends early.
var errGaveWay = errors.New("real work waited for rows that the simulation held: it was rolled back, start it again later")

// wayPause is how often a simulation looks whether somebody waits for it.
const wayPause = 500 * time.Millisecond

// rehearse opens the transaction of a simulation. It waits for nobody's locks.
func (r *Run) rehearse(ctx context.Context) error {
	tx, err := r.session.Begin(ctx)
	if err != nil {
		return r.asked(ctx, fmt.Errorf("begin the simulation: %w", err))
	}
	r.rehearsal = tx
	if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '200ms'`); err != nil {
		return r.asked(ctx, fmt.Errorf("begin the simulation: %w", err))
	}
	return nil
}

// takeBack rolls the simulation back. Should even that fail the session is closed, which does the same.
func (r *Run) takeBack(ctx context.Context) {
	end, done := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer done()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.rehearsal.Rollback(end); err != nil {
		_ = r.session.Close(end)
	}
	r.rehearsal = nil
}

// giveWay ends the simulation when it keeps others waiting: a rehearsal never holds up real work for more than about a second.
func (r *Run) giveWay(ctx context.Context, cancel context.CancelCauseFunc) {
	pid := int32(r.session.PgConn().PID())
	tick := time.NewTicker(wayPause)
	defer tick.Stop()
	for waited := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		waits := false
		err := r.db.Pool.QueryRow(ctx, `
			SELECT EXISTS (
				SELECT 1
				FROM pg_stat_activity
				WHERE wait_event_type = 'Lock'
				  AND datname = current_database()
				  AND $1 = ANY (pg_blocking_pids(pid)))`, pid).Scan(&waits)
		if err == nil && waits && waited {
			r.Warn("%s", errGaveWay)
			cancel(errGaveWay)
			return
		}
		waited = err == nil && waits
	}
}
