package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Vitals are what a monitoring system watches of PostgreSQL and of the deliveries.
type Vitals struct {
	Postgres, Database               string
	Connections, MaxConnections      int
	OldestTransaction                time.Duration
	OldestXID, FreezeMaxAge          int64   // age of the oldest unfrozen transaction id, and where autovacuum forces a freeze
	DeadShare                        float64 // of the table with the largest share of dead rows, a part of 1
	DeadTable                        string
	ReplicationLag                   time.Duration // of the replica furthest behind; 0: none is behind, or there is none
	Replicas                         int
	Size                             int64 // bytes of the database
	FailedDeliveries, OpenDeliveries int   // with errors; in progress
	LastSent                         *time.Time
}

// Vitals reads them in one round trip. What the role of Nightshift may not see of other sessions is left out.
func (d *DB) Vitals(ctx context.Context) (Vitals, error) {
	var v Vitals
	var oldest, lag float64
	batch := &pgx.Batch{}
	batch.Queue(`
		SELECT current_setting('server_version'), current_database(),
		       (SELECT count(*) FROM pg_stat_activity), current_setting('max_connections')::int,
		       COALESCE((SELECT extract(epoch FROM max(now() - a.xact_start)) FROM pg_stat_activity a
		                 WHERE a.datname = current_database() AND a.backend_type = 'client backend'), 0)::float8,
		       (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()),
		       current_setting('autovacuum_freeze_max_age')::bigint,
		       (SELECT count(*) FROM pg_stat_replication),
		       COALESCE((SELECT extract(epoch FROM max(r.replay_lag)) FROM pg_stat_replication r), 0)::float8,
		       pg_database_size(current_database())`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&v.Postgres, &v.Database, &v.Connections, &v.MaxConnections, &oldest, &v.OldestXID, &v.FreezeMaxAge, &v.Replicas, &lag, &v.Size)
	})
	// A small table is rewritten often and says nothing.
	batch.Queue(`
		SELECT COALESCE(max(worst.share), 0)::float8, COALESCE(max(worst.name), '')
		FROM (SELECT s.schemaname || '.' || s.relname AS name, s.n_dead_tup::float8 / (s.n_live_tup + s.n_dead_tup) AS share
		      FROM pg_stat_user_tables s
		      WHERE s.n_live_tup + s.n_dead_tup >= 10000
		      ORDER BY share DESC
		      LIMIT 1) worst`).QueryRow(func(row pgx.Row) error { return row.Scan(&v.DeadShare, &v.DeadTable) })
	batch.Queue(`
		SELECT (SELECT count(*) FROM nms.delivery WHERE state = 'failed' AND delete_status = 'no'),
		       (SELECT count(*) FROM nms.delivery WHERE state = 'in_progress' AND delete_status = 'no'),
		       (SELECT max(contact_date) FROM nms.delivery WHERE contact_date <= now())`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&v.FailedDeliveries, &v.OpenDeliveries, &v.LastSent)
	})
	if err := d.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return Vitals{}, fmt.Errorf("vitals: %w", err)
	}
	v.OldestTransaction, v.ReplicationLag = time.Duration(oldest*float64(time.Second)), time.Duration(lag*float64(time.Second))
	return v, nil
}
