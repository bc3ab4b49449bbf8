package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// pressureBatch is how many rows of nms.forecast_pressure one transaction writes.
const pressureBatch = 5000

// period is the reach of a pressure rule.
func (f *forecast) period(r *rule) period {
	return period{days: r.PeriodDays, grouping: r.Grouping, calendar: r.UseCalendar, firstDay: f.firstDay}
}

// current is the period of a rule as of today, without the calendar: what was sent in it presses on whoever is targeted now.
func (f *forecast) current(r *rule) span {
	p := f.period(r)
	p.calendar = false
	return p.around(f.today)
}

// countSent counts, once a run, the messages that people have got or are getting, by pressure rule and day.
func (f *forecast) countSent(ctx context.Context) error {
	if f.counted {
		return nil
	}
	if err := f.Tx(ctx, f.findScope(ctx)); err != nil {
		return fmt.Errorf("deliveries that count: %w", err)
	}
	logs, err := messageLogs(ctx, f.Run)
	if err != nil {
		return err
	}
	for _, log := range logs {
		if log.key != "recipient_id" {
			continue
		}
		if err := f.Tx(ctx, func(tx pgx.Tx) error { return f.countIn(ctx, tx, qualified(log.table)) }); err != nil {
			return fmt.Errorf("count the messages of %s: %w", log.table, err)
		}
	}
	f.counted = true
	return nil
}

// findScope notes which deliveries count for a rule, and since when: proofs and templates do not.
func (f *forecast) findScope(ctx context.Context) func(pgx.Tx) error {
	return func(tx pgx.Tx) error {
		for _, r := range f.of("pressure") {
			if r.wrong != nil {
				continue
			}
			wrong, err := f.guarded(ctx, tx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, `
					INSERT INTO pg_temp.forecast_scope (rule_id, delivery_id, since)
					SELECT $1, d.id, (DATE '1970-01-01' + $2::int)::timestamp AT TIME ZONE $3
					FROM nms.delivery d
					WHERE NOT d.is_model
					  AND d.proofed_delivery_id IS NULL
					  AND d.message_type = coalesce($4, d.message_type)
					  AND `+formula(r.MessageFilter, "boolean", "true"), r.id, f.current(r).from, f.zone, r.messageType)
				return err
			})
			if err != nil {
				return err
			}
			if wrong != nil {
				f.leaveOut(r, wrong)
			}
		}
		return nil
	}
}

