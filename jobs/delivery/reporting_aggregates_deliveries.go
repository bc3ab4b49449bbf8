package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/nms"
)

// reported is a delivery whose figures are computed anew, with its tables of messages and of hits, quoted.
type reported struct {
	id         int64
	logs, hits string
}

// deliveries computes the messages of deliveries by domain, status and reason of failure: those whose logs changed since
// the last aggregation, and all that were changed themselves in the last seven days.
func (a *aggregates) deliveries(ctx context.Context) error {
	since, err := a.moment(ctx, lastAggregation)
	if err != nil {
		return err
	}
	oldest, err := nms.OldestLog(ctx, a.Run)
	if err != nil {
		return err
	}
	all, err := a.changed(ctx, since)
	if err != nil {
		return err
	}
	begin, rows, frozen := time.Now(), int64(0), 0
	var failed []error
	for i, d := range all {
		n, kept, err := a.delivery(ctx, d, oldest)
		if err := a.Checkpoint(ctx); err != nil {
			return err
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("delivery %d: %w", d.id, err))
		}
		if rows += n; kept {
			frozen++
		}
		a.Progress(int64(i+1), int64(len(all)), "deliveries")
	}
	a.Read(int64(len(all)))
	a.Say("%d deliveries %s, %d rows, %d kept because their logs are purged", len(all)-frozen-len(failed),
		would(a.Run, "recomputed", "would be recomputed"), rows, frozen)
	a.Log("delivery_log_stats: %d deliveries %s, %d rows (%s)", len(all)-frozen-len(failed),
		would(a.Run, "recomputed", "would be recomputed"), rows, time.Since(begin).Round(time.Millisecond))
	if len(failed) > 0 {
		return joined(failed)
	}
	return a.Tx(ctx, func(tx pgx.Tx) error { return a.reached(ctx, tx, lastAggregation, a.Now()) })
}

// changed lists the deliveries to compute; all there are when none was computed before.
func (a *aggregates) changed(ctx context.Context, since time.Time) ([]reported, error) {
	var ids []int64
	if !since.IsZero() {
		// A line that was dated before the last aggregation and committed after it counts as changed.
		for _, kind := range []struct{ name, column string }{{"broad_log", "last_modified"}, {"tracking_log", "log_date"}} {
			tables, err := mappedTables(ctx, a.Run, kind.name)
			if err != nil {
				return nil, err
			}
			if kind.name == "broad_log" {
				tables = append(tables, table{name: "nms.broad_log_mid"})
			}
			for _, one := range tables {
				err := a.Query(ctx, func(rows pgx.Rows) error {
					var id int64
					err := rows.Scan(&id)
					ids = append(ids, id)
					return err
				}, `
					SELECT DISTINCT delivery_id
					FROM `+qualified(one.name)+`
					WHERE `+kind.column+` > $1`, since.Add(-slowCommit))
				if err != nil {
					return nil, fmt.Errorf("deliveries whose logs changed in %s: %w", one.name, err)
				}
			}
		}
	}
	var all []reported
	err := a.Query(ctx, func(rows pgx.Rows) error {
		var d reported
		err := rows.Scan(&d.id, &d.logs, &d.hits)
		d.logs, d.hits = qualified(d.logs), qualified(d.hits)
		all = append(all, d)
		return err
	}, `
		SELECT d.id,
		       CASE WHEN d.emitter_account_id IS NOT NULL THEN 'nms.broad_log_mid' ELSE COALESCE(m.broad_log_schema, 'nms.broad_log') END,
		       COALESCE(m.tracking_log_schema, 'nms.tracking_log')
		FROM nms.delivery d
		LEFT JOIN nms.delivery_mapping m ON m.id = d.mapping_id
		WHERE NOT d.is_model
		  AND d.delete_status = 'no'
		  AND ($1 OR d.id = ANY ($2) OR d.last_modified >= $3)
		ORDER BY d.id`, since.IsZero(), ids, a.Now().AddDate(0, 0, -7))
	if err != nil {
		return nil, fmt.Errorf("deliveries to compute: %w", err)
	}
	return all, nil
}

