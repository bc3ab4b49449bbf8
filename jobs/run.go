package jobs

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Run is one execution of a workflow. All of its SQL goes through one PostgreSQL session, which holds the
// workflow's advisory lock: when the session is gone, nothing more can be written by the run.
type Run struct{}

// Now is the run's cut-off: the database's time when the run began. Every rule of the run counts from it.
func (r *Run) Now() time.Time { panic("not yet") }

// Arg returns a parameter that the run was started with ("updateHits" → "full"), and whether it was given.
func (r *Run) Arg(name string) (string, bool) { panic("not yet") }

// Simulated reports a rehearsal. No workflow asks, except to skip an outside read that moves a remote cursor,
// or a statement that cannot run inside a transaction (VACUUM).
func (r *Run) Simulated() bool { panic("not yet") }

// Step runs fn as a named step: own row, duration, counts and state. A step that the failed run being resumed
// has completed is kept and not repeated.
func (r *Run) Step(ctx context.Context, name string, fn func(context.Context) error) error {
	panic("not yet")
}

// Steps announces the names of all steps in their order, so that people see what is to come.
func (r *Run) Steps(ctx context.Context, names ...string) error { panic("not yet") }

// Say sets what the current step tells of itself in words, with its numbers ("14 deliveries with everything they carry").
func (r *Run) Say(format string, args ...any) { panic("not yet") }

// Tx runs fn in one transaction; what it changed goes to the ledger when it commits. Serialization failures
// and deadlocks are repeated (3 attempts, 1, 4 and 16 seconds apart). In a simulation it is a savepoint of the transaction that is rolled back.
func (r *Run) Tx(ctx context.Context, fn func(pgx.Tx) error) error { panic("not yet") }

// Query reads on the run's session and calls scan for each row.
func (r *Run) Query(ctx context.Context, scan func(pgx.Rows) error, sql string, args ...any) error {
	panic("not yet")
}

// Exec is a Tx of one statement, logged with its count when it changed anything.
func (r *Run) Exec(ctx context.Context, effect, sql string, args ...any) (int64, error) {
	panic("not yet")
}

// Batches repeats one statement, each in a transaction of its own, until it changes nothing; a checkpoint, the
// progress and, after a batch of more than 2 s, a pause of 10 ms lie between. It returns the rows changed in all.
func (r *Run) Batches(ctx context.Context, effect, sql string, args ...any) (int64, error) {
	panic("not yet")
}

// Purge deletes the rows of a table that match one predicate, oldest ids first, in batches. The same
// predicate counts them before (for progress and for the plan of a simulation) and deletes them.
func (r *Run) Purge(ctx context.Context, effect string, p Purge) (int64, error) { panic("not yet") }

// Purge names rows to delete: those of Table for which Where holds, Batch rows a transaction, with
// rows locked by others left for the next run.
type Purge struct {
	Table string // schema-qualified
	Key   string // unique column that orders the batches; empty: id
	Where string // predicate over the table, written with the alias t ("t.last_modified < $1")
	Args  []any
	Batch int    // rows a transaction; 0: 5,000
	Age   string // date column (of t) that the rule looks at, for the plan of a simulation; empty: none
	// Partitioned tables: a partition of which no row survives Where is dropped whole, its rows counted into the ledger first.
	Partitions bool
}

// DropTable drops a work table in a transaction of its own, with a lock_timeout of 5 s; a table in use is left with a warning.
// Its rows are not counted. It reports whether it was dropped (in a simulation: whether it would be).
func (r *Run) DropTable(ctx context.Context, schema, table string) (bool, error) { panic("not yet") }

// Session runs one statement outside any transaction (VACUUM). A simulation only logs it.
func (r *Run) Session(ctx context.Context, effect, sql string) error { panic("not yet") }

// Log writes a line of level info, at most 512 characters of it.
func (r *Run) Log(format string, args ...any) { panic("not yet") }

// Warn writes a line of level warning: the run ends completed with warnings.
func (r *Run) Warn(format string, args ...any) { panic("not yet") }

// Read counts rows that the current step has read.
func (r *Run) Read(rows int64) { panic("not yet") }

// Progress tells how far the current step is. total 0: unknown.
func (r *Run) Progress(done, total int64, unit string) { panic("not yet") }

// Checkpoint returns an error when the run was asked to stop. A loop calls it each round.
func (r *Run) Checkpoint(ctx context.Context) error { panic("not yet") }

// Once does an effect outside the database at most once per key: begun and done is skipped when repeated; do failed
// is taken back; begun and never confirmed is not repeated and shown as "result unknown". A simulation logs "would: effect" instead.
func (r *Run) Once(ctx context.Context, key, effect string, do func(context.Context) error) error {
	panic("not yet")
}

// Option reads an option of the instance; ok is false when there is no row. The value is kept with the run.
func (r *Run) Option(ctx context.Context, name string) (value string, ok bool, err error) {
	panic("not yet")
}

// Delay reads a purge delay (stored in seconds). A row that is not a number, or not above zero, gives ok false and a warning:
// that purge is skipped. No row gives the default.
func (r *Run) Delay(ctx context.Context, option string, byDefault time.Duration) (delay time.Duration, ok bool, err error) {
	panic("not yet")
}
