package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
)

const (
	mainActionThreshold = 100
	volumeUnit          = 102_400
)

// messageLog is a table of delivery logs. key is its column that names the profile; empty: it knows none, as those of events.
type messageLog struct {
	schema, table, key string
	social             bool // its profiles come from social networks, too
}

// messageLogs lists the log tables of all delivery mappings. One that two mappings share stands for the first of them.
func messageLogs(ctx context.Context, r *jobs.Run) ([]messageLog, error) {
	var logs []messageLog
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var l messageLog
		err := rows.Scan(&l.schema, &l.table, &l.key, &l.social)
		if !slices.ContainsFunc(logs, func(other messageLog) bool { return other.table == l.table }) {
			logs = append(logs, l)
		}
		return err
	}, `
		SELECT m.schema_name, m.broad_log_schema, COALESCE(k.attname::text, ''), m.target_table = 'nms.visitor'
		FROM nms.delivery_mapping m
		JOIN pg_namespace n ON n.nspname = split_part(m.broad_log_schema, '.', 1)
		JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = split_part(m.broad_log_schema, '.', 2) AND c.relkind IN ('r', 'p')
		LEFT JOIN LATERAL (
			SELECT a.attname
			FROM pg_attribute a
			WHERE a.attrelid = c.oid
			  AND NOT a.attisdropped
			  AND a.attname IN (split_part(m.target_table, '.', 2) || '_id', 'recipient_id')
			ORDER BY a.attname = 'recipient_id'
			LIMIT 1) k ON true
		ORDER BY m.id`)
	if err != nil {
		return nil, fmt.Errorf("log tables of the mappings: %w", err)
	}
	return logs, nil
}

// counted are the messages that delivery_stat has no row for, by delivery and day of the instance's zone, from @begin
// on and before @end. What was sent, accepted or received is a success.
func (b *bill) counted() string {
	tables := make([]string, len(b.logs))
	for i, l := range b.logs {
		tables[i] = `
			SELECT delivery_id, event_date, status
			FROM ` + qualified(l.table) + `
			WHERE event_date >= @begin AND event_date < @end
			  AND status IN ('sent', 'accepted', 'received', 'failed')`
	}
	if len(tables) == 0 {
		tables = []string{`SELECT NULL::bigint, NULL::timestamptz, NULL::text WHERE @begin::timestamptz > @end::timestamptz`}
	}
	return `
		SELECT l.day AS stat_date, l.delivery_id, d.label AS delivery_label, COALESCE(d.message_type, 0)::smallint AS message_type,
		       l.first_send, l.success * COALESCE(d.message_size, 0) AS volume, l.success::int AS first_success, l.error::int AS first_error
		FROM (
			SELECT (m.event_date AT TIME ZONE @zone)::date AS day, m.delivery_id, min(m.event_date) AS first_send,
			       count(*) FILTER (WHERE m.status <> 'failed') AS success,
			       count(*) FILTER (WHERE m.status = 'failed') AS error
			FROM (` + strings.Join(tables, ` UNION ALL `) + `) AS m (delivery_id, event_date, status)
			GROUP BY 1, 2) l
		LEFT JOIN nms.delivery d ON d.id = l.delivery_id
		WHERE NOT EXISTS (
			SELECT FROM nms.delivery_stat s
			WHERE s.stat_date = l.day AND s.delivery_id = l.delivery_id)`
}

// completeStatistics adds the days of the period that delivery_stat lacks for a delivery with logs. Today is left out:
// its row would keep what is still to come from being counted.
func (b *bill) completeStatistics(ctx context.Context) error {
	_, err := b.Exec(ctx, "days of deliveries added to the statistics", `
		INSERT INTO nms.delivery_stat (stat_date, delivery_id, delivery_label, message_type, first_send, volume, first_success, first_error)
		SELECT stat_date, delivery_id, delivery_label, message_type, first_send, volume, first_success, first_error
		FROM (`+b.counted()+`) missing
		ORDER BY stat_date, delivery_id
		ON CONFLICT (stat_date, delivery_id) DO NOTHING`,
		pgx.StrictNamedArgs{"begin": midnight(b.from), "end": midnight(b.to), "zone": b.zone.String()})
	return err
}

// billed is one delivery with what it sent in the period.
type billed struct {
	ID       int64  `json:"delivery_id"`
	Type     int    `json:"message_type"`
	Start    string `json:"start"`
	Label    string `json:"label"`
	Messages int64  `json:"messages"`
	Volume   int64  `json:"volume"`
	Target   int64  `json:"to_deliver"`
}

