package dbtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"nightshift/db"
)

// server is the cluster's URL for a database name, found or started once a process.
var server = sync.OnceValues(func() (func(database string) string, error) {
	if base := os.Getenv("TEST_DATABASE_URL"); base != "" {
		return func(database string) string { return withDatabase(base, database) }, nil
	}
	return startCluster()
})

// startCluster starts PostgreSQL in memory where the machine has /dev/shm. A shell outlives this process to remove the
// folder: however the process ends, its end of the pipe closes.
func startCluster() (func(database string) string, error) {
	parent := os.TempDir()
	if _, err := os.Stat("/dev/shm"); err == nil {
		parent = "/dev/shm"
	}
	dir, err := os.MkdirTemp(parent, "nightshift-test-")
	if err != nil {
		return nil, fmt.Errorf("folder of the test cluster: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, fmt.Errorf("folder of the test cluster: %w", err)
	}
	remover := exec.Command("sh", "-c", `cat >/dev/null; while [ -e "$0/sock/.s.PGSQL.5432" ]; do sleep 0.1; done; rm -rf "$0"`, dir)
	remover.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// Let go of, the pipe would be closed with the next garbage collection.
	alive, err := remover.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("remover of the test cluster: %w", err)
	}
	if err := remover.Start(); err != nil {
		return nil, fmt.Errorf("remover of the test cluster: %w", err)
	}
	cluster, err := db.StartCluster(context.Background(), db.ClusterConfig{Dir: dir, Volatile: true})
	if err != nil {
		return nil, err
	}
	return func(database string) string {
		runtime.KeepAlive(alive)
		return cluster.URL(database)
	}, nil
}

// withDatabase replaces the database of a connection string, in either of its two forms.
func withDatabase(base, database string) string {
	if !strings.Contains(base, "://") {
		return base + " dbname=" + database
	}
	parsed, err := url.Parse(base)
	if err != nil {
		return base
	}
	parsed.Path = "/" + database
	return parsed.String()
}
