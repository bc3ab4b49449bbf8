package delivery

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
)

// arbitrated is the failure reason of a message that a rule excluded from a prepared delivery.
const arbitrated = 12

// The deliveries of one piece are few, so that their rows are not locked for long, and have few messages together.
const (
	deliveriesTogether = 100
	together           = 5000
)

// writeAll writes what the rules decided, piece by piece, each in a short transaction of its own.
func (f *forecast) writeAll(ctx context.Context, applied map[[2]int64]time.Time) error {
	pieces, err := f.pieces(ctx)
	if err != nil {
		return fmt.Errorf("share out the decisions: %w", err)
	}
	done, tallies := 0, map[int64]tally{}
	for _, piece := range pieces {
		if err := f.Checkpoint(ctx); err != nil {
			return err
		}
		var of map[int64]tally
		if err := f.Tx(ctx, func(tx pgx.Tx) error {
			free, err := f.lock(ctx, tx, piece...)
			if err == nil && len(free) > 0 {
				of, err = f.write(ctx, tx, free, applied)
			}
			return err
		}); err != nil {
			return fmt.Errorf("deliveries from %d: %w", piece[0].id, err)
		}
		maps.Copy(tallies, of)
		done += len(piece)
		f.Progress(int64(done), int64(len(f.calendar)), "deliveries")
	}
	f.Progress(int64(len(f.calendar)), int64(len(f.calendar)), "deliveries")
	var lines []string
	sum, excluded := int64(0), int64(0)
	for _, d := range f.calendar {
		if t, ok := tallies[d.id]; ok {
			sum, excluded = sum+t.messages, excluded+t.excluded
			lines = append(lines, fmt.Sprintf("Delivery '%s' (%s): %s messages%s", d.label, d.date, number(t.messages), t.words))
		}
	}
	f.few(lines)
	f.Say("%s messages, %s excluded by %d rules", number(sum), number(excluded), len(f.rules))
	return nil
}

