package delivery

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// workTables lists the tables of a schema whose whole name matches a mask and which belong to our own role: others'
// tables are nobody's to drop. A view of such a name is left, with a warning.
func workTables(ctx context.Context, r *jobs.Run, schema, mask string) ([]string, error) {
	var tables []string
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var name string
		var table bool
		if err := rows.Scan(&name, &table); err != nil {
			return err
		}
		if table {
			tables = append(tables, name)
		} else {
			r.Warn("%s.%s is a view, not a work table: left", schema, name)
		}
		return nil
	}, `
		SELECT c.relname, c.relkind IN ('r', 'p')
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_roles o ON o.oid = c.relowner
		WHERE n.nspname = $1
		  AND c.relname ~ $2
		  AND c.relkind IN ('r', 'p', 'v', 'm')
		  AND o.rolname = current_user
		ORDER BY c.relname`, schema, "^("+mask+")$")
	if err != nil {
		return nil, fmt.Errorf("find the tables like %s.%s: %w", schema, mask, err)
	}
	return tables, nil
}

// dropUnless drops the work tables of a mask, except those that the query keeps. The query is given the names as
// $1 and returns those to keep.
func dropUnless(ctx context.Context, r *jobs.Run, schema, mask, keepSQL string, args ...any) error {
	tables, err := workTables(ctx, r, schema, mask)
	if err != nil || len(tables) == 0 {
		return err
	}
	keep := map[string]bool{}
	err = r.Query(ctx, func(rows pgx.Rows) error {
		var name string
		err := rows.Scan(&name)
		keep[name] = true
		return err
	}, keepSQL, append([]any{tables}, args...)...)
	if err != nil {
		return fmt.Errorf("which of the tables like %s.%s to keep: %w", schema, mask, err)
	}
	r.Read(int64(len(tables)))
	for i, table := range tables {
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
		if keep[table] {
			continue
		}
		if _, err := r.DropTable(ctx, schema, table); err != nil {
			return err
		}
		r.Progress(int64(i+1), int64(len(tables)), "tables")
	}
	return nil
}

// table is a table that a delivery mapping names.
type table struct {
	name        string
	partitioned bool
}

// mappedTables lists the tables that the mappings name for one kind of rows (broad_log, exclude_log, tracking_log,
// proposition), each once. A name that is no table gives a warning.
func mappedTables(ctx context.Context, r *jobs.Run, kind string) ([]table, error) {
	var tables []table
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var found table
		var exists bool
		if err := rows.Scan(&found.name, &exists, &found.partitioned); err != nil {
			return err
		}
		if exists {
			tables = append(tables, found)
		} else {
			r.Warn("a delivery mapping names %s, which is no table", found.name)
		}
		return nil
	}, `
		SELECT DISTINCT named.table_name, c.oid IS NOT NULL, COALESCE(c.relkind = 'p', false)
		FROM nms.delivery_mapping m
		CROSS JOIN LATERAL (VALUES
			('broad_log', m.broad_log_schema),
			('exclude_log', m.broad_log_excl_schema),
			('tracking_log', m.tracking_log_schema),
			('proposition', m.proposition_schema)) AS named (kind, table_name)
		LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace)
			ON n.nspname || '.' || c.relname = named.table_name AND c.relkind IN ('r', 'p')
		WHERE named.kind = $1
		  AND named.table_name <> ''
		ORDER BY 1`, kind)
	if err != nil {
		return nil, fmt.Errorf("tables of the delivery mappings: %w", err)
	}
	return tables, nil
}

// exists reports whether the database has a table: modules that are not installed have none.
func exists(ctx context.Context, r *jobs.Run, name string) (bool, error) {
	var found bool
	err := r.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&found) }, `
		SELECT EXISTS (
			SELECT FROM pg_class c
			JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname || '.' || c.relname = $1 AND c.relkind IN ('r', 'p'))`, name)
	if err != nil {
		return false, fmt.Errorf("look for the table %s: %w", name, err)
	}
	return found, nil
}

// reference is a foreign key of one column onto a table.
type reference struct {
	table, column, key string
	nullable           bool
}

// references lists the foreign keys onto the id of a table, with the column that orders the referring rows.
func references(ctx context.Context, r *jobs.Run, to string) ([]reference, error) {
	var found []reference
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var one reference
		err := rows.Scan(&one.table, &one.column, &one.key, &one.nullable)
		found = append(found, one)
		return err
	}, `
		SELECT n.nspname || '.' || c.relname, a.attname,
		       CASE WHEN EXISTS (SELECT FROM pg_attribute i WHERE i.attrelid = c.oid AND i.attname = 'id') THEN 'id' ELSE 'ctid' END,
		       NOT a.attnotnull
		FROM pg_constraint f
		JOIN pg_class c ON c.oid = f.conrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.conkey[1]
		WHERE f.contype = 'f'
		  AND f.confrelid = $1::text::regclass
		  AND f.conparentid = 0
		  AND cardinality(f.conkey) = 1
		ORDER BY 1, 2`, to)
	if err != nil {
		return nil, fmt.Errorf("tables that refer to %s: %w", to, err)
	}
	return found, nil
}
