package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"nightshift/db"
)

// instance is a program that asks the console's API, and holds every answer against the published description.
type instance struct {
	*console
	doc   *openapi3.T
	token string
}

// newInstance adds an operator in the group of mid-sourcing submissions, or in others, and signs on as that one.
func (c *console) newInstance(login string, groups ...string) *instance {
	c.t.Helper()
	i := c.anyInstance()
	if len(groups) == 0 {
		groups = []string{"midSourcing"}
	}
	o, err := c.db.AddOperator(c.t.Context(), db.Actor{Rights: []string{db.Administration}}, db.OperatorEdit{Login: login, Groups: groups})
	if err != nil {
		c.t.Fatal(err)
	}
	c.run(`UPDATE xtk.operator SET password_hash = $2, password_changed_at = now(), forbid_console = true WHERE id = $1`, o.ID, knownHash)
	i.logon(login)
	return i
}

// anyInstance is a program that has no token.
func (c *console) anyInstance() *instance {
	c.t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		c.t.Fatal(err)
	}
	return &instance{console: c, doc: doc}
}

func (i *instance) logon(login string) {
	i.t.Helper()
	var got struct{ Token string }
	i.want(http.StatusOK, "POST /api/v1/logon", map[string]string{"login": login, "password": password}, &got)
	i.token = got.Token
}

// run executes a statement of the test's own.
func (c *console) run(sql string, args ...any) {
	c.t.Helper()
	if _, err := c.db.Pool.Exec(c.t.Context(), sql, args...); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
}

// want asks ("GET /api/v1/…") and reads the answer, which must have the status and be as the description says.
func (i *instance) want(status int, call string, in, out any, change ...func(*http.Request)) *http.Response {
	i.t.Helper()
	method, path, _ := strings.Cut(call, " ")
	body, err := json.Marshal(in)
	if err != nil {
		i.t.Fatal(err)
	}
	w := i.send(method, path, body, change...)
	if w.Code != status {
		i.t.Fatalf("%s %s: got %d %s, want %d", method, path, w.Code, w.Body, status)
	}
	i.held(method, path, w)
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			i.t.Fatalf("%s %s: got %s, %v", method, path, w.Body, err)
		}
	}
	return w.Result()
}

