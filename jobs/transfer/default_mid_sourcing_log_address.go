package transfer

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
	"nightshift/jobs/nms"
)

// tolerances are how many errors addresses may have, by their type.
func tolerances(ctx context.Context, r *jobs.Run) (map[string]nms.Tolerance, error) {
	read := map[string]nms.Tolerance{}
	for kind, channel := range map[string]string{"email": "Email", "mobile": "Mobile"} {
		most, err := number(ctx, r, "NmsNPAI_"+channel+"MaxError", 1, 5)
		if err != nil {
			return nil, err
		}
		seconds, err := number(ctx, r, "NmsNPAI_"+channel+"SignificantErrorDelay", 1, 86_400)
		if err != nil {
			return nil, err
		}
		read[kind] = nms.Tolerance{MaxErrors: most, Significant: time.Duration(seconds) * time.Second}
	}
	return read, nil
}

// number reads an option that is a number from least on; whatever else it holds, with a warning, is the default.
func number(ctx context.Context, r *jobs.Run, option string, least, byDefault int) (int, error) {
	text, ok, err := r.Option(ctx, option)
	if err != nil || !ok {
		return byDefault, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > 1e9 {
		r.Warn("%s is %q, not a number from %d to 1,000,000,000: %d is taken", option, text, least, byDefault)
		return byDefault, nil
	}
	return n, nil
}

// addressKey is what a row of nms.address is found by.
type addressKey struct{ address, kind string }

// addressRow is a row of nms.address as it is to be written.
type addressRow struct {
	Address   string    `json:"address"`
	Type      string    `json:"type"`
	Status    string    `json:"status"`
	Reason    string    `json:"quarantine_reason"`
	Text      string    `json:"quarantine_text"`
	Errors    int       `json:"consecutive_error"`
	LastError time.Time `json:"last_error"`
	Delivery  int64     `json:"delivery_id"`
	Message   int64     `json:"message_id"`
}

// addresses lets the addresses of changed logs follow, in the order of what happened, and counts on each delivery what it
// put in quarantine and which logs are to be summed up.
func (f *fetch) addresses(ctx context.Context, tx pgx.Tx, changes []change) (quarantined int, err error) {
	states, err := addressStates(ctx, tx, changes)
	if err != nil {
		return 0, err
	}
	written, pending, fresh := map[addressKey]addressRow{}, map[int64]int{}, map[int64]int{}
	for _, c := range changes {
		pending[c.delivery]++
		if c.kind == "" || c.Address == "" || c.Seed {
			continue
		}
		key := addressKey{c.Address, c.kind}
		was := states[key]
		is := was.After(c.Outcome, f.tolerances[c.kind])
		if is == was {
			continue
		}
		if is.Status == "quarantine" && was.Status != "quarantine" {
			quarantined++
			fresh[c.delivery]++
		}
		states[key] = is
		written[key] = addressRow{key.address, key.kind, is.Status, is.Reason, is.Text, is.Errors, is.LastError, c.delivery, c.id}
	}
	if err := writeAddresses(ctx, tx, written); err != nil {
		return 0, err
	}
	return quarantined, countPending(ctx, tx, pending, fresh)
}

// addressStates reads and locks the addresses of changed logs, as far as they have rows.
func addressStates(ctx context.Context, tx pgx.Tx, changes []change) (map[addressKey]nms.AddressState, error) {
	var addresses, kinds []string
	for _, c := range changes {
		addresses, kinds = append(addresses, c.Address), append(kinds, c.kind)
	}
	rows, err := tx.Query(ctx, `
		SELECT address, type, status, coalesce(quarantine_reason, ''), coalesce(quarantine_text, ''), consecutive_error, last_error
		FROM nms.address
		WHERE (address, type) IN (SELECT * FROM unnest($1::text[], $2::text[]))
		ORDER BY id
		FOR UPDATE`, addresses, kinds)
	if err != nil {
		return nil, fmt.Errorf("addresses: %w", err)
	}
	states := map[addressKey]nms.AddressState{}
	var key addressKey
	var s nms.AddressState
	var last *time.Time
	_, err = pgx.ForEachRow(rows, []any{&key.address, &key.kind, &s.Status, &s.Reason, &s.Text, &s.Errors, &last}, func() error {
		if s.LastError = (time.Time{}); last != nil {
			s.LastError = *last
		}
		states[key] = s
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("addresses: %w", err)
	}
	return states, nil
}

// writeAddresses writes the addresses whose state changed; one that had no row gets one.
func writeAddresses(ctx context.Context, tx pgx.Tx, written map[addressKey]addressRow) error {
	if len(written) == 0 {
		return nil
	}
	rows := make([]addressRow, 0, len(written))
	for _, row := range written {
		rows = append(rows, row)
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO nms.address AS a (address, type, status, quarantine_reason, quarantine_text, consecutive_error, last_error, delivery_id, message_id)
		SELECT address, type, status, nullif(quarantine_reason, ''), nullif(quarantine_text, ''), consecutive_error, last_error, delivery_id, message_id
		FROM jsonb_to_recordset($1::jsonb)
			AS t (address text, type text, status text, quarantine_reason text, quarantine_text text, consecutive_error int,
			      last_error timestamptz, delivery_id bigint, message_id bigint)
		ORDER BY address, type
		ON CONFLICT (address, type) DO UPDATE
		SET status = excluded.status,
		    quarantine_reason = excluded.quarantine_reason,
		    quarantine_text = excluded.quarantine_text,
		    consecutive_error = excluded.consecutive_error,
		    last_error = excluded.last_error,
		    delivery_id = excluded.delivery_id,
		    message_id = excluded.message_id`, rows)
	if err != nil {
		return fmt.Errorf("addresses: %w", err)
	}
	return nil
}

// countPending adds to each delivery how many of its logs changed, for whoever sums them up, and how many addresses its
// messages put in quarantine.
func countPending(ctx context.Context, tx pgx.Tx, pending, fresh map[int64]int) error {
	var ids, logs, quarantined []int64
	for id, n := range pending {
		ids, logs, quarantined = append(ids, id), append(logs, int64(n)), append(quarantined, int64(fresh[id]))
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `
		UPDATE nms.delivery d
		SET error_pending = d.error_pending + t.logs,
		    new_quarantine = d.new_quarantine + t.quarantined
		FROM unnest($1::bigint[], $2::int[], $3::int[]) AS t (id, logs, quarantined)
		WHERE d.id = t.id`, ids, logs, quarantined)
	if err != nil {
		return fmt.Errorf("counts of deliveries: %w", err)
	}
	return nil
}
