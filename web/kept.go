package web

import (
	"context"
	"sync"
	"time"
)

const (
	keptFresh  = time.Second // how old an answer may be
	keptAtMost = 100
)

// kept keeps answers of the database that many readers ask for at once, as those of a list do that renews itself. No answer
// is older than a second or than the last forget; those who ask at the same time wait for one answer. Only what every
// operator may see belongs in it.
type kept[K comparable, V any] struct {
	mu      sync.Mutex
	replies map[K]*reply[V]
}

type reply[V any] struct {
	mu    sync.Mutex
	value V
	asked time.Time
}

// get returns the answer to a question, which it asks when the last answer is too old. Errors are not kept.
func (k *kept[K, V]) get(ctx context.Context, question K, ask func(context.Context) (V, error)) (V, error) {
	last := k.reply(question)
	last.mu.Lock()
	defer last.mu.Unlock()
	if time.Since(last.asked) < keptFresh {
		return last.value, nil
	}
	begun := time.Now()
	value, err := ask(ctx)
	if err == nil {
		last.value, last.asked = value, begun
	}
	return value, err
}

func (k *kept[K, V]) reply(question K) *reply[V] {
	k.mu.Lock()
	defer k.mu.Unlock()
	last := k.replies[question]
	if last == nil {
		if k.replies == nil || len(k.replies) >= keptAtMost {
			k.replies = map[K]*reply[V]{}
		}
		last = &reply[V]{}
		k.replies[question] = last
	}
	return last
}

// forget has everything asked anew. An answer that is on its way now serves only those who wait for it.
func (k *kept[K, V]) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.replies = nil
}
