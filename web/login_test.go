package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
)

// enter signs an operator in by the form and returns the answer.
func (c *console) enter(login, word string) *http.Response {
	c.t.Helper()
	got, _ := c.ask("", http.MethodPost, "/sign-in", url.Values{"login": {login}, "password": {word}, "back": {"/options?q=a"}})
	return got
}

func TestSetUpByLink(t *testing.T) {
	t.Parallel()
	c := bareConsole(t)
	if got, _ := c.ask("", http.MethodGet, "/options", nil); got.Header.Get("Location") != "/set-up" {
		t.Errorf("an empty instance: got %d to %q, want to /set-up", got.StatusCode, got.Header.Get("Location"))
	}
	for _, path := range []string{"/set-up", "/set-up/guessed"} {
		if got, _ := c.ask("", http.MethodGet, path, nil); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s without the link: got %d, want 403", path, got.StatusCode)
		}
	}
	token, err := c.db.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, body := c.ask("", http.MethodGet, "/set-up/"+token, nil); got.StatusCode != http.StatusOK || !strings.Contains(body, token) {
		t.Errorf("with the link: got %d, want the form", got.StatusCode)
	}
	// What the instance is already is proposed, so that who only adds himself changes nothing of it.
	if _, err := c.db.Pool.Exec(t.Context(), `
		INSERT INTO xtk.option (name, string_value)
		VALUES ('XtkInstanceName', 'Sends for others'), ('XtkInstanceType', 'mid')
		ON CONFLICT (name) DO UPDATE SET string_value = excluded.string_value`); err != nil {
		t.Fatal(err)
	}
	if _, body := c.ask("", http.MethodGet, "/set-up/"+token, nil); !strings.Contains(body, `value="Sends for others"`) || !strings.Contains(body, `<option value="mid" selected`) {
		t.Error("want name and kind of the instance proposed as they are")
	}
	fields := url.Values{"token": {token}, "login": {"kim"}, "password": {"short"}, "instance": {"mkt-test"}, "kind": {"mid"}, "zone": {"Asia/Seoul"}}
	if got, body := c.ask("", http.MethodPost, "/set-up", fields); got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "12 to 128") {
		t.Errorf("a short password: got %d, want 422 with the range", got.StatusCode)
	}
	fields.Set("password", password)
	got, _ := c.ask("", http.MethodPost, "/set-up", fields)
	if got.StatusCode != http.StatusSeeOther || c.cookie(got) == nil {
		t.Fatalf("the form: got %d, want 303 with a session", got.StatusCode)
	}
	c.tokens["kim"] = c.cookie(got).Value
	if got, _ := c.ask("kim", http.MethodGet, "/operators", nil); got.StatusCode != http.StatusOK {
		t.Errorf("the first administrator: got %d, want the operators", got.StatusCode)
	}
	if name, _ := c.db.Option(t.Context(), "XtkInstanceName"); name != "mkt-test" {
		t.Errorf("the instance's name: got %q, want mkt-test", name)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if got, _ := c.ask("", method, "/set-up", fields); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s afterwards: got %d, want 404", method, got.StatusCode)
		}
	}
}

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if got := c.enter("kim", "not the password"); got.StatusCode != http.StatusUnauthorized || c.cookie(got) != nil {
		t.Errorf("a wrong password: got %d, want 401 without a cookie", got.StatusCode)
	}
	c.tokens["chosen"] = strings.Repeat("A", 43)
	got, _ := c.ask("chosen", http.MethodPost, "/sign-in", url.Values{"login": {"kim"}, "password": {password}, "back": {"/options?q=a"}})
	if got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/options?q=a" {
		t.Fatalf("got %d to %q, want 303 to where he wanted to go", got.StatusCode, got.Header.Get("Location"))
	}
	cookie := c.cookie(got)
	if cookie == nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" || !cookie.Expires.IsZero() {
		t.Fatalf("the cookie: got %v, want HttpOnly, SameSite=Lax, Path=/, for the browser's session", cookie)
	}
	if cookie.Value == c.tokens["chosen"] {
		t.Error("the session has the token that the visitor chose")
	}
	if n := c.count(`SELECT count(*) FROM xtk.session_info s WHERE strpos(s::text, $1) > 0 OR strpos(encode(s.data, 'escape'), $1) > 0`, cookie.Value); n != 0 {
		t.Error("the database holds the token")
	}
	c.tokens["kim"] = cookie.Value
	got, _ = c.ask("kim", http.MethodPost, "/sign-out", url.Values{})
	if got.Header.Get("Clear-Site-Data") == "" || got.Header.Get("Location") != "/sign-in" {
		t.Errorf("sign out: got %v, want to /sign-in and Clear-Site-Data", got.Header)
	}
	c.wantSignedOut("kim", "after sign-out")
}