// pieces shares out the deliveries that nobody else works on, in the order of the calendar: what one transaction writes
// has its messages in the same tables, and few of them unless it is a single delivery.
func (f *forecast) pieces(ctx context.Context) ([][]*scheduled, error) {
	messages := map[int64]int64{}
	if err := f.Tx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `CREATE INDEX IF NOT EXISTS forecast_message_delivery ON pg_temp.forecast_message (delivery_id, id)`); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			SELECT delivery_id, count(*)
			FROM pg_temp.forecast_message
			GROUP BY delivery_id`)
		if err != nil {
			return err
		}
		var id, n int64
		_, err = pgx.ForEachRow(rows, []any{&id, &n}, func() error { messages[id] = n; return nil })
		return err
	}); err != nil {
		return nil, err
	}
	var pieces [][]*scheduled
	last, filled := map[[2]string]int{}, map[[2]string]int64{} // by tables
	for _, d := range f.calendar {
		if d.skipped {
			continue
		}
		var tables [2]string
		if d.prepared() {
			tables = [2]string{d.logs, d.excluded}
		}
		at, ok := last[tables]
		if !ok || filled[tables]+messages[d.id] > together || len(pieces[at]) == deliveriesTogether {
			at, filled[tables], pieces = len(pieces), 0, append(pieces, nil)
			last[tables] = at
		}
		pieces[at], filled[tables] = append(pieces[at], d), filled[tables]+messages[d.id]
	}
	return pieces, nil
}

// tally is what became of the messages of a delivery.
type tally struct {
	messages, excluded int64
	words              string // ", 8,120 excluded by 'Max 3 per 2 weeks'"
}

// write takes over the decisions on the deliveries of a piece, whose rows are locked.
func (f *forecast) write(ctx context.Context, tx pgx.Tx, piece []*scheduled, applied map[[2]int64]time.Time) (map[int64]tally, error) {
	ids := make([]int64, len(piece))
	for i, d := range piece {
		ids[i] = d.id
	}
	// Messages and their logs are joined whole, whatever the statistics of logs that were written just now say: looked up one
	// by one, through an index of their delivery alone, each would read all of it.
	if _, err := tx.Exec(ctx, `SET LOCAL enable_nestloop = off`); err != nil {
		return nil, err
	}
	change := f.writeProvisional
	if piece[0].prepared() {
		change = func(ctx context.Context, tx pgx.Tx, ids []int64) error {
			return f.writePrepared(ctx, tx, piece[0], ids)
		}
	}
	if err := change(ctx, tx, ids); err != nil {
		return nil, fmt.Errorf("write the exclusions: %w", err)
	}
	excluded, err := f.excludedBy(ctx, tx, piece[0], ids)
	if err != nil {
		return nil, fmt.Errorf("count the exclusions: %w", err)
	}
	if err := f.keepCounts(ctx, tx, piece, ids, excluded, applied); err != nil {
		return nil, fmt.Errorf("write the counts by rule: %w", err)
	}
	return f.tallies(ctx, tx, piece[0].prepared(), ids, excluded)
}

// writeProvisional notes in the provisional logs which rule excludes them.
func (f *forecast) writeProvisional(ctx context.Context, tx pgx.Tx, ids []int64) error {
	_, err := tx.Exec(ctx, `
		UPDATE nms.forecast_log l
		SET excluded_by_rule_id = m.excluded_by
		FROM pg_temp.forecast_message m
		WHERE m.delivery_id = ANY ($1)
		  AND l.delivery_id = ANY ($1)
		  AND l.delivery_id = m.delivery_id
		  AND l.recipient_id = m.recipient_id
		  AND l.excluded_by_rule_id IS DISTINCT FROM m.excluded_by`, ids)
	return err
}

// writePrepared turns decisions into log rows: an excluded message is ignored for reason of arbitration and noted among the
// exclusions, and one that comes back is pending again. The figures of the deliveries follow by as many.
func (f *forecast) writePrepared(ctx context.Context, tx pgx.Tx, d *scheduled, ids []int64) error {
	_, err := tx.Exec(ctx, fmt.Sprintf(`
		WITH out AS (
			UPDATE %[1]s l
			SET status = 'ignored',
			    failure_type = 'ignored',
			    failure_reason = $3,
			    event_date = $2
			FROM pg_temp.forecast_message m
			WHERE m.delivery_id = ANY ($1)
			  AND m.excluded_by IS NOT NULL
			  AND l.delivery_id = ANY ($1)
			  AND l.delivery_id = m.delivery_id
			  AND l.id = m.log_id
			  AND l.status = 'pending'
			RETURNING l.delivery_id, l.recipient_id, l.address, m.excluded_by
		), noted AS (
			INSERT INTO %[2]s (delivery_id, recipient_id, address, failure_reason, rule_id, event_date)
			SELECT delivery_id, recipient_id, address, $3, excluded_by, $2
			FROM out
			ORDER BY delivery_id, recipient_id
		), back AS (
			UPDATE %[1]s l
			SET status = 'pending',
			    failure_type = NULL,
			    failure_reason = 0,
			    event_date = $2
			FROM pg_temp.forecast_message m
			WHERE m.delivery_id = ANY ($1)
			  AND m.excluded_by IS NULL
			  AND l.delivery_id = ANY ($1)
			  AND l.delivery_id = m.delivery_id
			  AND l.id = m.log_id
			  AND l.status = 'ignored'
			  AND l.failure_reason = $3
			RETURNING l.delivery_id, l.recipient_id
		), forgotten AS (
			DELETE FROM %[2]s e
			USING back b
			WHERE e.delivery_id = ANY ($1)
			  AND e.delivery_id = b.delivery_id
			  AND e.recipient_id = b.recipient_id
			  AND e.failure_reason = $3
		), renamed AS (
			UPDATE %[2]s e
			SET rule_id = m.excluded_by
			FROM pg_temp.forecast_message m
			WHERE m.delivery_id = ANY ($1)
			  AND m.was IS NOT NULL
			  AND e.delivery_id = ANY ($1)
			  AND e.delivery_id = m.delivery_id
			  AND e.recipient_id = m.recipient_id
			  AND e.failure_reason = $3
			  AND e.rule_id IS DISTINCT FROM m.excluded_by
			  AND m.excluded_by IS NOT NULL
		)
		UPDATE nms.delivery d
		SET to_deliver = to_deliver - c.rejected,
		    reject = reject + c.rejected
		FROM (
			SELECT delivery_id, sum(n) AS rejected
			FROM (SELECT delivery_id, 1 AS n FROM out UNION ALL SELECT delivery_id, -1 FROM back) moved
			GROUP BY delivery_id) c
		WHERE d.id = ANY ($1)
		  AND d.id = c.delivery_id
		  AND c.rejected <> 0`, d.logs, d.excluded), ids, f.Now(), arbitrated)
	return err
}
