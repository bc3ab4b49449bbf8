package jobtest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// prepare makes a statement a table that gives a checksum of its rows, in which moments after the cut-off, and ids that
// identity columns have given since, are all alike.
func (s *sweep) prepare(t testing.TB, d *db.DB) {
	t.Helper()
	rows, err := d.Pool.Query(context.Background(), `
		SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, NULL), a.attidentity <> ''
		FROM pg_attribute a
		JOIN pg_class c ON c.oid = a.attrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname || '.' || c.relname = ANY ($1)
		  AND a.attnum > 0
		  AND NOT a.attisdropped
		ORDER BY a.attrelid, a.attnum`, businessTables(t, d))
	if err != nil {
		t.Fatalf("columns of the business tables: %v", err)
	}
	parts, set := map[string][]string{}, settings{}
	for _, option := range s.options {
		option(&set)
	}
	var table, name, kind string
	var identity bool
	_, err = pgx.ForEachRow(rows, []any{&table, &name, &kind, &identity}, func() error {
		c := pgx.Identifier{name}.Sanitize()
		part := c + "::text"
		switch {
		case set.alike[table+"."+name] != "":
			part = fmt.Sprintf("regexp_replace(%s::text, '%s', '', 'g')", c, set.alike[table+"."+name])
		case table == "xtk.audit" && strings.HasSuffix(name, "hash"):
			return nil // sums up the moment of its row, and those of all rows before
		case kind == "timestamp with time zone":
			part = fmt.Sprintf("CASE WHEN %[1]s > '%[2]s' THEN 'later' ELSE %[1]s::text END", c, s.cutOff.Format("2006-01-02 15:04:05.999999Z07:00"))
		case identity:
			part = fmt.Sprintf("CASE WHEN %[1]s > %[2]d THEN 'new' ELSE %[1]s::text END", c, highest(t, d, table, c))
		}
		parts[table] = append(parts[table], part)
		return nil
	})
	if err != nil {
		t.Fatalf("columns of the business tables: %v", err)
	}
	for table, columns := range parts {
		s.reading[table] = checksum(table, "jsonb_build_array("+strings.Join(columns, ", ")+")")
	}
}

// checksum is a statement that sums up the rows of a table, whatever their order.
func checksum(table, row string) string {
	return `
		SELECT count(*) || ' ' || coalesce(sum(('x' || left(md5(` + row + `::text), 15))::bit(60)::bigint), 0)
		FROM ` + pgx.Identifier(strings.Split(table, ".")).Sanitize() + ` t`
}

// highest is the largest id of a table before any run.
func highest(t testing.TB, d *db.DB, table, quoted string) (top int64) {
	t.Helper()
	name := pgx.Identifier(strings.Split(table, ".")).Sanitize()
	err := d.Pool.QueryRow(context.Background(), `SELECT coalesce(max(`+quoted+`), 0) FROM `+name).Scan(&top)
	if err != nil {
		t.Fatalf("highest id of %s: %v", table, err)
	}
	return top
}

// digests is the checksum of each business table. A table that was not there before is compared as it is.
func (s *sweep) digests(t testing.TB, d *db.DB) map[string]string {
	t.Helper()
	sums := map[string]string{}
	var batch pgx.Batch
	for _, table := range businessTables(t, d) {
		sql, ok := s.reading[table]
		if !ok {
			sql = checksum(table, "to_jsonb(t)")
		}
		batch.Queue(sql).QueryRow(func(row pgx.Row) error {
			var sum string
			err := row.Scan(&sum)
			sums[table] = sum
			return err
		})
	}
	if err := d.Pool.SendBatch(context.Background(), &batch).Close(); err != nil {
		t.Fatalf("digest of the business tables: %v", err)
	}
	return sums
}
