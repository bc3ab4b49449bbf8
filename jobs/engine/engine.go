// Package engine runs workflows: it notices what is due, applies operators' orders, claims work, executes it, and takes
// over what a lost process left behind. Everything it knows is in the database, so any number of engines share the work
// of one database and any of them may vanish at any moment.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
)

const (
	// sweepEvery is how often the database is asked for lost runs, ended pauses and whatever a bell did not tell.
	sweepEvery = 2 * time.Second
	// drainFor is how long the end of this process waits for its runs to reach a safe point.
	drainFor = 20 * time.Second
	// Pauses between attempts while the database does not answer.
	backOffFrom = 200 * time.Millisecond
	backOffTo   = 10 * time.Second
)

// errShutdown is the cause of the context of a run whose process ends in order: its event becomes due again.
var errShutdown = errors.New("the process ends")

// Config says what an engine works on and what it calls itself.
type Config struct {
	DB        *db.DB
	Workflows []jobs.Workflow
	// Node names the process for people. Two living processes of one name are told apart by a number.
	Node string
	// Affinities are the words for whose workflows this process is there; TakesUnassigned adds those without a word.
	Affinities      []string
	TakesUnassigned bool
	Build           string
	Modules         []string     // what should work in this process, for who watches it; none: it is there for one run
	RawLog          string       // folder of the raw log of this node's redirection; empty: none
	Logger          *slog.Logger // nil: slog.Default
}

// Engine is one process's share of the work. It is made by New and used by one call of Run.
type Engine struct {
	config    Config
	workflows map[string]jobs.Workflow
	names     []string
	node      db.Node
	bell      chan struct{}
	sweep     atomic.Bool // the next round looks at everything
	clock     *clock
	spares    *spares
	trouble   *trouble
	lag       time.Duration // tests make one process slower than another
	// sampleEvery is shorter in tests.
	sampleEvery time.Duration
	// Of the working goroutine alone: its connection, when the node was shown alive and its tables looked after, and the
	// schedules that the clock was set for.
	desk       *pgx.Conn
	seen, kept time.Time
	alarms     string

	mu      sync.Mutex
	deaf    error                // why there is no listening connection
	rung    []db.Due             // by bells since the last round
	running map[int64]*execution // by task
	done    sync.WaitGroup
}

// New makes an engine for the workflows that have code. It does nothing before Run.
func New(config Config) *Engine {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	e := &Engine{config: config, workflows: map[string]jobs.Workflow{}, bell: make(chan struct{}, 1), running: map[int64]*execution{},
		sampleEvery: db.LoadEvery, trouble: &trouble{log: config.Logger}}
	for _, w := range config.Workflows {
		if w.Run != nil {
			e.workflows[w.Name] = w
			e.names = append(e.names, w.Name)
		}
	}
	host, _ := os.Hostname()
	e.node = db.Node{Name: config.Node, Host: host, PID: os.Getpid(), Affinities: config.Affinities,
		TakesUnassigned: config.TakesUnassigned, Version: config.Build, Started: time.Now(), Expected: config.Modules}
	if e.node.Name == "" {
		e.node.Name = host
	}
	if e.node.Affinities == nil {
		e.node.Affinities = []string{}
	}
	return e
}

// Run works until ctx is cancelled. Then it claims nothing more, stops its runs at their next safe point within 20 s and
// gives their events back, due as before. While PostgreSQL does not answer it waits for it, 0.2 to 10 s between attempts.
func (e *Engine) Run(ctx context.Context) error {
	clock, err := newClock(e.ring)
	if err != nil {
		return err
	}
	e.clock, e.spares = clock, newSpares(e.config.DB)
	var loops sync.WaitGroup
	loops.Go(func() { e.listen(ctx) })
	loops.Go(func() { e.work(ctx) })
	loops.Go(func() { e.partitions(ctx) })
	loops.Go(func() { e.sample(ctx) })
	<-ctx.Done()
	err = clock.close()
	loops.Wait()
	return errors.Join(err, e.drain(context.WithoutCancel(ctx)))
}

// ring asks for a round of work now. A bell that rings already is enough.
func (e *Engine) ring() {
	select {
	case e.bell <- struct{}{}:
	default:
	}
}

