package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// RunSession opens the connection that one run owns for its whole life, outside the pool, and shows it under the given
// application name. Cancelling a context cancels the statement and keeps the connection, so that the run's end can be
// written on the session that holds its lock; such a statement fails with SQLSTATE 57014. A network that falls silent ends the session within 30 s, a process that
// stands still within 60: whoever works longer outside the database pings. It has no statement_timeout, each step sets its own.
func (d *DB) RunSession(ctx context.Context, applicationName string) (*pgx.Conn, error) {
	config := d.Pool.Config().ConnConfig
	config.RuntimeParams["application_name"] = applicationName
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["idle_session_timeout"] = "60s"
	limit(config, nil)
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 5 * time.Second}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the session %q: %w", applicationName, err)
	}
	if err := checkVersion(conn); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	return conn, nil
}
