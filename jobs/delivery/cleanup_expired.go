package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// stoppedShort is how many messages a stopped delivery must have left unsent to be finished by the cleanup.
const stoppedShort = 10_000

// expired is a delivery whose validity is over, with the log table of its mapping.
type expired struct {
	id  int64
	log string
}

// finishExpired ends deliveries whose validity is over: their pending logs are cancelled, they are finished, and the
// parts that were still to be sent go.
func finishExpired(ctx context.Context, r *jobs.Run) error {
	deliveries, err := expiredDeliveries(ctx, r)
	if err != nil {
		return err
	}
	r.Read(int64(len(deliveries)))
	var finished, cancelled int64
	for i, one := range deliveries {
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
		logs, ended, err := finishOne(ctx, r, one)
		if err != nil {
			return fmt.Errorf("delivery %d: %w", one.id, err)
		}
		finished, cancelled = finished+ended, cancelled+logs
		r.Progress(int64(i+1), int64(len(deliveries)), "deliveries")
	}
	parts, err := removeParts(ctx, r)
	if err != nil {
		return err
	}
	if finished > 0 || cancelled > 0 || parts > 0 {
		r.Say("%d deliveries finished, %d logs cancelled, %d parts deleted", finished, cancelled, parts)
	}
	return nil
}

// A: a bulk delivery that is being sent beyond its validity, or was stopped within 15 days with at least 10,000
// messages left. B: a delivery on a mid-sourcing server, ended within 15 days, whose validity lies 15 days back or
// before the moment up to which the logs of its account were fetched; without such a moment it is left alone. The logs
// of a delivery that is carried for another instance are in a table of their own.
const expiredSQL = `
	SELECT d.id, CASE WHEN d.emitter_account_id IS NOT NULL THEN 'nms.broad_log_mid' ELSE COALESCE(b.name, '') END
	FROM nms.delivery d
	LEFT JOIN nms.delivery_mapping m
		ON m.id = COALESCE(d.mapping_id, (SELECT id FROM nms.delivery_mapping WHERE internal_name = 'mapRecipient'))
	LEFT JOIN existing b ON b.name = m.broad_log_schema
	LEFT JOIN nms.ext_account a ON a.id = d.provider_id AND a.active
	LEFT JOIN xtk.option pulled ON pulled.name = 'NmsMidSourcing_LastBroadLog_' || a.internal_name
	WHERE (d.delete_status = 'no'
	       AND NOT d.is_model
	       AND d.delivery_mode = 'bulk'
	       AND (d.state IN ('start_pending', 'in_progress', 'recovery_pending', 'recovery_in_progress',
	                        'pause_requested', 'pause_in_progress', 'paused')
	            AND d.validity < @now
	            OR d.state = 'stopped'
	            AND d.last_modified >= @recent
	            AND d.to_deliver - d.processed >= @short))
	   OR (d.delivery_mode = 'mid_sourcing'
	       AND d.state IN ('stopped', 'finished')
	       AND d.last_modified >= @recent
	       AND a.id IS NOT NULL
	       AND (d.validity < @recent
	            OR d.validity < COALESCE(pulled.timestamp_value,
	                   CASE WHEN pulled.string_value ~ '^\d{4}-[01]\d-[0-3]\d([ T][0-2]\d:[0-5]\d(:[0-5]\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?)?$'
	                        THEN pulled.string_value::timestamptz END)))
	ORDER BY d.id`

func expiredDeliveries(ctx context.Context, r *jobs.Run) ([]expired, error) {
	var found []expired
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var one expired
		err := rows.Scan(&one.id, &one.log)
		found = append(found, one)
		return err
	}, existingSQL+expiredSQL, pgx.StrictNamedArgs{"now": r.Now(), "recent": r.Now().Add(-15 * day), "short": stoppedShort})
	if err != nil {
		return nil, fmt.Errorf("expired deliveries: %w", err)
	}
	return found, nil
}