func (c *console) wantSignedOut(login, when string) {
	c.t.Helper()
	if got, _ := c.ask(login, http.MethodGet, "/account", nil); got.StatusCode != http.StatusSeeOther || !strings.HasPrefix(got.Header.Get("Location"), "/sign-in") {
		c.t.Errorf("%s: got %d for %s, want to sign in", when, got.StatusCode, login)
	}
}

func (c *console) wantSignedIn(login, when string) {
	c.t.Helper()
	if got, _ := c.ask(login, http.MethodGet, "/account", nil); got.StatusCode != http.StatusOK {
		c.t.Errorf("%s: got %d for %s, want the account", when, got.StatusCode, login)
	}
}

// TestResetLink: the link that an administrator makes leads to a new password, once, and the page of sign-in says that it holds.
func TestResetLink(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	reader, err := c.db.OperatorByLogin(t.Context(), "reader")
	if err != nil {
		t.Fatal(err)
	}
	token, err := c.db.ResetLink(t.Context(), db.Actor{Login: "test", Rights: []string{db.Administration}}, reader.ID)
	if err != nil {
		t.Fatal(err)
	}
	const chosen = "green paper boats sail"
	for _, step := range []struct {
		password string
		status   int
		says     string
	}{{"short", http.StatusUnprocessableEntity, "12 to 128 characters"}, {chosen, http.StatusSeeOther, ""}, {chosen, http.StatusForbidden, ""}} {
		got, body := c.ask("", http.MethodPost, "/reset", url.Values{"token": {token}, "password": {step.password}})
		if got.StatusCode != step.status || !strings.Contains(body, step.says) {
			t.Fatalf("%s: got %d %s, want %d with %q", step.password, got.StatusCode, body, step.status, step.says)
		}
		if next := got.Header.Get("Location"); step.status == http.StatusSeeOther {
			if _, body := c.ask("", http.MethodGet, next, nil); !strings.Contains(body, "The password is set.") {
				t.Errorf("%s: got %s, want that the password is set", next, body)
			}
		}
	}
	if got, _ := c.ask("", http.MethodPost, "/sign-in", url.Values{"login": {"reader"}, "password": {chosen}}); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the new password: got %d, want to be signed in", got.StatusCode)
	}
}

func TestSecureCookie(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	s := New(Config{DB: c.db, URL: &url.URL{Scheme: "https", Host: host}, Logger: c.logger})
	c.Server = s
	got := c.enter("kim", password)
	cookie := c.cookie(got)
	if cookie == nil || cookie.Name != "__Host-sid" || !cookie.Secure {
		t.Errorf("over TLS: got %v, want a secure __Host-sid", cookie)
	}
	if hsts := got.Header.Get("Strict-Transport-Security"); !strings.HasPrefix(hsts, "max-age=31536000") {
		t.Errorf("got HSTS %q, want a year", hsts)
	}
}

// A request that is under way while its session ends must not bring the session back when it writes.
func TestLateRequestRevivesNothing(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for round := range 50 {
		token := c.signedIn("kim")
		c.tokens["slow"], c.tokens["kim"] = token, token
		under, out := make(chan struct{}), make(chan struct{})
		slow := c.enter2(route{method: http.MethodGet, path: "/slow", right: signedIn}, func(e echo.Context) error {
			close(under)
			<-out
			c.sessions.Put(e.Request().Context(), "flash", "late")
			return e.NoContent(http.StatusOK)
		})
		var wait sync.WaitGroup
		wait.Go(func() { slow(token) })
		<-under
		c.ask("kim", http.MethodPost, "/sign-out", url.Values{})
		close(out)
		wait.Wait()
		if got, _ := c.ask("slow", http.MethodGet, "/account", nil); got.StatusCode != http.StatusSeeOther {
			t.Fatalf("round %d: the ended session answers %d, want to sign in", round, got.StatusCode)
		}
	}
}

