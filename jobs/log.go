package jobs

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	flushPause  = 25 * time.Millisecond // a line is on a reader's screen within 50 ms
	flushLimit  = 2000                  // lines a flush
	fullJournal = 10000                 // lines that wait; a run that writes faster waits for the database
	fullWait    = 5 * time.Second
)

// journal is what a run tells of itself: its log lines, its steps and the options it read. One goroutine writes it
// through the pool, at most forty times a second, so that it shows while the run's own transaction is open.
type journal struct {
	run    *Run
	offset time.Duration // how far the database's clock is ahead of ours
	wake   chan struct{}
	room   *sync.Cond

	mu       sync.Mutex
	lines    []line
	lost     int // lines given up because the database did not take them
	warnings int
	steps    []*step
	current  *step // nil between steps
	names    []string
	announce bool              // names are to be written
	options  map[string]string // to be written
	effects  map[int]map[string]change
	failed   string // the first step that failed
}

// line is one line of the log before it is written. Its time is the database's, as far as we know it.
type line struct {
	at      time.Time
	step    int
	key     string
	level   string
	message string
}

// newJournal makes the journal of a run; offset is how far the database's clock is ahead of ours.
func newJournal(r *Run, offset time.Duration) *journal {
	j := &journal{run: r, offset: offset, wake: make(chan struct{}, 1), options: map[string]string{}, effects: map[int]map[string]change{}}
	j.room = sync.NewCond(&j.mu)
	return j
}

// Log writes a line of level info, at most 512 characters of it.
func (r *Run) Log(format string, args ...any) { r.journal.write("info", fmt.Sprintf(format, args...)) }

// Warn writes a line of level warning: the run ends completed with warnings.
func (r *Run) Warn(format string, args ...any) {
	r.journal.write("warning", fmt.Sprintf(format, args...))
}

// sql writes a statement when the workflow is set to log its statements; values are not shown.
func (r *Run) sql(statement string) {
	if r.task.logSQL {
		r.journal.write("sql", strings.Join(strings.Fields(statement), " "))
	}
}

// would is how a line of a simulation begins.
func (r *Run) would() string {
	if r.Simulated() {
		return "would: "
	}
	return ""
}

// write adds a line. It is the one way into the log: no text gets there unless it is cut, redacted and plain.
func (j *journal) write(level, message string) {
	message = cut(plain(redact(message)), lineLimit)
	j.mu.Lock()
	defer j.mu.Unlock()
	if level == "warning" {
		j.warnings++
	}
	if !j.waitForRoom() {
		j.lost++
		return
	}
	l := line{at: time.Now().Add(j.offset), level: level, message: message}
	if j.current != nil {
		l.step, l.key = j.current.order, j.current.key
	}
	j.lines = append(j.lines, l)
	j.ring()
}

// waitForRoom holds back a run that writes faster than the database takes, for some seconds at most.
func (j *journal) waitForRoom() bool {
	if len(j.lines) < fullJournal {
		return true
	}
	expired := false
	timer := time.AfterFunc(fullWait, func() {
		j.mu.Lock()
		expired = true
		j.mu.Unlock()
		j.room.Broadcast()
	})
	defer timer.Stop()
	for len(j.lines) >= fullJournal && !expired {
		j.room.Wait()
	}
	return len(j.lines) < fullJournal
}

// ring wakes the writer.
func (j *journal) ring() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// keep writes the journal until ctx ends, each time flushPause after the time before began. What could not be written stays
// for the next time.
func (j *journal) keep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.wake:
		}
		pause := time.After(flushPause)
		// The end of a run waits for a write under way and does not cut it off: whether the server took it must be known.
		end, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		if err := j.flush(end, j.run.db.Pool.SendBatch); err != nil {
			j.ring()
		}
		done()
		select {
		case <-ctx.Done():
			return
		case <-pause:
		}
	}
}

// flush writes what is new in one implicit transaction, and rings the bell of whoever reads the run.
func (j *journal) flush(ctx context.Context, send func(context.Context, *pgx.Batch) pgx.BatchResults) error {
	batch, taken := j.pack(flushLimit)
	if batch == nil {
		return nil
	}
	if err := send(ctx, batch).Close(); err != nil {
		taken.putBack(j)
		return fmt.Errorf("write the journal of run %d: %w", j.run.task.id, err)
	}
	j.room.Broadcast()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) > 0 {
		j.ring()
	}
	return nil
}

// bundle is what a flush has taken, for when it fails.
type bundle struct {
	lines    []line
	steps    []*step
	options  map[string]string
	announce bool
}

// putBack gives everything back to the journal, before what was written since.
func (b bundle) putBack(j *journal) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(b.lines, j.lines...)
	for _, s := range b.steps {
		s.dirty = true
	}
	maps.Copy(b.options, j.options)
	j.options = b.options
	j.announce = j.announce || b.announce
}

// pack takes up to limit lines and all that changed, as statements. It returns nil when there is nothing.
func (j *journal) pack(limit int) (*pgx.Batch, bundle) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lost > 0 && len(j.lines) < fullJournal {
		j.lines = append(j.lines, line{at: time.Now().Add(j.offset), level: "warning",
			message: counted(int64(j.lost), "line") + " left out: the database did not take them in time"})
		j.lost = 0
	}
	taken := bundle{lines: j.lines, options: j.options, announce: j.announce}
	if len(taken.lines) > limit {
		taken.lines = j.lines[:limit:limit]
	}
	j.lines = j.lines[len(taken.lines):]
	j.options, j.announce = map[string]string{}, false
	batch := &pgx.Batch{}
	if len(taken.lines) > 0 {
		queueLines(batch, j.run.task, taken.lines)
	}
	for _, s := range j.steps {
		if s.dirty {
			s.dirty = false
			taken.steps = append(taken.steps, s)
			queueStep(batch, j.run.task.id, s)
		}
	}
	if len(taken.options) > 0 {
		batch.Queue(`UPDATE xtk.workflow_task SET options = options || $2 WHERE id = $1`, j.run.task.id, taken.options)
	}
	if taken.announce {
		batch.Queue(`UPDATE xtk.workflow_task SET result = result || jsonb_build_object('steps', $2::text[]) WHERE id = $1`,
			j.run.task.id, j.names)
	}
	if batch.Len() == 0 {
		return nil, taken
	}
	batch.Queue(`SELECT pg_notify('nightshift_log', $1::bigint::text)`, j.run.task.id)
	return batch, taken
}

// queueLines adds lines in their order: a reader asks for ids above the last it has.
func queueLines(batch *pgx.Batch, of task, lines []line) {
	n := len(lines)
	at, steps, keys := make([]time.Time, n), make([]int, n), make([]string, n)
	levels, messages := make([]string, n), make([]string, n)
	for i, l := range lines {
		at[i], steps[i], keys[i], levels[i], messages[i] = l.at, l.step, l.key, l.level, l.message
	}
	batch.Queue(`
		INSERT INTO xtk.workflow_log (workflow_id, task_id, simulation, log_date, step_order, step_key, level, message)
		SELECT $1, $2, $3, at, nullif(step, 0), nullif(key, ''), level, message
		FROM unnest($4::timestamptz[], $5::int[], $6::text[], $7::text[], $8::text[])
		     WITH ORDINALITY AS l (at, step, key, level, message, place)
		ORDER BY place`, of.workflowID, of.id, of.simulated, at, steps, keys, levels, messages)
}
