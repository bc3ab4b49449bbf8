package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// optionPointer holds how far each server was loaded, as JSON.
const optionPointer = "NmsTracking_Pointer"

// pointer is the last line that was loaded of a server.
type pointer struct {
	ID   string    `json:"id"`
	Date time.Time `json:"date"`
}

// retrieve loads every source to its end. One that fails keeps the pointer of its last page and leaves the others alone.
func (t *tracker) retrieve(ctx context.Context) error {
	sources, err := t.sources(ctx)
	if err != nil {
		return err
	}
	if len(sources) == 0 {
		return nil
	}
	if err := t.prepareLoad(ctx); err != nil {
		return err
	}
	var failed []error
	for _, s := range sources {
		counts, err := t.drain(ctx, s)
		t.total.add(counts)
		switch {
		case err != nil && (ctx.Err() != nil || errors.Is(err, jobs.ErrStopped)):
			return err
		case err != nil:
			t.Warn("%s: %s", s.name, err)
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	t.Say("%d of %d servers read: %s", len(sources)-len(failed), len(sources), t.total)
	return errors.Join(failed...)
}

// drain loads a source page by page, until one is not full.
func (t *tracker) drain(ctx context.Context, s source) (sum lineCounts, err error) {
	after := t.position(s.name)
	for {
		if err := t.Checkpoint(ctx); err != nil {
			return sum, err
		}
		p, err := s.read(ctx, after, s.count)
		if err != nil {
			return sum, err
		}
		sum.requests++
		if p.last < after {
			t.Warn("%s: the pointer 0x%016X is beyond its newest line 0x%016X: loaded again from the oldest line that it has", s.name, after, p.last)
			after = 0
			continue
		}
		if len(p.lines) > 0 {
			one, err := t.load(ctx, s.name, p)
			if err != nil {
				return sum, err
			}
			sum.add(one)
			after = p.last
			t.Read(int64(len(p.lines)))
			t.Progress(t.total.lines+sum.lines, 0, "lines")
		}
		if len(p.lines) < s.count {
			t.Log("%s: %s, pointer 0x%016X", s.name, sum, after)
			return sum, nil
		}
	}
}

// position is the id after which a server is read. A pointer that is no id counts as none: the server is read from its
// oldest line, and what was loaded before is recognised.
func (t *tracker) position(server string) uint64 {
	p, ok := t.pointers[server]
	if !ok {
		return 0
	}
	var id uint64
	if _, err := fmt.Sscanf(p.ID, "0x%x", &id); err != nil {
		t.Warn("%s of %s is %q, not an id: loaded again from the oldest line that it has", optionPointer, server, p.ID)
	}
	return id
}

// readPointers reads how far each server was loaded.
func (t *tracker) readPointers(ctx context.Context) error {
	t.pointers = map[string]pointer{}
	text, ok, err := t.Option(ctx, optionPointer)
	if err != nil {
		return fmt.Errorf("read %s: %w", optionPointer, err)
	}
	if ok && text != "" {
		if err := json.Unmarshal([]byte(text), &t.pointers); err != nil {
			t.Warn("%s cannot be read: every server is loaded again from the oldest line that it has", optionPointer)
			t.pointers = map[string]pointer{}
		}
	}
	return nil
}

// movePointer stores a server's new pointer in the transaction of its lines.
func (t *tracker) movePointer(ctx context.Context, tx pgx.Tx, server string, to pointer) error {
	t.pointers[server] = to
	text, err := json.Marshal(t.pointers)
	if err == nil {
		_, err = tx.Exec(ctx, `
			INSERT INTO xtk.option (name, data_type, memo_value)
			VALUES ($1, 'memo', $2)
			ON CONFLICT (name) DO UPDATE
			SET data_type = excluded.data_type, memo_value = excluded.memo_value,
			    string_value = NULL, long_value = NULL, double_value = NULL, timestamp_value = NULL`, optionPointer, string(text))
	}
	if err != nil {
		return fmt.Errorf("move %s: %w", optionPointer, err)
	}
	return nil
}
