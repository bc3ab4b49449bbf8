package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// sieve passes the messages of one rule through in the order of their right to be sent, and notes those that fall out.
// One ordered pass decides every message: the database sorts and evaluates the formulas, a few numbers of one recipient at
// a time are all that is held here. A window function cannot do it, since who is kept depends on who was kept before.
type sieve struct {
	*forecast
	rule    *rule
	covered []*scheduled
	// ids are the deliveries of the query, the others say of each whether the rule covers it, whether its decision of last
	// time still holds, and whether its messages count for others.
	ids                        []int64
	isCovered, isFixed, counts []bool
	days                       map[int64]int // by delivery
	keeps                      func(*candidate) bool
	out                        [][]any
	unlimited                  int64 // messages whose threshold is null
}

// candidate is a message, or how many messages of one day a recipient has got already (delivery 0).
type candidate struct {
	key, message, delivery int64
	day, sent              int
	threshold              *float64
	covered, counts        bool
	fixed                  *bool // decided the last time, and so
}

func newSieve(f *forecast, r *rule, applied map[[2]int64]time.Time) *sieve {
	s := &sieve{forecast: f, rule: r, days: map[int64]int{}}
	for _, d := range f.calendar {
		covers := r.covers(d)
		if covers {
			s.covered = append(s.covered, d)
		}
		counts := r.kind == "pressure" && r.UseCalendar && d.counts && r.speaksFor(d.messageType, d.contact)
		if covers || counts {
			s.ids, s.days[d.id] = append(s.ids, d.id), d.day
			s.isCovered, s.counts = append(s.isCovered, covers), append(s.counts, counts)
			s.isFixed = append(s.isFixed, covers && r.holds(d, applied, f.Now()))
		}
	}
	if r.kind == "pressure" {
		s.keeps = newPressure(f.period(r)).keeps
	}
	return s
}

// run streams the messages and writes what falls out to forecast_out.
func (s *sieve) run(ctx context.Context, tx pgx.Tx) error {
	query, args := s.pressureQuery()
	if s.rule.kind == "capacity" {
		query, args = s.capacityQuery()
	}
	if _, err := tx.Exec(ctx, `SET LOCAL work_mem = '64MB'`); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DECLARE forecast_order NO SCROLL CURSOR FOR `+query, args...); err != nil {
		return err
	}
	done := int64(0)
	for {
		n, err := s.pass(ctx, tx)
		if err != nil {
			return err
		}
		if done += n; n < fetched {
			break
		}
		s.Progress(done, 0, "messages")
	}
	if _, err := tx.Exec(ctx, `CLOSE forecast_order`); err != nil {
		return err
	}
	s.Read(done)
	if s.unlimited > 0 {
		s.Warn("rule '%s': its threshold is null for %s messages, which it does not limit", s.rule.label, number(s.unlimited))
	}
	return nil
}

// pass decides the next messages and returns how many rows it had.
func (s *sieve) pass(ctx context.Context, tx pgx.Tx) (n int64, err error) {
	rows, err := tx.Query(ctx, fmt.Sprintf("FETCH %d FROM forecast_order", fetched))
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	s.out = s.out[:0]
	for rows.Next() {
		var m candidate
		if err := rows.Scan(&m.key, &m.message, &m.delivery, &m.day, &m.sent, &m.threshold, &m.covered, &m.counts, &m.fixed); err != nil {
			return 0, err
		}
		if m.delivery != 0 {
			m.day = s.days[m.delivery]
		}
		if n++; m.covered && m.threshold == nil && m.delivery != 0 {
			s.unlimited++
		}
		if !s.keeps(&m) {
			s.out = append(s.out, []any{m.message})
		}
	}
	if rows.Close(); rows.Err() != nil || len(s.out) == 0 {
		return n, rows.Err()
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", "forecast_out"}, []string{"message_id"}, pgx.CopyFromRows(s.out))
	return n, err
}

// pressureQuery: of each recipient, or whatever else messages are counted for, first what he has got by day, then the
// messages that are scheduled for him, the greatest weight first, of equal ones the earliest. The delivery's own weight
// speaks only to the rules of its own typology.
func (s *sieve) pressureQuery() (string, []any) {
	r := s.rule
	threshold := "coalesce($5::int, " + formula(r.ThresholdFormula, "numeric", "NULL") + ")"
	key := "r.id"
	if r.Dimension != "" {
		key = "coalesce(hashtextextended(" + formula(r.Dimension, "text", "") + ", 0), r.id)"
	}
	return `
		SELECT key, message, delivery, day, sent, threshold::double precision, covered, counts, fixed
		FROM (
			WITH candidate AS (
				SELECT ` + key + ` AS key, m.id AS message, d.id AS delivery, v.covered, v.counts,
				       ` + threshold + ` AS threshold, d.contact_date,
				       coalesce(CASE WHEN v.covered THEN d.weight END, ` + formula(r.WeightFormula, "numeric", "NULL") + `,
				                CASE WHEN v.covered OR d.weight IS NULL THEN m.weight ELSE 5 END) AS weight,
				       CASE WHEN v.fixed THEN m.was IS DISTINCT FROM $1 END AS fixed
				FROM unnest($2::bigint[], $3::boolean[], $4::boolean[], $6::boolean[]) AS v (id, covered, fixed, counts)
				JOIN nms.delivery d ON d.id = v.id
				JOIN pg_temp.forecast_message m ON m.delivery_id = v.id AND m.excluded_by IS NULL
				JOIN nms.recipient r ON r.id = m.recipient_id
				WHERE ` + formula(r.RecipientFilter, "boolean", "true") + `)
			SELECT key, message, delivery, 0 AS day, 0 AS sent, threshold, covered, counts AND delivery IN (
			           SELECT d.id
			           FROM nms.delivery d
			           WHERE ` + formula(r.MessageFilter, "boolean", "true") + `) AS counts, fixed, weight, contact_date
			FROM candidate
			UNION ALL
			SELECT ` + key + `, 0, 0, s.day, s.sent, NULL, false, false, NULL, NULL, NULL
			FROM pg_temp.forecast_sent s
			JOIN nms.recipient r ON r.id = s.recipient_id
			WHERE s.rule_id = $1
			  AND ` + key + ` IN (SELECT key FROM candidate)) AS ordered
		ORDER BY key, weight DESC NULLS FIRST, contact_date, delivery, message`,
		[]any{r.id, s.ids, s.isCovered, s.isFixed, r.Threshold, s.counts}
}

// capacityQuery: the messages of the covered deliveries, the first by the rule's order, then by weight and date.
func (s *sieve) capacityQuery() (string, []any) {
	return `
		SELECT 0::bigint, m.id, d.id, 0, 0, 0::double precision, true, false,
		       CASE WHEN v.fixed THEN m.was IS DISTINCT FROM $1 END
		FROM unnest($2::bigint[], $3::boolean[]) AS v (id, fixed)
		JOIN nms.delivery d ON d.id = v.id
		JOIN pg_temp.forecast_message m ON m.delivery_id = v.id AND m.excluded_by IS NULL
		JOIN nms.recipient r ON r.id = m.recipient_id
		ORDER BY v.fixed DESC, ` + formula(s.rule.OrderFormula, "numeric", "0::numeric") + `, m.weight DESC, d.contact_date, d.id, m.recipient_id, m.id`,
		[]any{s.rule.id, s.ids, s.isFixed}
}
