package db_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// forbidden are statements that change something, one of each kind.
var forbidden = []string{
	`INSERT INTO xtk.option (name, data_type, string_value) VALUES ('x', 'string', 'x')`,
	`UPDATE xtk.option SET string_value = 'x'`,
	`DELETE FROM xtk.option`,
	`TRUNCATE xtk.workflow_job`,
	`MERGE INTO xtk.option o USING (SELECT 'x' AS name) n ON o.name = n.name WHEN MATCHED THEN DELETE`,
	`WITH gone AS (DELETE FROM xtk.option RETURNING name) SELECT count(*) FROM gone`,
	`SELECT name FROM xtk.option FOR UPDATE`,
	`SELECT nextval(pg_get_serial_sequence('xtk.workflow_task', 'id'))`,
	`SELECT setval(pg_get_serial_sequence('xtk.workflow_task', 'id'), 1)`,
	`CREATE TABLE xtk.mine (id int)`,
	`CREATE TABLE xtk.mine AS SELECT 1 AS id`,
	`SELECT 1 AS id INTO xtk.mine`,
	`CREATE INDEX mine ON xtk.option (string_value)`,
	`CREATE VIEW xtk.mine AS SELECT 1`,
	`CREATE SCHEMA mine`,
	`CREATE SEQUENCE xtk.mine`,
	`CREATE FUNCTION xtk.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
	`CREATE ROLE mine`,
	`ALTER TABLE xtk.option ADD mine int`,
	`ALTER ROLE CURRENT_USER CONNECTION LIMIT 1`,
	`DROP TABLE xtk.option CASCADE`,
	`DROP SCHEMA nms CASCADE`,
	`COMMENT ON TABLE xtk.option IS 'mine'`,
	`GRANT SELECT ON xtk.option TO PUBLIC`,
	`REFRESH MATERIALIZED VIEW xtk.mine`,
	`CREATE TYPE xtk.mine AS ENUM ('x')`,
	`CREATE DOMAIN xtk.mine AS int`,
	`CREATE RULE mine AS ON DELETE TO xtk.option DO NOTHING`,
	`ALTER SEQUENCE xtk.workflow_task_id_seq RESTART`,
	`CREATE COLLATION xtk.mine FROM "C"`,
}

// Within a context of Reading nothing can be changed, in whatever way it is asked; a refusal is written all the same.
func TestReadingChangesNothing(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx := db.Reading(t.Context())
	state := func() (sum string) {
		t.Helper()
		if err := d.Pool.QueryRow(ctx, `
			SELECT md5(concat((SELECT string_agg(o::text, '' ORDER BY name) FROM xtk.option o), (SELECT count(*) FROM pg_class),
			                  (SELECT string_agg(s::text, '' ORDER BY schemaname, sequencename) FROM pg_sequences s)))`).Scan(&sum); err != nil {
			t.Fatal(err)
		}
		return sum
	}
	before := state()
	refuses := func(what string, err error) {
		t.Helper()
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "25006" {
			t.Errorf("%s: got %v, want SQLSTATE 25006", what, err)
		}
	}
	for _, sql := range forbidden {
		_, err := d.Pool.Exec(ctx, sql)
		refuses(sql, err)
	}
	const change = `UPDATE xtk.option SET string_value = 'x'`
	for what, err := range map[string]error{
		"a query": func() error {
			rows, err := d.Pool.Query(ctx, change+` RETURNING name`)
			if err == nil {
				_, err = pgx.CollectRows(rows, pgx.RowTo[string])
			}
			return err
		}(),
		"a row": d.Pool.QueryRow(ctx, change+` RETURNING name`).Scan(new(string)),
		"a batch": func() error {
			batch := &pgx.Batch{}
			batch.Queue(change)
			return d.Pool.SendBatch(ctx, batch).Close()
		}(),
		"a transaction": pgx.BeginFunc(ctx, d.Pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, change)
			return err
		}),
		"a connection": d.Pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
			_, err := conn.Exec(ctx, change)
			return err
		}),
	} {
		refuses(what, err)
	}
	if after := state(); after != before {
		t.Error("the database is not what it was")
	}
	if err := d.AuditAlone(ctx, db.AuditEntry{EntityType: "route", Entity: "GET /x", Action: "Refused", Actor: db.Actor{Login: "x"}}); err != nil {
		t.Errorf("a refusal: got %v, want it written", err)
	}
	if _, err := d.Pool.Exec(t.Context(), change+` WHERE name = 'none'`); err != nil {
		t.Errorf("outside: got %v, want it done", err)
	}
}

// Whoever keeps the connections that may write takes none from those who read.
func TestGroupsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	full := d.Pool.Config().MaxConns
	if full > 20 {
		t.Fatalf("got %d connections that may write, want few", full)
	}
	for range full {
		tx, err := d.Pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	}
	var one int
	if err := d.Pool.QueryRow(db.Reading(t.Context()), `SELECT 1`).Scan(&one); err != nil {
		t.Errorf("got %v, want an answer although no connection that may write is free", err)
	}
}

// A server with fewer connections than a node may open is refused in words that name both numbers.
func TestRoomForNode(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{"pool_max_conns=8": "", "pool_max_conns=5000": "may need 10008"} {
		d, err := db.Open(t.Context(), withSetting(dbtest.Blank(t), setting))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if err := d.RoomForNode(t.Context()); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", setting, err, want)
		}
	}
}
