package jobtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// bookkeeping are the tables in which the engine tells of runs: no workflow's business.
var bookkeeping = []string{
	"xtk.workflow", "xtk.workflow_event", "xtk.workflow_job", "xtk.workflow_task", "xtk.workflow_task_step",
	"xtk.workflow_task_effect", "xtk.workflow_log", "xtk.workflow_outside_effect", "xtk.workflow_drift", "xtk.engine_node",
	"xtk.node_module", "xtk.schema_version",
}

// Digest returns a checksum of the rows of tables, whatever their order; of all business tables when none is named.
// Equal digests mean equal tables, names and existence included.
func Digest(t testing.TB, d *db.DB, tables ...string) string {
	t.Helper()
	if len(tables) == 0 {
		tables = businessTables(t, d)
	}
	hash := sha256.New()
	for _, table := range tables {
		var count int64
		var sum string
		name := pgx.Identifier(strings.Split(table, ".")).Sanitize()
		err := d.Pool.QueryRow(context.Background(), `
			SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0)::text
			FROM `+name+` t`).Scan(&count, &sum)
		if err != nil {
			t.Fatalf("digest of %s: %v", table, err)
		}
		fmt.Fprintln(hash, table, count, sum)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// businessTables lists all tables of nms and xtk but the engine's bookkeeping, partitions under their parent.
func businessTables(t testing.TB, d *db.DB) []string {
	t.Helper()
	rows, err := d.Pool.Query(context.Background(), `
		SELECT n.nspname || '.' || c.relname
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('nms', 'xtk')
		  AND c.relkind IN ('r', 'p')
		  AND NOT c.relispartition
		  AND n.nspname || '.' || c.relname <> ALL ($1)
		ORDER BY 1`, bookkeeping)
	if err != nil {
		t.Fatalf("list the business tables: %v", err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("list the business tables: %v", err)
	}
	return tables
}
