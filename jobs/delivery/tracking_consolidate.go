package delivery

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/nms"
)

const (
	optionConsolidated   = "NmsTracking_LastConsolidation"
	optionConsolidatedID = "NmsTracking_LastConsolidatedId"
	// bucket is the stretch of time that one row of nms.tracking_stats sums up.
	bucket = 5 * time.Minute
	// slice is how much time one transaction consolidates at most, lateSlice how many new logs it looks through for late ones.
	slice     = 7 * 24 * time.Hour
	lateSlice = 100_000
)

// consolidate sums the logs up in buckets of five minutes: first the buckets before the last consolidation that late logs
// have come to, then those from there to the last complete one. Each transaction moves its cursor with its rows.
func (t *tracker) consolidate(ctx context.Context) error {
	oldest, err := nms.OldestLog(ctx, t.Run)
	if err != nil {
		return err
	}
	from, err := moment(ctx, t.Run, optionConsolidated)
	if err != nil {
		return err
	}
	newest, err := t.newestLog(ctx)
	if err != nil {
		return err
	}
	to := t.Now().Truncate(bucket)
	var rows int64
	if from != nil && !from.After(to) {
		if rows, err = t.consolidateLate(ctx, oldest, *from, newest); err != nil {
			return err
		}
	} else if from, err = t.firstBucket(ctx, to); err != nil { // never consolidated, or a clock went back: from the first log on
		return err
	}
	buckets := int64(to.Sub(*from) / bucket)
	for begin := *from; begin.Before(to); {
		if err := t.Checkpoint(ctx); err != nil {
			return err
		}
		end := begin.Add(slice)
		if end.After(to) {
			end = to
		}
		n, err := t.consolidateSlice(ctx, begin, end, newest)
		if err != nil {
			return err
		}
		rows, begin = rows+n, end
		t.Progress(int64(end.Sub(*from)/bucket), buckets, "buckets")
	}
	t.Say("tracking_stats: %s buckets, %s rows %s", commas(buckets), commas(rows), would(t.Run, "changed", "would change"))
	return nil
}

// newestLog is the highest id of all tables of tracking logs: they share one sequence.
func (t *tracker) newestLog(ctx context.Context) (id int64, err error) {
	err = t.Query(ctx, func(row pgx.Rows) error { return row.Scan(&id) },
		"SELECT coalesce(greatest((SELECT max(id) FROM "+strings.Join(t.each(hitsOf), "), (SELECT max(id) FROM ")+")), 0)")
	if err != nil {
		return 0, fmt.Errorf("find the newest tracking log: %w", err)
	}
	return id, nil
}

// firstBucket is where a first consolidation begins; with no log, at the end.
func (t *tracker) firstBucket(ctx context.Context, to time.Time) (*time.Time, error) {
	first := to
	err := t.Query(ctx, func(row pgx.Rows) error { return row.Scan(&first) },
		"SELECT coalesce(date_bin('5 minutes', min(log_date), 'epoch'), $1) FROM ("+t.allHits("log_date")+") h WHERE log_date < $1", to)
	if err != nil {
		return nil, fmt.Errorf("find the first tracking log: %w", err)
	}
	return &first, nil
}

