package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// sentPart is a partition of a table of messages, with the lowest and the highest id that it had when the run looked.
// Messages get their ids in the order of time, so an id is to be found in one partition, or two.
type sentPart struct {
	name      string
	low, high int64
}

// addContacts notes with each row who its message went to; 0 when the message is gone, or was of another delivery.
func (t *tracker) addContacts(ctx context.Context, tx pgx.Tx, rows []hitRow) error {
	for place, table := range t.tables {
		if table.contact == "" {
			continue
		}
		var messages []int64
		for i := range rows {
			if rows[i].table == place && rows[i].BroadLog != 0 {
				messages = append(messages, rows[i].BroadLog)
			}
		}
		slices.Sort(messages)
		contacts, err := t.contactsOf(ctx, tx, table, slices.Compact(messages))
		if err != nil {
			return err
		}
		for i := range rows {
			if found, ok := contacts[rows[i].BroadLog]; ok && rows[i].table == place && found.delivery == rows[i].Delivery {
				rows[i].contact = found.contact
			}
		}
	}
	return nil
}

// sentTo is whom a message of a delivery went to.
type sentTo struct{ delivery, contact int64 }

// contactsOf looks messages up, sorted by id, each only where it can be. What came after the run looked is in the last partition,
// or in a new one: it is looked for in the whole table.
func (t *tracker) contactsOf(ctx context.Context, tx pgx.Tx, table trackingTable, messages []int64) (map[int64]sentTo, error) {
	found := make(map[int64]sentTo, len(messages))
	if len(messages) == 0 {
		return found, nil
	}
	parts, err := t.partsOf(ctx, tx, table.logs)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		low, _ := slices.BinarySearch(messages, part.low)
		high := len(messages)
		if part.high > 0 {
			high, _ = slices.BinarySearch(messages, part.high+1)
		}
		if low >= high {
			continue
		}
		rows, err := tx.Query(ctx, `
			SELECT id, delivery_id, coalesce(`+table.contact+`, 0)
			FROM `+part.name+`
			WHERE id = ANY ($1)`, messages[low:high])
		if err != nil {
			return nil, fmt.Errorf("look up messages: %w", err)
		}
		var id int64
		var to sentTo
		if _, err := pgx.ForEachRow(rows, []any{&id, &to.delivery, &to.contact}, func() error { found[id] = to; return nil }); err != nil {
			return nil, fmt.Errorf("look up messages: %w", err)
		}
	}
	return found, nil
}

// partsOf lists the partitions of a table of messages that have rows, and the whole table for ids above all of theirs. They
// are read once a run.
func (t *tracker) partsOf(ctx context.Context, tx pgx.Tx, logs string) ([]sentPart, error) {
	if parts, ok := t.parts[logs]; ok {
		return parts, nil
	}
	rows, err := tx.Query(ctx, `
		SELECT format('SELECT %L, min(id), max(id) FROM %s', relid, relid)
		FROM pg_partition_tree($1::regclass)
		WHERE isleaf
		ORDER BY relid`, logs)
	if err != nil {
		return nil, fmt.Errorf("partitions of %s: %w", logs, err)
	}
	questions, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("partitions of %s: %w", logs, err)
	}
	above := sentPart{name: logs}
	var parts []sentPart
	if len(questions) > 0 {
		rows, err = tx.Query(ctx, "SELECT * FROM ("+strings.Join(questions, " UNION ALL ")+") p (name, low, high) WHERE low IS NOT NULL ORDER BY low")
		if err == nil {
			parts, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p sentPart, err error) {
				return p, row.Scan(&p.name, &p.low, &p.high)
			})
		}
		if err != nil {
			return nil, fmt.Errorf("partitions of %s: %w", logs, err)
		}
	}
	for _, p := range parts {
		above.low = max(above.low, p.high+1)
	}
	t.parts[logs] = append(parts, above)
	return t.parts[logs], nil
}
