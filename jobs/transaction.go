package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// closing is how long the end of a transaction or of a run may take after everything else was cancelled.
const closing = 20 * time.Second

// transaction is what the function of Tx works with: PostgreSQL's transaction, and the counts that it began with.
type transaction struct {
	pgx.Tx
	run    *Run
	before tallies
	// known is what PostgreSQL's counts do not show: the rows of a dropped partition, an estimate.
	known []change
	// marks are the counts at the open savepoints, the innermost last.
	marks []tallies
}

// Commit is refused: the Run commits, together with the ledger.
func (t *transaction) Commit(context.Context) error {
	return errors.New("the Run commits its transactions")
}

// Rollback is refused: a function that returns an error is rolled back.
func (t *transaction) Rollback(context.Context) error {
	return errors.New("the Run rolls back when an error is returned")
}

// Begin opens a savepoint. What is rolled back to it leaves the ledger.
func (t *transaction) Begin(ctx context.Context) (pgx.Tx, error) { return t.savepoint(ctx, t.Tx) }

// savepoint notes the counts and opens a savepoint within the transaction or another savepoint of it.
func (t *transaction) savepoint(ctx context.Context, within pgx.Tx) (pgx.Tx, error) {
	mark, err := t.run.snapshot(ctx, within)
	if err != nil {
		return nil, err
	}
	inner, err := within.Begin(ctx)
	if err != nil {
		return nil, err
	}
	t.marks = append(t.marks, mark)
	return &savepoint{Tx: inner, of: t, depth: len(t.marks)}, nil
}

// savepoint is a part of a transaction that can be taken back.
type savepoint struct {
	pgx.Tx
	of     *transaction
	depth  int
	closed bool
}

// Begin opens a savepoint inside this one.
func (s *savepoint) Begin(ctx context.Context) (pgx.Tx, error) { return s.of.savepoint(ctx, s.Tx) }

// Commit keeps the part, for as long as what is around it is kept.
func (s *savepoint) Commit(ctx context.Context) error {
	err := s.Tx.Commit(ctx)
	if err == nil && !s.closed {
		s.closed = true
		s.of.marks = s.of.marks[:s.depth-1]
	}
	return err
}

// Rollback takes the part back. PostgreSQL keeps the attempts in its counts, so they are added to what the
// transaction, and each savepoint around this one, began with.
func (s *savepoint) Rollback(ctx context.Context) error {
	if err := s.Tx.Rollback(ctx); err != nil || s.closed {
		return err
	}
	s.closed = true
	after, err := s.of.run.snapshot(ctx, s.of.Tx)
	if err != nil {
		return err
	}
	mark := s.of.marks[s.depth-1]
	s.of.marks = s.of.marks[:s.depth-1]
	lost := tallies{}
	lost.add(after, mark)
	for _, mark := range s.of.marks {
		mark.add(lost, nil)
	}
	s.of.before.add(lost, nil)
	return nil
}

// Tx runs fn in one transaction; what it changed goes to the ledger when it commits. Serialization failures, deadlocks
// and lock timeouts are repeated (3 more attempts, after 1, 4 and 16 seconds), so fn may be called more than once.
// In a simulation it is a savepoint of the transaction that is rolled back.
func (r *Run) Tx(ctx context.Context, fn func(pgx.Tx) error) error {
	return r.change(ctx, func() ([]change, error) {
		return r.attempt(ctx, "", func(t *transaction) error { return fn(t) })
	})
}

// change is Tx for the Run's own statements: one attempt, which is repeated.
func (r *Run) change(ctx context.Context, attempt func() ([]change, error)) error {
	return r.repeat(ctx, func() error {
		changes, err := attempt()
		if err == nil {
			r.journal.changed(changes)
		}
		return err
	})
}

// attempt is one transaction from its begin to its commit. The commit is not cancelled: its result must be known. All that
// it does is to delete from one table, if it is named.
func (r *Run) attempt(ctx context.Context, table string, fn func(*transaction) error) ([]change, error) {
	release, err := r.ready(ctx, table)
	if err != nil {
		return nil, err
	}
	defer release()
	within, err := r.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	t := &transaction{Tx: within, run: r, before: tallies{}}
	committed := false
	defer func() {
		r.tx = nil
		if !committed {
			end, done := ending(ctx)
			defer done()
			_ = within.Rollback(end)
		}
	}()
	if r.rehearsal != nil {
		if t.before, err = r.snapshot(ctx, within); err != nil {
			return nil, err
		}
	}
	r.tx = t
	if err := fn(t); err != nil {
		return nil, err
	}
	end, done := ending(ctx)
	defer done()
	var batch pgx.Batch
	changes := r.settle(&batch, t.before, t.known)
	if err := within.SendBatch(end, &batch).Close(); err != nil {
		return nil, err
	}
	if err := within.Commit(end); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	committed, r.clean = true, r.rehearsal == nil
	return *changes, nil
}

