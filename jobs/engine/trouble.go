package engine

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// lasting is in how many rounds, one after the other, something must fail before people are told on the screen: what is
// over with the next round is not worth a word.
const lasting = 2

// toldMost is how many failures of one trouble the log has at most.
const toldMost = 20

// trouble remembers what failed in the last rounds, so that each failure is told once, and that it is over.
type trouble struct {
	log  *slog.Logger
	wait time.Duration

	mu     sync.Mutex
	last   error
	since  time.Time
	rounds int
	told   map[string]bool // what the log has, since the trouble began
}

// after says how long to wait after a round: not at all as long as part of it succeeds, longer and longer while the
// database does not answer at all. Only a round that looked at everything shows that a trouble is over.
func (t *trouble) after(ctx context.Context, said []error, everything bool) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	t.note(ctx, errors.Join(said...), everything)
	if slices.Contains(said, nil) {
		t.wait = 0
		return 0
	}
	t.wait = min(max(2*t.wait, backOffFrom), backOffTo)
	return t.wait - time.Duration(rand.Int64N(int64(t.wait/4)))
}

func (t *trouble) note(ctx context.Context, err error, everything bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil && (t.last == nil || !everything):
	case err == nil:
		t.log.InfoContext(ctx, "the engine works without errors again")
		t.last, t.rounds, t.told = nil, 0, nil
	default:
		if t.last == nil {
			t.since, t.told = time.Now(), map[string]bool{}
		}
		if text := err.Error(); !t.told[text] && t.wait == 0 && len(t.told) < toldMost {
			t.told[text] = true
			t.log.ErrorContext(ctx, "the engine could not do all it should, it tries again", "error", err)
		}
		t.last, t.rounds = err, t.rounds+1
	}
}

// Trouble is what keeps the engine from some or all of its work, and since when; nil when nothing does.
func (e *Engine) Trouble() (since time.Time, err error) {
	e.trouble.mu.Lock()
	defer e.trouble.mu.Unlock()
	if e.trouble.rounds < lasting {
		return time.Time{}, nil
	}
	return e.trouble.since, e.trouble.last
}
