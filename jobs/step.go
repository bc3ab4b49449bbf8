package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// step is one named part of a run while it lives; its row follows it with every flush of the journal.
type step struct {
	order   int
	key     string
	status  string
	start   time.Time
	end     *time.Time
	read    int64
	changed int64
	done    int64
	total   *int64
	unit    string
	batches int
	message string
	rules   []ruleFacts
	delays  []delayFact
	dirty   bool
}

// ruleFacts is what the plan of a simulation says of one rule; it is kept in the step's detail under "rules".
type ruleFacts struct {
	Effect    string     `json:"effect"`
	Table     string     `json:"table"`
	Rows      *int64     `json:"rows,omitempty"` // by the rule's own predicate; absent when counting took too long
	Oldest    *time.Time `json:"oldest,omitempty"`
	Newest    *time.Time `json:"newest,omitempty"`
	Locked    int64      `json:"locked,omitempty"`
	Dropped   []string   `json:"dropped,omitempty"` // partitions dropped whole
	Estimated bool       `json:"estimated,omitempty"`
}

// delayFact is a purge delay that a step has read, in seconds; the step's detail keeps it under "delays".
type delayFact struct {
	Option  string `json:"option"`
	Seconds int64  `json:"seconds"`
}

// Steps announces the names of all steps in their order, so that people see what is to come. They stand in the
// task's result under "steps".
func (r *Run) Steps(_ context.Context, names ...string) error {
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			return fmt.Errorf("step %q is announced twice", name)
		}
		seen[name] = true
	}
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	if len(r.journal.steps) > 0 {
		return errors.New("steps are announced before the first of them")
	}
	r.journal.names, r.journal.announce = slices.Clone(names), true
	r.journal.ring()
	return nil
}

// Step runs fn as a named step: own row, duration, counts and state. A step that the failed run being resumed
// has completed is kept and not repeated.
func (r *Run) Step(ctx context.Context, name string, fn func(context.Context) error) error {
	if err := r.Checkpoint(ctx); err != nil {
		return err
	}
	kept, isKept := r.task.kept[name]
	s, err := r.journal.begin(name)
	if err != nil {
		return err
	}
	if isKept {
		r.journal.end(s, "kept", kept)
		return nil
	}
	finished := false
	defer func() {
		if !finished { // a panic
			r.journal.end(s, "failed", "panic")
		}
	}()
	err = r.asked(ctx, fn(ctx))
	finished = true
	switch {
	case err == nil:
		r.journal.end(s, "completed", "")
		return nil
	case r.blocked(err):
		r.Warn("rows locked by another session: the rest of the step is not rehearsed")
		r.journal.end(s, "completed", "")
		return nil
	case ctx.Err() != nil:
		r.journal.end(s, "stopped", "")
		return err
	}
	r.journal.end(s, "failed", plain(redact(shortly(err))))
	return fmt.Errorf("%s: %w", name, err)
}

// begin opens a step. Its place is that of its announcement; a name used twice gets a number.
func (j *journal) begin(name string) (*step, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.current != nil {
		return nil, fmt.Errorf("step %q inside step %q", name, j.current.key)
	}
	s := &step{key: name, status: "running", start: time.Now().Add(j.offset), dirty: true}
	for again := 2; slices.ContainsFunc(j.steps, func(other *step) bool { return other.key == s.key }); again++ {
		s.key = fmt.Sprintf("%s (%d)", name, again)
	}
	s.order = slices.Index(j.names, s.key) + 1
	if s.order == 0 {
		s.order = len(j.names) + 1
		for _, other := range j.steps {
			s.order = max(s.order, other.order+1)
		}
	}
	j.steps, j.current = append(j.steps, s), s
	j.ring()
	return s, nil
}

// end closes a step and writes its line: which of how many, what it did, how long it took.
func (j *journal) end(s *step, status, message string) {
	now := time.Now().Add(j.offset)
	j.mu.Lock()
	if message != "" {
		s.message = message
	}
	if s.message == "" && status == "completed" {
		s.message = summary(j.effects[s.order])
	}
	s.status, s.end, s.dirty = status, &now, true
	if status == "failed" && j.failed == "" {
		j.failed = s.key
	}
	place := fmt.Sprint(s.order)
	if len(j.names) > 0 {
		place += fmt.Sprintf("/%d", len(j.names))
	}
	text := fmt.Sprintf("%s %s: %s (%s)", place, s.key, s.message, duration(now.Sub(s.start)))
	j.mu.Unlock()
	level := "info"
	switch status {
	case "failed":
		level = "error"
	case "kept":
		text = fmt.Sprintf("%s %s: kept from run %d", place, s.key, *j.run.task.resumes)
	case "stopped":
		text = fmt.Sprintf("%s %s: stopped (%s)", place, s.key, duration(now.Sub(s.start)))
	}
	j.write(level, text)
	j.mu.Lock()
	j.current = nil
	j.mu.Unlock()
}