// billedSQL gives each delivery with at least one message in the period, by the days of delivery_stat and, in a report by
// hand, what today's logs say so far. The first send may lie before the period. A delivery that is gone is named by its
// id, and as large as what it sent.
const billedSQL = `
	SELECT p.delivery_id, COALESCE(d.message_type, p.message_type) AS message_type,
	       LEAST(p.start, (SELECT min(COALESCE((s.first_send AT TIME ZONE @zone)::date, s.stat_date))
	                       FROM nms.delivery_stat s WHERE s.delivery_id = p.delivery_id)) AS start,
	       COALESCE(d.label, '(deleted #' || p.delivery_id || ')') AS label,
	       p.messages, p.volume, COALESCE(d.to_deliver, p.first_sends) AS to_deliver
	FROM (
		SELECT s.delivery_id, max(s.message_type) AS message_type,
		       min(COALESCE((s.first_send AT TIME ZONE @zone)::date, s.stat_date)) AS start,
		       sum(s.first_success::bigint + s.retries_success + s.retries_error) AS messages, sum(s.volume) AS volume,
		       sum(s.first_success::bigint + s.first_error) AS first_sends
		FROM (
			SELECT delivery_id, message_type, first_send, stat_date, first_success, first_error, retries_success, retries_error, volume
			FROM nms.delivery_stat
			WHERE stat_date >= @from_day AND stat_date < @until_day
			UNION ALL
			SELECT delivery_id, message_type, first_send, stat_date, first_success, first_error, 0, 0, volume
			FROM today) s
		GROUP BY s.delivery_id) p
	LEFT JOIN nms.delivery d ON d.id = p.delivery_id
	WHERE p.messages >= 1`

// profiles counts, by log table, the profiles that were targeted or contacted in the twelve months before the run:
// neither control addresses nor messages that were ignored or cancelled, and nobody whom a social network brought
// (visitors of origin 1 and 2).
func (b *bill) profiles() string {
	counts := []string{`SELECT NULL::text AS schema, NULL::bigint AS count WHERE false`}
	for _, l := range b.logs {
		if l.key == "" {
			continue
		}
		key, others := pgx.Identifier{l.key}.Sanitize(), ""
		if l.social {
			others = `
			  AND NOT EXISTS (SELECT FROM nms.visitor v WHERE v.id = l.` + key + ` AND v.origin IN (1, 2))`
		}
		counts = append(counts, `
			SELECT (@schemas::text[])[`+fmt.Sprint(len(counts))+`], count(DISTINCT l.`+key+`)
			FROM `+qualified(l.table)+` l
			WHERE l.event_date >= @year_ago AND l.event_date <= @now
			  AND l.status NOT IN ('ignored', 'cancelled')
			  AND l.`+key+` <> 0
			  AND l.flags & 1 = 0`+others)
	}
	return strings.Join(counts, ` UNION ALL `)
}

// compute reads all figures by one statement, hence from one snapshot, and sums them up. Once is enough.
func (b *bill) compute(ctx context.Context) error {
	if b.figures != nil {
		return nil
	}
	f, err := b.settings(ctx)
	if err != nil {
		return err
	}
	var schemas []string
	for _, l := range b.logs {
		if l.key != "" {
			schemas = append(schemas, l.schema)
		}
	}
	var found []billed
	err = b.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&found, &f.Profiles, &f.DatabaseBytes) }, `
		WITH today AS (`+b.counted()+`)
		SELECT (SELECT COALESCE(jsonb_agg(to_jsonb(b) ORDER BY b.message_type, b.start, b.delivery_id), '[]') FROM (`+billedSQL+`) b),
		       (SELECT COALESCE(jsonb_agg(to_jsonb(p) ORDER BY p.schema), '[]') FROM (`+b.profiles()+`) p),
		       pg_database_size(current_database())`,
		pgx.StrictNamedArgs{"zone": b.zone.String(), "begin": midnight(b.to), "end": b.to, "schemas": schemas, "now": b.Now(),
			"year_ago": b.Now().In(b.zone).AddDate(-1, 0, 0),
			"from_day": b.from.Format(time.DateOnly), "until_day": b.until().Format(time.DateOnly)})
	if err != nil {
		return fmt.Errorf("figures: %w", err)
	}
	b.figures = f
	b.Read(int64(len(found)))
	f.Types = b.byType(found)
	b.report()
	return nil
}

// settings begins the figures with the options that they follow.
func (b *bill) settings(ctx context.Context) (*db.BillingFigures, error) {
	customer, _, err := b.Option(ctx, "NmsServer_CustomerId")
	if err != nil {
		return nil, err
	}
	if customer == "" {
		b.Warn("NmsServer_CustomerId is empty: the report names no customer")
	}
	threshold, err := b.number(ctx, "NmsBilling_MainActionThreshold", mainActionThreshold)
	if err != nil {
		return nil, err
	}
	unit, err := b.number(ctx, "NmsBilling_VolumeUnit", volumeUnit)
	if err != nil {
		return nil, err
	}
	return &db.BillingFigures{Customer: customer, Zone: b.zone.String(), Threshold: threshold, VolumeUnit: unit}, nil
}
