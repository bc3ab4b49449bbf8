package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// cubeAggregate is a table with the sums of a cube by some of its dimensions. Conditions and expressions are SQL of the
// cube's designer.
type cubeAggregate struct {
	id                     int64
	cube, name, table      string
	facts, filter          string
	partial                bool
	condition              string
	dimensions, measures   []string // as columns: expression AS name
	columns                []string
	missing                int  // dimensions that the cube does not have
	exists, ours, sameForm bool // the table; it was made by this workflow; its columns are those of today
}

// cubes builds the aggregates that are attached to this workflow. One that fails leaves the others alone.
func (a *aggregates) cubes(ctx context.Context) error {
	all, err := a.attached(ctx)
	if err != nil {
		return err
	}
	var failed []error
	rows := int64(0)
	for i, one := range all {
		n, err := a.build(ctx, one)
		if err := a.Checkpoint(ctx); err != nil {
			return err
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("aggregate %s of cube %s: %w", one.name, one.cube, err))
		}
		rows += n
		a.Progress(int64(i+1), int64(len(all)), "aggregates")
	}
	if len(all) > 0 {
		a.Say("%d aggregates %s, %d rows, %d failed", len(all)-len(failed), would(a.Run, "built", "would be built"), rows, len(failed))
	}
	return joined(failed)
}

// attached reads the aggregates that are attached to this workflow, with all that building them needs.
func (a *aggregates) attached(ctx context.Context) ([]cubeAggregate, error) {
	var all []cubeAggregate
	err := a.Query(ctx, func(rows pgx.Rows) error {
		var one cubeAggregate
		var dimensions, measures, now []string
		err := rows.Scan(&one.id, &one.cube, &one.name, &one.table, &one.facts, &one.filter, &one.partial, &one.condition,
			&dimensions, &one.dimensions, &measures, &one.measures, &one.missing, &one.exists, &one.ours, &now)
		one.columns = append(dimensions, measures...)
		one.sameForm = slices.Equal(one.columns, now)
		all = append(all, one)
		return err
	}, `
		SELECT g.id, c.name, g.name, g.table_name, c.fact_table, COALESCE(c.filter, 'true'), g.mode = 'partial', COALESCE(g.partial_condition, 'true'),
		       d.names, d.columns, m.names, m.columns, jsonb_array_length(g.dimensions) - COALESCE(cardinality(d.names), 0),
		       t.oid IS NOT NULL, COALESCE(obj_description(t.oid, 'pg_class') = 'aggregate ' || g.id, false),
		       ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum)
		FROM xtk.olap_aggregate g
		JOIN xtk.olap_cube c ON c.id = g.cube_id
		CROSS JOIN LATERAL (
			SELECT array_agg(d.name ORDER BY w.place) AS names, array_agg('(' || d.expression || ') AS ' || quote_ident(d.name) ORDER BY w.place) AS columns
			FROM jsonb_array_elements_text(g.dimensions) WITH ORDINALITY AS w (name, place)
			JOIN xtk.olap_dimension d ON d.cube_id = c.id AND d.name = w.name) d
		CROSS JOIN LATERAL (
			SELECT array_agg(m.name ORDER BY m.id) AS names,
			       array_agg(CASE m.operator WHEN 'count_distinct' THEN 'count(DISTINCT ' ELSE m.operator || '(' END || m.expression || ')'
			                 || COALESCE(' FILTER (WHERE ' || m.filter || ')', '') || ' AS ' || quote_ident(m.name) ORDER BY m.id) AS columns
			FROM xtk.olap_measure m
			WHERE m.cube_id = c.id) m
		LEFT JOIN pg_class t ON t.oid = to_regclass(g.table_name)
		WHERE g.workflow_name = 'reportingAggregates'
		ORDER BY g.id`)
	if err != nil {
		return nil, fmt.Errorf("aggregates of cubes: %w", err)
	}
	return all, nil
}

// sums is the query of the aggregate.
func (c cubeAggregate) sums() string {
	var places []string
	for i := range c.dimensions {
		places = append(places, fmt.Sprint(i+1))
	}
	sql := `
		SELECT ` + strings.Join(append(slices.Clone(c.dimensions), c.measures...), ", ") + `
		FROM ` + qualified(c.facts) + `
		WHERE ` + c.filter
	if len(places) > 0 {
		sql += `
		GROUP BY ` + strings.Join(places, ", ")
	}
	return sql
}

// build makes an aggregate anew, or the part of it that its condition names, in one transaction: until it is over,
// readers see what was there. A table that this workflow has not made is never touched.
func (a *aggregates) build(ctx context.Context, c cubeAggregate) (rows int64, err error) {
	switch schema, name, ok := strings.Cut(c.table, "."); {
	case !ok || schema != "nms" && schema != "xtk" || strings.Contains(name, "."):
		return 0, fmt.Errorf("its table %q is not of the form nms.name", c.table)
	case c.exists && !c.ours:
		return 0, fmt.Errorf("the table %s is not one that this workflow has made", c.table)
	case c.missing != 0:
		return 0, fmt.Errorf("%d of its dimensions are not in the cube", c.missing)
	case len(c.columns) == 0:
		return 0, fmt.Errorf("it has neither dimensions nor measures")
	}
	begin, how := time.Now(), "full"
	err = a.Tx(ctx, func(tx pgx.Tx) error {
		replace := c.replace
		if c.partial && c.exists && c.sameForm {
			how, replace = "partial", c.refresh
		}
		if err := replace(ctx, tx); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `
			UPDATE xtk.olap_aggregate
			SET last_update = $2,
			    row_count = (SELECT count(*) FROM `+qualified(c.table)+`),
			    duration_ms = $3
			WHERE id = $1
			RETURNING row_count`, c.id, a.Now(), time.Since(begin).Milliseconds()).Scan(&rows)
	})
	if err == nil {
		a.Log("%s: %s, %d rows (%s)", c.table, how, rows, time.Since(begin).Round(time.Millisecond))
	}
	return rows, err
}

// replace builds the whole beside the old table and takes its place.
func (c cubeAggregate) replace(ctx context.Context, tx pgx.Tx) error {
	schema, name, _ := strings.Cut(c.table, ".")
	fresh := pgx.Identifier{schema, name + "_new"}.Sanitize()
	for _, sql := range []string{
		`CREATE TABLE ` + fresh + ` AS ` + c.sums(),
		fmt.Sprintf(`COMMENT ON TABLE %s IS 'aggregate %d'`, fresh, c.id),
		`DROP TABLE IF EXISTS ` + qualified(c.table),
		`ALTER TABLE ` + fresh + ` RENAME TO ` + pgx.Identifier{name}.Sanitize(),
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// refresh builds the rows anew that meet the aggregate's condition, which is said with the names of its columns.
func (c cubeAggregate) refresh(ctx context.Context, tx pgx.Tx) error {
	for _, sql := range []string{
		`DELETE FROM ` + qualified(c.table) + ` WHERE ` + c.condition,
		`INSERT INTO ` + qualified(c.table) + ` SELECT s.* FROM (` + c.sums() + `) s WHERE ` + c.condition,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
