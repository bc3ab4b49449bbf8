package delivery

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/nms"
)

// agents counts the pages and visitors of each user agent by day, from the day before the last one that was complete, for
// late logs, to yesterday. Days of which logs may be purged keep what they have.
func (a *aggregates) agents(ctx context.Context) error {
	tables, err := mappedTables(ctx, a.Run, "tracking_log")
	if err != nil || len(tables) == 0 {
		return err
	}
	first, err := a.firstDay(ctx, tables)
	if err != nil {
		return err
	}
	var days []time.Time
	for at := first; !first.IsZero() && at.Before(a.today); at = at.AddDate(0, 0, 1) {
		days = append(days, at)
	}
	changed, told := int64(0), 0
	for i, at := range days {
		n, what, err := a.agentsOf(ctx, tables, at)
		if err != nil {
			return fmt.Errorf("day %s: %w", a.day(at), err)
		}
		if changed += n; n > 0 {
			if told++; told <= namedLines {
				a.Log("user_agent_stats: %s, %s", a.day(at), what)
			}
		}
		a.Progress(int64(i+1), int64(len(days)), "days")
	}
	if told > namedLines {
		a.Log("… and %d more", told-namedLines)
	}
	a.Say("%d days, %d rows %s", len(days), changed, would(a.Run, "changed", "would be changed"))
	return a.Tx(ctx, func(tx pgx.Tx) error { return a.reached(ctx, tx, lastAgents, a.today) })
}

// firstDay is the first day to count; zero when there are no logs.
func (a *aggregates) firstDay(ctx context.Context, tables []table) (first time.Time, err error) {
	last, err := a.moment(ctx, lastAgents)
	if err != nil {
		return first, err
	}
	if !last.IsZero() {
		first = midnight(last.In(a.zone)).AddDate(0, 0, -1)
	}
	for _, one := range tables {
		var oldest *time.Time
		if !last.IsZero() {
			break
		}
		if err := a.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&oldest) },
			`SELECT min(log_date) FROM `+qualified(one.name)); err != nil {
			return first, fmt.Errorf("first log of %s: %w", one.name, err)
		}
		if oldest != nil && (first.IsZero() || oldest.Before(first)) {
			first = midnight(oldest.In(a.zone))
		}
	}
	kept, err := nms.OldestLog(ctx, a.Run)
	if err != nil {
		return first, err
	}
	if whole := midnight(kept.In(a.zone)).AddDate(0, 0, 1); !first.IsZero() && first.Before(whole) && !last.IsZero() {
		first = whole
	}
	return first, nil
}

