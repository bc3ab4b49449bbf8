package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"nightshift/db"
	"nightshift/db/dbtest"
)

func TestRunSessionSurvivesCancel(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	session, err := d.RunSession(t.Context(), "nightshift cleanup #8841")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close(context.Background()) }()
	if _, err := session.Exec(t.Context(), `SELECT pg_advisory_lock($1, 1)`, db.LockWorkflow); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var refused *pgconn.PgError
	if _, err := session.Exec(ctx, `SELECT pg_sleep(30)`); !errors.As(err, &refused) || refused.Code != "57014" {
		t.Errorf("cancelled statement: got %v, want SQLSTATE 57014", err)
	}
	var held int
	err = session.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()`).Scan(&held)
	if err != nil || held != 1 {
		t.Errorf("after the cancel: got %d locks and error %v, want the session with its 1 lock", held, err)
	}
}

func TestSessionSettings(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	session, err := d.RunSession(t.Context(), "nightshift x #1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close(context.Background()) }()
	for name, want := range map[string]string{
		"application_name": "nightshift x #1", "client_connection_check_interval": "1s", "lock_timeout": "2s",
		"idle_session_timeout": "1min", "idle_in_transaction_session_timeout": "1min", "statement_timeout": "0", "TimeZone": "UTC",
	} {
		var got string
		if err := session.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&got); err != nil || got != want {
			t.Errorf("%s of a run session: got %q, error %v, want %q", name, got, err, want)
		}
	}
}

func TestPoolSettings(t *testing.T) {
	t.Parallel()
	url := dbtest.Blank(t)
	if err := db.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for name, want := range map[string]string{
		"application_name": "nightshift", "client_connection_check_interval": "1s", "lock_timeout": "2s",
		"idle_in_transaction_session_timeout": "1min", "statement_timeout": "1min",
	} {
		var got string
		if err := d.Pool.QueryRow(t.Context(), `SELECT current_setting($1)`, name).Scan(&got); err != nil || got != want {
			t.Errorf("%s of the pool: got %q, error %v, want %q (statement_timeout as the URL says)", name, got, err, want)
		}
	}
}
