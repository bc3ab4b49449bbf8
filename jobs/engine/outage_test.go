package engine

import (
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

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
	e := &Engine{trouble: &trouble{log: slog.New(slog.NewTextHandler(told, nil))}}
	tr, bad := e.trouble, errors.New("bad")
	if got := tr.after(t.Context(), []error{bad, nil}, true); got != 0 {
		t.Errorf("one of two parts fails: got a pause of %s, want none", got)
	}
	if _, err := e.Trouble(); err != nil {
		t.Errorf("after one round: got %v, want nothing told on the screen yet", err)
	}
	var waits []time.Duration
	for range 12 {
		waits = append(waits, tr.after(t.Context(), []error{bad, bad}, true))
	}
	if waits[0] > backOffFrom || waits[11] > backOffTo || waits[11] < backOffTo*3/4 {
		t.Errorf("pauses: got %v, want from at most %s to about %s", waits, backOffFrom, backOffTo)
	}
	if got := tr.after(t.Context(), []error{nil, nil}, false); got != 0 {
		t.Errorf("a bell, then: got a pause of %s, want none", got)
	}
	if since, err := e.Trouble(); !errors.Is(err, bad) || since.IsZero() {
		t.Errorf("after a round that did not look at everything: got %v since %s, want the trouble still", err, since)
	}
	tr.after(t.Context(), []error{nil, nil}, true)
	if _, err := e.Trouble(); err != nil || told.lines != 3 {
		t.Errorf("in the end: got %v and %d lines, want nothing and 3: its beginning, its change, its end", err, told.lines)
	}
}

// TestDiskFull: what PostgreSQL refuses the engine is known for as long as it lasts, and over when it takes it again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	n.exec(`
		CREATE FUNCTION xtk.full() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
		END $$`)
	e, end := n.engine(Config{}, quick("w"))
	defer end()
	n.until("1", `SELECT count(*) FROM xtk.engine_node`)
	n.exec(`CREATE TRIGGER full_disk BEFORE UPDATE ON xtk.engine_node FOR EACH ROW EXECUTE FUNCTION xtk.full()`)
	told := func(want string) {
		t.Helper()
		code := ""
		for until := time.Now().Add(time.Minute); time.Now().Before(until); <-time.After(50 * time.Millisecond) {
			var refused *pgconn.PgError
			code = ""
			if _, err := e.Trouble(); errors.As(err, &refused) {
				code = refused.Code
			}
			if code == want {
				return
			}
		}
		t.Fatalf("after a minute: got the trouble %q, want %q", code, want)
	}
	told("53100")
	n.exec(`DROP TRIGGER full_disk ON xtk.engine_node`)
	told("")
}

// counting counts what is written to it.
type counting struct{ lines int }

func (c *counting) Write(p []byte) (int, error) { c.lines++; return len(p), nil }
