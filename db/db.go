// Package db opens Nightshift's PostgreSQL: the pool, the sessions of runs, the migrations and, for whoever configures
// nothing, a private cluster. It also holds the platform's own queries, a file a family of tables.
package db

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Classes of PostgreSQL's advisory locks with two keys, the second being the id of a workflow or of an engine node.
// Whoever holds the lock is alive: a run of the workflow, a process of the node.
const (
	LockWorkflow = 7301
	LockNode     = 7302
	// LockOutbox is held by whoever sends through an account, the second key; 0 is the mail account.
	LockOutbox = 7303
)

const (
	minimumVersion = 15
	connectWithin  = 5 * time.Second // to each host of the URL: one that is silent does not keep us from the next
	poolSize       = 8               // of connections that may write, and of those that only read
)

// DB is one Nightshift database. Lists, forms and log lines go through the pool; a run has a session of its own.
type DB struct {
	Pool *Pool

	url     string
	key     []byte
	hashing chan struct{}
	pulse   pulse
	names   workflowNames
}

// Open connects to a database, which must be PostgreSQL 15 or later and answer now. What the URL sets (pool size,
// time limits, target_session_attrs over several hosts) wins over the limits given here.
func Open(ctx context.Context, url string) (*DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	if config.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return nil, errors.New("database URL: default_query_exec_mode=simple_protocol would write values into the statements' text, leave it out")
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectWithin
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = poolSize
	}
	config.MaxConnIdleTime = 5 * time.Minute
	limit(config.ConnConfig, map[string]string{
		"application_name":                    "nightshift",
		"statement_timeout":                   "5s",
		"lock_timeout":                        "2s",
		"idle_in_transaction_session_timeout": "60s",
	})
	pool, err := newPool(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return &DB{Pool: pool, url: url, hashing: make(chan struct{}, hashesAtOnce)}, nil
}

// Close ends the pool. Run sessions are their owner's to close.
func (d *DB) Close() { d.Pool.Close() }

// URL is the connection string the database was opened with. It may hold a password: never show it.
func (d *DB) URL() string { return d.url }

// limit gives a connection the settings that all of ours have, and those given, where its URL leaves them open.
// Dates without a zone are read in UTC: a zone is always named where people's time matters.
func limit(config *pgx.ConnConfig, settings map[string]string) {
	common := map[string]string{
		"timezone":                         "UTC",
		"client_connection_check_interval": "1s",
		"tcp_keepalives_idle":              "10",
		"tcp_keepalives_interval":          "5",
		"tcp_keepalives_count":             "3",
		"tcp_user_timeout":                 "15s",
	}
	for _, group := range []map[string]string{settings, common} {
		for name, value := range group {
			if _, set := config.RuntimeParams[name]; !set {
				config.RuntimeParams[name] = value
			}
		}
	}
}

// checkVersion refuses an old PostgreSQL in words, before a statement fails on what it lacks.
func checkVersion(conn *pgx.Conn) error {
	version := conn.PgConn().ParameterStatus("server_version")
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	if major, err := strconv.Atoi(version[:end]); err == nil && major < minimumVersion {
		return fmt.Errorf("the server is PostgreSQL %s, Nightshift needs version %d or later", version, minimumVersion)
	}
	return nil
}
