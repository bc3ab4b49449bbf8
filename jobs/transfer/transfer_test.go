package transfer_test

import (
	"context"
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/jobs/jobtest"
)

func do(t testing.TB, d *db.DB, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := d.Pool.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// want checks values of the database, a query and what it must give.
func want(t testing.TB, d *db.DB, checks ...[2]string) {
	t.Helper()
	for _, check := range checks {
		var got string
		if err := d.Pool.QueryRow(context.Background(), "SELECT coalesce(("+check[0]+")::text, '')").Scan(&got); err != nil {
			t.Fatalf("%s: %v", check[0], err)
		}
		if got != check[1] {
			t.Errorf("%s: got %q, want %q", check[0], got, check[1])
		}
	}
}

// tells checks that a step says something of itself.
func tells(t testing.TB, r jobtest.Result, text string) {
	t.Helper()
	for _, s := range r.Steps {
		if strings.Contains(s.Message, text) {
			return
		}
	}
	t.Errorf("got %+v, want a step that says %q", r.Steps, text)
}
