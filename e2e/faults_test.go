package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs/jobtest"
)

// takeOver is how soon a run whose process died must go on elsewhere.
const takeOver = 5 * time.Second

// itself are tables of the console and of the nodes: they tell of what the test did, not of what the run did. The load is
// sampled every 5 s of a run: how often, and what, is of the moment.
var itself = []string{"xtk.audit", "xtk.audit_anchor", "xtk.setup_token", "xtk.session_info", "xtk.login_attempt", "xtk.heatmap_load"}

// trial is a demo database with cleanup ready to run, to be copied, and what a run that nobody disturbs makes of it.
type trial struct {
	copy    func(testing.TB) *db.DB
	compare *jobtest.Comparison
	want    map[string]string
	took    time.Duration
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	d := filled(t)
	started(t, d, "cleanup")
	tr := &trial{compare: jobtest.NewComparison(t, d), copy: dbtest.Fork(t, d)}
	tr.undisturbed(t)
	return tr
}

// undisturbed makes a run on a copy of its own and keeps what it leaves, and how long it took.
func (tr *trial) undisturbed(t *testing.T) {
	t.Helper()
	d := keyed(tr.copy(t))
	n := start(t, d.URL())
	before := newestTask(t, d)
	order(t, d, "cleanup", "run")
	awaitTask(t, d, "cleanup", before, "running", "completed")
	begin := time.Now()
	awaitTask(t, d, "cleanup", before, "completed")
	tr.took = time.Since(begin)
	tr.want = tr.state(t, d)
	n.stop()
}

// state is what a run left. The address of the console is an option that each node writes at its start, and its port is the
// test's.
func (tr *trial) state(t *testing.T, d *db.DB) map[string]string {
	t.Helper()
	if _, err := d.Pool.Exec(t.Context(), `DELETE FROM xtk.option WHERE name = 'NmsServer_URL'`); err != nil {
		t.Fatal(err)
	}
	return tr.compare.State(t, d, itself...)
}

// check holds a database against the undisturbed one. A row of the demo may have come of age since that one ran: then an
// undisturbed run of now decides.
func (tr *trial) check(t *testing.T, d *db.DB) {
	t.Helper()
	got := tr.state(t, d)
	if jobtest.Differ(got, tr.want) == "" {
		return
	}
	tr.undisturbed(t)
	if differ := jobtest.Differ(got, tr.want); differ != "" {
		t.Errorf("not what an undisturbed run leaves:\n%s", differ)
	}
}

// A process that dies in the middle of cleanup, at any moment: another node goes on within 5 s and ends where an
// undisturbed run ends.
func TestKillInMidCleanup(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	interrupted, within := 0, tr.took
	for i := 0; i < 10 || i < 30 && interrupted < 5; i++ {
		moment := time.Duration(rand.Int64N(int64(within)))
		name := fmt.Sprintf("%d after %s of %s", i+1, moment.Round(time.Millisecond), within.Round(time.Millisecond))
		t.Run(name, func(t *testing.T) {
			if tr.killAt(t, moment) {
				interrupted++
			} else {
				within = max(moment, time.Millisecond) // the machine has less to do than at first, and the run is over sooner
			}
		})
	}
	if interrupted < 5 {
		t.Errorf("kills that hit a run: got %d of 30, want at least 5", interrupted)
	}
}

// killAt lets one of two nodes begin cleanup, kills it at the moment, and checks what the other leaves. It reports
// whether the run was still on.
func (tr *trial) killAt(t *testing.T, moment time.Duration) (hit bool) {
	t.Helper()
	d := keyed(tr.copy(t))
	nodes := map[string]*node{}
	for _, name := range []string{"north", "south"} {
		nodes[name] = start(t, d.URL(), "NIGHTSHIFT_NODE="+name)
	}
	before := newestTask(t, d)
	order(t, d, "cleanup", "run")
	first := awaitTask(t, d, "cleanup", before, "running", "completed")
	<-time.After(moment)
	nodes[first.Node].kill()
	var killed time.Time
	if err := d.Pool.QueryRow(t.Context(), `SELECT clock_timestamp()`).Scan(&killed); err != nil {
		t.Fatal(err)
	}
	if now := statusOf(t, d, first.ID); now == "running" {
		hit = true
		next := awaitTask(t, d, "cleanup", first.ID, "running", "completed")
		var begun time.Time
		if err := d.Pool.QueryRow(t.Context(), `SELECT start_date FROM xtk.workflow_task WHERE id = $1`, next.ID).Scan(&begun); err != nil {
			t.Fatal(err)
		}
		if late := begun.Sub(killed); late > takeOver {
			t.Errorf("taken over after %s, want within %s", late, takeOver)
		}
		if next.Node == first.Node {
			t.Errorf("taken over by %s, want the other node", next.Node)
		}
		if got := statusOf(t, d, first.ID); got != "interrupted" {
			t.Errorf("the lost run is %q, want interrupted", got)
		}
		awaitTask(t, d, "cleanup", first.ID, "completed")
	}
	tr.check(t, d)
	return hit
}

