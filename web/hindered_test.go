package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestHinderedEngine: what keeps the engine from its work stands on every page and comes first on the overview, with what
// to do; what PostgreSQL says of it only administrators read.
func TestHinderedEngine(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	var trouble error
	c.config.Hindered = func() (time.Time, error) { return time.Now().Add(-time.Minute), trouble }
	for _, one := range []struct {
		trouble        error
		title, english string
	}{
		{errors.Join(errors.New("a"), &pgconn.PgError{Severity: "ERROR", Code: "53100", Message: "could not extend <file>"}), "The database&#39;s disk is full.", "Make room"},
		{&pgconn.PgError{Code: "25006", Message: "could not extend <file>"}, "The database takes no changes.", "standby"},
		{&pgconn.PgError{Code: "53300", Message: "could not extend <file>"}, "PostgreSQL has no connection left.", "max_connections"},
		{errors.New("could not extend <file>"), "The engine of this node cannot do all its work.", "tries again"},
	} {
		trouble = one.trouble
		for _, path := range []string{"/", "/workflows", "/workflows/cleanup/pause"} {
			_, body := c.ask("kim", http.MethodGet, path, nil)
			for _, want := range []string{`role="alert"`, one.title, one.english, "could not extend &lt;file&gt;"} {
				if !strings.Contains(body, want) {
					t.Errorf("%v, %s: got no %q", one.trouble, path, want)
				}
			}
		}
		if body := c.overview("kim"); !strings.Contains(body, "<h1>"+one.title) || strings.Contains(body, "Nothing needs you") {
			t.Errorf("%v: want it as the title of the overview", one.trouble)
		}
		if body := c.overview("reader"); !strings.Contains(body, one.title) || strings.Contains(body, "could not extend") {
			t.Errorf("%v: a reader reads the cause in words, and no message", one.trouble)
		}
	}
	if _, body := c.ask("kim", http.MethodGet, "/metrics", nil); !strings.Contains(body, "nightshift_engine_hindered 1") {
		t.Error("metrics: got no nightshift_engine_hindered 1")
	}
	trouble = errors.New(strings.Repeat("and so on ", 40) + "to the end")
	if body := c.overview("kim"); !strings.Contains(body, "and so on …") || strings.Contains(body, "to the end") {
		t.Error("a long message: want its beginning, so that it leaves a phone room for the page")
	}
	trouble = nil
	if _, body := c.ask("kim", http.MethodGet, "/metrics", nil); !strings.Contains(body, "nightshift_engine_hindered 0") {
		t.Error("metrics: nothing is the matter, got no nightshift_engine_hindered 0")
	}
	if body := c.overview("kim"); strings.Contains(body, `role="alert"`) {
		t.Error("nothing is the matter: want no band")
	}
}

// TestReadOnlyDatabase: on a standby people read on, and what would write is refused in words that say what to do.
func TestReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	own := pgx.Identifier{c.db.Pool.Config().ConnConfig.Database}.Sanitize()
	for _, sql := range []string{
		`INSERT INTO xtk.option (name, data_type, string_value) VALUES ('XtkInstanceName', 'string', 'night-7')
		 ON CONFLICT (name) DO UPDATE SET string_value = 'night-7'`,
		`ALTER DATABASE ` + own + ` SET default_transaction_read_only = on`,
		`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`} {
		if _, err := c.db.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	c.db.Pool.Reset()
	for _, path := range []string{"/", "/workflows", "/runs", "/workflows/cleanup", "/workflows/cleanup/run", "/options", "/audit"} {
		if got, _ := c.ask("kim", http.MethodGet, path, nil); got.StatusCode != http.StatusOK {
			t.Errorf("%s: got %d, want 200: nothing is to be written", path, got.StatusCode)
		}
	}
	for path, form := range map[string]url.Values{
		"/workflows/cleanup/start": {},
		"/sign-in":                 {"login": {"kim"}, "password": {password}},
	} {
		got, body := c.ask("kim", http.MethodPost, path, form)
		if got.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "The database takes no changes.") || !strings.Contains(body, "Nothing was changed.") {
			t.Errorf("%s: got %d, want 503 in words", path, got.StatusCode)
		}
		if !strings.Contains(body, "night-7") {
			t.Errorf("%s: got a masthead without the instance, want it as on other pages: reading works", path)
		}
	}
}
