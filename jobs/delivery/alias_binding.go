package delivery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// binding is a column that takes its values from an enumeration, found in PostgreSQL's catalogue. What is written
// into statements are the catalogue's names, quoted.
type binding struct {
	name, table, column, key, modified string
	length                             int // characters that fit; 0: any number
}

func (b binding) set() string {
	if b.modified == "" {
		return b.column + " = words.wanted"
	}
	return b.column + " = words.wanted, " + b.modified + " = $5"
}

// plan is what to replace in a binding: found[i] by wanted[i], about rows rows.
type plan struct {
	found, wanted []string
	rows          int64
}

// bindings lists the columns of an enumeration that exist, hold text and have rows that can be told apart by a number.
func (e *enumeration) bindings(ctx context.Context, r *jobs.Run) ([]binding, error) {
	var all []binding
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var name, schema, table, column, key, modified, problem string
		var length int
		if err := rows.Scan(&name, &schema, &table, &column, &key, &modified, &length, &problem); err != nil {
			return err
		}
		if problem != "" {
			r.Warn("Binding %s ignored: %s", name, problem)
			return nil
		}
		b := binding{name: name, table: pgx.Identifier{schema, table}.Sanitize(), column: pgx.Identifier{column}.Sanitize(),
			key: pgx.Identifier{key}.Sanitize(), length: length}
		if modified == "" {
			r.Warn("%s has no date of modification: all of its rows are read", name)
		} else {
			b.modified = pgx.Identifier{modified}.Sanitize()
		}
		all = append(all, b)
		return nil
	}, `
		SELECT b.table_name || '.' || b.column_name,
		       COALESCE(n.nspname::text, ''), COALESCE(c.relname::text, ''), COALESCE(a.attname::text, ''),
		       COALESCE(k.attname::text, ''), COALESCE(m.attname::text, ''),
		       CASE WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) THEN GREATEST(a.atttypmod - 4, 0) ELSE 0 END,
		       CASE WHEN c.oid IS NULL THEN 'table does not exist'
		            WHEN a.attname IS NULL THEN 'column does not exist'
		            WHEN t.typcategory <> 'S' OR a.attgenerated <> '' THEN 'column does not hold text'
		            WHEN k.attname IS NULL THEN 'table has no numeric id'
		            ELSE '' END
		FROM xtk.enum_binding b
		LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace)
		       ON n.nspname || '.' || c.relname = b.table_name AND c.relkind IN ('r', 'p')
		LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = b.column_name AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_type t ON t.oid = a.atttypid
		LEFT JOIN pg_attribute k ON k.attrelid = c.oid AND k.attname = 'id' AND k.atttypid IN ('int8'::regtype, 'int4'::regtype)
		LEFT JOIN pg_attribute m ON m.attrelid = c.oid AND m.attname = b.modified_column AND m.atttypid = 'timestamptz'::regtype
		WHERE b.enum_id = $1
		ORDER BY b.id`, e.id)
	if err != nil {
		return nil, fmt.Errorf("read the bindings: %w", err)
	}
	return all, nil
}

// plan judges the spellings of rows modified since the last cleansing, and of all rows those whose alias was mapped since.
func (e *enumeration) plan(ctx context.Context, r *jobs.Run, b binding, recent map[string]bool) (plan, error) {
	from := e.from
	if b.modified == "" {
		from = nil
	}
	where, args := "", []any{}
	if from != nil {
		where, args = " AND t."+b.modified+" > $1", []any{*from}
	}
	found, err := b.spellings(ctx, r, where, args...)
	if err != nil {
		return plan{}, err
	}
	e.distinct += int64(len(found))
	for spelling, rows := range found {
		recent[spelling] = true
		r.Read(rows)
	}
	if from != nil && e.words.freshAliases() > 0 {
		older, err := b.spellings(ctx, r, "")
		if err != nil {
			return plan{}, err
		}
		for spelling, rows := range older {
			if e.words.fresh(spelling) {
				found[spelling] = rows
			}
		}
	}
	return e.sort(r, b, found), nil
}

// spellings counts the rows of each value of a column that is not empty.
func (b binding) spellings(ctx context.Context, r *jobs.Run, where string, args ...any) (map[string]int64, error) {
	found := map[string]int64{}
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var spelling string
		var count int64
		err := rows.Scan(&spelling, &count)
		found[spelling] = count
		return err
	}, fmt.Sprintf(`
		SELECT t.%s::text, count(*)
		FROM %s t
		WHERE t.%[1]s <> ''%[3]s
		GROUP BY t.%[1]s`, b.column, b.table, where), args...)
	if err != nil {
		return nil, fmt.Errorf("read the values of %s: %w", b.name, err)
	}
	return found, nil
}

// sort puts each spelling where it belongs: to be replaced, to be qualified by somebody, or left as it is.
func (e *enumeration) sort(r *jobs.Run, b binding, found map[string]int64) plan {
	var p plan
	for _, spelling := range slices.Sorted(maps.Keys(found)) {
		kind, wanted := e.words.judge(spelling)
		switch {
		case kind == circular:
			r.Warn("Alias '%s' leads in a circle: left alone (%s)", spelling, b.name)
		case kind == unknown:
			if _, met := e.unknown[fold(spelling)]; !met {
				e.unknown[fold(spelling)] = strings.Join(strings.Fields(spelling), " ")
			}
		case kind == replaced && b.length > 0 && len([]rune(wanted)) > b.length:
			r.Warn("'%s' is longer than the %d characters of %s: '%s' is left alone", wanted, b.length, b.name, spelling)
		case kind == replaced:
			p.found, p.wanted = append(p.found, spelling), append(p.wanted, wanted)
			p.rows += found[spelling]
		}
	}
	return p
}