// A node asked to end in the middle of a run gives the run back, not as a loss, and the next start ends it.
func TestTerminateInMidCleanup(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	d := keyed(tr.copy(t))
	n := start(t, d.URL())
	before := newestTask(t, d)
	order(t, d, "cleanup", "run")
	first := awaitTask(t, d, "cleanup", before, "running", "completed")
	<-time.After(tr.took / 4)
	n.stop()
	if got := statusOf(t, d, first.ID); got == "running" {
		t.Errorf("after SIGTERM: the run is %q, want it ended", got)
	}
	var losses int
	if err := d.Pool.QueryRow(t.Context(), `
		SELECT e.losses
		  FROM xtk.workflow_event e
		  JOIN xtk.workflow_task t ON t.event_id = e.id
		 WHERE t.id = $1`, first.ID).Scan(&losses); err != nil || losses != 0 {
		t.Errorf("losses of the event after SIGTERM: got %d (%v), want 0", losses, err)
	}
	start(t, d.URL())
	awaitTask(t, d, "cleanup", before, "completed")
	tr.check(t, d)
}

// Without its database a node says so and stays; when the database is back it goes on by itself.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/dev/shm", "ns-away-")
	if err != nil {
		t.Skipf("no /dev/shm on this machine: %s", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	server := startServer(t, dir)
	url, err := server.Database(t.Context(), "away")
	if err != nil {
		t.Fatal(err)
	}
	n := start(t, url)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	n.until(patience, "/readyz fails without PostgreSQL", func() bool { return n.status("/readyz") == http.StatusServiceUnavailable })
	if got := n.status("/healthz"); got != http.StatusOK {
		t.Errorf("/healthz without PostgreSQL: got %d, want 200: the process lives", got)
	}
	if got := n.status("/workflows"); got != http.StatusServiceUnavailable {
		t.Errorf("a page without PostgreSQL: got %d, want 503", got)
	}
	startServer(t, dir)
	n.until(patience, "/readyz is 200 with PostgreSQL back", func() bool { return n.status("/readyz") == http.StatusOK })
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	started(t, d, "cleanup")
	before := newestTask(t, d)
	order(t, d, "cleanup", "run")
	awaitTask(t, d, "cleanup", before, "completed")
	n.stop()
}

func startServer(t *testing.T, dir string) *db.Cluster {
	t.Helper()
	server, err := db.StartCluster(t.Context(), db.ClusterConfig{Dir: dir, Volatile: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	return server
}

// Two nodes that start at the same time on an empty database migrate it once, and both serve.
func TestTwoNodesMigrateOnce(t *testing.T) {
	t.Parallel()
	url := dbtest.Blank(t)
	first, second := launch(t, url), launch(t, url)
	first.waitReady()
	second.waitReady()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	var workflows int
	if err := d.Pool.QueryRow(t.Context(), `SELECT count(*) FROM xtk.workflow WHERE is_builtin`).Scan(&workflows); err != nil {
		t.Fatal(err)
	}
	if workflows != 46 {
		t.Errorf("workflows after two starts at once: got %d, want 46", workflows)
	}
}

// A frozen process, not a dead one: when it wakes up after its run was taken over, it can write nothing more.
func TestFrozenNodeIsFenced(t *testing.T) {
	t.Parallel()
	tr := newTrial(t)
	d := keyed(tr.copy(t))
	n := start(t, d.URL(), "NIGHTSHIFT_NODE=frozen")
	before := newestTask(t, d)
	order(t, d, "cleanup", "run")
	first := awaitTask(t, d, "cleanup", before, "running", "completed")
	_ = n.process.Process.Signal(syscall.SIGSTOP)
	t.Cleanup(func() { _ = n.process.Process.Signal(syscall.SIGCONT) })
	if _, err := d.Pool.Exec(t.Context(), `
		SELECT pg_terminate_backend(backend_pid)
		  FROM xtk.workflow_task
		 WHERE id = $1`, first.ID); err != nil {
		t.Fatal(err)
	}
	start(t, d.URL(), "NIGHTSHIFT_NODE=awake")
	awaitTask(t, d, "cleanup", before, "completed")
	tr.check(t, d)
	_ = n.process.Process.Signal(syscall.SIGCONT)
	n.until(patience, "the woken node answers again", func() bool { return n.status("/readyz") == http.StatusOK })
	tr.check(t, d)
	if got := statusOf(t, d, first.ID); got != "interrupted" {
		t.Errorf("the run of the frozen node: got %q, want interrupted", got)
	}
}
