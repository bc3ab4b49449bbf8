package web

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"nightshift/db/dbtest"
)

// Every flush rings the readers of its run and no others; a burst leaves one token, not a queue.
func TestBellRingsItsRunOnly(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	b := newBell(d, slog.New(slog.DiscardHandler))
	mine, leave := b.subscribe(7)
	defer leave()
	other, leaveOther := b.subscribe(8)
	defer leaveOther()
	go b.listen(ctx)
	wait := func(what string, rings <-chan struct{}) {
		t.Helper()
		select {
		case <-rings:
		case <-time.After(time.Minute):
			t.Fatalf("%s: no ring within a minute", what)
		}
	}
	wait("the connection is open: all are rung", mine)
	wait("the connection is open: all are rung", other)
	for range 3 {
		if _, err := d.Pool.Exec(ctx, "SELECT pg_notify('nightshift_log', '7')"); err != nil {
			t.Fatal(err)
		}
	}
	wait("a flush of run 7", mine)
	if _, err := d.Pool.Exec(ctx, "SELECT pg_notify('nightshift_log', '8')"); err != nil {
		t.Fatal(err)
	}
	wait("a flush of run 8", other)
	if len(mine) > 1 {
		t.Errorf("got %d tokens after a burst, want at most one", len(mine))
	}
}

// After the connection was cut, all readers are rung: nobody knows what was missed meanwhile.
func TestBellComesBack(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	b := newBell(d, slog.New(slog.DiscardHandler))
	rings, leave := b.subscribe(1)
	defer leave()
	go b.listen(ctx)
	for round := range 2 {
		select {
		case <-rings:
		case <-time.After(time.Minute):
			t.Fatalf("round %d: no ring within a minute", round)
		}
		_, err := d.Pool.Exec(ctx, `
			SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND query = 'LISTEN nightshift_log'`)
		if err != nil {
			t.Fatal(err)
		}
	}
}
