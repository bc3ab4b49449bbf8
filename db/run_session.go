package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

const (
	cancelWithin = 5 * time.Second        // a statement that cannot be cancelled for so long costs the session
	cancelAgain  = 200 * time.Millisecond // between two requests to cancel a statement
	cancelArrive = 100 * time.Millisecond // in which a request that the server has read reaches its process
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
		return &canceller{conn: conn}
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

// canceller ends the statement at work when its context does. A request to cancel that reaches PostgreSQL before the
// statement has begun is lost, and nobody is told: so it is repeated until the statement has ended. pgx's own handler
// asks once.
type canceller struct {
	conn  *pgconn.PgConn
	ended chan struct{} // closed when the statement has ended
	quiet chan struct{} // closed when no request is under way any more
}

// HandleCancel begins to ask for the end of the statement.
func (c *canceller) HandleCancel(cancelled context.Context) {
	ended, quiet := make(chan struct{}), make(chan struct{})
	c.ended, c.quiet = ended, quiet
	until := time.Now().Add(cancelWithin)
	_ = c.conn.Conn().SetDeadline(until)
	asking, stop := context.WithDeadline(context.WithoutCancel(cancelled), until)
	go func() {
		<-ended
		stop()
	}()
	go func() {
		defer close(quiet)
		for asking.Err() == nil {
			_ = c.conn.CancelRequest(asking)
			select {
			case <-asking.Done():
			case <-time.After(cancelAgain):
			}
		}
		<-ended
		<-time.After(cancelArrive)
	}()
}

// HandleUnwatchAfterCancel waits until the last request can no longer hit the next statement.
func (c *canceller) HandleUnwatchAfterCancel() {
	close(c.ended)
	<-c.quiet
	_ = c.conn.Conn().SetDeadline(time.Time{})
}
