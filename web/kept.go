package web

import (
	"context"
	"sync"
	"time"
)

const (
	keptFresh  = time.Second // how old an answer may be
	keptAtMost = 500
)

// kept keeps answers of the database that many readers ask for at once, as those of a list do that renews itself. No answer
// is older than a second; only what every operator may see belongs in it.
type kept[K comparable, V any] struct {
	mu      sync.Mutex
	answers map[K]reply[V]
}

type reply[V any] struct {
	value V
	asked time.Time
}

// get returns the answer to a question, which it asks when the last answer is too old. Errors are not kept.
func (k *kept[K, V]) get(ctx context.Context, question K, ask func(context.Context) (V, error)) (V, error) {
	k.mu.Lock()
	last, ok := k.answers[question]
	k.mu.Unlock()
	if ok && time.Since(last.asked) < keptFresh {
		return last.value, nil
	}
	begun := time.Now()
	value, err := ask(ctx)
	if err != nil {
		return value, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.answers == nil || len(k.answers) >= keptAtMost {
		k.answers = map[K]reply[V]{}
	}
	k.answers[question] = reply[V]{value, begun}
	return value, nil
}
