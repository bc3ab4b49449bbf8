package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// fewErrors is the number of errors below which a mail server is forgotten when its counters are summed up.
const fewErrors = 20

// coalesceErrors sums up the counters of mail servers since the last time: one row a server and public address,
// dated at the start, and none for servers with few errors.
func coalesceErrors(ctx context.Context, r *jobs.Run) error {
	start, err := moment(ctx, r, optionLastCoalesce)
	if err != nil {
		return err
	}
	var newest *time.Time
	var rows int64
	err = r.Query(ctx, func(found pgx.Rows) error { return found.Scan(&newest, &rows) }, `
		SELECT max(stat_date), count(*) FILTER (
			WHERE stat_date >= COALESCE($1, (SELECT max(stat_date) FROM nms.email_error_stat)) AND stat_date < $2)
		FROM nms.email_error_stat`, start, r.Now())
	if err != nil {
		return fmt.Errorf("count the counters: %w", err)
	}
	if start == nil {
		start = newest
	}
	if start == nil || !start.Before(r.Now()) || rows == 0 {
		r.Log("coalesceUpToDate")
		return advance(ctx, r, start)
	}
	r.Read(rows)
	r.Log("coalescingErrors: %d counters since %s", rows, shownMoment(start))
	return r.Tx(ctx, func(tx pgx.Tx) error { return coalesce(ctx, tx, *start, r.Now()) })
}

// advance moves the cursor past a stretch without counters.
func advance(ctx context.Context, r *jobs.Run, start *time.Time) error {
	if start == nil || !start.Before(r.Now()) {
		return nil
	}
	return setMoment(ctx, r, "cursor of the connection errors", optionLastCoalesce, r.Now())
}

// coalesce replaces the counters of the stretch by their sums and moves the cursor, all or nothing.
func coalesce(ctx context.Context, tx pgx.Tx, start, end time.Time) error {
	// One statement: what is deleted is what is summed, whatever is counted meanwhile.
	_, err := tx.Exec(ctx, `
		WITH taken AS (
			DELETE FROM nms.email_error_stat
			WHERE stat_date >= @start AND stat_date < @end
			RETURNING mx_ip, public_id, total_connections, total_errors, message_errors, aborted_connections,
			          failed_connections, refused_connections, timeout_connections, sent_messages, hit_count)
		INSERT INTO nms.email_error_stat
		       (mx_ip, public_id, stat_date, total_connections, total_errors, message_errors, aborted_connections,
		        failed_connections, refused_connections, timeout_connections, sent_messages, hit_count)
		SELECT mx_ip, public_id, @start, sum(total_connections), sum(total_errors), sum(message_errors), sum(aborted_connections),
		       sum(failed_connections), sum(refused_connections), sum(timeout_connections), sum(sent_messages), sum(hit_count)
		FROM taken
		GROUP BY mx_ip, public_id
		HAVING sum(total_errors) >= @few`, pgx.StrictNamedArgs{"start": start, "end": end, "few": fewErrors})
	if err != nil {
		return fmt.Errorf("sum up the counters: %w", err)
	}
	if _, err := tx.Exec(ctx, setMomentSQL, optionLastCoalesce, end); err != nil {
		return fmt.Errorf("move the cursor: %w", err)
	}
	return nil
}

// cleanEmailErrors forgets the last error of servers without counters.
func cleanEmailErrors(ctx context.Context, r *jobs.Run) error {
	return purge(ctx, r, "errors of forgotten servers", jobs.Purge{Table: "nms.email_error", Key: "ctid", Where: unknownServer})
}

// cleanMxDomains forgets the domains of servers without counters.
func cleanMxDomains(ctx context.Context, r *jobs.Run) error {
	return purge(ctx, r, "domains of forgotten servers", jobs.Purge{Table: "nms.mx_domain", Key: "ctid", Where: unknownServer})
}

const unknownServer = "NOT EXISTS (SELECT FROM nms.email_error_stat s WHERE s.mx_ip = t.mx_ip)"
