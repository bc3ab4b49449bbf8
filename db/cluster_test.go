package db_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// clusterFolder is a folder that an unprivileged user may enter, which t.TempDir is not, with a name short enough for a socket.
func clusterFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ns-cluster-")
	if err != nil {
		t.Skipf("no /dev/shm on this machine: %s", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func startCluster(t *testing.T, dir string) *db.Cluster {
	t.Helper()
	c, err := db.StartCluster(t.Context(), db.ClusterConfig{Dir: dir, Volatile: true})
	if err != nil {
		t.Fatalf("start: %s", err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	return c
}

// ask runs one statement in a database of the cluster and returns its text.
func ask(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connect: %s", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	var answer string
	if err := conn.QueryRow(t.Context(), sql).Scan(&answer); err != nil {
		t.Fatalf("%s: %s", sql, err)
	}
	return answer
}

func TestClusterKeepsItsData(t *testing.T) {
	t.Parallel()
	dir := clusterFolder(t)
	first := startCluster(t, dir)
	url, err := first.Database(t.Context(), "night")
	if err != nil {
		t.Fatal(err)
	}
	ask(t, url, "SELECT lo_from_bytea(4711, 'kept')::text")
	if err := first.Stop(); err != nil {
		t.Fatalf("stop: %s", err)
	}
	second := startCluster(t, dir)
	if url, err = second.Database(t.Context(), "night"); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, url, "SELECT convert_from(lo_get(4711), 'UTF8')"); got != "kept" {
		t.Errorf("after a second start: got %q, want %q", got, "kept")
	}
	if got := ask(t, url, "SHOW listen_addresses"); got != "" {
		t.Errorf("listen_addresses: got %q, want none", got)
	}
}

// A second process on the same folder uses the server of the first and leaves it running.
func TestClusterHasGuests(t *testing.T) {
	t.Parallel()
	dir := clusterFolder(t)
	owner := startCluster(t, dir)
	guest := startCluster(t, dir)
	if !owner.Owned() || guest.Owned() {
		t.Fatalf("owner, guest: got owned %t and %t, want true and false", owner.Owned(), guest.Owned())
	}
	if err := guest.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, owner.URL("postgres"), "SELECT 'alive'"); got != "alive" {
		t.Errorf("after the guest left: got %q, want alive", got)
	}
}

// helper starts this test binary again as a process that holds a cluster until it is killed, and returns it with the server's pid.
func helper(t *testing.T, dir string) (*exec.Cmd, int) {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestClusterProcess$", "-test.v")
	command.Env = append(os.Environ(), "CLUSTER_PROCESS="+dir)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if pid, found := strings.CutPrefix(lines.Text(), "postmaster "); found {
			number, err := strconv.Atoi(pid)
			if err != nil {
				t.Fatal(err)
			}
			return command, number
		}
	}
	t.Fatal("the helper process ended before its cluster was up")
	return nil, 0
}

// TestClusterProcess is not a test: it is the body of the process that helper starts.
func TestClusterProcess(t *testing.T) {
	dir := os.Getenv("CLUSTER_PROCESS")
	if dir == "" {
		t.Skip("only as the process that another test kills")
	}
	if _, err := db.StartCluster(t.Context(), db.ClusterConfig{Dir: dir, Volatile: true}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("postmaster " + strings.SplitN(string(raw), "\n", 2)[0])
	select {}
}

func TestClusterDiesWithItsOwner(t *testing.T) {
	t.Parallel()
	dir := clusterFolder(t)
	owner, pid := helper(t, dir)
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for syscall.Kill(pid, 0) == nil {
		if time.Now().After(deadline) {
			t.Fatalf("a minute after kill -9 of its owner: PostgreSQL %d lives, want gone", pid)
		}
		<-time.After(5 * time.Millisecond)
	}
	ask(t, startCluster(t, dir).URL("postgres"), "SELECT 'alive'")
}

// A frozen server outlives its owner: the signal of the kernel waits. The next start replaces it when it moves on, and loses nothing.
func TestClusterReplacesAnOrphan(t *testing.T) {
	t.Parallel()
	dir := clusterFolder(t)
	owner, pid := helper(t, dir)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the orphan is gone before the test began: %s", err)
	}
	go func() {
		<-time.After(200 * time.Millisecond)
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}()
	next := startCluster(t, dir)
	if !next.Owned() {
		t.Error("after its owner died: the next start is a guest, want it to own the cluster")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.SplitN(string(raw), "\n", 2)[0]; got == strconv.Itoa(pid) {
		t.Errorf("postmaster: got the orphan %d, want one of our own", pid)
	}
}

func TestClusterRefusesAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := clusterFolder(t)
	if err := startCluster(t, dir).Stop(); err != nil {
		t.Fatal(err)
	}
	version := filepath.Join(dir, "data", "PG_VERSION")
	if err := os.WriteFile(version, []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := db.StartCluster(t.Context(), db.ClusterConfig{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "is of PostgreSQL 9") || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("data of version 9: got %v, want a refusal that names it", err)
	}
	if raw, _ := os.ReadFile(version); string(raw) != "9\n" {
		t.Errorf("PG_VERSION: got %q, want it untouched", raw)
	}
}

func TestClusterNamesTheClosedFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root hands PostgreSQL to another user")
	}
	parent := clusterFolder(t)
	if err := os.Chmod(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := db.StartCluster(t.Context(), db.ClusterConfig{Dir: filepath.Join(parent, "inner")})
	if err == nil || !strings.Contains(err.Error(), parent+" (mode 0700) is closed") {
		t.Errorf("got %v, want an error that names %s", err, parent)
	}
}

func TestClusterSocketName(t *testing.T) {
	t.Parallel()
	_, err := db.StartCluster(t.Context(), db.ClusterConfig{Dir: "/dev/shm/" + strings.Repeat("x", 100)})
	if err == nil || !strings.Contains(err.Error(), "107 at most") {
		t.Errorf("got %v, want an error about the length of the socket's name", err)
	}
}