// countIn counts one table of logs: what was sent, accepted, received or is with the provider, by the day it happened, and
// what is pending of a delivery that has started. Seeds and proofs do not count.
func (f *forecast) countIn(ctx context.Context, tx pgx.Tx, logs string) error {
	var since *time.Time
	err := tx.QueryRow(ctx, `SELECT min(since) FROM pg_temp.forecast_scope`).Scan(&since)
	if err != nil || since == nil {
		return err
	}
	if _, err := tx.Exec(ctx, `ANALYZE pg_temp.forecast_scope`); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO pg_temp.forecast_sent (rule_id, recipient_id, day, sent)
		SELECT s.rule_id, l.recipient_id, (l.at AT TIME ZONE $3)::date - DATE '1970-01-01', count(*)
		FROM (
			SELECT delivery_id, recipient_id, event_date AS at
			FROM `+logs+`
			WHERE event_date >= $1
			  AND event_date <= $2
			  AND status IN ('sent', 'accepted', 'received', 'submitted')
			  AND recipient_id IS NOT NULL
			  AND flags & 3 = 0
			UNION ALL
			SELECT l.delivery_id, l.recipient_id, coalesce(d.contact_date, l.event_date, l.created)
			FROM nms.delivery d
			JOIN `+logs+` l ON l.delivery_id = d.id
			WHERE d.state IN ('start_pending', 'in_progress', 'recovery_pending', 'recovery_in_progress', 'pause_requested',
			                  'pause_in_progress', 'paused')
			  AND l.status = 'pending'
			  AND l.recipient_id IS NOT NULL
			  AND l.flags & 3 = 0) l
		JOIN pg_temp.forecast_scope s ON s.delivery_id = l.delivery_id AND s.since <= l.at
		GROUP BY 1, 2, 3`, *since, f.Now(), f.zone)
	return err
}

// keepPressure writes how many messages each recipient has got in the current period of each rule, so that the analysis of
// a delivery need not read the logs. Rows that are right stay as they are.
func (f *forecast) keepPressure(ctx context.Context) error {
	if err := f.countSent(ctx); err != nil {
		return err
	}
	if err := f.Tx(ctx, func(tx pgx.Tx) error { return f.sumPressure(ctx, tx) }); err != nil {
		return fmt.Errorf("sum up the current period: %w", err)
	}
	keep := f.ids(func(r *rule) bool { return r.kind == "pressure" && r.wrong != nil })
	if err := purge(ctx, f.Run, "current period of the past", jobs.Purge{Table: "nms.forecast_pressure", Key: "ctid", Where: `
		t.typology_rule_id <> ALL ($1)
		AND NOT EXISTS (
			SELECT 1
			FROM pg_temp.forecast_now n
			WHERE n.rule_id = t.typology_rule_id
			  AND n.recipient_id = t.recipient_id)`, Args: []any{keep}}); err != nil {
		return err
	}
	var last int
	var recipients int64
	if err := f.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&last, &recipients) }, `
		SELECT coalesce(max(batch), -1), count(DISTINCT recipient_id)
		FROM pg_temp.forecast_now`); err != nil {
		return err
	}
	for batch := range last + 1 {
		if err := f.Tx(ctx, func(tx pgx.Tx) error { return writePressure(ctx, tx, batch) }); err != nil {
			return fmt.Errorf("write the current period: %w", err)
		}
		f.Progress(int64(batch+1), int64(last+1), "batches")
		if err := f.Checkpoint(ctx); err != nil {
			return err
		}
	}
	f.Read(recipients)
	f.Say("%d pressure rules, %s recipients have got messages in their current period", len(f.of("pressure")), number(recipients))
	return partly(f.wrongOf("pressure")...)
}

// sumPressure makes forecast_now: the counts up to today, those that differ from what is kept in numbered batches.
func (f *forecast) sumPressure(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `
		CREATE TEMPORARY TABLE forecast_now AS
		SELECT n.rule_id, n.recipient_id, n.sent, n.since,
		       CASE WHEN n.kept THEN NULL
		            ELSE (row_number() OVER (PARTITION BY n.kept ORDER BY n.rule_id, n.recipient_id) - 1) / $2 END AS batch
		FROM (
			SELECT s.rule_id, s.recipient_id, s.sent, c.since, p.sent_count IS NOT NULL AND p.sent_count = s.sent AND p.period_start = c.since AS kept
			FROM (
				SELECT rule_id, recipient_id, sum(sent)::int AS sent
				FROM pg_temp.forecast_sent
				WHERE day <= $1
				GROUP BY rule_id, recipient_id) s
			JOIN (SELECT DISTINCT rule_id, since FROM pg_temp.forecast_scope) c ON c.rule_id = s.rule_id
			LEFT JOIN nms.forecast_pressure p ON p.typology_rule_id = s.rule_id AND p.recipient_id = s.recipient_id) n`, f.today, pressureBatch)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		CREATE INDEX ON pg_temp.forecast_now (batch);
		CREATE INDEX ON pg_temp.forecast_now (rule_id, recipient_id);
		ANALYZE pg_temp.forecast_now`)
	return err
}

func writePressure(ctx context.Context, tx pgx.Tx, batch int) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO nms.forecast_pressure (typology_rule_id, recipient_id, period_start, sent_count)
		SELECT rule_id, recipient_id, since, sent
		FROM pg_temp.forecast_now
		WHERE batch = $1
		ORDER BY rule_id, recipient_id
		ON CONFLICT (typology_rule_id, recipient_id) DO UPDATE
		SET period_start = excluded.period_start,
		    sent_count = excluded.sent_count`, batch)
	return err
}
