package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
)

// A process keeps spareSessions ready, because opening one takes longer than all the rest of a claim, and as many more as
// slots come due within spareAhead and may run at once, up to spareMost. A session serves one run after the other for
// spareFor at most, so that what the server remembers for it stays bounded.
const (
	spareSessions = 3
	spareMost     = 64
	spareAhead    = 3 * sweepEvery
	spareFor      = time.Hour
)

// spares are sessions that wait for a run. They hold no lock, and give way as soon as the process ends.
type spares struct {
	db     *db.DB
	ready  chan *pgx.Conn
	mu     sync.Mutex
	wanted int
	filled bool // one filling at a time
	closed bool
	done   sync.WaitGroup
}

func newSpares(d *db.DB) *spares {
	return &spares{db: d, ready: make(chan *pgx.Conn, spareMost), wanted: spareSessions}
}

// A claim needs one statement of its session: it tries to get the workflow's lock and, with it, draws the number of the run
// and shows it to whoever looks at the server. What waits is not ended for being idle; a run is.
const (
	lockSession = `
		SELECT run, set_config('idle_session_timeout', '60s', false),
		       set_config('application_name', left('nightshift ' || $3 || ' #' || run, 63), false)
		FROM (SELECT CASE WHEN pg_try_advisory_lock($1::int, $2::int) AND $2::int <> 0 THEN nextval('xtk.workflow_task_id_seq') ELSE 0 END AS run
		      OFFSET 0) AS drawn`
	freeSession = `SELECT pg_advisory_unlock_all()`
	restSession = `SELECT set_config('idle_session_timeout', '0', false), set_config('application_name', 'nightshift spare session', false)`
)

// take returns a session that has tried to get a workflow's lock, one that waits and still answers, else a new one, and
// the number of the run that may begin on it; 0: another session has the lock.
func (s *spares) take(ctx context.Context, workflow int64, name string) (session *pgx.Conn, run int64, err error) {
	for session := s.next(); session != nil; session = s.next() {
		if run, err := lock(ctx, session, workflow, name); err == nil {
			return session, run, nil
		}
		_ = session.Close(ctx)
	}
	if session, err = s.db.RunSession(ctx, "nightshift run"); err != nil {
		return nil, 0, err
	}
	if run, err = lock(ctx, session, workflow, name); err != nil {
		return nil, 0, errors.Join(err, session.Close(ctx))
	}
	return session, run, nil
}

func lock(ctx context.Context, session *pgx.Conn, workflow int64, name string) (run int64, err error) {
	err = session.QueryRow(ctx, lockSession, db.LockWorkflow, workflow, name).Scan(&run, nil, nil)
	return run, err
}

// refill replaces what a claim has taken, once the runs have begun: opening a session is work that they would wait for.
// Most runs are short and give theirs back: only the last that was taken is replaced at once, the others with the next sweep.
func (s *spares) refill(ctx context.Context) {
	if len(s.ready) == 0 {
		s.fill(ctx)
	}
}

// next is a session that waits, for one of the runs that were expected; nil: none.
func (s *spares) next() *pgx.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case session := <-s.ready:
		s.wanted = max(spareSessions, s.wanted-1)
		return session
	default:
		return nil
	}
}

// giveBack frees the lock of a run that has ended well, or has not begun, and keeps its session for another one, as if it
// were new but for what the server has read for it, or closes it.
func (s *spares) giveBack(ctx context.Context, session *pgx.Conn) error {
	if !s.lacks() {
		return letGo(ctx, session)
	}
	end, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer done()
	var old bool
	var batch pgx.Batch
	batch.Queue(freeSession)
	batch.Queue(`
		SELECT backend_start < now() - $1::interval
		FROM pg_stat_get_activity(pg_backend_pid())`, spareFor).QueryRow(func(row pgx.Row) error { return row.Scan(&old) })
	if err := session.SendBatch(end, &batch).Close(); err != nil || old {
		return errors.Join(err, session.Close(end))
	}
	if err := renew(end, session); err != nil {
		return errors.Join(err, session.Close(end))
	}
	if s.keep(session) {
		return nil
	}
	return session.Close(end)
}

// keep lets a session wait for a run where one is missing.
func (s *spares) keep(session *pgx.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.ready) >= s.wanted {
		return false
	}
	s.ready <- session // there is room: only this adds to it, and wanted is never more than it holds
	return true
}

// renew takes from a session all that a run may have left in it: settings, temporary tables, prepared statements.
func renew(ctx context.Context, session *pgx.Conn) error {
	if err := session.DeallocateAll(ctx); err != nil {
		return err
	}
	if _, err := session.Exec(ctx, `DISCARD ALL`); err != nil {
		return err
	}
	if _, err := session.Exec(ctx, restSession); err != nil {
		return err
	}
	_, err := session.Prepare(ctx, lockSession, lockSession) // so that the next claim does not
	return err
}

// expect says how many runs will soon begin, and opens or closes what is missing or left over.
func (s *spares) expect(ctx context.Context, runs int) {
	s.mu.Lock()
	s.wanted = max(spareSessions, min(runs, spareMost))
	s.mu.Unlock()
	s.fill(ctx)
}

// fill opens what is missing, and closes what is too many, in the background.
func (s *spares) fill(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.filled || s.closed || len(s.ready) == s.wanted {
		return
	}
	s.filled = true
	s.done.Go(func() {
		for s.lacks() && ctx.Err() == nil {
			session, err := s.open(ctx)
			if err != nil {
				break // the next claim opens its own, and tells why it cannot
			}
			if !s.keep(session) { // runs gave theirs back meanwhile
				_ = session.Close(ctx)
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.filled = false
		for len(s.ready) > s.wanted {
			select {
			case session := <-s.ready:
				_ = session.Close(ctx)
			default:
			}
		}
	})
}

func (s *spares) lacks() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && len(s.ready) < s.wanted
}

func (s *spares) open(ctx context.Context) (*pgx.Conn, error) {
	session, err := s.db.RunSession(ctx, "nightshift spare session")
	if err != nil {
		return nil, err
	}
	if err := warm(ctx, session); err != nil {
		_ = session.Close(ctx)
		return nil, err
	}
	return session, nil
}

// warm lets the server read what a run's beginning and its end need (the task, the tables and partitions of the journal)
// before somebody waits for it: a new session's first statements take ten times as long as its later ones. What it writes
// is rolled back.
func warm(ctx context.Context, session *pgx.Conn) error {
	if _, err := lock(ctx, session, 0, ""); err != nil { // no workflow has this id, so no number is drawn
		return err
	}
	var batch pgx.Batch
	batch.Queue(freeSession)
	batch.Queue(restSession)
	jobs.QueueTasks(&batch, []int64{}, func(jobs.Task) {})
	if err := session.SendBatch(ctx, &batch).Close(); err != nil {
		return err
	}
	tx, err := session.Begin(ctx)
	if err != nil {
		return err
	}
	return errors.Join(db.LogWorkflow(ctx, tx, 0, 0, "info", "rolled back"), tx.Rollback(ctx))
}

// close ends what waits.
func (s *spares) close(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.done.Wait()
	end, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer done()
	for {
		select {
		case session := <-s.ready:
			_ = session.Close(end)
		default:
			return
		}
	}
}
