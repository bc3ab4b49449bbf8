package delivery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// readWebMode reads how web hits are treated: session (the default) stores only those of a person that came from a message,
// permanent also those of a browser that was seen before, anonymous all.
func (t *tracker) readWebMode(ctx context.Context) error {
	mode, ok, err := t.Option(ctx, "NmsTracking_WebTrackingMode")
	if err != nil {
		return err
	}
	t.webMode = "session"
	if slices.Contains([]string{"session", "permanent", "anonymous"}, mode) {
		t.webMode = mode
	} else if ok && mode != "" {
		t.Warn("NmsTracking_WebTrackingMode is %q: session is taken", mode)
	}
	value, ok, err := t.Option(ctx, "NmsTracking_WebTrackingDelivery")
	if err != nil || !ok || value == "" {
		return err
	}
	id, notNumber := strconv.ParseInt(value, 10, 64)
	if notNumber != nil {
		id = 0
	}
	return t.findVirtual(ctx, id, value)
}

// findVirtual finds the delivery to which web hits without one belong, by its id or its internal name.
func (t *tracker) findVirtual(ctx context.Context, id int64, name string) error {
	err := t.Query(ctx, func(row pgx.Rows) error { return row.Scan(&t.virtual) }, `
		SELECT id
		FROM nms.delivery
		WHERE id = $1
		   OR internal_name = $2
		ORDER BY id
		LIMIT 1`, id, name)
	if err != nil {
		return fmt.Errorf("find the delivery of web tracking: %w", err)
	}
	if t.virtual == 0 {
		t.Warn("NmsTracking_WebTrackingDelivery is %q, which is no delivery", name)
	}
	return nil
}

// contactFields are the ways in which a web tag names a recipient (rcpid=<field>=<value>), each with an index.
var contactFields = []struct{ field, condition string }{
	{"id", `r.id = CASE WHEN l.contact_value ~ '^[0-9]{1,18}$' THEN l.contact_value::bigint END`},
	{"email", "lower(r.email) = lower(l.contact_value)"},
	{"account", "r.account = l.contact_value"},
	{"external_id", "r.external_id = l.contact_value"},
}

// identify finds out whose the web hits of a table are, in the order of the documentation: the contact that the tag names,
// that of the message in the session's cookie, and, in the modes permanent and anonymous, whoever used the browser last.
// Hits of which the mode needs to know more are dropped and counted.
func (t *tracker) identify(ctx context.Context, tx pgx.Tx, table trackingTable, sum *lineCounts) error {
	steps := []string{}
	if table.contact == "recipient_id" {
		for _, f := range contactFields {
			steps = append(steps, `
				UPDATE pg_temp.tracking_line l
				SET contact_id = (SELECT r.id FROM nms.recipient r WHERE `+f.condition+` ORDER BY r.id LIMIT 1)
				WHERE l.contact_field = '`+f.field+`'`)
		}
	}
	if table.contact != "" {
		// A tag that names the contact and the delivery means the message that this contact got.
		steps = append(steps, `
			UPDATE pg_temp.tracking_line l
			SET broad_log_id = (
				SELECT b.id
				FROM `+table.logs+` b
				WHERE b.`+table.contact+` = l.contact_id
				  AND b.delivery_id = l.delivery_id
				ORDER BY b.id DESC
				LIMIT 1)
			WHERE l.broad_log_id IS NULL
			  AND l.contact_id IS NOT NULL
			  AND l.delivery_id <> 0`)
		if t.webMode != "session" {
			steps = append(steps, byBrowser(table))
		}
	}
	for _, sql := range steps {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("whose web hits are: %w", err)
		}
	}
	// What is left without a delivery belongs to the one that stands for the web.
	if _, err := tx.Exec(ctx, `
		UPDATE pg_temp.tracking_line
		SET delivery_id = $1
		WHERE delivery_id = 0`, t.virtual); err != nil {
		return fmt.Errorf("delivery of web hits: %w", err)
	}
	return t.dropNobody(ctx, tx, sum)
}

// byBrowser: a person who is not known yet is the one who had the same permanent cookie last; so is the delivery, unless
// the tag names one. Only what happened before counts.
func byBrowser(table trackingTable) string {
	return `
		UPDATE pg_temp.tracking_line l
		SET contact_id = coalesce(l.contact_id, h.contact),
		    broad_log_id = CASE WHEN l.delivery_id IN (0, h.delivery_id) THEN coalesce(l.broad_log_id, h.broad_log_id) ELSE l.broad_log_id END,
		    delivery_id = CASE WHEN l.delivery_id = 0 THEN h.delivery_id ELSE l.delivery_id END
		FROM pg_temp.tracking_line same
		CROSS JOIN LATERAL (
			SELECT ` + table.contact + ` AS contact, delivery_id, broad_log_id
			FROM ` + table.hits + `
			WHERE source_id = same.source_id
			  AND ` + table.contact + ` IS NOT NULL
			  AND log_date <= same.log_date
			  AND (same.contact_id IS NULL OR ` + table.contact + ` = same.contact_id)
			ORDER BY log_date DESC, id DESC
			LIMIT 1
		) h
		WHERE (l.contact_id IS NULL OR l.delivery_id = 0)
		  AND same.ctid = l.ctid`
}

// dropNobody removes the web hits of which the mode does not know enough.
func (t *tracker) dropNobody(ctx context.Context, tx pgx.Tx, sum *lineCounts) error {
	unknown := map[string]string{
		"session":   `delivery_id = 0 OR contact_id IS NULL OR broad_log_id IS NULL OR source_id IS NULL`,
		"permanent": `delivery_id = 0 OR contact_id IS NULL`,
		"anonymous": `false`,
	}[t.webMode]
	tag, err := tx.Exec(ctx, `
		DELETE FROM pg_temp.tracking_line
		WHERE `+unknown)
	if err != nil {
		return fmt.Errorf("drop web hits of nobody: %w", err)
	}
	sum.nobody += tag.RowsAffected()
	return nil
}

// fillEarlier: once a browser's user is known, so is whose its anonymous hits of before were. Of two users the last counts.
func fillEarlier(ctx context.Context, tx pgx.Tx, table trackingTable, rows []hitRow) error {
	known := map[string]int64{}
	for i := range rows {
		if h := &rows[i]; h.contact != 0 && h.UUID != "" {
			known[h.UUID] = h.contact
		}
	}
	if table.contact == "" || len(known) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `
		UPDATE `+table.hits+` h
		SET `+table.contact+` = known.contact_id
		FROM unnest($1::text[], $2::bigint[]) known (source_id, contact_id)
		WHERE h.source_id = known.source_id
		  AND h.`+table.contact+` IS NULL`, slices.Collect(maps.Keys(known)), slices.Collect(maps.Values(known)))
	if err != nil {
		return fmt.Errorf("whose anonymous hits were: %w", err)
	}
	return nil
}
