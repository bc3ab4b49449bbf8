package demo

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// The texts of the errors that the pair invents.
const (
	userUnknown = "550 5.1.1 user is unknown"
	mailboxFull = "552 5.2.2 quota exceeded"
)

// What a sender does to the deliveries that are carried: it takes up those that were started, holds those that were
// paused, and lets some messages end: of a hundred, 94 are sent, 3 fail for good, 3 for now. What becomes of a message
// follows from its number, so the same demo goes the same way. Then it counts, and finishes what has no message left.
var sending = []string{`
	UPDATE nms.delivery d
	SET state = 'in_progress', broad_start = COALESCE(broad_start, now())
	WHERE emitter_account_id IS NOT NULL
	  AND delete_status = 'no'
	  AND state IN ('start_pending', 'recovery_pending')
	  AND contact_date <= now()`, `
	UPDATE nms.delivery d
	SET state = 'paused'
	WHERE emitter_account_id IS NOT NULL
	  AND state = 'pause_requested'`, `
	WITH next AS (
		SELECT l.delivery_id, l.id, abs(hashint8(l.remote_id)::bigint) % 100 AS fate
		FROM nms.broad_log_mid l
		JOIN nms.delivery d ON d.id = l.delivery_id
		WHERE d.emitter_account_id IS NOT NULL
		  AND d.delete_status = 'no'
		  AND d.state = 'in_progress'
		  AND l.status = 'pending'
		ORDER BY l.delivery_id, l.id
		LIMIT 7
		FOR UPDATE OF l SKIP LOCKED)
	UPDATE nms.broad_log_mid l
	SET status = CASE WHEN fate < 94 THEN 'sent' ELSE 'failed' END,
	    failure_type = CASE WHEN fate < 94 THEN NULL WHEN fate < 97 THEN 'hard' ELSE 'soft' END,
	    failure_reason = CASE WHEN fate < 94 THEN 0 WHEN fate < 97 THEN 1 ELSE 5 END,
	    msg_id = (SELECT m.id FROM nms.broad_log_msg m WHERE m.md5 = CASE WHEN fate < 94 THEN NULL WHEN fate < 97 THEN md5('` + userUnknown + `') ELSE md5('` + mailboxFull + `') END),
	    event_date = now()
	FROM next
	WHERE l.delivery_id = next.delivery_id
	  AND l.id = next.id`, `
	UPDATE nms.delivery d
	SET (sent, success, success_without_seeds, error, unknown_user, mailbox_full, processed, state, broad_end) = (
		SELECT count(*) FILTER (WHERE l.status = 'sent'), count(*) FILTER (WHERE l.status = 'sent'), count(*) FILTER (WHERE l.status = 'sent'),
		       count(*) FILTER (WHERE l.status = 'failed'), count(*) FILTER (WHERE l.failure_reason = 1), count(*) FILTER (WHERE l.failure_reason = 5),
		       count(*) FILTER (WHERE l.status <> 'pending'),
		       CASE WHEN count(*) FILTER (WHERE l.status = 'pending') = 0 THEN 'finished' ELSE d.state END,
		       CASE WHEN count(*) FILTER (WHERE l.status = 'pending') = 0 THEN now() END
		FROM nms.broad_log_mid l
		WHERE l.delivery_id = d.id)
	WHERE d.emitter_account_id IS NOT NULL
	  AND d.delete_status = 'no'
	  AND d.state = 'in_progress'`}

// send lets some time pass for the sender, and returns how many deliveries are still open.
func (p *Pair) send(ctx context.Context) (open int, err error) {
	err = pgx.BeginFunc(ctx, p.Mid.Pool, func(tx pgx.Tx) error {
		for _, sql := range sending {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return tx.QueryRow(ctx, `
			SELECT count(*)
			FROM nms.delivery
			WHERE emitter_account_id IS NOT NULL
			  AND delete_status = 'no'
			  AND state NOT IN ('stopped', 'failed', 'finished', 'deleted')`).Scan(&open)
	})
	if err != nil {
		return 0, fmt.Errorf("send: %w", err)
	}
	return open, nil
}
