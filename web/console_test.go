package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
)

const (
	password = "seven purple lanterns"
	host     = "console.example"
)

// console is a server on a database of the test's own, with an operator of each kind.
type console struct {
	*Server
	t testing.TB
	// tokens are the session cookies by login; "" is nobody.
	tokens map[string]string
}

// kinds of operators, by login: what each is granted.
var granted = map[string][]string{"reader": nil, "worker": {db.WorkflowRight}, "privacy": {db.PrivacyData}, "kim": {db.Administration}}

// newConsole sets an instance up and signs one operator of each kind in.
func newConsole(t testing.TB) *console {
	t.Helper()
	c := bareConsole(t)
	administrator := db.Actor{Login: "test", Rights: []string{db.Administration}}
	for login, rights := range granted {
		o, err := c.db.AddOperator(t.Context(), administrator, db.OperatorEdit{Login: login, Label: strings.ToUpper(login[:1]) + login[1:], Rights: rights})
		if err != nil {
			t.Fatal(err)
		}
		// One hash serves all: computing it is what takes long.
		if _, err := c.db.Pool.Exec(t.Context(), `UPDATE xtk.operator SET password_hash = $2, password_changed_at = now() WHERE id = $1`, o.ID, knownHash); err != nil {
			t.Fatal(err)
		}
	}
	for login := range granted {
		c.tokens[login] = c.signedIn(login)
	}
	return c
}

// bareConsole is a console that nobody has set up.
func bareConsole(t testing.TB) *console {
	t.Helper()
	s := New(Config{DB: dbtest.New(t), URL: &url.URL{Scheme: "http", Host: host}, Build: "test", Logger: slog.New(slog.DiscardHandler),
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}, MetricsToken: "collector"})
	// Tests ask faster than people do; the limiter has a test of its own.
	s.limits.now = func() func() time.Time {
		at := time.Now()
		return func() time.Time { at = at.Add(time.Second); return at }
	}()
	return &console{Server: s, t: t, tokens: map[string]string{}}
}

// knownHash is the hash of the tests' password.
const knownHash = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$+i6RbEtnuNWQN62AU0Pn7jA6+1DAlPYWlGZRoxGIN8k"

// signedIn opens a session for an operator without a password.
func (c *console) signedIn(login string) string {
	c.t.Helper()
	o, err := c.db.OperatorByLogin(c.t.Context(), login)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, err := c.sessions.Load(db.WithVisit(c.t.Context(), &db.Visit{SignsIn: o.ID, IP: netip.MustParseAddr("192.0.2.1")}), "")
	if err != nil {
		c.t.Fatal(err)
	}
	c.sessions.Put(ctx, "confirmed", time.Now().Unix())
	token, _, err := c.sessions.Commit(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	return token
}

// ask sends a request as an operator, "" being nobody, and reads the whole answer. Fields go as a form.
func (c *console) ask(login, method, path string, fields url.Values, change ...func(*http.Request)) (*http.Response, string) {
	c.t.Helper()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(fields.Encode())
	}
	r := httptest.NewRequestWithContext(context.WithoutCancel(c.t.Context()), method, "http://"+host+path, body)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://"+host)
	}
	r.Header.Set("Accept", "text/html")
	if token := c.tokens[login]; token != "" {
		r.AddCookie(&http.Cookie{Name: c.sessions.Cookie.Name, Value: token})
	}
	for _, one := range change {
		one(r)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result(), w.Body.String()
}

// count reads one number from the database.
func (c *console) count(sql string, args ...any) (n int) {
	c.t.Helper()
	if err := c.db.Pool.QueryRow(c.t.Context(), sql, args...).Scan(&n); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// cookie finds the session cookie that an answer sets.
func (c *console) cookie(r *http.Response) *http.Cookie {
	all := r.Cookies()
	if i := slices.IndexFunc(all, func(k *http.Cookie) bool { return k.Name == c.sessions.Cookie.Name }); i >= 0 {
		return all[i]
	}
	return nil
}
