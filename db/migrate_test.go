package db_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// schemaVersion reads how far a database is migrated.
func schemaVersion(t *testing.T, url string) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var version int
	if err := conn.QueryRow(t.Context(), `SELECT version FROM xtk.schema_version`).Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version
}

func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	url := dbtest.Blank(t)
	errs := make([]error, 4)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { errs[i] = db.Migrate(t.Context(), url) })
	}
	group.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("process %d: got %v, want no error: each finds the schema migrated by one", i, err)
		}
	}
	if got := schemaVersion(t, url); got < 2 {
		t.Errorf("schema version: got %d, want all migrations", got)
	}
}

func TestMigrateRefusesNewerSchema(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if _, err := d.Pool.Exec(t.Context(), `UPDATE xtk.schema_version SET version = 9999`); err != nil {
		t.Fatal(err)
	}
	err := db.Migrate(t.Context(), d.URL())
	if err == nil || !strings.Contains(err.Error(), "9999") || !strings.Contains(err.Error(), "newer Nightshift") {
		t.Errorf("migrate a newer schema: got %v, want a refusal that names both versions", err)
	}
	if got := schemaVersion(t, d.URL()); got != 9999 {
		t.Errorf("schema version after the refusal: got %d, want 9999", got)
	}
}
