package delivery

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// arbitrated is the failure reason of a message that a rule excluded from a prepared delivery.
const arbitrated = 12

// writeAll writes what the rules decided, each delivery in a short transaction of its own.
func (f *forecast) writeAll(ctx context.Context, applied map[[2]int64]time.Time) error {
	if err := f.Tx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `CREATE INDEX IF NOT EXISTS forecast_message_delivery ON pg_temp.forecast_message (delivery_id)`)
		return err
	}); err != nil {
		return fmt.Errorf("index the decisions: %w", err)
	}
	var lines []string
	sum, excluded := int64(0), int64(0)
	for i, d := range f.calendar {
		if err := f.Checkpoint(ctx); err != nil {
			return err
		}
		f.Progress(int64(i+1), int64(len(f.calendar)), "deliveries")
		if d.skipped {
			continue
		}
		var t tally
		if err := f.Tx(ctx, func(tx pgx.Tx) error {
			free, err := f.lock(ctx, tx, d)
			if err == nil && free {
				t, err = f.write(ctx, tx, d, applied)
			}
			return err
		}); err != nil {
			return fmt.Errorf("delivery %d: %w", d.id, err)
		}
		if !d.skipped {
			sum, excluded = sum+t.messages, excluded+t.excluded
			lines = append(lines, fmt.Sprintf("Delivery '%s' (%s): %s messages%s", d.label, d.date, number(t.messages), t.words))
		}
	}
	f.few(lines)
	f.Say("%s messages, %s excluded by %d rules", number(sum), number(excluded), len(f.rules))
	return nil
}

// tally is what became of the messages of a delivery.
type tally struct {
	messages, excluded int64
	words              string // ", 8,120 excluded by 'Max 3 per 2 weeks'"
}

// write takes over the decisions on one delivery, whose row is locked.
func (f *forecast) write(ctx context.Context, tx pgx.Tx, d *scheduled, applied map[[2]int64]time.Time) (t tally, err error) {
	if d.prepared() {
		err = f.writePrepared(ctx, tx, d)
	} else {
		_, err = tx.Exec(ctx, `
			UPDATE nms.forecast_log l
			SET excluded_by_rule_id = m.excluded_by
			FROM pg_temp.forecast_message m
			WHERE m.delivery_id = $1
			  AND l.delivery_id = $1
			  AND l.recipient_id = m.recipient_id
			  AND l.excluded_by_rule_id IS DISTINCT FROM m.excluded_by`, d.id)
	}
	if err != nil {
		return t, fmt.Errorf("write the exclusions: %w", err)
	}
	if err := f.keepCounts(ctx, tx, d, applied); err != nil {
		return t, fmt.Errorf("write the counts by rule: %w", err)
	}
	return f.tallyOf(ctx, tx, d)
}

// writePrepared turns decisions into log rows: an excluded message is ignored for reason of arbitration and noted among the
// exclusions, and one that comes back is pending again. The delivery's figures follow by as many.
func (f *forecast) writePrepared(ctx context.Context, tx pgx.Tx, d *scheduled) error {
	var out, back int64
	err := tx.QueryRow(ctx, fmt.Sprintf(`
		WITH out AS (
			UPDATE %[1]s l
			SET status = 'ignored',
			    failure_type = 'ignored',
			    failure_reason = $3,
			    event_date = $2
			FROM pg_temp.forecast_message m
			WHERE m.delivery_id = $1
			  AND m.excluded_by IS NOT NULL
			  AND l.delivery_id = $1
			  AND l.id = m.log_id
			  AND l.status = 'pending'
			RETURNING l.recipient_id, l.address, m.excluded_by
		), noted AS (
			INSERT INTO %[2]s (delivery_id, recipient_id, address, failure_reason, rule_id, event_date)
			SELECT $1, recipient_id, address, $3, excluded_by, $2
			FROM out
			ORDER BY recipient_id
		), back AS (
			UPDATE %[1]s l
			SET status = 'pending',
			    failure_type = NULL,
			    failure_reason = 0,
			    event_date = $2
			FROM pg_temp.forecast_message m
			WHERE m.delivery_id = $1
			  AND m.excluded_by IS NULL
			  AND l.delivery_id = $1
			  AND l.id = m.log_id
			  AND l.status = 'ignored'
			  AND l.failure_reason = $3
			RETURNING l.recipient_id
		), forgotten AS (
			DELETE FROM %[2]s e
			USING back b
			WHERE e.delivery_id = $1
			  AND e.recipient_id = b.recipient_id
			  AND e.failure_reason = $3
		), renamed AS (
			UPDATE %[2]s e
			SET rule_id = m.excluded_by
			FROM pg_temp.forecast_message m
			WHERE m.delivery_id = $1
			  AND m.was IS NOT NULL
			  AND e.delivery_id = $1
			  AND e.recipient_id = m.recipient_id
			  AND e.failure_reason = $3
			  AND e.rule_id IS DISTINCT FROM m.excluded_by
			  AND m.excluded_by IS NOT NULL
		)
		SELECT (SELECT count(*) FROM out), (SELECT count(*) FROM back)`, d.logs, d.excluded), d.id, f.Now(), arbitrated).Scan(&out, &back)
	if err != nil || out == back && out == 0 {
		return err
	}
	_, err = tx.Exec(ctx, `
		UPDATE nms.delivery
		SET to_deliver = to_deliver - $2,
		    reject = reject + $2
		WHERE id = $1
		  AND $2 <> 0`, d.id, out-back)
	return err
}

