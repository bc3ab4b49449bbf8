package engine

import (
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"nightshift/db"
)

// ownCluster is a PostgreSQL that a test may stop, in a folder an unprivileged user may enter.
func ownCluster(t *testing.T) (start func() (url string, stop func())) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ns-outage-")
	if err != nil {
		t.Skipf("no /dev/shm on this machine: %s", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return func() (string, func()) {
		c, err := db.StartCluster(t.Context(), db.ClusterConfig{Dir: dir, Volatile: true})
		if err != nil {
			t.Fatal(err)
		}
		url, err := c.Database(t.Context(), "night")
		if err != nil {
			t.Fatal(err)
		}
		return url, func() {
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestDatabaseDown: the engine waits for a database that is gone, and when it is back goes on by itself: the run that was
// lost runs again, and orders work.
func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	start := ownCluster(t)
	url, stop := start()
	if err := db.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	n, g := night{t, d}, newGate("held")
	id, other := n.add("held", db.Started, yearly), n.add("other", db.Started, yearly)
	_, end := n.engine(Config{}, g.Workflow, quick("other"))
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.wait(g.begun, "the run")
	stop()
	<-time.After(time.Second)
	_, stop = start()
	n.wait(g.begun, "the run again")
	g.letGo <- struct{}{}
	g.letGo <- struct{}{}
	n.until("interrupted completed", tasksSQL, id)
	n.order(other, db.Wakeup, db.OrderArgs{})
	n.until("completed", tasksSQL, other)
	end()
	d.Close()
	stop()
}

// TestTrouble: a part that fails holds nothing up, a database that does not answer at all is asked more and more rarely,
// and each trouble is told once.
func TestTrouble(t *testing.T) {
	t.Parallel()
	told := &counting{}
	tr := &trouble{log: slog.New(slog.NewTextHandler(told, nil))}
	bad := errors.New("bad")
	if got := tr.after(t.Context(), []error{bad, nil}); got != 0 {
		t.Errorf("one of two parts fails: got a pause of %s, want none", got)
	}
	var waits []time.Duration
	for range 12 {
		waits = append(waits, tr.after(t.Context(), []error{bad, bad}))
	}
	if waits[0] > backOffFrom || waits[11] > backOffTo || waits[11] < backOffTo*3/4 {
		t.Errorf("pauses: got %v, want from at most %s to about %s", waits, backOffFrom, backOffTo)
	}
	if got := tr.after(t.Context(), []error{nil, nil}); got != 0 || told.lines != 3 {
		t.Errorf("in the end: got a pause of %s and %d lines, want none and 3", got, told.lines)
	}
}

// counting counts what is written to it.
type counting struct{ lines int }

func (c *counting) Write(p []byte) (int, error) { c.lines++; return len(p), nil }