func (i *instance) send(method, path string, body []byte, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(i.t.Context(), method, "http://"+host+path, bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if i.token != "" {
		r.Header.Set("Authorization", "Bearer "+i.token)
	}
	for _, one := range change {
		one(r)
	}
	w := httptest.NewRecorder()
	i.ServeHTTP(w, r)
	return w
}

var parameter = regexp.MustCompile(`:(\w+)`)

// held compares an answer with the schema of its operation, status and media type.
func (i *instance) held(method, path string, w *httptest.ResponseRecorder) {
	i.t.Helper()
	path, _, _ = strings.Cut(path, "?")
	for _, r := range i.routes() {
		pattern := "^" + parameter.ReplaceAllString(r.path, `[^/]+`) + "$"
		if r.method != method || !isAPI(r.path) || !regexp.MustCompile(pattern).MatchString(path) {
			continue
		}
		operation := i.doc.Paths.Find(documented(r.path)).GetOperation(method)
		answer := operation.Responses.Status(w.Code)
		if answer == nil {
			answer = operation.Responses.Default()
		}
		kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
		content := answer.Value.Content[kind]
		if content == nil {
			i.t.Fatalf("%s %s, %d: got %s, which is not described", method, path, w.Code, kind)
		}
		var value any = w.Body.String()
		if strings.HasSuffix(kind, "json") {
			if err := json.Unmarshal(w.Body.Bytes(), &value); err != nil {
				i.t.Fatalf("%s %s: got %s, %v", method, path, w.Body, err)
			}
		}
		if err := content.Schema.Value.VisitJSON(value, openapi3.MultiErrors()); err != nil {
			i.t.Errorf("%s %s, %d: got what the description does not allow: %v\n%s", method, path, w.Code, err, w.Body)
		}
	}
}

// documented is a route's path as the description writes it.
func documented(path string) string {
	return "/" + parameter.ReplaceAllString(strings.TrimPrefix(path, apiPrefix), "{$1}")
}

// The description is valid OpenAPI 3 and has the routes that there are, no more and no less.
func TestOpenAPIHasTheRoutes(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, r := range new(Server).routes() {
		if isAPI(r.path) {
			want = append(want, r.method+" "+documented(r.path))
		}
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			got = append(got, method+" "+path)
			if operation.Summary == "" || operation.Responses.Default() == nil {
				t.Errorf("%s %s: want a summary, and what a problem looks like", method, path)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("described: got\n%s\nwant the routes\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// open are the operations that need no token.
func open(r route) bool { return r.right == anyone }

// No operation but those that are open answers without a token, with a cookie in its place, with a token that does not
// hold, or to an operator who lacks the right; and each says so as the description says.
func TestAPIRefuses(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	nobody, reader := c.anyInstance(), c.anyInstance()
	reader.logon("reader")
	for _, r := range c.routes() {
		if !isAPI(r.path) || open(r) {
			continue
		}
		path := filled(r.path)
		got := nobody.want(http.StatusUnauthorized, r.method+" "+path, nil, nil)
		if got.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: got no WWW-Authenticate", path)
		}
		nobody.want(http.StatusUnauthorized, r.method+" "+path, nil, nil, func(q *http.Request) {
			q.AddCookie(&http.Cookie{Name: c.sessions.Cookie.Name, Value: c.tokens["kim"]})
		})
		for _, header := range []string{"Bearer", "Bearer x", "Basic " + reader.token, "Bearer " + strings.Repeat("x", 9000)} {
			nobody.want(http.StatusUnauthorized, r.method+" "+path, nil, nil, func(q *http.Request) { q.Header.Set("Authorization", header) })
		}
		reader.want(http.StatusForbidden, r.method+" "+path, nil, nil)
		reader.want(http.StatusUnauthorized, r.method+" "+path, nil, nil, func(q *http.Request) { q.Header.Set("X-Security-Token", "another") })
	}
	got := nobody.send(http.MethodGet, "/api/v1/nothing", nil)
	if got.Code != http.StatusNotFound || !strings.Contains(got.Body.String(), `"code":"not_found"`) {
		t.Errorf("an unknown path: got %d %s, want 404 with a code", got.Code, got.Body)
	}
	if c.count(`SELECT count(*) FROM xtk.audit WHERE NOT allowed AND operator_login = 'reader'`) == 0 && slices.ContainsFunc(c.routes(), func(r route) bool { return isAPI(r.path) && !open(r) }) {
		t.Error("refused for want of a right: got no line in the audit trail")
	}
}

func TestLogon(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	i := c.newInstance("mid")
	var got logonAnswer
	i.want(http.StatusOK, "POST /api/v1/logon", map[string]string{"login": "MID", "password": password}, &got)
	if left := got.ExpiresAt.Sub(got.ServerDate.Time).Hours(); left != 24 || got.SecurityToken != db.SecurityToken(got.Token) {
		t.Errorf("got %v hours and %q, want 24 and a security token of the token", left, got.SecurityToken)
	}
	if c.count(`SELECT count(*) FROM xtk.api_token WHERE token_hash = sha256($1)`, []byte(got.Token)) != 1 {
		t.Error("the token is not kept as its SHA-256")
	}
	for _, in := range []any{nil, 7, []int{1}, map[string]any{"login": 7}, map[string]string{"login": "m\x00d", "password": "x"}, map[string]string{}} {
		i.want(http.StatusBadRequest, "POST /api/v1/logon", in, nil)
	}
	i.want(http.StatusUnsupportedMediaType, "POST /api/v1/logon", nil, nil, func(q *http.Request) { q.Header.Set("Content-Type", "text/plain") })
	if w := i.send(http.MethodPost, "/api/v1/logon", bytes.Repeat([]byte(" "), bodyLimit+1)); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body: got %d, want 413", w.Code)
	}
	// Five wrong passwords, then not even the right one is looked at.
	wrong := map[string]string{"login": "mid", "password": "wrong"}
	for range 5 {
		i.want(http.StatusUnauthorized, "POST /api/v1/logon", wrong, nil)
	}
	wrong["password"] = password
	if w := i.want(http.StatusTooManyRequests, "POST /api/v1/logon", wrong, nil); w.Header.Get("Retry-After") == "" {
		t.Error("throttled: got no Retry-After")
	}
}

// A token ends when its time is over, when the operator is disabled, and when what he may do changes; and so does one
// that is used from an address the operator is not trusted at.
func TestTokenEnds(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	kim := db.Actor{Login: "kim", Rights: []string{db.Administration}}
	i := c.newInstance("mid")
	holds := func(why string, want bool) {
		t.Helper()
		_, err := c.db.Bearer(t.Context(), i.token, c.clientIP(httptest.NewRequest(http.MethodGet, "/", nil)))
		if got := err == nil; got != want {
			t.Errorf("%s: got a token that holds %v (%v), want %v", why, got, err, want)
		}
	}
	holds("fresh", true)
	o, err := c.db.OperatorByLogin(t.Context(), "mid")
	if err != nil {
		t.Fatal(err)
	}
	edit := db.OperatorEdit{Label: "Mid", Groups: []string{"midSourcing"}, Disabled: true}
	for _, disabled := range []bool{true, false} {
		edit.Disabled = disabled
		if _, err := c.db.EditOperator(t.Context(), kim, o.ID, edit); err != nil {
			t.Fatal(err)
		}
		holds("disabled, and not revived afterwards", false)
	}
	i.logon("mid")
	edit.Groups = nil
	if _, err := c.db.EditOperator(t.Context(), kim, o.ID, edit); err != nil {
		t.Fatal(err)
	}
	holds("other rights", false)
	i.logon("mid")
	c.run(`UPDATE xtk.operator SET trusted_ips = '{10.0.0.0/8}' WHERE login = 'mid'`)
	holds("from elsewhere", false)
	c.run(`UPDATE xtk.operator SET trusted_ips = '{10.0.0.0/8,192.0.2.0/24}' WHERE login = 'mid'`)
	holds("from a trusted address", true)
	c.run(`UPDATE xtk.api_token SET expiration = now() WHERE operator_id = $1`, o.ID)
	holds("past its time", false)
	for range 21 {
		i.logon("mid")
	}
	if n := c.count(`SELECT count(*) FROM xtk.api_token WHERE operator_id = $1 AND revoked_at IS NULL AND expiration > now()`, o.ID); n != 20 {
		t.Errorf("21 logons: got %d tokens that hold, want 20", n)
	}
}

// Who asks too fast waits; an instance does not use up what another may ask.
func TestAPILimits(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	i := c.newInstance("mid")
	c.limits = newLimiter()
	at := time.Now()
	c.limits.now = func() time.Time { return at }
	for range readsAtOnce {
		i.want(http.StatusOK, "GET /api/v1/openapi.yaml", nil, nil)
	}
	got := i.want(http.StatusTooManyRequests, "GET /api/v1/openapi.yaml", nil, nil)
	if got.Header.Get("Retry-After") == "" {
		t.Error("got no Retry-After")
	}
}