// agentsOf counts one day and returns how many rows changed, and what was counted in words.
func (a *aggregates) agentsOf(ctx context.Context, tables []table, at time.Time) (changed int64, what string, err error) {
	var logs []string
	for _, one := range tables {
		logs = append(logs, `
			SELECT user_agent_id, broad_log_id
			FROM `+qualified(one.name)+`
			WHERE log_date >= $2
			  AND log_date < $3
			  AND user_agent_id IS NOT NULL`)
	}
	agents, pages := int64(0), int64(0)
	err = a.Tx(ctx, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			WITH logs AS MATERIALIZED (`+strings.Join(logs, " UNION ALL ")+`
			), fresh AS MATERIALIZED (
				SELECT user_agent_id, count(*) AS pages, count(DISTINCT broad_log_id) AS visitors,
				       (SELECT count(DISTINCT broad_log_id) FROM logs) AS of_the_day
				FROM logs
				GROUP BY user_agent_id
			), gone AS (
				DELETE FROM nms.user_agent_stats s
				WHERE s.stat_date = $1
				  AND NOT EXISTS (SELECT FROM fresh f WHERE f.user_agent_id = s.hash_key)
				RETURNING 1
			), written AS (
				INSERT INTO nms.user_agent_stats AS s (hash_key, stat_date, pages, visitors, visitors_of_the_day)
				SELECT user_agent_id, $1, pages, visitors, of_the_day
				FROM fresh
				ORDER BY user_agent_id
				ON CONFLICT (hash_key, stat_date) DO UPDATE
				SET pages = excluded.pages,
				    visitors = excluded.visitors,
				    visitors_of_the_day = excluded.visitors_of_the_day
				WHERE (s.pages, s.visitors, s.visitors_of_the_day) IS DISTINCT FROM (excluded.pages, excluded.visitors, excluded.visitors_of_the_day)
				RETURNING 1
			)
			SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM written), (SELECT count(*) FROM fresh),
			       COALESCE((SELECT sum(pages) FROM fresh), 0)::bigint`, a.day(at), at, at.AddDate(0, 0, 1)).Scan(&changed, &agents, &pages)
	})
	return changed, fmt.Sprintf("%d agents, %d pages", agents, pages), err
}

// services counts subscriptions and their ends by service and day, from the last day counted to yesterday, a month at most.
// Who was registered at the end of a day follows from who is now and what has happened since.
func (a *aggregates) services(ctx context.Context) error {
	_, err := a.Exec(ctx, "subscriptions by service and day", `
		INSERT INTO nms.service_stats AS s (service_id, stat_date, registered, subscriptions, unsubscriptions)
		SELECT v.id, day.day,
		       GREATEST(now.n - COALESCE(sum(h.change) FILTER (WHERE h.event_date >= day.until), 0), 0),
		       count(*) FILTER (WHERE h.action = 1 AND h.event_date < day.until),
		       count(*) FILTER (WHERE h.action = 0 AND h.event_date < day.until)
		FROM nms.service v
		CROSS JOIN (
			SELECT d::date AS day, d AT TIME ZONE $2 AS since, (d + interval '1 day') AT TIME ZONE $2 AS until
			FROM generate_series(
				GREATEST(COALESCE((SELECT max(stat_date) FROM nms.service_stats), $1::date - 1), $1::date - 31)::timestamp,
				$1::date - interval '1 day', interval '1 day') d) day
		CROSS JOIN LATERAL (
			SELECT count(*) AS n
			FROM nms.subscription b
			WHERE b.service_id = v.id
			  AND b.delete_status = 0) now
		LEFT JOIN LATERAL (
			SELECT h.event_date, h.action, CASE h.action WHEN 1 THEN 1 ELSE -1 END AS change
			FROM nms.sub_histo h
			WHERE h.service_id = v.id
			  AND h.event_date >= day.since) h ON true
		WHERE NOT v.deleted
		GROUP BY v.id, day.day, now.n
		ORDER BY day.day, v.id
		ON CONFLICT (service_id, stat_date) DO UPDATE
		SET registered = excluded.registered,
		    subscriptions = excluded.subscriptions,
		    unsubscriptions = excluded.unsubscriptions
		WHERE (s.registered, s.subscriptions, s.unsubscriptions) IS DISTINCT FROM
		      (excluded.registered, excluded.subscriptions, excluded.unsubscriptions)`, a.day(a.today), a.zone.String())
	return err
}

// averages are the rates of all deliveries of the last six months, by type of message and typology, proofs left out: each
// message counts once, so a large delivery weighs more than a small one.
func (a *aggregates) averages(ctx context.Context) error {
	return a.Tx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			WITH fresh AS MATERIALIZED (
				SELECT message_type, COALESCE(typology_id, 0) AS typology_id, count(*) AS deliveries,
				       sum(success)::double precision / NULLIF(sum(processed), 0) AS success_rate,
				       sum(recipient_open)::double precision / NULLIF(sum(success), 0) AS open_rate,
				       sum(recipient_click)::double precision / NULLIF(sum(success), 0) AS click_rate,
				       sum(error)::double precision / NULLIF(sum(processed), 0) AS error_rate
				FROM nms.delivery
				WHERE NOT is_model
				  AND proofed_delivery_id IS NULL
				  AND delete_status = 'no'
				  AND processed > 0
				  AND COALESCE(broad_start, contact_date) >= $1::timestamptz - interval '6 months'
				  AND COALESCE(broad_start, contact_date) < $1
				GROUP BY 1, 2
			), gone AS (
				DELETE FROM nms.delivery_average_stats s
				WHERE NOT EXISTS (SELECT FROM fresh f WHERE (f.message_type, f.typology_id) = (s.message_type, s.typology_id))
			)
			INSERT INTO nms.delivery_average_stats (message_type, typology_id, success_rate, open_rate, click_rate, error_rate, deliveries, last_update)
			SELECT message_type, typology_id, success_rate, open_rate, click_rate, error_rate, deliveries, $1
			FROM fresh
			ON CONFLICT (message_type, typology_id) DO UPDATE
			SET success_rate = excluded.success_rate,
			    open_rate = excluded.open_rate,
			    click_rate = excluded.click_rate,
			    error_rate = excluded.error_rate,
			    deliveries = excluded.deliveries,
			    last_update = excluded.last_update`, a.Now())
		if err != nil {
			return err
		}
		a.Say("%d averages %s", tag.RowsAffected(), would(a.Run, "computed", "would be computed"))
		return nil
	})
}
