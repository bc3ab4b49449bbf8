package web

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/static"
)

// Every answer carries the headers: pages, redirections, refusals, files, what does not exist and what breaks.
func TestHeaders(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	sheet := static.Path("app.css")
	for _, ask := range []struct{ login, method, path string }{
		{"kim", http.MethodGet, "/operators"}, {"", http.MethodGet, "/account"}, {"reader", http.MethodGet, "/audit"}, {"", http.MethodGet, sheet},
		{"", http.MethodGet, "/nothing"}, {"", http.MethodPost, "/nothing"}, {"", http.MethodGet, "/healthz"}, {"kim", http.MethodGet, "/audit.csv"},
		{"", http.MethodTrace, "/"}, {"", http.MethodPost, "/sign-in"},
	} {
		got, _ := c.ask(ask.login, ask.method, ask.path, url.Values{})
		for name := range headers {
			want := headers.Get(name)
			if ask.path == sheet && name == "Cache-Control" {
				want = "public, max-age=31536000, immutable"
			}
			if value := got.Header.Get(name); value != want {
				t.Errorf("%s %s: got %s %q, want %q", ask.method, ask.path, name, value, want)
			}
		}
		for _, name := range []string{"Server", "X-Xss-Protection", "Access-Control-Allow-Origin", "X-Powered-By"} {
			if value := got.Header.Get(name); value != "" {
				t.Errorf("%s %s: got %s %q, want none", ask.method, ask.path, name, value)
			}
		}
		if got.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s %s: got no request id", ask.method, ask.path)
		}
	}
}

func TestForeignHost(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	other := func(r *http.Request) { r.Host = "evil.example" }
	if got, _ := c.ask("", http.MethodGet, "/sign-in", nil, other); got.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("another host: got %d, want 421", got.StatusCode)
	}
	if got, _ := c.ask("", http.MethodGet, "/healthz", nil, other); got.StatusCode != http.StatusOK {
		t.Errorf("a probe by another host: got %d, want 200", got.StatusCode)
	}
}

// Only a trusted proxy may say who the client is.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	c := bareConsole(t)
	for _, tc := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:99", "", "192.0.2.1"},
		{"192.0.2.1:99", "203.0.113.5", "192.0.2.1"},
		{"10.9.0.7:99", "203.0.113.5", "203.0.113.5"},
		{"10.9.0.7:99", "1.1.1.1, 203.0.113.5, 10.9.0.8", "203.0.113.5"},
		{"10.9.0.7:99", "nonsense", "10.9.0.7"},
		{"[::ffff:10.9.0.7]:99", "203.0.113.5", "203.0.113.5"},
	} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = tc.peer
		r.Header.Set("X-Real-IP", "6.6.6.6")
		if tc.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tc.forwarded)
		}
		if got := c.clientIP(r); got != netip.MustParseAddr(tc.want) {
			t.Errorf("%s forwarded for %q: got %s, want %s", tc.peer, tc.forwarded, got, tc.want)
		}
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	before := c.state()
	big := url.Values{"label": {strings.Repeat("x", bodyLimit)}}
	unknown := func(r *http.Request) { r.ContentLength = -1 }
	for what, change := range map[string]func(*http.Request){"told": func(*http.Request) {}, "not told": unknown} {
		got, page := c.ask("kim", http.MethodPost, "/account", big, change)
		if got.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("a large form, its size %s: got %d, want 413", what, got.StatusCode)
		}
		if strings.Contains(page, "/sign-in") || !strings.Contains(page, "/sign-out") {
			t.Errorf("a large form, its size %s: the page does not know who is signed in", what)
		}
	}
	many := url.Values{}
	for n := range fieldsAtMost + 1 {
		many.Set(fmt.Sprint("f", n), "x")
	}
	if got, _ := c.ask("kim", http.MethodPost, "/account", many); got.StatusCode != http.StatusBadRequest {
		t.Errorf("too many fields: got %d, want 400", got.StatusCode)
	}
	if c.state() != before {
		t.Error("a refused form changed the database")
	}
}

