package jobs

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// Run is one execution of a workflow. All of its SQL goes through one PostgreSQL session, which holds the
// workflow's advisory lock: when the session is gone, nothing more can be written by the run.
// A Run belongs to the goroutine of its workflow; only Log, Warn, Say, Read, Progress and Checkpoint may be called from others.
type Run struct {
	db      *db.DB
	task    task
	rawLog  RawLog
	journal *journal
	waits   []time.Duration

	// mu guards the session between the workflow and the ping. busy is the workflow's alone: it finds a
	// statement inside the reading of another, which the session cannot do.
	mu      sync.Mutex
	session *pgx.Conn
	busy    bool

	// tx is the transaction that Tx has open; rehearsal the one of a simulation, in which all others are savepoints.
	tx        *transaction
	rehearsal pgx.Tx

	// list is the tables that the ledger looks at; clean says that PostgreSQL's counts are at zero, since the
	// session has done nothing since the last transaction settled them.
	list  tableList
	clean bool

	// heldBy is who holds the lock that the last statement waited for, in words; nil: it waited for none, as far as known.
	heldBy atomic.Pointer[string]
	told   int32 // the backend that was last named in the log

	// options keeps what the run has read, so that a rule sees one value from its beginning to its end.
	options map[string]*string
}

// RawLog is where the redirection of a node writes its raw log.
type RawLog struct {
	Server string // whose it is
	Folder string // empty: the node has none
}

// RawLog is the raw log of the node on which the run is at work.
func (r *Run) RawLog() RawLog { return r.rawLog }

// Now is the run's cut-off: the database's time when the run began. Every rule of the run counts from it.
func (r *Run) Now() time.Time { return r.task.cutOff }

// Arg returns a parameter that the run was started with ("updateHits" → "full"), and whether it was given.
func (r *Run) Arg(name string) (string, bool) {
	value, ok := r.task.args[name]
	return value, ok
}

// Simulated reports a rehearsal. No workflow asks, except to skip an outside read that moves a remote cursor,
// or a statement that cannot run inside a transaction (VACUUM).
func (r *Run) Simulated() bool { return r.task.simulated }

// Waits are the pauses before something outside that failed for a passing reason is tried again.
func (r *Run) Waits() []time.Duration { return slices.Clone(r.waits) }

// Checkpoint returns an error when the run was asked to stop. A loop calls it each round.
func (r *Run) Checkpoint(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Query reads on the run's session and calls scan for each row. Scan may not use the database, nor work so long
// that the session is taken for abandoned: collect first, work afterwards. Inside Tx it reads in the transaction.
func (r *Run) Query(ctx context.Context, scan func(pgx.Rows) error, sql string, args ...any) error {
	if r.tx != nil {
		return each(ctx, r.tx, scan, sql, args...)
	}
	release, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	if r.rehearsal == nil {
		var rows pgx.Rows
		var more bool
		// A lock of others stands in the way of the first row: when that is tried again nothing has been scanned.
		err := r.repeat(ctx, func() (err error) {
			rows, more, err = first(ctx, r.session, sql, args...)
			return err
		})
		if err != nil {
			return err
		}
		return r.asked(ctx, rest(rows, more, scan))
	}
	// A statement that fails would spoil the whole rehearsal: it gets a savepoint.
	return r.asked(ctx, pgx.BeginFunc(ctx, r.rehearsal, func(tx pgx.Tx) error { return each(ctx, tx, scan, sql, args...) }))
}

// Session runs one statement outside any transaction (VACUUM). A simulation only logs it.
func (r *Run) Session(ctx context.Context, effect, sql string) error {
	if r.Simulated() {
		r.Log("would: %s", effect)
		return nil
	}
	release, err := r.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	begin := time.Now()
	r.sql(sql)
	if _, err := r.session.Exec(ctx, sql); err != nil {
		return r.asked(ctx, fmt.Errorf("%s: %w", effect, err))
	}
	r.Log("%s (%s)", effect, duration(time.Since(begin)))
	return nil
}

// querier is what a session and a transaction have in common for reading.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// each calls scan for every row of a query.
func each(ctx context.Context, q querier, scan func(pgx.Rows) error, sql string, args ...any) error {
	rows, more, err := first(ctx, q, sql, args...)
	if err != nil {
		return err
	}
	return rest(rows, more, scan)
}

// first begins a query and goes to its first row; more is false, and the query over, when there is none.
func first(ctx context.Context, q querier, sql string, args ...any) (rows pgx.Rows, more bool, err error) {
	rows, err = q.Query(ctx, sql, args...)
	if err != nil {
		return nil, false, err
	}
	more = rows.Next()
	return rows, more, rows.Err()
}

// rest calls scan for the row that a query stands at and all that follow.
func rest(rows pgx.Rows, more bool, scan func(pgx.Rows) error) error {
	defer rows.Close()
	for ; more; more = rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// take reserves the session for one statement or transaction of the workflow.
func (r *Run) take(ctx context.Context) (release func(), err error) {
	if err := r.Checkpoint(ctx); err != nil {
		return nil, err
	}
	if r.busy {
		return nil, errNested
	}
	r.mu.Lock()
	r.busy, r.clean = true, false
	unwatch := r.watch(ctx)
	return func() {
		unwatch()
		r.busy = false
		r.mu.Unlock()
	}, nil
}
