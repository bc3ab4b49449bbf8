package web

import (
	"net/http"
	"sync"
	"time"
)

// Requests that one operator, or one address that is not signed in, may make: so many a second, and so many at once.
const (
	readsPerSecond, readsAtOnce = 20, 120
	postsPerSecond, postsAtOnce = 2, 20
	limitedAtMost               = 10_000
)

// limiter counts requests by who makes them. It forgets all when it knows too many: memory is bounded, and forgetting
// errs on the side of answering.
type limiter struct {
	mu      sync.Mutex
	buckets map[string]*bucket
	now     func() time.Time
}

type bucket struct {
	left float64
	at   time.Time
}

func newLimiter() *limiter { return &limiter{buckets: map[string]*bucket{}, now: time.Now} }

// take counts one request and says how long to wait when it is one too many; 0 when it may pass.
func (l *limiter) take(who, method string) time.Duration {
	if method != http.MethodGet && method != http.MethodHead {
		return l.spend("post "+who, postsPerSecond, postsAtOnce)
	}
	return l.spend(who, readsPerSecond, readsAtOnce)
}

// spend counts one request of someone who may make so many a second and so many at once.
func (l *limiter) spend(who string, rate, size float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.buckets[who]
	if b == nil {
		if len(l.buckets) >= limitedAtMost {
			clear(l.buckets)
		}
		b = &bucket{left: size, at: now}
		l.buckets[who] = b
	}
	b.left = min(size, b.left+now.Sub(b.at).Seconds()*rate)
	b.at = now
	if b.left < 1 {
		return time.Duration((1 - b.left) / rate * float64(time.Second))
	}
	b.left--
	return 0
}
