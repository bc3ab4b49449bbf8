package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// exclusion is how many messages of a delivery a rule excludes.
type exclusion struct {
	delivery, rule, messages int64
	label                    string
}

// excludedBy counts who is excluded from the deliveries of a piece, of which d is one: by delivery, the rule that excludes
// most first.
func (f *forecast) excludedBy(ctx context.Context, tx pgx.Tx, d *scheduled, ids []int64) ([]exclusion, error) {
	logs := `
			SELECT delivery_id, excluded_by_rule_id AS rule_id
			FROM nms.forecast_log
			WHERE delivery_id = ANY ($1)
			  AND excluded_by_rule_id IS NOT NULL`
	if d.prepared() {
		logs = fmt.Sprintf(`
			SELECT delivery_id, rule_id
			FROM %s
			WHERE delivery_id = ANY ($1)
			  AND failure_reason = %d
			  AND rule_id IS NOT NULL`, d.excluded, arbitrated)
	}
	rows, err := tx.Query(ctx, `
		SELECT c.delivery_id, c.rule_id, c.messages, coalesce(r.label, 'rule ' || c.rule_id)
		FROM (
			SELECT delivery_id, rule_id, count(*) AS messages
			FROM (`+logs+`) l
			GROUP BY delivery_id, rule_id) c
		LEFT JOIN nms.typology_rule r ON r.id = c.rule_id
		ORDER BY c.delivery_id, c.messages DESC, c.rule_id`, ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e exclusion, err error) {
		err = row.Scan(&e.delivery, &e.rule, &e.messages, &e.label)
		return e, err
	})
}

// keepCounts replaces the exclusions of the deliveries of a piece by rule. A rule that was applied has a row even when it
// excluded nobody; one whose last decision holds keeps its moment. The rows that the analysis of a prepared delivery wrote
// for its filtering rules are not ours.
func (f *forecast) keepCounts(ctx context.Context, tx pgx.Tx, piece []*scheduled, ids []int64, excluded []exclusion, applied map[[2]int64]time.Time) error {
	var deliveries, rules []int64
	var moments []time.Time
	for _, d := range piece {
		for _, r := range f.rules {
			if r.wrong != nil || !r.covers(d) || r.kind == "filtering" && d.prepared() || r.kind == "capacity" && !r.ExcludeExcess {
				continue
			}
			at := f.Now()
			if r.holds(d, applied, at) {
				at = applied[[2]int64{r.id, d.id}]
			}
			deliveries, rules, moments = append(deliveries, d.id), append(rules, r.id), append(moments, at)
		}
	}
	counts := [3][]int64{}
	for _, e := range excluded {
		for i, value := range []int64{e.delivery, e.rule, e.messages} {
			counts[i] = append(counts[i], value)
		}
	}
	_, err := tx.Exec(ctx, `
		WITH wanted AS (
			SELECT delivery_id, rule_id, coalesce(c.messages, 0) AS excluded, v.at
			FROM unnest($2::bigint[], $3::bigint[], $4::timestamptz[]) AS v (delivery_id, rule_id, at)
			FULL JOIN unnest($5::bigint[], $6::bigint[], $7::bigint[]) AS c (delivery_id, rule_id, messages) USING (delivery_id, rule_id)
		), gone AS (
			DELETE FROM nms.dlv_exclusion e
			WHERE e.delivery_id = ANY ($1)
			  AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.delivery_id = e.delivery_id AND w.rule_id = e.typology_rule_id)
			  AND (NOT $8 OR NOT EXISTS (SELECT 1 FROM nms.typology_rule r WHERE r.id = e.typology_rule_id AND r.rule_type IN ('filtering', 'control')))
		)
		INSERT INTO nms.dlv_exclusion AS e (delivery_id, typology_rule_id, excluded_count, applied)
		SELECT w.delivery_id, w.rule_id, w.excluded, coalesce(w.at, o.applied, $9)
		FROM wanted w
		LEFT JOIN nms.dlv_exclusion o ON o.delivery_id = w.delivery_id AND o.typology_rule_id = w.rule_id
		ORDER BY w.delivery_id, w.rule_id
		ON CONFLICT (delivery_id, typology_rule_id) DO UPDATE
		SET excluded_count = excluded.excluded_count,
		    applied = excluded.applied
		WHERE (e.excluded_count, e.applied) IS DISTINCT FROM (excluded.excluded_count, excluded.applied)`,
		ids, deliveries, rules, moments, counts[0], counts[1], counts[2], piece[0].prepared(), f.Now())
	return err
}

// tallies say what the deliveries of a piece have come to, for their lines.
func (f *forecast) tallies(ctx context.Context, tx pgx.Tx, prepared bool, ids []int64, excluded []exclusion) (map[int64]tally, error) {
	all := make(map[int64]tally, len(ids))
	rows, err := tx.Query(ctx, `
		SELECT id, CASE WHEN $2 THEN to_deliver ELSE coalesce(forecast_count, 0) END
		FROM nms.delivery
		WHERE id = ANY ($1)`, ids, prepared)
	if err != nil {
		return nil, err
	}
	var id, messages int64
	if _, err := pgx.ForEachRow(rows, []any{&id, &messages}, func() error { all[id] = tally{messages: messages}; return nil }); err != nil {
		return nil, err
	}
	for _, e := range excluded {
		t := all[e.delivery]
		t.words += fmt.Sprintf(", %s excluded by '%s'", number(e.messages), e.label)
		if t.excluded += e.messages; prepared {
			t.messages += e.messages
		}
		all[e.delivery] = t
	}
	return all, nil
}