// work does a round at every bell and, with a look at what no bell tells, every two seconds and when a run of this
// process was lost.
func (e *Engine) work(ctx context.Context) {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	defer e.leave(ctx)
	e.sweep.Store(true)
	for ctx.Err() == nil {
		full := e.sweep.Swap(false)
		wait := e.trouble.after(ctx, e.round(ctx, full), full)
		if wait > 0 {
			e.sweep.Store(true)
			pause(ctx, wait)
			continue
		}
		select {
		case <-ctx.Done():
		case <-e.bell:
			pause(ctx, e.lag)
		case <-sweep.C:
			e.sweep.Store(true)
		}
	}
}

// round does all that can be done now. It returns what each part says: one that fails does not keep the others from
// their work.
func (e *Engine) round(ctx context.Context, everything bool) []error {
	answered := e.answer(ctx)
	work, err := e.look(ctx)
	if err != nil {
		return []error{errors.Join(answered, err)}
	}
	ordered := len(work.orders) > 0
	stirred := ordered || work.due || work.pauses || everything // what could run is no longer what was seen
	said, begun := []error{nil, answered}, 0                    // nil is the look's
	for _, part := range []struct {
		needed bool
		do     func(context.Context) error
	}{
		{everything, e.hears}, {everything, e.takeOver}, {everything, e.stopAsked}, {everything, e.keep}, {everything, e.watchDrift},
		{ordered, func(ctx context.Context) error { return e.applyOrders(ctx, work.orders) }},
		{work.unplanned || everything, func(ctx context.Context) error { return e.plan(ctx, work.room) }},
		{work.due || everything, e.due},
		{work.pauses || everything, e.selfOrders},
		{stirred, func(ctx context.Context) (err error) { work.openings, err = e.openings(ctx); return err }},
		{true, func(ctx context.Context) (err error) { begun, err = e.claim(ctx, work.openings); return err }},
	} {
		if part.needed {
			said = append(said, part.do(ctx))
		}
	}
	if stirred || work.events > begun {
		said = append(said, e.skip(ctx))
	}
	if ordered || begun > 0 && work.events > begun {
		e.ring() // a start has a schedule to plan, and a look shows only so many events
	}
	return said
}

// work is what a look at the database found to do.
type work struct {
	orders                 []waiting
	unplanned, due, pauses bool
	events                 int // that are pending
	openings
}

// look asks in one question what a round has to do, so that a bell costs little and an order reaches its run quickly.
func (e *Engine) look(ctx context.Context) (w work, err error) {
	var batch pgx.Batch
	batch.Queue(`
		SELECT id, workflow_id
		FROM xtk.workflow_job
		WHERE applied_at IS NULL
		ORDER BY id
		LIMIT 1000`).Query(func(rows pgx.Rows) (err error) {
		w.orders, err = pgx.CollectRows(rows, pgx.RowToStructByPos[waiting])
		return err
	})
	batch.Queue(`
		SELECT EXISTS (SELECT FROM xtk.workflow
		               WHERE state IN ('started', 'pause_pending', 'paused')
		                 AND next_processing IS NULL AND schedule ->> 'kind' <> 'none'),
		       EXISTS (SELECT FROM xtk.workflow
		               WHERE state IN ('started', 'pause_pending', 'paused') AND next_processing <= now()),
		       EXISTS (SELECT FROM xtk.workflow
		               WHERE state IN ('paused', 'pause_pending') AND pause_until <= now()),
		       (SELECT count(*) FROM xtk.workflow_event WHERE status = 'pending')`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&w.unplanned, &w.due, &w.pauses, &w.events)
	})
	w.ask(&batch, e.names, e.nodeNow())
	if err := e.ask(ctx, &batch); err != nil {
		return w, fmt.Errorf("look for work: %w", err)
	}
	return w, nil
}

// drain stops the runs of this process and waits for them, then says that the node ended in order.
func (e *Engine) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainFor)
	defer cancel()
	e.mu.Lock()
	for _, x := range e.running {
		x.cancel(errShutdown)
	}
	e.mu.Unlock()
	e.spares.close(ctx)
	ended := make(chan struct{})
	go func() { e.done.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		// Their sessions end with this process: another one sees it and takes them over.
		e.config.Logger.WarnContext(ctx, "runs did not stop in time and are left to be taken over", "node", e.node.Name)
	}
	if e.node.ID == 0 {
		return nil
	}
	end, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer done()
	return e.config.DB.SeeNode(end, e.node.ID, true)
}

// pause waits, or returns early when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
