package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// target is the population of a delivery: the members of its lists, of them those for whom the query holds (over r and
// d), of them as many as the limit. Without lists, all recipients.
type target struct {
	Lists []string `json:"lists"` // internal names
	Query string   `json:"query"`
	Limit int64    `json:"limit"` // 0: none
}

// compute fills forecast_target.
func (f *forecast) compute(ctx context.Context, tx pgx.Tx, d *scheduled) (wrong error, messages int64, err error) {
	var t target
	if err := strictly(d.target, &t); err != nil {
		return fmt.Errorf("target definition: %w", err), 0, nil
	}
	if t.Query == "" && len(t.Lists) == 0 {
		return errors.New("its target definition has neither a list nor a query"), 0, nil
	}
	members, wrong, err := memberTables(ctx, tx, t.Lists)
	if wrong == nil && err == nil && t.Query != "" {
		wrong, err = f.check(ctx, tx, t.Query, "boolean")
	}
	if wrong != nil || err != nil {
		return wrong, 0, err
	}
	within := ""
	if members != "" {
		within = "WHERE t.recipient_id IN (" + members + ")"
	}
	// The query stands alone in its WHERE, so that no OR of it reaches further. A recipient is taken once, however many
	// lists he is in.
	wrong, err = f.guarded(ctx, tx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `
			INSERT INTO pg_temp.forecast_target (recipient_id, address, weight)
			SELECT t.recipient_id, t.address, t.weight
			FROM (
				SELECT r.id AS recipient_id,
				       CASE d.message_type
				           WHEN 0 THEN r.email
				           WHEN 1 THEN r.mobile_phone
				           WHEN 2 THEN coalesce(r.phone, r.mobile_phone)
				           WHEN 4 THEN r.fax
				       END AS address,
				       coalesce(d.weight, 5) AS weight
				FROM (SELECT * FROM nms.delivery WHERE id = $1) d
				CROSS JOIN nms.recipient r
				WHERE `+formula(t.Query, "boolean", "true")+`) t
			`+within+`
			ORDER BY t.recipient_id
			LIMIT nullif($2::bigint, 0)`, d.id, t.Limit)
		messages = tag.RowsAffected()
		return err
	})
	if wrong != nil || err != nil {
		return wrong, 0, err
	}
	if err := f.weigh(ctx, tx, d); err != nil {
		return nil, 0, err
	}
	return nil, messages, f.filter(ctx, tx, d)
}

// memberTables is the statement that lists the members of lists, empty when there are none.
func memberTables(ctx context.Context, tx pgx.Tx, names []string) (sql string, wrong, err error) {
	var tables []string
	for _, name := range names {
		var id int64
		var kind int16
		var usable, missing bool
		err := tx.QueryRow(ctx, `
			SELECT g.id, g.type, g.delete_status = 0 AND g.schema_name = 'nms:recipient',
			       g.type > 0 AND to_regclass('nms.grp' || g.id) IS NULL
			FROM nms.group g
			WHERE g.internal_name = $1`, name).Scan(&id, &kind, &usable, &missing)
		switch {
		case errors.Is(err, pgx.ErrNoRows) || err == nil && (!usable || missing):
			return "", fmt.Errorf("there is no list of recipients '%s'", name), nil
		case err != nil:
			return "", nil, fmt.Errorf("list '%s': %w", name, err)
		case kind > 0:
			tables = append(tables, fmt.Sprintf("SELECT recipient_id FROM nms.grp%d", id))
		default:
			tables = append(tables, fmt.Sprintf("SELECT recipient_id FROM nms.rcp_grp_rel WHERE group_id = %d", id))
		}
	}
	return strings.Join(tables, " UNION ALL "), nil, nil
}

// weigh gives the messages of a delivery without a weight of its own that of the option's formula.
func (f *forecast) weigh(ctx context.Context, tx pgx.Tx, d *scheduled) error {
	if f.weight == "" || d.weight != nil {
		return nil
	}
	wrong, err := f.guarded(ctx, tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			UPDATE pg_temp.forecast_target t
			SET weight = coalesce(round(w.weight)::int, 5)
			FROM (
				SELECT r.id, `+formula(f.weight, "numeric", "5")+` AS weight
				FROM (SELECT * FROM nms.delivery WHERE id = $1) d
				CROSS JOIN nms.recipient r) w
			WHERE w.id = t.recipient_id`, d.id)
		return err
	})
	if wrong != nil {
		f.failed = append(f.failed, fmt.Errorf("NmsForecast_MsgWeightFormula: %s", said(wrong)))
		f.Warn("%s: a weight of 5 is taken", f.failed[len(f.failed)-1])
		f.weight = ""
	}
	return err
}

// filter marks who is excluded by a filtering rule: the first in the order of the rules counts.
func (f *forecast) filter(ctx context.Context, tx pgx.Tx, d *scheduled) error {
	for _, r := range f.of("filtering") {
		if r.wrong != nil || !r.covers(d) {
			continue
		}
		wrong, err := f.guarded(ctx, tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `
				UPDATE pg_temp.forecast_target t
				SET excluded_by = $2
				FROM (
					SELECT r.id
					FROM (SELECT * FROM nms.delivery WHERE id = $1) d
					CROSS JOIN nms.recipient r
					WHERE `+formula(r.Filter, "boolean", "false")+`) x
				WHERE x.id = t.recipient_id
				  AND t.excluded_by IS NULL`, d.id, r.id)
			return err
		})
		if err != nil {
			return err
		}
		if wrong != nil {
			f.leaveOut(r, wrong)
		}
	}
	return nil
}
