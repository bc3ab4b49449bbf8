package db

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// maxLog is the size in bytes from which postgres.log is put aside at a start.
const maxLog = 10 << 20

// FindBin looks for the binaries of PostgreSQL: $PG_BIN, the path, then where the distributions put them, newest first.
func FindBin() (string, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		if hasBinaries(dir) {
			return dir, nil
		}
		return "", fmt.Errorf("PG_BIN is %s, but initdb and postgres are not there", dir)
	}
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin", "/Applications/Postgres.app/Contents/Versions/*/bin"} {
		found, _ := filepath.Glob(pattern)
		sort.Slice(found, func(i, j int) bool { return digits(found[i]) > digits(found[j]) })
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		if hasBinaries(dir) {
			return dir, nil
		}
	}
	return "", errors.New("no PostgreSQL on this machine: install it (Debian, Ubuntu: apt-get install postgresql), " +
		"or set PG_BIN to the folder of initdb and postgres, or set DATABASE_URL to a database that runs already")
}

func hasBinaries(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// digits reads all digits of a path as one number, which orders /usr/lib/postgresql/9/bin below …/15/bin.
func digits(path string) int {
	number, _ := strconv.Atoi(strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, path))
	return number
}

// launch starts the server as a child that the kernel asks to shut down should this process die.
func (c *Cluster) launch() error {
	log, err := openLog(c.logfile())
	if err != nil {
		return err
	}
	c.server = exec.Command(filepath.Join(c.config.Bin, "postgres"), c.arguments()...)
	c.server.Dir = c.data()
	c.server.Stdout, c.server.Stderr = log, log
	c.server.SysProcAttr = dieWithParent(c.runAs.attributes())
	started := make(chan error)
	go func() {
		// The kernel ties the child to the thread that started it, not to the process: this goroutine keeps the
		// thread to itself and stays until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.server.Start()
		started <- err
		if err == nil {
			_ = c.server.Wait()
		}
		_ = log.Close()
		close(c.gone)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	return nil
}

func (c *Cluster) arguments() []string {
	settings := []string{"listen_addresses=", "unix_socket_permissions=0700", "max_connections=200", "jit=off",
		"shared_buffers=256MB", "max_wal_size=4GB", "max_locks_per_transaction=256", "log_timezone=UTC"}
	if c.config.Volatile {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=400")
	}
	args := []string{"-D", c.data(), "-k", c.socket()}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return args
}

// endOrphan shuts down the server that a killed owner left behind, as any shutdown would: nothing committed is lost.
func (c *Cluster) endOrphan(ctx context.Context) error {
	pid := c.livePostmaster()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("PostgreSQL (process %d) was left in %s and cannot be stopped: %w", pid, c.config.Dir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for c.livePostmaster() == pid {
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL (process %d) was left in %s and does not stop: %w", pid, c.config.Dir, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// livePostmaster reads the process id of the server out of postmaster.pid; 0 when none lives that works in our data
// folder (the number may have gone to another program since).
func (c *Cluster) livePostmaster() int {
	raw, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 || syscall.Kill(pid, 0) != nil || !worksIn(pid, c.data()) {
		return 0
	}
	return pid
}

func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("log of PostgreSQL: %w", err)
		}
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of PostgreSQL: %w", err)
	}
	return log, nil
}

// tail returns the last bytes of a file, for an error that should say why.
func tail(path string, bytes int) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-bytes):])
}
