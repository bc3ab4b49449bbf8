package engine

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"
)

// trouble remembers what failed in the last round, so that each failure is told once, and that it is over.
type trouble struct {
	log  *slog.Logger
	last string
	wait time.Duration
}

// after says how long to wait after a round: not at all as long as part of it succeeds, longer and longer while the
// database does not answer at all.
func (t *trouble) after(ctx context.Context, said []error) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	err := errors.Join(said...)
	switch {
	case err == nil && t.last != "":
		t.log.InfoContext(ctx, "the engine works without errors again")
		t.last = ""
	case err != nil && err.Error() != t.last && t.wait == 0:
		t.log.ErrorContext(ctx, "the engine could not do all it should, it tries again", "error", err)
		t.last = err.Error()
	}
	if slices.Contains(said, nil) {
		t.wait = 0
		return 0
	}
	t.wait = min(max(2*t.wait, backOffFrom), backOffTo)
	return t.wait - time.Duration(rand.Int64N(int64(t.wait/4)))
}
