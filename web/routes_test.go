package web

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nightshift/db"
)

// kindsOfVisitors are the columns of the golden table: nobody, then an operator of each kind.
var kindsOfVisitors = []string{"", "reader", "worker", "privacy", "kim"}

// filled puts what exists into the path of a route.
func filled(path string) string {
	name := "none"
	switch {
	case strings.HasPrefix(path, "/workflows/"):
		name = "cleanup"
	case strings.HasPrefix(path, "/options/"):
		name = "NmsCleanup_BroadLogPurgeDelay"
	case strings.HasPrefix(path, "/groups/"):
		name = "localManagement"
	}
	return strings.NewReplacer(":login", "reader", ":token", "none", ":name", name, ":id", "1", ":order", "start").Replace(path)
}

// missing puts what does not exist into the path of a route.
func missing(path string) string {
	return strings.NewReplacer(":login", "nobody", ":token", "none", ":name", "none", ":id", "999999", ":order", "start").Replace(path)
}

// answer is what a route says to a visitor, as far as rights go: allowed whatever else it answers, sent to sign in, or refused.
func answer(r *http.Response, route route) string {
	switch {
	case r.StatusCode == http.StatusSeeOther && strings.HasPrefix(r.Header.Get("Location"), "/sign-in") && route.right != anyone && r.Header.Get("Clear-Site-Data") == "":
		return "sign-in"
	case r.StatusCode == http.StatusUnauthorized && r.Header.Get("HX-Redirect") != "":
		return "sign-in"
	case r.StatusCode == http.StatusUnauthorized && r.Header.Get("WWW-Authenticate") != "":
		return "token"
	case r.StatusCode == http.StatusForbidden && route.right != anyone:
		return "refused"
	case r.StatusCode >= http.StatusInternalServerError:
		return fmt.Sprint("broken ", r.StatusCode)
	}
	return "yes"
}