// What a filter, a cursor or a path does not know is an answer of ours, never a broken one.
func TestBadInput(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for path, want := range map[string]int{
		"/audit?kind=nonsense": 400, "/audit?before=-1": 400, "/audit?before=x": 400, "/audit?before=99999999999999999999": 400, "/audit?from=2026-13-01": 400,
		"/audit?to=0001-01-01": 400, "/audit?refused=maybe": 400, "/audit?q=" + strings.Repeat("x", 101): 400, "/audit?q=%00": 400, "/audit?q=%ff%fe": 400,
		"/audit?operator=%27%3B+DROP+TABLE": 200, "/audit?q=%27+OR+1%3D1+--": 200, "/audit?q=%25_%5C": 200, "/audit?entity=%00": 400,
		"/options/none": 404, "/options/%00": 400, "/operators/nobody": 404, "/operators/%00": 400, "/operators/%ff": 400, "/groups/none": 404, "/groups/%ff": 400,
		"/options?q=" + strings.Repeat("x", 101): 400, "/options?q=%00": 400, "/reset/%ff": 400, "/reset/none": 403,
	} {
		if got, body := c.ask("kim", http.MethodGet, path, nil); got.StatusCode != want || strings.Contains(body, "SQLSTATE") {
			t.Errorf("%s: got %d, want %d", path, got.StatusCode, want)
		}
	}
	for path, fields := range map[string]url.Values{
		"/sign-in": {"login": {"\x00"}, "password": {"\xff\x00"}}, "/account": {"label": {"a\x00b"}, "language": {"en"}, "theme": {"dark"}},
		"/operators":              {"login": {"x\x00"}},
		"/operators/reader":       {"label": {"\xff\xfe"}, "group": {"\x00"}, "right": {"\xff"}},
		"/groups/localManagement": {"right": {"\x00", "\xff"}}, "/options/NmsServer_URL": {"value": {"a\x00"}}, "/account/sessions/end": {"session": {"\x00"}},
	} {
		if got, _ := c.ask("kim", http.MethodPost, path, fields); got.StatusCode < 300 || got.StatusCode >= 500 {
			t.Errorf("POST %s with bytes that are no text: got %d, want a refusal", path, got.StatusCode)
		}
	}
}

// A form sets what it shows and nothing else.
func TestFieldsThatAreNotInTheForm(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	more := url.Values{"label": {"Reader"}, "language": {"en"}, "theme": {"system"}, "right": {db.Administration}, "rights": {db.Administration}, "group": {"administrators"},
		"is_admin": {"true"}, "operator_id": {"1"}, "id": {"1"}, "login": {"admin"}, "password_hash": {"x"}, "disabled": {"on"}, "is_builtin": {"true"}}
	if got, _ := c.ask("reader", http.MethodPost, "/account", more); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("got %d, want the account saved", got.StatusCode)
	}
	o, err := c.db.OperatorByLogin(t.Context(), "reader")
	if err != nil || len(o.Rights) != 0 || len(o.Groups) != 0 || o.Disabled || o.BuiltIn {
		t.Errorf("got %+v, %v; want a reader as before", o, err)
	}
}

func TestPurgeDelayRefused(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	const path = "/options/NmsCleanup_BroadLogPurgeDelay"
	for _, value := range []string{"0", "-5", "", "ten", "1.5", "99999999", "1e3", "180 days"} {
		got, body := c.ask("kim", http.MethodPost, path, url.Values{"value": {value}})
		if got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "36,500") {
			t.Errorf("%q days: got %d, want 422 that says the range", value, got.StatusCode)
		}
	}
	if n := c.count(`SELECT count(*) FROM xtk.option WHERE name = 'NmsCleanup_BroadLogPurgeDelay'`); n != 0 {
		t.Errorf("got %d rows, want none", n)
	}
	if got, _ := c.ask("kim", http.MethodPost, path, url.Values{"value": {"90"}}); got.StatusCode != http.StatusSeeOther {
		t.Errorf("90 days: got %d, want it saved", got.StatusCode)
	}
	if n := c.count(`SELECT long_value FROM xtk.option WHERE name = 'NmsCleanup_BroadLogPurgeDelay'`); n != 90*86400 {
		t.Errorf("got %d s, want 90 days", n)
	}
	_, body := c.ask("kim", http.MethodGet, "/audit?kind=option", nil)
	if !strings.Contains(body, "NmsCleanup_BroadLogPurgeDelay") {
		t.Error("the audit trail does not show the change")
	}
	if _, err := c.db.Pool.Exec(t.Context(), `UPDATE xtk.option SET long_value = -1 WHERE name = 'NmsCleanup_BroadLogPurgeDelay'`); err != nil {
		t.Fatal(err)
	}
	if _, body := c.ask("kim", http.MethodGet, "/options", nil); !strings.Contains(body, "this purge is skipped") {
		t.Error("a delay below 0, stored by other means, is not shown as skipped")
	}
}

