package transfer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/external/midsourcing"
	"nightshift/jobs/nms"
)

// change is a message whose log was changed by a page, in the order in which it happened.
type change struct {
	id, delivery int64
	kind         string // type of its address
	nms.Outcome
}

// apply takes over a page: the texts, the logs, the addresses, the counts of deliveries, and the cursor, or nothing.
func (f *fetch) apply(ctx context.Context, page midsourcing.Logs, texts []midsourcing.Message) error {
	quarantined, unknown := 0, 0
	err := f.run.Tx(ctx, func(tx pgx.Tx) error {
		if err := f.addTexts(ctx, tx, texts); err != nil {
			return err
		}
		tables, err := f.tables(ctx, tx, page.Logs)
		if err != nil {
			return err
		}
		var changes []change
		found := 0
		for _, table := range slices.Sorted(maps.Keys(tables)) {
			some, known, err := f.takeOverLogs(ctx, tx, table, tables[table])
			if err != nil {
				return err
			}
			changes, found = append(changes, some...), found+known
		}
		unknown = len(page.Logs) - found
		if quarantined, err = f.addresses(ctx, tx, changes); err != nil {
			return err
		}
		return f.account.moveCursor(ctx, tx, lastLog, page.Next)
	})
	if err != nil {
		return err
	}
	for _, l := range page.Logs {
		f.counts[l.Status]++
	}
	f.fetched, f.pages, f.unknown, f.quarantined = f.fetched+len(page.Logs), f.pages+1, f.unknown+unknown, f.quarantined+quarantined
	f.cursor = page.Next
	return nil
}

// addTexts adds texts that were unknown when the page came. One that is known keeps what people made of it.
func (f *fetch) addTexts(ctx context.Context, tx pgx.Tx, texts []midsourcing.Message) error {
	if len(texts) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO nms.broad_log_msg (md5, text_normalized, message_type, failure_type, failure_reason, qualif_status, origin)
		SELECT md5, text, message_type, failure_type, failure_reason, qualif_status, $2
		FROM jsonb_to_recordset($1::jsonb)
			AS t (md5 text, text text, message_type smallint, failure_type text, failure_reason smallint, qualif_status text)
		ON CONFLICT (md5) DO NOTHING`, texts, f.account.name)
	if err != nil {
		return fmt.Errorf("texts of errors: %w", err)
	}
	return nil
}

// tables sorts logs by the table in which the mapping of their delivery keeps them. Only deliveries of this account count.
func (f *fetch) tables(ctx context.Context, tx pgx.Tx, logs []midsourcing.Log) (map[string][]midsourcing.Log, error) {
	rows, err := tx.Query(ctx, `
		SELECT DISTINCT d.id, m.broad_log_schema
		FROM jsonb_to_recordset($1::jsonb) AS t (emitter_delivery_id bigint)
		JOIN nms.delivery d ON d.id = t.emitter_delivery_id
		JOIN nms.delivery_mapping m
			ON m.id = COALESCE(d.mapping_id, (SELECT id FROM nms.delivery_mapping WHERE internal_name = 'mapRecipient'))
		WHERE d.provider_id = $2
		  AND d.delivery_mode = 'mid_sourcing'
		  AND to_regclass(m.broad_log_schema) IS NOT NULL`, logs, f.account.id)
	if err != nil {
		return nil, fmt.Errorf("log tables: %w", err)
	}
	of := map[int64]string{}
	var id int64
	var table string
	if _, err := pgx.ForEachRow(rows, []any{&id, &table}, func() error { of[id] = table; return nil }); err != nil {
		return nil, fmt.Errorf("log tables: %w", err)
	}
	sorted := map[string][]midsourcing.Log{}
	for _, l := range logs {
		if table := of[l.EmitterDeliveryID]; table != "" {
			sorted[table] = append(sorted[table], l)
		}
	}
	return sorted, nil
}

// takeOverLogs brings the logs of one table to what the server says. A log that was taken over in this state before is not
// again. What is final stays, but for a message that was sent and then bounces, and one that the provider had accepted.
func (f *fetch) takeOverLogs(ctx context.Context, tx pgx.Tx, table string, logs []midsourcing.Log) (changes []change, known int, err error) {
	name := pgx.Identifier(strings.Split(table, ".")).Sanitize()
	if err := tx.QueryRow(ctx, `
		SELECT count(*)
		FROM jsonb_to_recordset($1::jsonb) AS t (remote_id bigint, emitter_delivery_id bigint)
		JOIN `+name+` l ON l.id = t.remote_id AND l.delivery_id = t.emitter_delivery_id`, logs).Scan(&known); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", table, err)
	}
	rows, err := tx.Query(ctx, `
		WITH changed AS (
			UPDATE `+name+` l
			SET status = t.status,
			    failure_type = t.failure_type,
			    failure_reason = t.failure_reason,
			    msg_id = coalesce(m.id, l.msg_id),
			    event_date = coalesce(t.event_date, l.event_date),
			    flags = l.flags | t.flags,
			    remote_modified = t.last_modified
			FROM jsonb_to_recordset($1::jsonb)
				AS t (remote_id bigint, emitter_delivery_id bigint, address text, status text, failure_type text, failure_reason smallint,
				      msg_md5 text, event_date timestamptz, flags int, last_modified timestamptz)
			LEFT JOIN nms.broad_log_msg m ON m.md5 = t.msg_md5
			WHERE l.id = t.remote_id
			  AND l.delivery_id = t.emitter_delivery_id
			  AND coalesce(l.remote_modified, '-infinity') < t.last_modified
			  AND CASE l.status
			      WHEN 'sent' THEN t.status IN ('sent', 'failed')
			      WHEN 'received' THEN t.status IN ('received', 'failed')
			      WHEN 'failed' THEN t.status = 'failed'
			      WHEN 'cancelled' THEN t.status = 'cancelled'
			      WHEN 'accepted' THEN t.status IN ('accepted', 'sent', 'failed', 'received')
			      ELSE true END
			RETURNING l.id, l.delivery_id, coalesce(l.address, t.address) AS address, l.status, coalesce(l.failure_type, '') AS failure_type,
			          l.failure_reason, coalesce(l.event_date, t.last_modified) AS event_date, l.flags, m.text_normalized AS text)
		SELECT c.id, c.delivery_id, CASE d.message_type WHEN 0 THEN 'email' WHEN 1 THEN 'mobile' ELSE '' END,
		       coalesce(c.address, ''), c.status, c.failure_type, c.failure_reason, c.event_date, c.flags & 1 = 1, coalesce(c.text, '')
		FROM changed c
		JOIN nms.delivery d ON d.id = c.delivery_id
		ORDER BY c.event_date, c.id`, logs)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", table, err)
	}
	changes, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (change, error) {
		var c change
		err := row.Scan(&c.id, &c.delivery, &c.kind, &c.Address, &c.Status, &c.FailureType, &c.Reason, &c.At, &c.Seed, &c.Text)
		return c, err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", table, err)
	}
	return changes, known, nil
}
