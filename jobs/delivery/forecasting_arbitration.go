package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// fetched is how many messages one round trip of an arbitration brings.
const fetched = 20_000

// arbitrate decides, rule by rule, which messages of the calendar are excluded, and writes it delivery by delivery.
// Pressure rules come first, then capacity rules, each kind in its order; what one has excluded is nothing to the next.
func (f *forecast) arbitrate(ctx context.Context) error {
	if err := f.countSent(ctx); err != nil {
		return err
	}
	if err := f.Tx(ctx, func(tx pgx.Tx) error { return f.gather(ctx, tx) }); err != nil {
		return fmt.Errorf("gather the messages: %w", err)
	}
	applied, err := f.readApplied(ctx)
	if err != nil {
		return err
	}
	rules := append(f.of("pressure"), f.of("capacity")...)
	for _, r := range rules {
		if r.kind == "capacity" && !r.ExcludeExcess {
			continue
		}
		if err := f.decide(ctx, r, applied); err != nil {
			return fmt.Errorf("rule %d: %w", r.id, err)
		}
	}
	if err := f.writeAll(ctx, applied); err != nil {
		return err
	}
	if wrong := f.wrongOf("pressure", "capacity"); len(wrong) > 0 {
		return partly(wrong...)
	}
	if wrong := append(f.failed, f.wrongOf("filtering")...); len(wrong) > 0 {
		return partly(fmt.Errorf("decided without what could not be forecast (%d)", len(wrong)))
	}
	return nil
}

// gather fills forecast_message: the provisional logs that no filtering rule excludes, and the pending messages of
// prepared deliveries. Who was excluded by arbitration the last time is a candidate again, but only as long as the
// delivery is at target_ready: later exclusions are only added.
func (f *forecast) gather(ctx context.Context, tx pgx.Tx) error {
	var open []int64
	prepared := map[[2]string][]int64{}
	for _, d := range f.calendar {
		if d.prepared() {
			tables := [2]string{d.logs, d.excluded}
			prepared[tables] = append(prepared[tables], d.id)
		} else {
			open = append(open, d.id)
		}
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO pg_temp.forecast_message (delivery_id, recipient_id, weight, was)
		SELECT l.delivery_id, l.recipient_id, l.weight, l.excluded_by_rule_id
		FROM nms.forecast_log l
		WHERE l.delivery_id = ANY ($1)
		  AND (l.excluded_by_rule_id = ANY ($2)) IS NOT TRUE`, open,
		f.ids(func(r *rule) bool { return r.kind == "filtering" })); err != nil {
		return err
	}
	for tables, ids := range prepared {
		if _, err := tx.Exec(ctx, `
			INSERT INTO pg_temp.forecast_message (delivery_id, recipient_id, log_id, weight, was)
			SELECT l.delivery_id, l.recipient_id, l.id, coalesce(d.weight, 5),
			       CASE WHEN l.status = 'ignored' THEN coalesce((
			           SELECT max(e.rule_id)
			           FROM `+tables[1]+` e
			           WHERE e.delivery_id = l.delivery_id
			             AND e.recipient_id = l.recipient_id
			             AND e.failure_reason = 12), 0) END
			FROM nms.delivery d
			JOIN `+tables[0]+` l ON l.delivery_id = d.id
			WHERE d.id = ANY ($1)
			  AND l.recipient_id IS NOT NULL
			  AND l.flags & 3 = 0
			  AND (l.status = 'pending' OR l.status = 'ignored' AND l.failure_reason = 12 AND d.state = 'target_ready')`, ids); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `ANALYZE pg_temp.forecast_message, pg_temp.forecast_sent`)
	return err
}

// readApplied reads when each rule was last applied to each delivery of the calendar.
func (f *forecast) readApplied(ctx context.Context) (map[[2]int64]time.Time, error) {
	ids := []int64{}
	for _, d := range f.calendar {
		ids = append(ids, d.id)
	}
	applied := map[[2]int64]time.Time{}
	err := f.Query(ctx, func(rows pgx.Rows) error {
		var pair [2]int64
		var at time.Time
		err := rows.Scan(&pair[0], &pair[1], &at)
		applied[pair] = at
		return err
	}, `
		SELECT typology_rule_id, delivery_id, applied
		FROM nms.dlv_exclusion
		WHERE delivery_id = ANY ($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("when the rules were applied: %w", err)
	}
	return applied, nil
}

// holds reports whether what a rule decided on a delivery is still valid: its frequency has not passed.
func (r *rule) holds(d *scheduled, applied map[[2]int64]time.Time, now time.Time) bool {
	at, ok := applied[[2]int64{r.id, d.id}]
	return ok && r.frequency > 0 && at.Add(r.frequency).After(now)
}

// decide applies one rule to all messages of the deliveries that it covers. A rule that fails keeps what it excluded
// the last time.
func (f *forecast) decide(ctx context.Context, r *rule, applied map[[2]int64]time.Time) error {
	s := newSieve(f, r, applied)
	if len(s.covered) == 0 {
		return nil
	}
	if r.wrong == nil && r.kind == "capacity" {
		lines, err := f.readLines(ctx, r, s.covered)
		if err != nil {
			return err
		}
		s.keeps = lines.keeps
	}
	return f.Tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `TRUNCATE pg_temp.forecast_out`); err != nil {
			return err
		}
		if r.wrong == nil {
			wrong, err := f.guarded(ctx, tx, func(tx pgx.Tx) error { return s.run(ctx, tx) })
			if err != nil {
				return err
			}
			if wrong != nil {
				f.leaveOut(r, wrong)
			}
		}
		if r.wrong != nil {
			_, err := tx.Exec(ctx, `
				UPDATE pg_temp.forecast_message
				SET excluded_by = $1
				WHERE was = $1
				  AND delivery_id = ANY ($2)
				  AND excluded_by IS NULL`, r.id, s.ids)
			return err
		}
		_, err := tx.Exec(ctx, `
			UPDATE pg_temp.forecast_message m
			SET excluded_by = $1
			FROM pg_temp.forecast_out o
			WHERE o.message_id = m.id`, r.id)
		return err
	})
}
