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

// spareSessions is how many sessions a process keeps ready, because opening one takes longer than all the rest of a claim.
const spareSessions = 3

// spares are sessions that wait for a run. They hold no lock, and give way as soon as the process ends.
type spares struct {
	db     *db.DB
	ready  chan *pgx.Conn
	mu     sync.Mutex
	filled bool // one filling at a time
	closed bool
	done   sync.WaitGroup
}

func newSpares(d *db.DB) *spares { return &spares{db: d, ready: make(chan *pgx.Conn, spareSessions)} }

// take returns a session for a run: one that waits and still answers, else a new one.
func (s *spares) take(ctx context.Context) (*pgx.Conn, error) {
	defer s.fill(ctx)
	for {
		select {
		case session := <-s.ready:
			// What waits is not ended for being idle; a run is.
			if _, err := session.Exec(ctx, `SET idle_session_timeout = '60s'`); err == nil {
				return session, nil
			}
			_ = session.Close(ctx)
		default:
			return s.db.RunSession(ctx, "nightshift run")
		}
	}
}

// fill opens what is missing, in the background.
func (s *spares) fill(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.filled || s.closed {
		return
	}
	s.filled = true
	s.done.Go(func() {
		defer func() { s.mu.Lock(); s.filled = false; s.mu.Unlock() }()
		for len(s.ready) < cap(s.ready) && ctx.Err() == nil {
			session, err := s.open(ctx)
			if err != nil {
				return // the next claim opens its own, and tells why it cannot
			}
			s.ready <- session // there is room: nobody else fills
		}
	})
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
	if _, err := session.Exec(ctx, `SET idle_session_timeout = 0`); err != nil {
		return err
	}
	if err := jobs.Warm(ctx, session); err != nil {
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