func TestLastAdministratorByForm(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if got, _ := c.ask("kim", http.MethodPost, "/operators/kim", url.Values{"disabled": {"on"}}); got.StatusCode != http.StatusConflict {
		t.Errorf("disabling the last administrator: got %d, want 409", got.StatusCode)
	}
	c.wantSignedIn("kim", "afterwards")
}

func TestErrorsShowNothingOfTheInput(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for _, path := range []string{"/<script>alert(1)</script>", "/nothing?x=<script>", "/operators/%3Cscript%3E", "/audit?kind=<script>"} {
		for _, accept := range []string{"text/html", "application/json"} {
			got, body := c.ask("kim", http.MethodGet, (&url.URL{Path: path}).String(), nil, func(r *http.Request) { r.Header.Set("Accept", accept) })
			if got.StatusCode < 400 || strings.Contains(strings.ToLower(body), "<script>alert") || strings.Contains(body, "%3Cscript") {
				t.Errorf("%s as %s: got %d, with the input in it or not an error", path, accept, got.StatusCode)
			}
		}
	}
}

func TestProblemJSON(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	asJSON := func(r *http.Request) { r.Header.Set("Accept", "application/json") }
	for _, tc := range []struct {
		login, path string
		want        int
	}{{"", "/operators", 401}, {"reader", "/operators", 403}, {"kim", "/operators/nobody", 404}} {
		got, body := c.ask(tc.login, http.MethodGet, tc.path, nil, asJSON)
		var document struct{ Status int }
		if err := json.Unmarshal([]byte(body), &document); err != nil || got.StatusCode != tc.want || document.Status != tc.want || got.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s as %q: got %d %s (%v), want problem JSON with %d", tc.path, tc.login, got.StatusCode, body, err, tc.want)
		}
	}
}

// A panic is a page with an id; the process lives.
func TestPanic(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	e := echo.New()
	e.GET("/*", func(echo.Context) error { panic("secret of the stack") })
	c.handler = c.outermost(e)
	got, body := c.ask("", http.MethodGet, "/sign-in", nil)
	if got.StatusCode != http.StatusInternalServerError || strings.Contains(body, "secret") || !strings.Contains(body, got.Header.Get("X-Request-Id")) {
		t.Errorf("got %d, want 500 with the request's id and no word of the stack:\n%s", got.StatusCode, body)
	}
}

// Without PostgreSQL everybody gets a page that says so, and the process is alive but not ready; once it is back,
// everything goes on.
func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.wantSignedIn("kim", "before")
	config := c.db.Pool.Config().ConnConfig.Copy()
	own := config.Database
	config.Database = "postgres"
	keeper, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keeper.Close(context.WithoutCancel(t.Context())) }()
	name := pgx.Identifier{own}.Sanitize()
	sql := func(statement string, args ...any) {
		t.Helper()
		if _, err := keeper.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	sql(`ALTER DATABASE ` + name + ` ALLOW_CONNECTIONS false`)
	sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, own)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503} {
		if got, _ := c.ask("", http.MethodGet, path, nil); got.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, got.StatusCode, want)
		}
	}
	for _, login := range []string{"", "kim"} {
		for _, path := range []string{"/account", "/sign-in", "/operators"} {
			got, body := c.ask(login, http.MethodGet, path, nil)
			if got.StatusCode != http.StatusServiceUnavailable && got.StatusCode != http.StatusSeeOther || login == "kim" && !strings.Contains(body, "PostgreSQL does not answer") {
				t.Errorf("%s as %q: got %d, want a 503 page", path, login, got.StatusCode)
			}
		}
	}
	if p := classify(fmt.Errorf("wrapped: %w", context.DeadlineExceeded)); p.status != http.StatusServiceUnavailable {
		t.Errorf("a request out of time: got %d, want 503", p.status)
	}
	sql(`ALTER DATABASE ` + name + ` ALLOW_CONNECTIONS true`)
	c.wantSignedIn("kim", "once it is back")
	if got, _ := c.ask("", http.MethodGet, "/readyz", nil); got.StatusCode != http.StatusOK {
		t.Errorf("/readyz once it is back: got %d, want 200", got.StatusCode)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	for _, tc := range []struct {
		login, token string
		want         int
	}{{"", "", 401}, {"", "guessed", 401}, {"", "collector", 200}, {"reader", "", 403}, {"kim", "", 200}} {
		got, body := c.ask(tc.login, http.MethodGet, "/metrics", nil, bearer(tc.token))
		if got.StatusCode != tc.want || tc.want == 200 && (!strings.Contains(body, "nightshift_up 1") || !strings.Contains(body, "nightshift_nodes 0")) {
			t.Errorf("as %q with token %q: got %d, want %d\n%s", tc.login, tc.token, got.StatusCode, tc.want, body)
		}
	}
}

