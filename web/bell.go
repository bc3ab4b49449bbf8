package web

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// bell tells readers of a run's log that there is something new, never what: each reader asks the database for the
// lines after its last one, so that nothing is lost in a burst. One LISTEN connection serves the whole process.
type bell struct {
	db     *db.DB
	logger *slog.Logger
	heard  func() // is called at every ring, before readers are woken; nil: nobody

	mu      sync.Mutex
	readers map[int64]map[chan struct{}]struct{}
}

func newBell(d *db.DB, logger *slog.Logger) *bell {
	return &bell{db: d, logger: logger, readers: map[int64]map[chan struct{}]struct{}{}}
}

// subscribe returns a channel that holds one token whenever the run has something new, and its end.
// A reader subscribes before its first read.
func (b *bell) subscribe(run int64) (<-chan struct{}, func()) {
	rings := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers[run] == nil {
		b.readers[run] = map[chan struct{}]struct{}{}
	}
	b.readers[run][rings] = struct{}{}
	return rings, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.readers[run], rings)
		if len(b.readers[run]) == 0 {
			delete(b.readers, run)
		}
	}
}

// ring wakes the readers of one run; run 0 wakes all, because after a lost connection nobody knows what was missed.
func (b *bell) ring(run int64) {
	if b.heard != nil {
		b.heard()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, readers := range b.readers {
		if run != 0 && id != run {
			continue
		}
		for rings := range readers {
			select {
			case rings <- struct{}{}:
			default:
			}
		}
	}
}

// listen rings for every flush that PostgreSQL announces, until ctx ends; a lost connection is opened again
// after 0.2 to 10 s.
func (b *bell) listen(ctx context.Context) {
	wait := 200 * time.Millisecond
	for ctx.Err() == nil {
		err := b.listenOnce(ctx, func() { wait = 200 * time.Millisecond })
		if ctx.Err() != nil {
			return
		}
		b.logger.Warn("live log: connection lost, opening it again", "error", err, "wait", wait.String())
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, 10*time.Second)
	}
}

func (b *bell) listenOnce(ctx context.Context, connected func()) error {
	config := b.db.Pool.Config().ConnConfig
	config.RuntimeParams["application_name"] = "nightshift live log"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN nightshift_log"); err != nil {
		return err
	}
	connected()
	b.ring(0)
	for {
		notice, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if run, err := strconv.ParseInt(notice.Payload, 10, 64); err == nil {
			b.ring(run)
		}
	}
}
