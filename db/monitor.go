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
	Role                             string
	SeesAll                          bool // whether the role may see the transactions of others and how far replicas are
	PendingEvents                    int  // of Message Center, up to a million
	FailedDeliveries, OpenDeliveries int  // with errors; in progress
	LastFailed, LastSent             []SentDelivery
}

// SentDelivery is a delivery as lists of monitoring show it.
type SentDelivery struct {
	ID           int64
	Label, State string
	At           time.Time // its contact date, or when it failed
	Sent, Errors int64
	Message      string // why it failed
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
		       pg_database_size(current_database()), current_user, pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&v.Postgres, &v.Database, &v.Connections, &v.MaxConnections, &oldest, &v.OldestXID, &v.FreezeMaxAge, &v.Replicas, &lag, &v.Size, &v.Role, &v.SeesAll)
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
		SELECT (SELECT count(*) FROM (SELECT FROM nms.rt_event WHERE status = 'pending' LIMIT 500000) e)
		       + (SELECT count(*) FROM (SELECT FROM nms.batch_event WHERE status = 'pending' LIMIT 500000) e),
		       (SELECT count(*) FROM nms.delivery WHERE state IN ('failed', 'preparation_failed') AND delete_status = 'no' AND NOT is_model),
		       (SELECT count(*) FROM nms.delivery WHERE state = 'in_progress' AND delete_status = 'no')`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&v.PendingEvents, &v.FailedDeliveries, &v.OpenDeliveries)
	})
	queueDeliveries(batch, &v.LastFailed, `
		SELECT id, label, state, last_modified, sent, error, COALESCE(failed_message, '')
		FROM nms.delivery
		WHERE state IN ('failed', 'preparation_failed')
		  AND delete_status = 'no'
		  AND NOT is_model
		ORDER BY last_modified DESC
		LIMIT 5`)
	queueDeliveries(batch, &v.LastSent, `
		SELECT id, label, state, contact_date, sent, error, ''
		FROM nms.delivery
		WHERE contact_date <= now()
		  AND state = 'finished'
		  AND delete_status = 'no'
		  AND NOT is_model
		ORDER BY contact_date DESC
		LIMIT 5`)
	if err := d.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return Vitals{}, fmt.Errorf("vitals: %w", err)
	}
	v.OldestTransaction, v.ReplicationLag = time.Duration(oldest*float64(time.Second)), time.Duration(lag*float64(time.Second))
	return v, nil
}

func queueDeliveries(batch *pgx.Batch, into *[]SentDelivery, sql string) {
	batch.Queue(sql).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[SentDelivery])
		*into = all
		return err
	})
}