// summary says in words what a step or a run did to the data.
func summary(effects map[string]change) string {
	var sum change
	for _, c := range effects {
		sum = sum.plus(c)
	}
	var parts []string
	for _, part := range []struct {
		n    int64
		word string
	}{{sum.deleted, "deleted"}, {sum.updated, "updated"}, {sum.inserted, "added"}} {
		if part.n > 0 {
			parts = append(parts, number(part.n)+" "+part.word)
		}
	}
	if sum.dropped > 0 {
		parts = append(parts, counted(sum.dropped, "table")+" dropped")
	}
	if len(parts) == 0 {
		return "nothing to do"
	}
	return strings.Join(parts, ", ")
}

// Say sets what the current step tells of itself in words, with its numbers ("14 deliveries with everything they carry").
func (r *Run) Say(format string, args ...any) {
	r.journal.edit(func(s *step) { s.message = cut(plain(redact(fmt.Sprintf(format, args...))), lineLimit) })
}

// Read counts rows that the current step has read.
func (r *Run) Read(rows int64) { r.journal.edit(func(s *step) { s.read += rows }) }

// Progress tells how far the current step is. total 0: unknown.
func (r *Run) Progress(done, total int64, unit string) {
	r.journal.edit(func(s *step) {
		s.done, s.unit, s.total = done, plain(unit), nil
		if total > 0 {
			s.total = &total
		}
	})
}

// edit changes the current step; between steps there is nothing to tell it of.
func (j *journal) edit(what func(*step)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.current != nil {
		what(j.current)
		j.current.dirty = true
		j.ring()
	}
}

// step is the order of the current step, 0 between steps.
func (j *journal) step() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.current == nil {
		return 0
	}
	return j.current.order
}

// changed adds what a transaction committed, or a savepoint of a simulation released, to what the current step did.
func (j *journal) changed(changes []change) {
	if len(changes) == 0 {
		return
	}
	order := j.step()
	j.mu.Lock()
	if j.effects[order] == nil {
		j.effects[order] = map[string]change{}
	}
	rows := int64(0)
	for _, c := range changes {
		j.effects[order][c.table] = j.effects[order][c.table].plus(c)
		rows += c.rows()
	}
	j.mu.Unlock()
	j.edit(func(s *step) { s.changed += rows })
}

// A step's row as it is now. A row that has ended stays as it ended: after a take-over the lost process no longer writes it.
func queueStep(batch *pgx.Batch, taskID int64, s *step) {
	detail := map[string]any{}
	if len(s.rules) > 0 {
		detail["rules"] = s.rules
	}
	if len(s.delays) > 0 {
		detail["delays"] = s.delays
	}
	batch.Queue(`
		INSERT INTO xtk.workflow_task_step AS s
		       (task_id, step_order, step_key, label, status, start_date, end_date, rows_read, rows_changed,
		        progress_done, progress_total, progress_unit, batches, message, detail)
		VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, nullif($11, ''), $12, nullif($13, ''), $14)
		ON CONFLICT (task_id, step_order) DO UPDATE
		SET status = EXCLUDED.status,
		    end_date = EXCLUDED.end_date,
		    rows_read = EXCLUDED.rows_read,
		    rows_changed = EXCLUDED.rows_changed,
		    progress_done = EXCLUDED.progress_done,
		    progress_total = EXCLUDED.progress_total,
		    progress_unit = EXCLUDED.progress_unit,
		    batches = EXCLUDED.batches,
		    message = EXCLUDED.message,
		    detail = EXCLUDED.detail
		WHERE s.status = 'running'`,
		taskID, s.order, s.key, s.status, s.start, s.end, s.read, s.changed,
		s.done, s.total, s.unit, s.batches, s.message, detail)
}
