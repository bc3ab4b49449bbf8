package delivery

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/external/deliverability"
)

// Up to where decisions were sent: the moment of the last one and its id, because many may be of one moment.
const (
	lastSent   = "Deliverability_LastBroadLogMsgSent"
	lastSentID = "Deliverability_LastBroadLogMsgSentId"
)

// sendDecisions hands the texts that people here have decided to keep to the service, oldest first, a batch at a time.
// The cursor moves with each batch that was taken. The service overwrites what it has, so a batch may be sent twice.
func (u *refresh) sendDecisions(ctx context.Context) error {
	at, id, err := u.sentUntil(ctx)
	if err != nil {
		return err
	}
	horizon, err := u.settled(ctx)
	if err != nil {
		return err
	}
	sent := int64(0)
	for {
		batch, err := u.decisions(ctx, at, id, horizon)
		if err != nil || len(batch.messages) == 0 {
			u.Say("%d sent", sent)
			return err
		}
		effect := fmt.Sprintf("send %d qualifications", len(batch.messages))
		err = u.Once(ctx, "deliverabilityUpdate "+rand.Text(), effect, func(ctx context.Context) error {
			return u.client.Send(ctx, batch.messages)
		})
		if u.tooBusy(err) {
			u.Say("%d sent, then the service asked to wait", sent)
			return nil
		}
		if err != nil {
			return err
		}
		at, id = batch.messages[len(batch.messages)-1].Modified, batch.last
		if err := u.moveSent(ctx, at, id); err != nil {
			return err
		}
		sent += int64(len(batch.messages))
		u.Progress(sent, 0, "messages")
		if err := u.Checkpoint(ctx); err != nil {
			return err
		}
	}
}

// sentUntil reads the cursor of what was sent. One of the future is none: the clock was wrong.
func (u *refresh) sentUntil(ctx context.Context) (at time.Time, id int64, err error) {
	at = time.Unix(0, 0)
	err = u.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&at, &id) }, `
		SELECT o.timestamp_value, COALESCE((SELECT long_value FROM xtk.option WHERE name = $2), 0)
		FROM xtk.option o
		WHERE o.name = $1
		  AND o.timestamp_value <= clock_timestamp()`, lastSent, lastSentID)
	if err != nil {
		return at, id, fmt.Errorf("read %s: %w", lastSent, err)
	}
	return at, id, nil
}

// settled is the moment before which no decision can appear any more: that of the oldest transaction that is still
// writing decisions. One that is being committed would otherwise be passed over for ever.
func (u *refresh) settled(ctx context.Context) (at time.Time, err error) {
	err = u.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&at) }, `
		SELECT LEAST(clock_timestamp(), min(a.xact_start))
		FROM pg_locks l
		JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE l.relation = 'nms.broad_log_msg'::regclass
		  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		  AND l.mode = 'RowExclusiveLock'
		  AND l.pid <> pg_backend_pid()`)
	if err != nil {
		return at, fmt.Errorf("decisions being written: %w", err)
	}
	return at, nil
}

// decisionBatch are decisions to send, and the id of the last.
type decisionBatch struct {
	messages []deliverability.Message
	last     int64
}

func (u *refresh) decisions(ctx context.Context, at time.Time, id int64, horizon time.Time) (b decisionBatch, err error) {
	// Only "keep" is sent, and not what came from the service itself.
	err = u.Query(ctx, func(rows pgx.Rows) error {
		var m deliverability.Message
		err := rows.Scan(&b.last, &m.MD5, &m.Text, &m.MessageType, &m.Type, &m.Reason, &m.Status, &m.Modified)
		b.messages = append(b.messages, m)
		return err
	}, `
		SELECT id, md5, text_normalized, message_type, failure_type, failure_reason, qualif_status, last_modified
		FROM nms.broad_log_msg
		WHERE qualif_status = 'keep'
		  AND origin <> 'service'
		  AND (last_modified, id) > ($1, $2)
		  AND last_modified < $3
		ORDER BY last_modified, id
		LIMIT $4`, at, id, horizon, deliverability.BatchSize)
	if err != nil {
		return b, fmt.Errorf("decisions to send: %w", err)
	}
	u.Read(int64(len(b.messages)))
	return b, nil
}

func (u *refresh) moveSent(ctx context.Context, at time.Time, id int64) error {
	return u.Tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `
			INSERT INTO xtk.option AS o (name, data_type, timestamp_value, long_value)
			VALUES ($1, 'timestamp', $2, NULL), ($3, 'long', NULL, $4)
			ON CONFLICT (name) DO UPDATE
			SET timestamp_value = excluded.timestamp_value, long_value = excluded.long_value`, lastSent, at, lastSentID, id); err != nil {
			return fmt.Errorf("move %s: %w", lastSent, err)
		}
		return nil
	})
}
