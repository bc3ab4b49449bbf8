package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/external/deliverability"
)

const (
	// lastTaken is up to where decisions were taken, by the service's clock.
	lastTaken = "Deliverability_LastBroadLogMsgDate"
	// maxPages bounds how often the service is asked in one run.
	maxPages = 10_000
	// aheadOfUs is how far the service's clock may be ahead of ours.
	aheadOfUs = 24 * time.Hour
)

// takeDecisions takes what the service has learnt since it was last asked, a page at a time with the cursor.
func (u *refresh) takeDecisions(ctx context.Context) error {
	if u.busy {
		u.Say("not asked: the service asks to wait")
		return nil
	}
	since, err := u.takenUntil(ctx)
	if err != nil {
		return err
	}
	received, applied := int64(0), int64(0)
	for range maxPages {
		page, err := u.client.Messages(ctx, since)
		if u.tooBusy(err) || err == nil && len(page) == 0 {
			u.Say("%d received, %d of them new here", received, applied)
			return nil
		}
		if err != nil {
			return err
		}
		last := page[len(page)-1].Modified
		if last.After(u.Now().Add(aheadOfUs)) {
			return fmt.Errorf("the service knows a decision of %s, which is to come: nothing of that page was taken", last.UTC().Format(time.RFC3339))
		}
		changed, err := u.apply(ctx, page, last)
		if err != nil {
			return err
		}
		since, received, applied = last, received+int64(len(page)), applied+changed
		u.Read(int64(len(page)))
		u.Progress(received, 0, "messages")
		if err := u.Checkpoint(ctx); err != nil {
			return err
		}
	}
	return errors.New("the service has no end of decisions")
}

// takenUntil reads the cursor of what was taken, by the service's clock.
func (u *refresh) takenUntil(ctx context.Context) (since time.Time, err error) {
	since = time.Unix(0, 0)
	err = u.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&since) }, `
		SELECT timestamp_value
		FROM xtk.option
		WHERE name = $1
		  AND timestamp_value <= $2`, lastTaken, u.Now().Add(aheadOfUs))
	if err != nil {
		return since, fmt.Errorf("read %s: %w", lastTaken, err)
	}
	return since, nil
}

// apply takes over a page with its cursor. A text that waits here takes the service's decision, and so does one that had
// an older one from there; what a person here has decided stays. A text that has not come yet is kept for when it comes.
func (u *refresh) apply(ctx context.Context, page []deliverability.Message, last time.Time) (changed int64, err error) {
	document, err := json.Marshal(page)
	if err != nil {
		return 0, err
	}
	err = u.Tx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			WITH page AS (
				SELECT DISTINCT ON (p.md5) p.md5, p.text_normalized, p.message_type, p.failure_type, p.failure_reason, p.qualif_status, p.last_modified
				FROM jsonb_to_recordset($1) AS p (md5 text, text_normalized text, message_type smallint, failure_type text,
				     failure_reason smallint, qualif_status text, last_modified timestamptz)
				ORDER BY p.md5, p.last_modified DESC
			), taken AS (
				UPDATE nms.broad_log_msg b
				SET failure_type = p.failure_type, failure_reason = p.failure_reason, qualif_status = p.qualif_status, rule_id = NULL,
				    origin = 'service', synchronised_at = p.last_modified
				FROM page p
				WHERE b.md5 = p.md5
				  AND (b.qualif_status = 'to_qualify' OR b.origin = 'service' AND b.synchronised_at < p.last_modified)
				RETURNING b.id
			), known AS (
				INSERT INTO nms.broad_log_msg
				       (md5, text_normalized, message_type, failure_type, failure_reason, qualif_status, origin, synchronised_at)
				SELECT p.md5, p.text_normalized, p.message_type, p.failure_type, p.failure_reason, p.qualif_status, 'service', p.last_modified
				FROM page p
				WHERE p.md5 = md5(p.text_normalized)
				ON CONFLICT (md5) DO NOTHING
				RETURNING id
			)
			SELECT (SELECT count(*) FROM taken) + (SELECT count(*) FROM known)`, json.RawMessage(document)).Scan(&changed)
		if err != nil {
			return fmt.Errorf("take over decisions: %w", err)
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO xtk.option (name, data_type, timestamp_value)
			VALUES ($1, 'timestamp', $2)
			ON CONFLICT (name) DO UPDATE
			SET timestamp_value = excluded.timestamp_value`, lastTaken, last); err != nil {
			return fmt.Errorf("move %s: %w", lastTaken, err)
		}
		return nil
	})
	return changed, err
}
