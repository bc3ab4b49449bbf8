package db

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// ClusterConfig says where a private PostgreSQL lives and how it is run.
type ClusterConfig struct {
	// Dir holds the cluster: data, sock, postgres.log and the owner's lock.
	Dir string
	// Bin is the folder of initdb and postgres; empty: FindBin looks for it.
	Bin string
	// Volatile trades durability for speed: a crash of the machine may lose the data. For tests only.
	Volatile bool
}

// Cluster is a private PostgreSQL without a TCP port, on a unix socket that only its user and root can open.
// One process owns it and stops it; others that start it meanwhile are guests of the same server.
type Cluster struct {
	config ClusterConfig
	runAs  account
	lock   *os.File // held by the owner for its life; nil for a guest
	server *exec.Cmd
	gone   chan struct{} // closed when the server has ended
	stop   sync.Once
}

// StartCluster starts the PostgreSQL of a folder, making it on the first call. A server that a killed process left
// behind is shut down and replaced. A folder is never deleted, nor opened with the binaries of another major version.
// It returns when the server takes connections; while it recovers from a crash that may last, until ctx ends.
func StartCluster(ctx context.Context, config ClusterConfig) (*Cluster, error) {
	var err error
	if config.Dir, err = filepath.Abs(config.Dir); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if config.Bin == "" {
		if config.Bin, err = FindBin(); err != nil {
			return nil, err
		}
	}
	c := &Cluster{config: config, gone: make(chan struct{})}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	if c.lock == nil {
		return c, c.waitReady(ctx)
	}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.lock.Close())
	}
	return c, nil
}

// Owned reports whether this process started the server, and so will stop it.
func (c *Cluster) Owned() bool { return c.lock != nil }

// URL names a database of the cluster for pgx.
func (c *Cluster) URL(database string) string {
	query := url.Values{"host": {c.socket()}, "port": {"5432"}, "user": {"postgres"}, "sslmode": {"disable"}}
	return "postgres:///" + url.PathEscape(database) + "?" + query.Encode()
}

// ClusterURL names a database of the private PostgreSQL of a folder, whether it runs or not.
func ClusterURL(dir, database string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return (&Cluster{config: ClusterConfig{Dir: dir}}).URL(database)
}

// Database makes the database when it does not exist yet, and returns its URL.
func (c *Cluster) Database(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return "", fmt.Errorf("database %s: %w", name, err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var exists bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&exists)
	if err == nil && !exists {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	}
	if err != nil && !isDuplicateDatabase(err) {
		return "", fmt.Errorf("database %s: %w", name, err)
	}
	return c.URL(name), nil
}

// Stop shuts the server down when this process owns it: sessions are cut, nothing committed is lost. A guest leaves it running.
func (c *Cluster) Stop() error {
	if c.lock == nil {
		return nil
	}
	var err error
	c.stop.Do(func() {
		err = c.server.Process.Signal(syscall.SIGINT)
		if errors.Is(err, os.ErrProcessDone) {
			err = nil
		}
		select {
		case <-c.gone:
		case <-time.After(20 * time.Second):
			err = errors.Join(err, errors.New("PostgreSQL did not stop within 20 s, it recovers at the next start"), c.server.Process.Signal(syscall.SIGQUIT))
		}
		err = errors.Join(err, c.lock.Close())
	})
	return err
}

// Gone is closed when the server has ended, wanted or not.
func (c *Cluster) Gone() <-chan struct{} { return c.gone }

func (c *Cluster) data() string   { return filepath.Join(c.config.Dir, "data") }
func (c *Cluster) socket() string { return filepath.Join(c.config.Dir, "sock") }
func (c *Cluster) logfile() string {
	return filepath.Join(c.config.Dir, "postgres.log")
}

// start brings up the server of a folder that this process owns.
func (c *Cluster) start(ctx context.Context) error {
	if err := c.initialise(ctx); err != nil {
		return err
	}
	if err := c.checkVersion(); err != nil {
		return err
	}
	if err := c.endOrphan(ctx); err != nil {
		return err
	}
	if err := c.launch(); err != nil {
		return err
	}
	if err := c.waitReady(ctx); err != nil {
		return errors.Join(err, c.Stop())
	}
	return nil
}

// waitReady waits until the server takes connections, has ended, or ctx ends.
func (c *Cluster) waitReady(ctx context.Context) error {
	if c.lock == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Minute)
		defer cancel()
	}
	for {
		conn, err := pgx.Connect(ctx, c.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-c.gone:
			return fmt.Errorf("PostgreSQL ended while it started; the end of %s:\n%s", c.logfile(), tail(c.logfile(), 1500))
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL in %s does not take connections, see %s: %w", c.config.Dir, c.logfile(), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
