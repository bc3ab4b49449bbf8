package dbtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/demo"
	"nightshift/jobs/catalogue"
)

// empty is the template with the migrated schema and the installed rows.
var empty = sync.OnceValues(func() (string, error) {
	return makeTemplate(context.Background(), func(ctx context.Context, url string) error {
		return install(ctx, url, func(*db.DB) error { return nil })
	})
})

// small is the template with the small demo loaded, made when the first test asks for it.
var small = sync.OnceValues(func() (string, error) {
	return makeTemplate(context.Background(), func(ctx context.Context, url string) error {
		return install(ctx, url, func(d *db.DB) error { return demo.Load(ctx, d, demo.Small, 1, nil) })
	})
})

// install migrates a database, installs the catalogue and then fills it.
func install(ctx context.Context, url string, fill func(d *db.DB) error) error {
	if err := db.Migrate(ctx, url); err != nil {
		return err
	}
	d, err := db.Open(ctx, url)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := catalogue.Install(ctx, d); err != nil {
		return err
	}
	return fill(d)
}

// New returns a migrated database with the rows that every installation has. It is dropped when the test ends.
func New(t testing.TB) *db.DB {
	t.Helper()
	return fromTemplate(t, empty)
}

// Demo returns a database like New's with the small demo in it, whose dates count from this hour.
func Demo(t testing.TB) *db.DB {
	t.Helper()
	return fromTemplate(t, small)
}

// Blank returns the URL of a database with nothing in it, for what makes or migrates a database itself.
func Blank(t testing.TB) string {
	t.Helper()
	return create(t, "template0")
}

func fromTemplate(t testing.TB, template func() (string, error)) *db.DB {
	t.Helper()
	name, err := template()
	if err != nil {
		t.Fatalf("template database: %v", err)
	}
	d, err := db.Open(t.Context(), create(t, name))
	if err != nil {
		t.Fatalf("open the test database: %v", err)
	}
	t.Cleanup(d.Close)
	return d
}

// create copies a template into a database of the test's own. Copying files is twice as fast as logging them,
// where nothing has to survive a crash.
func create(t testing.TB, template string) string {
	t.Helper()
	urlOf, err := server()
	if err != nil {
		t.Fatalf("test cluster: %v", err)
	}
	name := newName()
	err = administer(context.Background(), fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s STRATEGY file_copy",
		pgx.Identifier{name}.Sanitize(), pgx.Identifier{template}.Sanitize()))
	if err != nil {
		t.Fatalf("create the test database: %v", err)
	}
	t.Cleanup(func() {
		if err := administer(context.Background(), drop(name)); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return patient(urlOf(name))
}

// Drop closes a database and drops it now, for a test that makes more of them than memory holds.
func Drop(t testing.TB, d *db.DB) {
	t.Helper()
	name := d.Pool.Config().ConnConfig.Database
	d.Close()
	if err := administer(context.Background(), drop(name)); err != nil {
		t.Errorf("drop the test database: %v", err)
	}
}

func drop(name string) string {
	return "DROP DATABASE IF EXISTS " + pgx.Identifier{name}.Sanitize() + " WITH (FORCE)"
}

// makeTemplate fills a new database and closes it for connections.
func makeTemplate(ctx context.Context, fill func(ctx context.Context, url string) error) (string, error) {
	urlOf, err := server()
	if err != nil {
		return "", err
	}
	name := newName()
	quoted := pgx.Identifier{name}.Sanitize()
	if err := administer(ctx, "CREATE DATABASE "+quoted+" TEMPLATE template0 STRATEGY file_copy"); err != nil {
		return "", err
	}
	if err := fill(ctx, patient(urlOf(name))); err != nil {
		return "", err
	}
	return name, administer(ctx, "ALTER DATABASE "+quoted+" ALLOW_CONNECTIONS false")
}

// administer runs one statement on the cluster's own database.
func administer(ctx context.Context, sql string) error {
	urlOf, err := server()
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, urlOf("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the test cluster: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// patient gives statements a minute: a machine that runs all tests at once is slow, not wrong.
func patient(url string) string {
	if !strings.Contains(url, "://") {
		return url + " statement_timeout=60000"
	}
	if strings.Contains(url, "?") {
		return url + "&statement_timeout=60000"
	}
	return url + "?statement_timeout=60000"
}

func newName() string { return "ns_test_" + strings.ToLower(rand.Text()[:16]) }

// Fork closes a database and returns a function that opens a new copy of it each time, dropped when the test ends.
func Fork(t testing.TB, d *db.DB) func(testing.TB) *db.DB {
	t.Helper()
	name := d.Pool.Config().ConnConfig.Database
	d.Close()
	return func(t testing.TB) *db.DB {
		t.Helper()
		return fromTemplate(t, func() (string, error) { return name, nil })
	}
}