// finishOne cancels the pending logs of a delivery and finishes it. A delivery of which another session holds logs
// is finished by the next cleanup, and one that is finished already is not written again.
func finishOne(ctx context.Context, r *jobs.Run, d expired) (cancelled, finished int64, err error) {
	pending, handled := int64(0), int64(0)
	if d.log != "" {
		log := qualified(d.log)
		cancelled, err = r.Batches(ctx, fmt.Sprintf("delivery %d: pending logs cancelled", d.id), `
			UPDATE `+log+` AS b
			SET status = 'cancelled',
			    msg_id = (SELECT id FROM nms.broad_log_msg WHERE md5 = md5('delivery cancelled, validity expired')),
			    last_modified = now()
			WHERE b.delivery_id = $1
			  AND b.id = ANY (ARRAY(
				SELECT p.id FROM `+log+` p
				WHERE p.delivery_id = $1 AND p.status = 'pending'
				ORDER BY p.id
				LIMIT 5000
				FOR UPDATE SKIP LOCKED))`, d.id)
		if err != nil {
			return cancelled, 0, err
		}
		err = r.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&pending, &handled) }, `
			SELECT count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status <> 'pending')
			FROM `+log+`
			WHERE delivery_id = $1`, d.id)
		if err != nil {
			return cancelled, 0, fmt.Errorf("count the logs: %w", err)
		}
	}
	if pending > 0 {
		r.Warn("delivery %d: %d pending logs are held by another session, finished by the next cleanup", d.id, pending)
		return cancelled, 0, nil
	}
	// processed is counted anew from the logs; where the purge took them already, the number known before stays.
	// last_modified is that of the transaction, not of the run's begin: instances for which the delivery is carried have
	// read beyond that.
	finished, err = r.Exec(ctx, fmt.Sprintf("delivery %d: finished", d.id), `
		UPDATE nms.delivery
		SET state = 'finished',
		    broad_end = COALESCE(validity, $2),
		    processed = CASE WHEN $3::bigint > 0 THEN $3::bigint ELSE processed END,
		    last_modified = now()
		WHERE id = $1
		  AND state <> 'finished'`, d.id, r.Now(), handled)
	return cancelled, finished, err
}

// removeParts removes what is no longer to be sent: the parts of deliveries that have ended, then those whose own validity is over.
func removeParts(ctx context.Context, r *jobs.Run) (int64, error) {
	ended, err := r.Purge(ctx, "parts of ended deliveries", jobs.Purge{Table: "nms.delivery_part", Where: `
		t.delivery_id IN (SELECT d.id FROM nms.delivery d WHERE d.state IN ('finished', 'stopped'))`})
	if err != nil {
		return ended, err
	}
	late, err := r.Purge(ctx, "parts beyond their validity", jobs.Purge{Table: "nms.delivery_part", Age: "validity",
		Where: "t.validity < $1", Args: []any{r.Now()}, Batch: partBatch})
	return ended + late, err
}

// cleanMirrorPages removes the mirror pages of deliveries whose web validity is over, says so in the delivery's
// journal and remembers it. A delivery that needs no mirror page has only entries to search for one.
func cleanMirrorPages(ctx context.Context, r *jobs.Run) error {
	const over = `t.delivery_id IN (
		SELECT d.id FROM nms.delivery d
		WHERE NOT d.web_res_purged AND d.web_validity < $1`
	pages := jobs.Purge{Table: "nms.mirror_page_info", Where: over + " AND d.need_mirror_page <> 0)", Args: []any{r.Now()}}
	search := jobs.Purge{Table: "nms.mirror_page_search", Key: "message_id", Where: over + ")", Args: []any{r.Now()}}
	for _, rows := range []jobs.Purge{pages, search} {
		if err := purge(ctx, r, "mirror pages", rows); err != nil {
			return err
		}
	}
	return markPurged(ctx, r, r.Now())
}

// markPurged notes the purge in the journal of each delivery together with the mark, once, and only where no page is
// left (another session may have held some).
func markPurged(ctx context.Context, r *jobs.Run, now time.Time) error {
	_, err := r.Batches(ctx, "deliveries whose mirror pages are gone", `
		WITH over AS (
			SELECT d.id
			FROM nms.delivery d
			WHERE NOT d.web_res_purged
			  AND d.web_validity < $1
			  AND NOT EXISTS (SELECT FROM nms.mirror_page_search s WHERE s.delivery_id = d.id)
			  AND (d.need_mirror_page = 0 OR NOT EXISTS (SELECT FROM nms.mirror_page_info i WHERE i.delivery_id = d.id))
			ORDER BY d.id
			LIMIT 5000
			FOR UPDATE SKIP LOCKED),
		noted AS (
			INSERT INTO xtk.job_log (delivery_id, message, log_date)
			SELECT id, 'Mirror pages and web resources purged: their validity is over', $1
			FROM over)
		UPDATE nms.delivery d
		SET web_res_purged = true
		FROM over
		WHERE d.id = over.id`, now)
	return err
}