// Every route, as every kind of visitor, is held against the table in testdata: who adds or changes a route changes it
// with UPDATE=1, in the open. Whoever is refused leaves no order and no change.
func TestRights(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	routes := c.routes()
	slices.SortStableFunc(routes, func(a, b route) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	answers, before := make([]string, len(routes)), c.guarded()
	for _, visitor := range kindsOfVisitors {
		for i, route := range routes {
			if route.right == "" {
				t.Errorf("%s %s declares no right", route.method, route.path)
			}
			answers[i] += fmt.Sprintf(" %-8s", c.asked(visitor, route))
		}
		if after := c.guarded(); visitor != "kim" && after != before {
			t.Errorf("%q has changed what only administrators change", visitor)
		}
	}
	var table strings.Builder
	for i, route := range routes {
		fmt.Fprintf(&table, "%-5s %-40s%s\n", route.method, route.path, strings.TrimRight(answers[i], " "))
	}
	golden := filepath.Join("testdata", "rights.txt")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := table.String(); got != string(want) {
		t.Errorf("the rights differ from testdata/rights.txt: got\n%s\nwant\n%s", got, want)
	}
}

// asked is a route's answer to a visitor, which must be the same for htmx, for HEAD and for an object that does not exist.
func (c *console) asked(visitor string, r route) string {
	got := c.plainAnswer(visitor, r.method, filled(r.path), r)
	for _, method := range headToo(r) {
		for _, path := range []string{filled(r.path), missing(r.path)} {
			if other := c.htmxAnswer(visitor, method, path, r); other != got {
				c.t.Errorf("%s %s by htmx as %q: got %s, want %s as without", method, path, visitor, other, got)
			}
		}
	}
	return got
}

// guarded is a sum over what only administrators change.
func (c *console) guarded() (sum string) {
	c.t.Helper()
	err := c.db.Pool.QueryRow(c.t.Context(), `
		SELECT md5(concat((SELECT string_agg(w::text, '' ORDER BY id) FROM xtk.workflow w), (SELECT count(*) FROM xtk.workflow_job),
		                  (SELECT string_agg(p::text, '' ORDER BY name) FROM xtk.option p),
		                  (SELECT string_agg(r::text, '' ORDER BY id) FROM xtk.right_grant r),
		                  (SELECT string_agg(m::text, '' ORDER BY m) FROM xtk.operator_group_member m), (SELECT count(*) FROM xtk.operator),
		                  (SELECT string_agg(f::text, '' ORDER BY id) FROM xtk.freeze f)))`).Scan(&sum)
	if err != nil {
		c.t.Fatal(err)
	}
	return sum
}

func headToo(r route) []string {
	if r.method == http.MethodGet && !r.background {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{r.method}
}

// plainAnswer asks as a visitor whose session begins anew: what it asks for may end it.
func (c *console) plainAnswer(visitor, method, path string, r route) string {
	return c.answered(visitor, method, path, r, func(*http.Request) {})
}

func (c *console) htmxAnswer(visitor, method, path string, r route) string {
	return c.answered(visitor, method, path, r, func(q *http.Request) { q.Header.Set("HX-Request", "true") })
}

func (c *console) answered(visitor, method, path string, r route, change func(*http.Request)) string {
	if visitor != "" {
		c.tokens[visitor] = c.signedIn(visitor)
	}
	got, _ := c.ask(visitor, method, path, url.Values{}, change)
	return answer(got, r)
}

// Every route that changes something refuses what another site makes a browser send, and changes nothing.
func TestCrossSiteRefused(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	before := c.state()
	for _, route := range c.routes() {
		if route.method == http.MethodGet || isAPI(route.path) {
			continue
		}
		for what, change := range map[string]func(*http.Request){
			"cross-site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
			"same-site":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
			"foreign":    func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
			"null":       func(r *http.Request) { r.Header.Set("Origin", "null") },
		} {
			got, _ := c.ask("kim", route.method, filled(route.path), url.Values{"lang": {"ko"}, "value": {"9"}, "label": {"x"}}, change)
			if got.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s, %s: got %d, want 403", route.method, route.path, what, got.StatusCode)
			}
		}
	}
	if after := c.state(); after != before {
		t.Errorf("cross-site requests changed the database: got %s, want %s", after, before)
	}
}

// state is a sum over what forms change.
func (c *console) state() (sum string) {
	c.t.Helper()
	err := c.db.Pool.QueryRow(c.t.Context(), `
		SELECT md5(concat((SELECT string_agg(o::text, '' ORDER BY id) FROM xtk.operator o),
		                  (SELECT string_agg(p::text, '' ORDER BY name) FROM xtk.option p),
		                  (SELECT string_agg(r::text, '' ORDER BY id) FROM xtk.right_grant r),
		                  (SELECT string_agg(w::text, '' ORDER BY id) FROM xtk.workflow w),
		                  (SELECT count(*) FROM xtk.workflow_job), (SELECT count(*) FROM xtk.audit),
		                  (SELECT count(*) FROM xtk.session_info WHERE revoked_at IS NOT NULL)))`).Scan(&sum)
	if err != nil {
		c.t.Fatal(err)
	}
	return sum
}

// A refused attempt is written into the trail, and the page says which right is missing and who can grant it.
func TestRefusal(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	got, body := c.ask("worker", http.MethodPost, "/options/NmsCleanup_BroadLogPurgeDelay", url.Values{"value": {"1"}})
	if got.StatusCode != http.StatusForbidden || !strings.Contains(body, "Administration") || !strings.Contains(body, "Kim") {
		t.Errorf("got %d, want 403 that names Administration and Kim:\n%s", got.StatusCode, body)
	}
	rows, _, err := c.db.AuditRows(t.Context(), db.AuditFilter{Refused: true, Limit: 5})
	if err != nil || len(rows) != 1 || rows[0].OperatorLogin != "worker" || !strings.Contains(rows[0].Detail, db.Administration) {
		t.Errorf("got %+v, %v; want one refusal of worker", rows, err)
	}
	if rows[0].EntityType != "option" || rows[0].Entity != "NmsCleanup_BroadLogPurgeDelay" {
		t.Errorf("got a refusal of %s %s, want of the option", rows[0].EntityType, rows[0].Entity)
	}
	if got, _ := c.ask("worker", http.MethodPost, "/workflows/cleanup/start", url.Values{}); got.StatusCode != http.StatusForbidden {
		t.Errorf("starting cleanup: got %d, want 403", got.StatusCode)
	}
	rows, _, err = c.db.AuditRows(t.Context(), db.AuditFilter{EntityType: "workflow", Limit: 5})
	if err != nil || len(rows) != 1 || rows[0].Entity != "cleanup" || rows[0].Action != "Start" || rows[0].Allowed {
		t.Errorf("got %+v, %v; want the refused start of cleanup", rows, err)
	}
	if n := c.count(`SELECT count(*) FROM xtk.workflow_job`); n != 0 {
		t.Errorf("got %d orders, want none", n)
	}
	if n := c.count(`SELECT count(*) FROM xtk.option WHERE name = 'NmsCleanup_BroadLogPurgeDelay'`); n != 0 {
		t.Errorf("the option was changed: got %d rows, want 0", n)
	}
}

// Ways around a path lead nowhere.
func TestRoundaboutPaths(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for _, path := range []string{"/operators/", "//operators", "/%6fperators/", "/OPERATORS", "/./operators", "/static/..%2fgo.mod", "/static/", "/static//app.css",
		"/x/../operators", "/operators;a=b", "/operators%00"} {
		for _, visitor := range []string{"", "reader"} {
			if got, body := c.ask(visitor, http.MethodGet, path, nil); got.StatusCode == http.StatusOK || strings.Contains(body, "/operators/new") {
				t.Errorf("%s as %q: got %d, want no page", path, visitor, got.StatusCode)
			}
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodTrace, http.MethodOptions, "PROPFIND"} {
		for _, path := range []string{"/operators/reader", "/", "/nothing", "/r/", "/static/x", "/api/v1/logon"} {
			if got, _ := c.ask("kim", method, path, nil); got.StatusCode != http.StatusMethodNotAllowed || got.Header.Get("Allow") != methods {
				t.Errorf("%s %s: got %d, allowed %q, want 405 and what is allowed", method, path, got.StatusCode, got.Header.Get("Allow"))
			}
		}
	}
	override := func(r *http.Request) { r.Header.Set("X-HTTP-Method-Override", "POST") }
	if got, _ := c.ask("kim", http.MethodGet, "/sign-out", nil, override); got.StatusCode != http.StatusNotFound || c.count(`SELECT count(*) FROM xtk.session_info WHERE revoked_at IS NOT NULL`) != 0 {
		t.Errorf("a method override: got %d, want 404 and the session as it was", got.StatusCode)
	}
}

// Methods that a visitor thinks up fill no memory: all are counted as one.
func TestStrangeMethodsCountAsOne(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for n := range 50 {
		c.ask("", fmt.Sprint("M", n), "/nothing", nil)
	}
	_, body := c.ask("kim", http.MethodGet, "/metrics", nil)
	if got := strings.Count(body, `nightshift_http_request_seconds_count{method="other"`); got != 1 || strings.Contains(body, `method="M1"`) {
		t.Errorf("got %d lines of other methods, want 1 and no other:\n%s", got, body)
	}
}
