package delivery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// copyLinks makes logs of rows that are new, without a detour. Each delivery's pending counter grows by its logs.
func copyLinks(ctx context.Context, tx pgx.Tx, table trackingTable, rows []hitRow, sum *lineCounts) error {
	if len(rows) == 0 {
		return nil
	}
	columns := strings.Fields("broad_log_id delivery_id url_id user_agent_id source_id source_type raw_id log_date " + table.contact)
	counts := map[int64]int64{}
	_, err := tx.CopyFrom(ctx, pgx.Identifier(table.name), columns, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		h := &rows[i]
		counts[h.Delivery]++
		row := []any{idOrNull(h.BroadLog), h.Delivery, h.URL, h.agent, textOrNull(h.UUID), h.Source, h.raw(), h.at, idOrNull(h.contact)}
		return row[:len(columns)], nil
	}))
	if err != nil {
		return fmt.Errorf("copy into %s: %w", table.hits, err)
	}
	sum.stored += int64(len(rows))
	_, err = tx.Exec(ctx, `
		UPDATE nms.delivery d
		SET tracking_pending = d.tracking_pending + n.hits
		FROM unnest($1::bigint[], $2::bigint[]) n (delivery_id, hits)
		WHERE d.id = n.delivery_id`, slices.Collect(maps.Keys(counts)), slices.Collect(maps.Values(counts)))
	if err != nil {
		return fmt.Errorf("count what is pending: %w", err)
	}
	return nil
}

// copyLines brings rows into the temporary table, which is emptied of those before.
func copyLines(ctx context.Context, tx pgx.Tx, rows []hitRow) error {
	if _, err := tx.Exec(ctx, `TRUNCATE pg_temp.tracking_line`); err != nil {
		return fmt.Errorf("empty the temporary table: %w", err)
	}
	columns := strings.Fields(`raw_id log_date broad_log_id delivery_id url_id user_agent_id source_id source_type contact_id
		contact_field contact_value amount article params`)
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"pg_temp", "tracking_line"}, columns, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		h := &rows[i]
		row := []any{h.raw(), h.at, idOrNull(h.BroadLog), h.Delivery, h.URL, h.agent, textOrNull(h.UUID), h.Source, idOrNull(h.contact),
			nil, nil, nil, nil, nil}
		if v := h.values; v != nil {
			row[9], row[10], row[11], row[12], row[13] = v.field, v.value, v.amount, v.article, v.others
		}
		return row, nil
	}))
	if err != nil {
		return fmt.Errorf("copy the lines: %w", err)
	}
	return nil
}

func idOrNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// insert makes logs of the rows of one table through the temporary one, where prepare may complete or drop them. A line
// that was loaded before has its log already. What a web hit says of a purchase stands beside its log.
func (t *tracker) insert(ctx context.Context, tx pgx.Tx, table trackingTable, rows []hitRow, sum *lineCounts,
	prepare func(context.Context, pgx.Tx, trackingTable, *lineCounts) error) error {
	if err := copyLines(ctx, tx, rows); err != nil {
		return err
	}
	if prepare != nil {
		if err := prepare(ctx, tx, table, sum); err != nil {
			return err
		}
	}
	column, value := "", ""
	if table.contact != "" {
		column, value = table.contact+",", "contact_id,"
	}
	var lines, stored int64
	err := tx.QueryRow(ctx, `
		WITH stored AS (
			INSERT INTO `+table.hits+` (broad_log_id, delivery_id, `+column+` url_id, user_agent_id, source_id, source_type, raw_id, log_date)
			SELECT broad_log_id, delivery_id, `+value+` url_id, user_agent_id, source_id, source_type, raw_id, log_date
			FROM pg_temp.tracking_line
			ON CONFLICT DO NOTHING
			RETURNING id, delivery_id, raw_id, log_date
		), pending AS (
			UPDATE nms.delivery d
			SET tracking_pending = d.tracking_pending + n.hits
			FROM (SELECT delivery_id, count(*) AS hits FROM stored GROUP BY delivery_id) n
			WHERE d.id = n.delivery_id
		), bought AS (
			INSERT INTO nms.web_tracking_log (id, amount, article, delivery_id, params)
			SELECT s.id, l.amount, l.article, nullif(s.delivery_id, 0), l.params
			FROM stored s
			JOIN pg_temp.tracking_line l USING (raw_id, log_date)
			WHERE l.amount <> 0 OR l.article <> 0 OR l.params <> '{}'
		)
		SELECT (SELECT count(*) FROM pg_temp.tracking_line), (SELECT count(*) FROM stored)`).Scan(&lines, &stored)
	if err != nil {
		return fmt.Errorf("insert into %s: %w", table.hits, err)
	}
	sum.stored += stored
	sum.known += lines - stored
	return nil
}
