package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Pool is a process's shared connections to its database, in two groups: what is asked within a context of Reading goes to
// connections on which PostgreSQL refuses every change, all else to those that may write. Neither group waits for the
// other, so a run's log is written while pages are asked for, and the other way round.
type Pool struct{ writing, reading *pgxpool.Pool }

type readingKey struct{}

// Reading marks a context in which nothing is to be changed. A statement that would change something fails there.
func Reading(ctx context.Context) context.Context {
	return context.WithValue(ctx, readingKey{}, true)
}

// writing takes the mark of Reading off, for the little that a request leaves behind although it changes nothing: when a
// session was used, that a message was shown, who was refused.
func writing(ctx context.Context) context.Context {
	return context.WithValue(ctx, readingKey{}, false)
}

// newPool opens both groups, each with as many connections at most as the configuration says; they connect when asked.
func newPool(ctx context.Context, config *pgxpool.Config) (*Pool, error) {
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error { return checkVersion(conn) }
	writing, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	config = config.Copy()
	// Not a setting of the start, which would make a server that can write look like one that cannot.
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, `SET default_transaction_read_only = on`); err != nil {
			return fmt.Errorf("make the connection one that only reads: %w", err)
		}
		return checkVersion(conn)
	}
	reading, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		writing.Close()
		return nil, err
	}
	return &Pool{writing: writing, reading: reading}, nil
}

func (p *Pool) of(ctx context.Context) *pgxpool.Pool {
	if only, _ := ctx.Value(readingKey{}).(bool); only {
		return p.reading
	}
	return p.writing
}

// Query asks on a connection of the context's group.
func (p *Pool) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return p.of(ctx).Query(ctx, sql, args...)
}

// QueryRow asks for one row on a connection of the context's group.
func (p *Pool) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return p.of(ctx).QueryRow(ctx, sql, args...)
}

// Exec runs a statement on a connection of the context's group.
func (p *Pool) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return p.of(ctx).Exec(ctx, sql, args...)
}

// SendBatch runs statements together on a connection of the context's group.
func (p *Pool) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	return p.of(ctx).SendBatch(ctx, batch)
}

// Begin begins a transaction on a connection of the context's group.
func (p *Pool) Begin(ctx context.Context) (pgx.Tx, error) { return p.of(ctx).Begin(ctx) }

// Acquire lends a connection of the context's group until it is released.
func (p *Pool) Acquire(ctx context.Context) (*pgxpool.Conn, error) { return p.of(ctx).Acquire(ctx) }

// AcquireFunc lends a connection of the context's group.
func (p *Pool) AcquireFunc(ctx context.Context, fn func(*pgxpool.Conn) error) error {
	return p.of(ctx).AcquireFunc(ctx, fn)
}

// Ping asks whether PostgreSQL answers on a connection that may write.
func (p *Pool) Ping(ctx context.Context) error { return p.writing.Ping(ctx) }

// Config is how connections that may write are made; the caller may change what he gets.
func (p *Pool) Config() *pgxpool.Config { return p.writing.Config() }

// Reset has connections made anew: those that are free at once, others when they are given back.
func (p *Pool) Reset() {
	p.reading.Reset()
	p.writing.Reset()
}

// Close ends all connections.
func (p *Pool) Close() {
	p.reading.Close()
	p.writing.Close()
}

// nodeSessions is what a node needs beside the pool: two connections that listen, one that claims, two that send, three
// ready for runs.
const nodeSessions = 8

// RoomForNode refuses a PostgreSQL that does not take as many connections as one node may open: it would work until
// the night in which it needs them.
func (d *DB) RoomForNode(ctx context.Context) error {
	needed := int(d.Pool.writing.Config().MaxConns+d.Pool.reading.Config().MaxConns) + nodeSessions
	var taken int
	if err := d.Pool.QueryRow(ctx, `
		SELECT sum(CASE name WHEN 'max_connections' THEN setting::int ELSE -setting::int END)
		FROM pg_settings
		WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')`).Scan(&taken); err != nil {
		return fmt.Errorf("room for a node: %w", err)
	}
	if taken < needed {
		return fmt.Errorf("PostgreSQL takes %d connections, a node may need %d: raise max_connections, or lower pool_max_conns in DATABASE_URL", taken, needed)
	}
	return nil
}
