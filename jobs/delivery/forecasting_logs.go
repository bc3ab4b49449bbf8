package delivery

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
)

// readWeight takes the formula that gives a provisional message its weight, where the delivery has none of its own.
func (f *forecast) readWeight(ctx context.Context) error {
	const option = "NmsForecast_MsgWeightFormula"
	text, _, err := f.Option(ctx, option)
	if err != nil || text == "" {
		return err
	}
	var wrong error
	err = f.Tx(ctx, func(tx pgx.Tx) error {
		wrong, err = f.check(ctx, tx, text, "numeric")
		return err
	})
	if wrong != nil {
		f.failed = append(f.failed, fmt.Errorf("%s: %s", option, said(wrong)))
		f.Warn("%s: %s: a weight of 5 is taken", option, said(wrong))
		return nil
	}
	f.weight = text
	return err
}

// forecastAll writes the provisional logs of each delivery that is not prepared, in the order of their contact dates.
func (f *forecast) forecastAll(ctx context.Context) error {
	f.Log("%s", f.calendarWords())
	done, messages := 0, int64(0)
	for i, d := range f.calendar {
		if err := f.Checkpoint(ctx); err != nil {
			return err
		}
		f.Progress(int64(i), int64(len(f.calendar)), "deliveries")
		if d.prepared() {
			continue
		}
		wrong, n, err := f.forecastOne(ctx, d)
		switch {
		case err != nil:
			return fmt.Errorf("delivery %d: %w", d.id, err)
		case busy(wrong):
			d.skipped = true
			f.Warn("Delivery %d skipped: its target is being refreshed", d.id)
		case wrong != nil:
			f.failed = append(f.failed, fmt.Errorf("delivery %d '%s': %s", d.id, d.label, said(wrong)))
			f.Warn("%s", f.failed[len(f.failed)-1])
		case !d.skipped:
			done, messages = done+1, messages+n
		}
	}
	f.Progress(int64(len(f.calendar)), int64(len(f.calendar)), "deliveries")
	f.Read(messages)
	f.Say("%s, %d forecast: %s messages", f.calendarWords(), done, number(messages))
	return partly(append(f.failed, f.wrongOf("filtering")...)...)
}

// forecastOne computes the target of a delivery beside everything else, then replaces its provisional logs at once.
func (f *forecast) forecastOne(ctx context.Context, d *scheduled) (wrong error, messages int64, err error) {
	if d.target == nil {
		// Somebody said how many it will be, but not who.
		messages = int64(d.toDeliver)
	}
	err = f.Tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `TRUNCATE pg_temp.forecast_target`); err != nil || d.target == nil {
			return err
		}
		wrong, messages, err = f.compute(ctx, tx, d)
		return err
	})
	if wrong != nil || err != nil {
		return wrong, 0, err
	}
	return nil, messages, f.Tx(ctx, func(tx pgx.Tx) error {
		if free, err := f.lock(ctx, tx, d); err != nil || len(free) == 0 {
			return err
		}
		return f.replace(ctx, tx, d, messages)
	})
}

// replace makes the provisional logs of a delivery those of its target: all or none, in statements of at most logsAtOnce
// rows between which the run can be stopped.
func (f *forecast) replace(ctx context.Context, tx pgx.Tx, d *scheduled, messages int64) error {
	if err := f.removeLogs(ctx, tx, d); err != nil {
		return fmt.Errorf("remove provisional logs: %w", err)
	}
	if err := f.writeLogs(ctx, tx, d); err != nil {
		return fmt.Errorf("write provisional logs: %w", err)
	}
	if _, err := tx.Exec(ctx, `
		UPDATE nms.delivery
		SET forecasted = true,
		    forecast_count = $2,
		    forecast_date = $3
		WHERE id = $1
		  AND (forecasted, forecast_count, forecast_date) IS DISTINCT FROM (true, $2::int, $3::timestamptz)`, d.id, messages, f.Now()); err != nil {
		return fmt.Errorf("write the forecast of the delivery: %w", err)
	}
	return nil
}

// logsAtOnce is how many provisional logs one statement removes or writes.
const logsAtOnce = 5000

// removeLogs removes the logs of who is no longer in the target, in the order of the recipients.
func (f *forecast) removeLogs(ctx context.Context, tx pgx.Tx, d *scheduled) error {
	first := int64(math.MinInt64)
	for last := &first; last != nil; {
		if err := f.Checkpoint(ctx); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `
			WITH gone AS (
				SELECT l.id, l.recipient_id
				FROM nms.forecast_log l
				WHERE l.delivery_id = $1
				  AND l.recipient_id > $2
				  AND NOT EXISTS (SELECT 1 FROM pg_temp.forecast_target t WHERE t.recipient_id = l.recipient_id)
				ORDER BY l.recipient_id
				LIMIT $3
			), removed AS (
				DELETE FROM nms.forecast_log
				WHERE id IN (SELECT id FROM gone)
			)
			SELECT max(recipient_id)
			FROM gone`, d.id, *last, logsAtOnce).Scan(&last); err != nil {
			return err
		}
	}
	return nil
}

// writeLogs writes the logs of the target, in the order of the recipients. What a pressure or capacity rule decided the last
// time, or a filtering rule that is left out tonight, stays for now.
func (f *forecast) writeLogs(ctx context.Context, tx pgx.Tx, d *scheduled) error {
	stays := f.ids(func(r *rule) bool { return r.kind != "filtering" || r.wrong != nil })
	first := int64(math.MinInt64)
	for last := &first; last != nil; {
		if err := f.Checkpoint(ctx); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `
			WITH part AS (
				SELECT recipient_id, address, weight, excluded_by
				FROM pg_temp.forecast_target
				WHERE recipient_id > $4
				ORDER BY recipient_id
				LIMIT $5
			), written AS (
				INSERT INTO nms.forecast_log AS l (delivery_id, recipient_id, address, contact_date, weight, excluded_by_rule_id)
				SELECT $1, t.recipient_id, t.address, $2, t.weight, coalesce(t.excluded_by, o.excluded_by_rule_id)
				FROM part t
				LEFT JOIN nms.forecast_log o ON o.delivery_id = $1 AND o.recipient_id = t.recipient_id AND o.excluded_by_rule_id = ANY ($3)
				ORDER BY t.recipient_id
				ON CONFLICT (delivery_id, recipient_id) DO UPDATE
				SET address = excluded.address,
				    contact_date = excluded.contact_date,
				    weight = excluded.weight,
				    excluded_by_rule_id = excluded.excluded_by_rule_id
				WHERE (l.address, l.contact_date, l.weight, l.excluded_by_rule_id)
				      IS DISTINCT FROM (excluded.address, excluded.contact_date, excluded.weight, excluded.excluded_by_rule_id)
			)
			SELECT max(recipient_id)
			FROM part`, d.id, d.contact, stays, *last, logsAtOnce).Scan(&last); err != nil {
			return err
		}
	}
	return nil
}
