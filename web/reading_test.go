package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"nightshift/db"
)

// A page that tries to change something fails, whatever its handler does, and nothing is changed; a form changes it.
func TestPagesChangeNothing(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	e := echo.New()
	for _, path := range []string{"/changes", "/api/v1/changes", "/r/changes"} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			r := route{method: method, path: path, right: anyone, handle: func(e echo.Context) error {
				_, err := c.db.Pool.Exec(e.Request().Context(), `UPDATE xtk.operator SET label = 'changed' WHERE login = 'reader'`)
				return err
			}}
			e.Add(method, path, c.Server.enter(r))
		}
	}
	c.echo, c.handler = e, c.outermost(e)
	changed := func() int { return c.count(`SELECT count(*) FROM xtk.operator WHERE label = 'changed'`) }
	for _, path := range []string{"/changes", "/api/v1/changes", "/r/changes"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if got, _ := c.ask("kim", method, path, nil); got.StatusCode < http.StatusInternalServerError || changed() != 0 {
				t.Errorf("%s %s: got %d and %d changes, want a failure and none", method, path, got.StatusCode, changed())
			}
		}
	}
	if c.ask("kim", http.MethodPost, "/changes", nil); changed() != 1 {
		t.Errorf("POST: got %d changes, want 1", changed())
	}
}

// What a page leaves behind by design is written: when the session was used, that its message was shown, who was refused.
func TestPagesLeaveTraces(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `UPDATE xtk.session_info SET last_seen = now() - interval '5 minutes'`); err != nil {
		t.Fatal(err)
	}
	c.ask("reader", http.MethodGet, "/audit", nil)
	c.wantSignedIn("reader", "afterwards")
	rows, _, err := c.db.AuditRows(t.Context(), db.AuditFilter{Refused: true, Limit: 5})
	if err != nil || len(rows) != 1 || !strings.Contains(rows[0].Entity, "/audit") {
		t.Errorf("got %+v, %v; want the refused page", rows, err)
	}
	if n := c.count(`SELECT count(*) FROM xtk.session_info WHERE last_seen > now() - interval '1 minute'`); n != 1 {
		t.Errorf("got %d sessions used lately, want the reader's", n)
	}
}