// enter2 makes a route with a handler of the test's and returns how to ask for it.
func (c *console) enter2(r route, handle echo.HandlerFunc) func(token string) {
	r.handle = handle
	e := echo.New()
	e.Add(r.method, r.path, c.Server.enter(r))
	return func(token string) {
		request, _ := http.NewRequestWithContext(c.t.Context(), r.method, "http://"+host+r.path, nil)
		request.RemoteAddr = "192.0.2.1:1"
		request.AddCookie(&http.Cookie{Name: c.sessions.Cookie.Name, Value: token})
		e.ServeHTTP(discard{http.Header{}}, request)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	for what, tc := range map[string]struct{ login, sql string }{
		"revoked":                  {"reader", `UPDATE xtk.session_info SET revoked_at = now()`},
		"past its absolute end":    {"reader", `UPDATE xtk.session_info SET expiration = now()`},
		"idle for 31 minutes":      {"reader", `UPDATE xtk.session_info SET last_seen = now() - interval '31 minutes'`},
		"administrator idle 16":    {"kim", `UPDATE xtk.session_info SET last_seen = now() - interval '16 minutes'`},
		"operator disabled":        {"reader", `UPDATE xtk.operator SET disabled = true WHERE login = 'reader'`},
		"the option says a minute": {"reader", `INSERT INTO xtk.option (name, data_type, long_value) VALUES ('XtkSession_IdleTimeoutSec', 'long', 60); UPDATE xtk.session_info SET last_seen = now() - interval '61 seconds'`},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t)
			c.wantSignedIn(tc.login, "before")
			for sql := range strings.SplitSeq(tc.sql, "; ") {
				if _, err := c.db.Pool.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			c.wantSignedOut(tc.login, what)
		})
	}
}

// A person's request keeps a session alive, what a page asks for by itself does not.
func TestActivity(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `UPDATE xtk.session_info SET last_seen = now() - interval '20 minutes'`); err != nil {
		t.Fatal(err)
	}
	seen := func() int {
		return c.count(`SELECT count(*) FROM xtk.session_info s JOIN xtk.operator o ON o.id = s.operator_id
			WHERE o.login = 'reader' AND s.last_seen > now() - interval '1 minute'`)
	}
	c.ask("reader", http.MethodGet, "/account", nil, func(r *http.Request) { r.Header.Set("X-Background", "1") })
	if seen() != 0 {
		t.Error("a background request counts as activity, want not")
	}
	c.ask("reader", http.MethodGet, "/account", nil)
	if seen() != 1 {
		t.Error("a person's request does not count as activity, want it to")
	}
}

func TestRightsAreReadAtEachRequest(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if got, _ := c.ask("kim", http.MethodGet, "/operators", nil); got.StatusCode != http.StatusOK {
		t.Fatalf("before: got %d", got.StatusCode)
	}
	if _, err := c.db.Pool.Exec(t.Context(), `DELETE FROM xtk.right_grant WHERE right_name = 'ADMINISTRATION'`); err != nil {
		t.Fatal(err)
	}
	if got, _ := c.ask("kim", http.MethodGet, "/operators", nil); got.StatusCode != http.StatusForbidden {
		t.Errorf("after the right is gone: got %d, want 403", got.StatusCode)
	}
}

func TestOwnSessions(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.tokens["other"], c.tokens["third"] = c.signedIn("reader"), c.signedIn("reader")
	_, body := c.ask("reader", http.MethodGet, "/account", nil)
	if n := strings.Count(body, `name="session"`); n != 2 {
		t.Fatalf("got %d other sessions to end, want 2", n)
	}
	_, name, _ := strings.Cut(body, `name="session" value="`)
	name, _, _ = strings.Cut(name, `"`)
	if got, _ := c.ask("worker", http.MethodPost, "/account/sessions/end", url.Values{"session": {name}}); got.StatusCode != http.StatusNotFound {
		t.Errorf("ending another operator's session: got %d, want 404", got.StatusCode)
	}
	c.ask("reader", http.MethodPost, "/account/sessions/end", url.Values{"session": {name}})
	if n := c.count(`SELECT count(*) FROM xtk.session_info WHERE revoked_at IS NOT NULL`); n != 1 {
		t.Errorf("ending one: got %d ended, want 1", n)
	}
	c.ask("reader", http.MethodPost, "/account/sessions/end-others", url.Values{})
	c.wantSignedIn("reader", "who ended all others")
	c.wantSignedOut("other", "the others")
	c.wantSignedOut("third", "the others")
	c.ask("kim", http.MethodPost, "/operators/reader/end-sessions", url.Values{})
	c.wantSignedOut("reader", "ended by an administrator")
}

