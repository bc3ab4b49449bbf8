package jobs

import (
	"context"
	"fmt"
	"time"
)

// heldPause is after how long, and how often, a statement that is at work is held against the locks of others. It is less
// than lock_timeout, so that who held the lock is known when the wait for it is given up.
const heldPause = 500 * time.Millisecond

// heldUp is a wait for a lock that was given up, with who holds the lock.
type heldUp struct {
	error
	by string
}

func (h *heldUp) Error() string { return h.error.Error() + ", " + h.by }
func (h *heldUp) Unwrap() error { return h.error }

// holders is what the server's process waits for and who keeps it waiting, those first who wait for nobody themselves:
// they are whom somebody has to end. A role without pg_read_all_stats is not shown what other roles' sessions do.
const holders = `
	WITH RECURSIVE ahead (pid) AS (
		SELECT unnest(pg_blocking_pids($1))
		UNION
		SELECT unnest(pg_blocking_pids(pid))
		FROM ahead
	)
	SELECT COALESCE((SELECT ' on ' || l.relation::regclass
	                 FROM pg_locks l
	                 WHERE l.pid = $1 AND NOT l.granted AND l.relation IS NOT NULL
	                   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
	                 LIMIT 1), ''),
	       ahead.pid, COALESCE(NULLIF(a.application_name, ''), a.backend_type, ''), COALESCE(a.usename, ''), COALESCE(a.state, ''),
	       EXTRACT(EPOCH FROM clock_timestamp() - a.xact_start)::float8
	FROM ahead
	LEFT JOIN pg_stat_activity a ON a.pid = ahead.pid
	ORDER BY cardinality(pg_blocking_pids(ahead.pid)), a.xact_start, ahead.pid
	LIMIT 1`

// watch looks, while a statement of the session takes long, whether it waits for a lock, and tells once of each who holds one.
// A simulation does not wait.
func (r *Run) watch(ctx context.Context) (stop func()) {
	r.heldBy.Store(nil)
	if r.Simulated() {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	timer := time.AfterFunc(heldPause, func() {
		defer close(done)
		tick := time.NewTicker(heldPause)
		defer tick.Stop()
		for r.look(ctx); ctx.Err() == nil; r.look(ctx) {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return func() {
		cancel()
		if !timer.Stop() {
			<-done
		}
	}
}

// look asks once who holds what the session waits for. What cannot be found out is not told.
func (r *Run) look(ctx context.Context) {
	var on, name, user, state string
	var pid int32
	var seconds *float64
	err := r.db.Pool.QueryRow(ctx, holders, int32(r.session.PgConn().PID())).Scan(&on, &pid, &name, &user, &state, &seconds)
	if err != nil {
		return // nobody, as a rule
	}
	by := "the lock" + on + " is held by " + holder(pid, name, user, state, seconds)
	r.heldBy.Store(&by)
	if r.told != pid {
		r.told = pid
		r.Log("waits: %s", by)
	}
}

// holder is a session in words: psql of dba, backend 4711, idle in transaction for 34 m 10 s.
func holder(pid int32, name, user, state string, seconds *float64) string {
	if pid == 0 {
		return "a prepared transaction, see pg_prepared_xacts"
	}
	who := fmt.Sprintf("backend %d", pid)
	switch {
	case name != "" && user != "":
		who = name + " of " + user + ", " + who
	case name != "":
		who = name + ", " + who
	}
	if state != "" {
		who += ", " + state
	}
	if seconds != nil {
		who += " for " + duration(time.Duration(*seconds*float64(time.Second)))
	}
	return plain(redact(who))
}
