package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// pingPause is how often the session is kept awake while the run works outside the database: three times before
// PostgreSQL takes it for abandoned.
const pingPause = 15 * time.Second

// Execution says which task to execute, and on what.
type Execution struct {
	DB *db.DB
	// Session is the task's connection. It holds the workflow's advisory lock and is the caller's to close.
	Session  *pgx.Conn
	Task     Task
	Workflow Workflow
	// RawLog is that of the node; may be empty.
	RawLog RawLog
	// Finish adds the consequences of the outcome to the transaction that writes it. May be nil.
	Finish func(ctx context.Context, tx pgx.Tx, outcome Outcome) error
	// Waits are the pauses before a transaction that met a passing error is tried again; nil: 1, 4 and 16 s.
	Waits []time.Duration
}

// Outcome is how a run ended.
type Outcome struct {
	// Status is the task's final state (completed, failed, stopped), or lost: nothing could be written, the task is
	// left running for whoever finds its lock free.
	Status  string
	Err     error  // nil when completed
	Code    string // SQLSTATE, or panic
	Step    string // the step that failed
	Message string // without secrets
	Detail  string

	RowsRead, RowsChanged int64
	Warnings              int
}

// Execute takes a task that is running, whose lock the session holds, runs the workflow, and writes the final state,
// the counts, the last log line and what Finish adds in one transaction on the session. Cancelling ctx stops the run:
// the statement at work is cancelled and its transaction rolled back, what was committed stays.
func Execute(ctx context.Context, e Execution) Outcome {
	// A run that is stopped before it begins still has an end to write.
	reading, done := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer done()
	t := e.Task.row
	err := t.readResumed(reading, e.Session)
	if err != nil {
		err = fmt.Errorf("read run %d, which is resumed: %w", *t.resumes, err)
		return Outcome{Status: "lost", Err: err, Message: redact(err.Error())}
	}
	r := &Run{db: e.DB, task: t, rawLog: e.RawLog, session: e.Session, waits: e.Waits, options: map[string]*string{}}
	if r.waits == nil {
		r.waits = []time.Duration{time.Second, 4 * time.Second, 16 * time.Second}
	}
	r.journal = newJournal(r, e.Task.offset)
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() { defer close(kept); r.journal.keep(keeping) }()

	running, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { r.stayAwake(running, cancel) })
	if t.simulated {
		watching.Go(func() { r.giveWay(running, cancel) })
	}

	begin := time.Now()
	r.Log("%s, cut-off %s", r.kind(), t.cutOff.UTC().Format("2006-01-02 15:04:05.000 MST"))
	err = r.work(running, e.Workflow)
	outcome := r.judge(running, err)

	cancel(nil)
	watching.Wait()
	stopKeeping()
	<-kept
	if outcome.Status == "lost" {
		return outcome
	}
	return r.finish(ctx, e.Finish, outcome, time.Since(begin))
}

// kind is how the first line of a run begins.
func (r *Run) kind() string {
	switch {
	case r.Simulated():
		return "simulation: all is rolled back at the end"
	case r.task.resumes != nil:
		return fmt.Sprintf("run that resumes %d", *r.task.resumes)
	}
	return "run"
}

// stayAwake pings the session while the workflow does not use it, and ends the run when the session is gone.
func (r *Run) stayAwake(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(pingPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !r.mu.TryLock() {
			continue // a statement is at work
		}
		err := r.session.Ping(ctx)
		r.mu.Unlock()
		if err != nil && ctx.Err() == nil {
			cancel(fmt.Errorf("%w: %w", errLost, err))
			return
		}
	}
}

// work calls the workflow's function; a simulation's in one transaction that is always rolled back.
func (r *Run) work(ctx context.Context, w Workflow) (err error) {
	if w.Run == nil {
		return errors.New("this version does not have the workflow")
	}
	if r.Simulated() {
		if err := r.rehearse(ctx); err != nil {
			return err
		}
		defer r.takeBack(ctx)
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = &panicked{cause: cause, stack: string(debug.Stack())}
		}
	}()
	return w.Run(ctx, r)
}

// panicked is a panic of a workflow as an error.
type panicked struct {
	cause any
	stack string
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.cause) }

// judge turns the error of the workflow into the outcome of the run.
func (r *Run) judge(ctx context.Context, err error) Outcome {
	j := r.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	o := Outcome{Status: "completed", Err: err, Warnings: j.warnings}
	for _, s := range j.steps {
		o.RowsRead += s.read
	}
	for _, tables := range j.effects {
		for _, c := range tables {
			o.RowsChanged += c.rows()
		}
	}
	if err == nil && !r.session.IsClosed() {
		return o
	}
	o.Status, o.Step = "failed", j.failed
	var panic *panicked
	switch {
	case r.session.IsClosed() || errors.Is(err, errLost) || errors.Is(context.Cause(ctx), errLost):
		o.Status, o.Err = "lost", errors.Join(err, errLost)
	case ctx.Err() != nil:
		o.Status, o.Err, o.Step = "stopped", errors.Join(context.Cause(ctx), err), ""
	case errors.As(err, &panic):
		o.Code, o.Detail = "panic", redact(panic.stack)
	default:
		o.Code, o.Detail = sqlState(err), redact(detail(err))
	}
	o.Err = discreet{o.Err}
	o.Message = cut(plain(o.Err.Error()), 2000)
	return o
}