// consolidateLate recomputes the buckets before the cursor to which logs were added since the last run. New logs are those
// with a higher id. A bucket of which the purge may have taken logs keeps what it has.
func (t *tracker) consolidateLate(ctx context.Context, oldest, cursor time.Time, newest int64) (rows int64, err error) {
	last, err := numberCursor(ctx, t.Run, optionConsolidatedID)
	if err != nil {
		return 0, err
	}
	for last < newest {
		if err := t.Checkpoint(ctx); err != nil {
			return rows, err
		}
		end := min(last+lateSlice, newest)
		err := t.Tx(ctx, func(tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, `
				WITH touched AS MATERIALIZED (
					SELECT DISTINCT delivery_id, date_bin('5 minutes', log_date, 'epoch') AS start
					FROM (`+t.allHits("id, delivery_id, log_date")+`) h
					WHERE id > $1
					  AND id <= $2
					  AND log_date < $3
					  AND log_date >= $4
				)`+t.statistics(`
				SELECT touched.start, touched.delivery_id, h.url_id, h.source_type, h.hits
				FROM touched
				CROSS JOIN LATERAL (
					SELECT url_id, source_type, count(*) AS hits
					FROM (`+t.allHits("delivery_id, url_id, source_type, log_date")+`) h
					WHERE h.delivery_id = touched.delivery_id
					  AND h.log_date >= touched.start
					  AND h.log_date < touched.start + interval '5 minutes'
					GROUP BY url_id, source_type
				) h`), last, end, cursor, oldest.Truncate(bucket).Add(bucket))
			if err != nil {
				return fmt.Errorf("consolidate late logs: %w", err)
			}
			rows += tag.RowsAffected()
			return moveNumber(ctx, tx, optionConsolidatedID, end)
		})
		if err != nil {
			return rows, err
		}
		last = end
	}
	return rows, nil
}

// consolidateSlice computes all buckets from one moment to another, both on the border of a bucket.
func (t *tracker) consolidateSlice(ctx context.Context, from, to time.Time, newest int64) (rows int64, err error) {
	err = t.Tx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, t.statistics(`
			SELECT date_bin('5 minutes', h.log_date, 'epoch') AS start, h.delivery_id, h.url_id, h.source_type, count(*) AS hits
			FROM (`+t.allHits("delivery_id, url_id, source_type, log_date")+`) h
			WHERE h.log_date >= $1
			  AND h.log_date < $2
			GROUP BY 1, 2, 3, 4`), from, to)
		if err != nil {
			return fmt.Errorf("consolidate from %s: %w", from.UTC().Format(time.DateTime), err)
		}
		rows = tag.RowsAffected()
		if _, err := tx.Exec(ctx, setMomentSQL, optionConsolidated, to); err != nil {
			return fmt.Errorf("set %s: %w", optionConsolidated, err)
		}
		return moveNumber(ctx, tx, optionConsolidatedID, newest)
	})
	return rows, err
}

// statistics is the statement that brings the rows of nms.tracking_stats of the buckets given up to date. What hits of a
// transaction page (type 5) bought is read for those alone. Equal rows are left as they are.
func (t *tracker) statistics(buckets string) string {
	return `
		INSERT INTO nms.tracking_stats AS s
		       (start_date, end_date, delivery_id, url_id, source_type, total_clicks, transaction, article, amount)
		SELECT b.start, b.start + interval '5 minutes', b.delivery_id, b.url_id, b.source_type, b.hits,
		       CASE WHEN u.type = 5 THEN b.hits ELSE 0 END, coalesce(bought.article, 0), coalesce(bought.amount, 0)
		FROM (` + buckets + `) b
		LEFT JOIN LATERAL (
			SELECT type
			FROM nms.tracking_url
			WHERE id = b.url_id
			  AND delivery_id IN (b.delivery_id, 0)
			ORDER BY delivery_id DESC
			LIMIT 1
		) u ON true
		LEFT JOIN LATERAL (
			SELECT sum(w.article) AS article, sum(w.amount) AS amount
			FROM (` + t.allHits("id, delivery_id, url_id, source_type, log_date") + `) h
			JOIN nms.web_tracking_log w ON w.id = h.id
			WHERE u.type = 5
			  AND h.delivery_id = b.delivery_id
			  AND h.url_id = b.url_id
			  AND h.source_type = b.source_type
			  AND h.log_date >= b.start
			  AND h.log_date < b.start + interval '5 minutes'
		) bought ON true
		ON CONFLICT (delivery_id, url_id, source_type, start_date) DO UPDATE
		SET total_clicks = excluded.total_clicks,
		    transaction = excluded.transaction,
		    article = excluded.article,
		    amount = excluded.amount
		WHERE (s.total_clicks, s.transaction, s.article, s.amount)
		      IS DISTINCT FROM (excluded.total_clicks, excluded.transaction, excluded.article, excluded.amount)`
}
