package jobs

import (
	"context"
	"time"
)

// batches follows a long deletion or update from one transaction to the next: its progress, its lines (few, however
// many batches), and the pause that lets others in after a slow one.
type batches struct {
	run    *Run
	name   string
	total  int64 // -1: unknown
	done   int64
	count  int
	begun  time.Time
	logged time.Time
	quiet  time.Duration // until the next line; doubles with each
}

// batches begins to follow; total -1 is unknown.
func (r *Run) batches(name string, total int64) *batches {
	now := time.Now()
	return &batches{run: r, name: name, total: total, begun: now, logged: now, quiet: slowBatch}
}

// add counts a batch that was committed and returns an error when the run was asked to stop.
func (b *batches) add(ctx context.Context, rows int64, took time.Duration) error {
	b.done, b.count = b.done+rows, b.count+1
	total := max(b.total, 0)
	if total > 0 {
		total = max(total, b.done)
	}
	b.run.Progress(b.done, total, "rows")
	b.run.journal.edit(func(s *step) { s.batches++ })
	if now := time.Now(); now.Sub(b.logged) >= b.quiet {
		b.logged, b.quiet = now, b.quiet*2
		of := ""
		if total > 0 {
			of = " of " + number(total)
		}
		b.run.Log("%s batch %d: %s rows (%s), %s%s", b.name, b.count, number(rows), duration(took), number(b.done), of)
	}
	if took > slowBatch {
		select {
		case <-ctx.Done():
		case <-time.After(slowPause):
		}
	}
	return b.run.Checkpoint(ctx)
}

// finish writes the line that sums up; nothing done is not worth one.
func (b *batches) finish() {
	if b.done > 0 {
		b.run.Log("%s%s: %s in %s (%s)", b.run.would(), b.name,
			counted(b.done, "row"), batchCount(b.count), duration(time.Since(b.begun)))
	}
}

func batchCount(n int) string {
	if n == 1 {
		return "1 batch"
	}
	return number(int64(n)) + " batches"
}