func TestTenSessionsAtMost(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for range 10 {
		c.signedIn("reader")
	}
	if n := c.count(`SELECT count(*) FROM xtk.session_info s JOIN xtk.operator o ON o.id = s.operator_id WHERE login = 'reader' AND revoked_at IS NULL`); n != 10 {
		t.Errorf("got %d open sessions, want 10", n)
	}
	c.wantSignedOut("reader", "the one longest unseen")
}

func TestVisitorsLeaveNoSession(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	before := c.count(`SELECT count(*) FROM xtk.session_info`)
	for range 100 {
		got, _ := c.ask("", http.MethodGet, "/sign-in", nil)
		if len(got.Cookies()) != 0 {
			t.Fatalf("a visitor gets a cookie: %v", got.Cookies())
		}
	}
	if after := c.count(`SELECT count(*) FROM xtk.session_info`); after != before {
		t.Errorf("got %d new sessions, want none", after-before)
	}
}

func TestPasswordChangeEndsOtherSessions(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.tokens["other"] = c.signedIn("reader")
	fields := url.Values{"current": {"not it at all"}, "password": {"nine green windmills"}}
	if got, _ := c.ask("reader", http.MethodPost, "/account/password", fields); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a wrong current password: got %d, want 422", got.StatusCode)
	}
	fields.Set("current", password)
	got, _ := c.ask("reader", http.MethodPost, "/account/password", fields)
	cookie := c.cookie(got)
	if got.StatusCode != http.StatusSeeOther || cookie == nil || cookie.Value == c.tokens["reader"] {
		t.Fatalf("got %d, want 303 and a new token", got.StatusCode)
	}
	c.wantSignedOut("reader", "the old token")
	c.wantSignedOut("other", "the other session")
	c.tokens["reader"] = cookie.Value
	c.wantSignedIn("reader", "the new token")
}

func TestThrottledSignIn(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for range 5 {
		if got := c.enter("kim", "not the password"); got.StatusCode != http.StatusUnauthorized {
			t.Fatalf("a wrong password: got %d, want 401", got.StatusCode)
		}
	}
	got := c.enter("kim", password)
	if got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" {
		t.Errorf("the sixth, right: got %d, Retry-After %q; want 429 with a wait", got.StatusCode, got.Header.Get("Retry-After"))
	}
}

// An unknown login takes as long as a wrong password. Loose, because the machine is shared.
func TestSignInTellsNothingByTime(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	took := map[string][]time.Duration{}
	for n := range 15 {
		from := fmt.Sprintf("198.51.100.%d:1", n+1)
		for _, login := range []string{"kim", "nobody"} {
			began := time.Now()
			c.ask("", http.MethodPost, "/sign-in", url.Values{"login": {login}, "password": {"not the password"}}, func(r *http.Request) { r.RemoteAddr = from })
			took[login] = append(took[login], time.Since(began))
		}
	}
	median := func(login string) time.Duration {
		slices.Sort(took[login])
		return took[login][len(took[login])/2]
	}
	known, unknown := median("kim"), median("nobody")
	if ratio := float64(known) / float64(unknown); ratio < 0.25 || ratio > 4 {
		t.Errorf("medians: %s for a known login, %s for an unknown one, want them alike", known, unknown)
	}
}

func TestBackLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	for _, back := range []string{"", "/", "//e", "/\\e", "/%09/e", "https:e", "https://e", "/%2f%2fe", "/%2fe", "\t//e", "/\t/e", "/\n/e", "@e", "/..//e", "/a/../..//e",
		"javascript:alert(1)", "data:text/html,x", "e.example", ".e", "///e", "/\\/e", "\\\\e", "/%5ce", "/%5c%5ce", "http:/e", "ftp://e", "//user@e", "/ /e", "/\u2028e",
		"/\x00e", "/%00e", "/a\r\nSet-Cookie: x", "/%0d%0aX: y", "?//e", "#//e", "/%e2%80%ae", "mailto:x", "/\u202ee", "//e/%2e%2e", " /e", "/%zz", strings.Repeat("/a", 2000)} {
		if got := local(back); got != "/" {
			t.Errorf("back %q: got %q, want /", back, got)
		}
	}
	for _, back := range []string{"/runs", "/runs?state=failed&before=12", "/workflows/cleanup?tab=log", "/options?q=%2Fetc"} {
		if got := local(back); got != back {
			t.Errorf("back %q: got %q, want it kept", back, got)
		}
	}
}