func TestAuditCSV(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for _, text := range hostile() {
		if err := c.db.AuditAlone(t.Context(), db.AuditEntry{EntityType: "workflow", Entity: text, Action: "Start", Actor: db.Actor{Login: "x"}, Allowed: true}); err != nil {
			t.Fatal(err)
		}
	}
	_, body := c.ask("kim", http.MethodGet, "/audit.csv?kind=workflow", nil)
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(rows) != len(hostile())+1 {
		t.Fatalf("got %d rows, %v; want a head and %d", len(rows), err, len(hostile()))
	}
	for i, row := range rows[1:] {
		want := hostile()[len(hostile())-1-i]
		if strings.ContainsRune("=+-@", rune(want[0])) {
			want = "'" + want
		}
		if row[5] != want {
			t.Errorf("got %q, want %q", row[5], want)
		}
	}
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	at := time.Now()
	l := newLimiter()
	l.now = func() time.Time { return at }
	for range postsAtOnce {
		if wait := l.take("kim", http.MethodPost); wait != 0 {
			t.Fatalf("within the limit: got to wait %s", wait)
		}
	}
	if wait := l.take("kim", http.MethodPost); wait <= 0 || wait > time.Second {
		t.Errorf("one too many: got to wait %s, want up to a second", wait)
	}
	if wait := l.take("lee", http.MethodPost); wait != 0 {
		t.Errorf("another operator: got to wait %s", wait)
	}
	at = at.Add(time.Second)
	if wait := l.take("kim", http.MethodPost); wait != 0 {
		t.Errorf("a second later: got to wait %s", wait)
	}
	for n := range 2 * limitedAtMost {
		l.take(fmt.Sprint("visitor ", n), http.MethodGet)
	}
	if len(l.buckets) > limitedAtMost {
		t.Errorf("got %d counted, want %d at most", len(l.buckets), limitedAtMost)
	}
}

// Who has an IPv6 address has a network of them: its requests count together, those of the next network do not.
func TestLimitOfANetwork(t *testing.T) {
	t.Parallel()
	c := bareConsole(t)
	at := time.Now()
	c.limits.now = func() time.Time { return at }
	post := func(path, from string) int {
		got, _ := c.ask("", http.MethodPost, path, nil, func(r *http.Request) { r.RemoteAddr = "[" + from + "]:1" })
		return got.StatusCode
	}
	for path, limit := range map[string]int{"/preferences": postsAtOnce, "/api/v1/logon": readsAtOnce} {
		for n := range limit {
			if got := post(path, fmt.Sprintf("2001:db8::%x", n)); got == http.StatusTooManyRequests {
				t.Fatalf("%s, request %d: refused within the limit", path, n+1)
			}
		}
		if got := post(path, "2001:db8::ffff:1"); got != http.StatusTooManyRequests {
			t.Errorf("%s, one too many from another address of the network: got %d, want 429", path, got)
		}
		if got := post(path, "2001:db8:0:1::1"); got == http.StatusTooManyRequests {
			t.Errorf("%s, from the next network: refused", path)
		}
	}
}

// PostgreSQL that hangs uses up the time of the request; whoever waited gets the page that says so, not a bare line.
func TestHangingDatabase(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	over, done := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer done()
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(over, http.MethodGet, "/workflows", nil)
	c.fail(fmt.Errorf("list the workflows: %w", over.Err()), c.echo.NewContext(request, answer))
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
		t.Errorf("got %d, Retry-After %q, want 503 and when to try again", answer.Code, answer.Header().Get("Retry-After"))
	}
	for _, want := range []string{"<h1>PostgreSQL does not answer.</h1>", `href="/workflows"`} {
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("got no %s in %s", want, answer.Body)
		}
	}
}