// deliveryStats computes one delivery ($1) at $2 and returns how many rows it has. Each table of logs is read once.
// Domains that the enumeration "domain" lists stand under their name, all others under Others. One row, of domain, status
// (all), holds the figures of the reports on non-deliverables and on tracking. $3 is the age of the oldest log that no purge
// has reached: a delivery without a younger log, and one that began before and has fewer messages left than it had, keep
// what they have, and no row is returned.
func (d reported) deliveryStats() string {
	return `
		WITH fresh AS MATERIALIZED (
			SELECT COALESCE(v.name, CASE WHEN m.domain = '' THEN '(none)' ELSE 'Others' END) AS domain,
			       m.status, m.failure_reason, sum(m.n) AS n, max(m.last) AS last
			FROM (
				SELECT lower(split_part(COALESCE(g.address, ''), '@', 2)) AS domain, g.status, g.failure_reason, count(*) AS n,
				       max(g.last_modified) AS last
				FROM ` + d.logs + ` g
				WHERE g.delivery_id = $1
				GROUP BY 1, 2, 3) m
			LEFT JOIN (
				SELECT DISTINCT ON (lower(v.name)) lower(v.name) AS folded, v.name
				FROM xtk.enum_value v
				JOIN xtk.enum e ON e.id = v.enum_id AND e.internal_name = 'domain'
				ORDER BY lower(v.name), v.id) v ON v.folded = m.domain
			GROUP BY 1, 2, 3
		), hits AS MATERIALIZED (` + nms.HitsQuery(d.hits, d.logs) + `
		), sums AS (
			SELECT COALESCE(sum(l.n) FILTER (WHERE ` + nms.Processed + `), 0) AS processed,
			       COALESCE(sum(l.n) FILTER (WHERE ` + nms.Success + `), 0) AS success,
			       COALESCE(sum(l.n) FILTER (WHERE ` + nms.Failed + `), 0) AS error,
			       COALESCE(sum(l.n) FILTER (WHERE ` + nms.FailedFor(nms.UserUnknown) + `), 0) AS unknown_user,
			       COALESCE(sum(l.n) FILTER (WHERE ` + nms.FailedFor(nms.InvalidDomain) + `), 0) AS invalid_domain,
			       COALESCE(sum(l.n) FILTER (WHERE ` + nms.FailedFor(nms.Unreachable) + `), 0) AS unreachable,
			       COALESCE(sum(l.n) FILTER (WHERE ` + nms.FailedFor(nms.AccountDisabled) + `), 0) AS disabled,
			       COALESCE(sum(l.n) FILTER (WHERE ` + nms.FailedFor(nms.MailboxFull) + `), 0) AS mailbox_full,
			       COALESCE(sum(l.n) FILTER (WHERE ` + nms.FailedFor(nms.NotConnected) + `), 0) AS not_connected,
			       COALESCE(sum(l.n) FILTER (WHERE ` + nms.FailedFor(nms.Refused) + `), 0) AS refused,
			       COALESCE(sum(l.n) FILTER (WHERE ` + nms.FailedFor(nms.Complaint) + `), 0) AS complaints,
			       COALESCE(sum(l.n) FILTER (WHERE ` + nms.FailedFor(nms.UserUnknown) + `), 0) AS hard,
			       COALESCE(sum(l.n) FILTER (WHERE ` + nms.FailedFor(nms.Unreachable, nms.MailboxFull, nms.InvalidDomain, nms.AccountDisabled,
		nms.NotConnected, nms.Refused) + `), 0) AS soft
			FROM fresh l
		), old AS (
			SELECT COALESCE(sum(message_count), 0) AS n, count(*) > 0 AS there
			FROM nms.delivery_log_stats
			WHERE delivery_id = $1
			  AND status <> '(all)'
		), wanted AS (
			SELECT f.domain, f.status, f.failure_reason, f.n, NULL::jsonb AS indicators
			FROM fresh f
			UNION ALL
			SELECT '(all)', '(all)', 0, (SELECT sum(n) FROM fresh), to_jsonb(s) || (to_jsonb(h) - 'last')
			FROM sums s, hits h
			WHERE EXISTS (SELECT FROM fresh)
		), may AS (
			SELECT
			FROM nms.delivery d, old
			WHERE d.id = $1
			  AND NOT (old.there AND GREATEST((SELECT max(last) FROM fresh), (SELECT last FROM hits), '-infinity') < $3::timestamptz)
			  AND NOT (COALESCE(d.broad_start, d.created) < $3 AND (SELECT COALESCE(sum(n), 0) FROM fresh) < old.n)
		), gone AS (
			DELETE FROM nms.delivery_log_stats s
			WHERE s.delivery_id = $1
			  AND EXISTS (SELECT FROM may)
			  AND NOT EXISTS (
				SELECT
				FROM wanted w
				WHERE (w.domain, w.status, w.failure_reason) = (s.domain, s.status, s.failure_reason))
		), written AS (
			INSERT INTO nms.delivery_log_stats AS s (delivery_id, domain, status, failure_reason, message_count, indicators, last_update)
			SELECT $1, w.domain, w.status, w.failure_reason, w.n, w.indicators, $2
			FROM wanted w
			WHERE EXISTS (SELECT FROM may)
			ORDER BY w.domain, w.status, w.failure_reason
			ON CONFLICT (delivery_id, domain, status, failure_reason) DO UPDATE
			SET message_count = excluded.message_count,
			    indicators = excluded.indicators,
			    last_update = excluded.last_update
			RETURNING 1
		)
		SELECT (SELECT count(*) FROM written)
		FROM may`
}

// delivery computes one delivery; kept says that it keeps what it has, because logs of it are purged.
func (a *aggregates) delivery(ctx context.Context, d reported, oldest time.Time) (rows int64, kept bool, err error) {
	err = a.Tx(ctx, func(tx pgx.Tx) error {
		kept = false
		err := tx.QueryRow(ctx, d.deliveryStats(), d.id, a.Now(), oldest).Scan(&rows)
		if errors.Is(err, pgx.ErrNoRows) {
			kept = true
			return nil
		}
		return err
	})
	return rows, kept, err
}