// together is attempt for statements that are all known beforehand. They go to the server in one round trip, with the
// begin before, the ledger and the commit after them.
// A request to cancel may come during the commit, too: PostgreSQL then refuses it or confirms it, so its result is known.
func (r *Run) together(ctx context.Context, table string, queue func(*pgx.Batch)) ([]change, error) {
	var batch pgx.Batch
	if r.rehearsal != nil {
		return r.attempt(ctx, table, func(t *transaction) error {
			queue(&batch)
			return t.SendBatch(ctx, &batch).Close()
		})
	}
	release, err := r.ready(ctx, table)
	if err != nil {
		return nil, err
	}
	defer release()
	committed := false
	batch.Queue(`BEGIN`)
	queue(&batch)
	changes := r.settle(&batch, nil, nil)
	batch.Queue(`COMMIT`).Exec(func(pgconn.CommandTag) error {
		committed = true
		return nil
	})
	if err := r.session.SendBatch(ctx, &batch).Close(); !committed {
		end, done := ending(ctx)
		defer done()
		if _, failed := r.session.Exec(end, `ROLLBACK`); failed != nil {
			_ = r.session.Close(end) // which does the same
		}
		return nil, err
	}
	r.clean = true
	return *changes, nil
}

// ready takes the session for a transaction: with a list of the tables, and with PostgreSQL's counts at zero, but for
// those of a simulation, which is one long transaction.
func (r *Run) ready(ctx context.Context, table string) (release func(), err error) {
	clean := r.clean
	release, err = r.take(ctx)
	if err != nil {
		return nil, err
	}
	if r.rehearsal == nil && !clean {
		_, err = r.session.Exec(ctx, flushTallies)
	}
	if err == nil {
		err = r.tables(ctx, table)
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// ending is a context for what is not cancelled with the rest.
func ending(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), closing)
}

// begin opens a transaction of the session or, in a simulation, a savepoint of the one that is rolled back. It is not
// cancelled: pgx gives up a session whose begin fails.
func (r *Run) begin(ctx context.Context) (pgx.Tx, error) {
	ctx, done := ending(ctx)
	defer done()
	if r.rehearsal != nil {
		return r.rehearsal.Begin(ctx)
	}
	return r.session.Begin(ctx)
}

// Exec is a Tx of one statement, logged with its count when it changed anything. Like Tx it is repeated when
// a lock or another transaction stood in its way.
func (r *Run) Exec(ctx context.Context, effect, sql string, args ...any) (int64, error) {
	r.sql(sql)
	rows, err := r.exec(ctx, effect, sql, args...)
	if rows > 0 {
		r.Log("%s%s: %s", r.would(), effect, counted(rows, "row"))
	}
	return rows, err
}

// exec is one statement in a transaction of its own, with no line in the log.
func (r *Run) exec(ctx context.Context, effect, sql string, args ...any) (rows int64, err error) {
	err = r.change(ctx, func() ([]change, error) {
		return r.together(ctx, "", func(batch *pgx.Batch) {
			batch.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
				rows = tag.RowsAffected()
				return nil
			})
		})
	})
	if err != nil {
		rows = 0
	}
	if r.blocked(err) {
		r.Warn("%s: rows locked by another session, not rehearsed", effect)
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", effect, err)
	}
	return rows, nil
}

// blocked reports a statement of a simulation that met a lock: real work goes first, the rehearsal goes on.
func (r *Run) blocked(err error) bool { return r.Simulated() && sqlState(err) == lockNotAvailable }

// Batches repeats one statement, each in a transaction of its own, until it changes nothing; a checkpoint, the
// progress and, after a batch of more than 2 s, a pause of 10 ms lie between. It returns the rows changed in all.
// The rows that the statement changes must no longer match it afterwards.
func (r *Run) Batches(ctx context.Context, effect, sql string, args ...any) (int64, error) {
	r.sql(sql)
	b := r.batches(effect, -1)
	for {
		begin := time.Now()
		rows, err := r.exec(ctx, effect, sql, args...)
		if err != nil || rows == 0 {
			b.finish()
			return b.done, err
		}
		if err := b.add(ctx, rows, time.Since(begin)); err != nil {
			b.finish()
			return b.done, err
		}
	}
}