// excludedBy counts who is excluded from delivery $1, by rule.
func excludedBy(d *scheduled) string {
	if d.prepared() {
		return fmt.Sprintf(`
			SELECT rule_id, count(*) AS excluded
			FROM %s
			WHERE delivery_id = $1
			  AND failure_reason = %d
			  AND rule_id IS NOT NULL
			GROUP BY rule_id`, d.excluded, arbitrated)
	}
	return `
			SELECT excluded_by_rule_id AS rule_id, count(*) AS excluded
			FROM nms.forecast_log
			WHERE delivery_id = $1
			  AND excluded_by_rule_id IS NOT NULL
			GROUP BY excluded_by_rule_id`
}

// keepCounts replaces the exclusions of a delivery by rule. A rule that was applied has a row even when it excluded nobody;
// one whose last decision holds keeps its moment. The rows that the analysis of a prepared delivery wrote for its filtering
// rules are not ours.
func (f *forecast) keepCounts(ctx context.Context, tx pgx.Tx, d *scheduled, applied map[[2]int64]time.Time) error {
	rules, moments := []int64{}, []time.Time{}
	for _, r := range f.rules {
		if r.wrong != nil || !r.covers(d) || r.kind == "filtering" && d.prepared() || r.kind == "capacity" && !r.ExcludeExcess {
			continue
		}
		at := f.Now()
		if r.holds(d, applied, at) {
			at = applied[[2]int64{r.id, d.id}]
		}
		rules, moments = append(rules, r.id), append(moments, at)
	}
	if _, err := tx.Exec(ctx, `
		WITH counted AS (`+excludedBy(d)+`
		), wanted AS (
			SELECT coalesce(v.id, c.rule_id) AS rule_id, coalesce(c.excluded, 0) AS excluded, v.at
			FROM unnest($2::bigint[], $3::timestamptz[]) AS v (id, at)
			FULL JOIN counted c ON c.rule_id = v.id
		), gone AS (
			DELETE FROM nms.dlv_exclusion e
			WHERE e.delivery_id = $1
			  AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.rule_id = e.typology_rule_id)
			  AND (NOT $4 OR NOT EXISTS (SELECT 1 FROM nms.typology_rule r WHERE r.id = e.typology_rule_id AND r.rule_type IN ('filtering', 'control')))
		)
		INSERT INTO nms.dlv_exclusion AS e (delivery_id, typology_rule_id, excluded_count, applied)
		SELECT $1, w.rule_id, w.excluded, coalesce(w.at, o.applied, $5)
		FROM wanted w
		LEFT JOIN nms.dlv_exclusion o ON o.delivery_id = $1 AND o.typology_rule_id = w.rule_id
		ORDER BY w.rule_id
		ON CONFLICT (delivery_id, typology_rule_id) DO UPDATE
		SET excluded_count = excluded.excluded_count,
		    applied = excluded.applied
		WHERE (e.excluded_count, e.applied) IS DISTINCT FROM (excluded.excluded_count, excluded.applied)`,
		d.id, rules, moments, d.prepared(), f.Now()); err != nil {
		return err
	}
	return nil
}

// tallyOf counts what a delivery has come to, for its line.
func (f *forecast) tallyOf(ctx context.Context, tx pgx.Tx, d *scheduled) (t tally, err error) {
	rows, err := tx.Query(ctx, `
		SELECT coalesce(r.label, 'rule ' || c.rule_id), c.excluded
		FROM (`+excludedBy(d)+`) c
		LEFT JOIN nms.typology_rule r ON r.id = c.rule_id
		ORDER BY c.excluded DESC, c.rule_id`, d.id)
	if err != nil {
		return t, err
	}
	var label string
	var n int64
	var words strings.Builder
	if _, err = pgx.ForEachRow(rows, []any{&label, &n}, func() error {
		fmt.Fprintf(&words, ", %s excluded by '%s'", number(n), label)
		t.excluded += n
		return nil
	}); err != nil {
		return t, err
	}
	t.words = words.String()
	err = tx.QueryRow(ctx, `
		SELECT CASE WHEN $2 THEN d.to_deliver ELSE coalesce(d.forecast_count, 0) END
		FROM nms.delivery d
		WHERE d.id = $1`, d.id, d.prepared()).Scan(&t.messages)
	if d.prepared() {
		t.messages += t.excluded
	}
	return t, err
}
