package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

const (
	bodyLimit       = 64 << 10
	requestDeadline = 15 * time.Second
	// policy lets a page load only what this console serves, run no inline script and be framed by nobody.
	policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)

// headers are on every answer. A referrer stays within the console: with none at all, browsers would send the forms of a
// console without TLS with a null origin, which the origin check must refuse.
var headers = http.Header{
	"Content-Security-Policy":      {policy},
	"X-Content-Type-Options":       {"nosniff"},
	"Referrer-Policy":              {"same-origin"},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Permissions-Policy":           {"accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()"},
	"X-Frame-Options":              {"DENY"},
	"Cache-Control":                {"no-store"},
}

// trace is what the log line of a request says besides the request.
type trace struct {
	id, route, operator string
	err                 error
	half                bool // the answer had begun when it failed
}

type traceKey struct{}

func traceOf(ctx context.Context) *trace {
	if t, ok := ctx.Value(traceKey{}).(*trace); ok {
		return t
	}
	return &trace{}
}

// outermost is around all of Echo: a log line, a panic's page, the headers, and what is refused before a route is
// looked up.
func (s *Server) outermost(e *echo.Echo) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, t := time.Now(), &trace{id: rand.Text()[:12], route: "none"}
		r = r.WithContext(context.WithValue(r.Context(), traceKey{}, t))
		maps.Copy(w.Header(), headers)
		if s.secure() {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		w.Header().Set("X-Request-Id", t.id)
		c := e.NewContext(r, w)
		defer func() {
			if problem := recover(); problem != nil {
				s.logger.Error("panic", "request", t.id, "problem", fmt.Sprint(problem), "stack", string(debug.Stack()))
				s.fail(errors.New("panic: "+fmt.Sprint(problem)), c)
			}
			s.logLine(r, c, t, time.Since(began))
			if t.half {
				panic(http.ErrAbortHandler) // cuts the connection: half an answer must not look like a whole one
			}
		}()
		if err := s.admit(r); err != nil {
			s.fail(err, c)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimitOf(r))
		e.ServeHTTP(c.Response(), r)
	})
}

// bodyLimitOf is how large the body of a request may be; a logon is small like a form.
func bodyLimitOf(r *http.Request) int64 {
	if isAPI(r.URL.Path) && r.URL.Path != apiPrefix+"logon" {
		return apiBodyLimit
	}
	return bodyLimit
}

// methods are those that routes have.
const methods = "GET, HEAD, POST"

func routed(method string) bool {
	return oneOf(method, http.MethodGet, http.MethodHead, http.MethodPost)
}

// admit refuses what no route would answer: another console's name, another method, and what another site made a browser
// send.
func (s *Server) admit(r *http.Request) error {
	if !s.ourHost(r) {
		return &problem{status: http.StatusMisdirectedRequest, key: "error.host"}
	}
	if !routed(r.Method) {
		return &problem{status: http.StatusMethodNotAllowed, key: "error.method"}
	}
	if !readable(r.URL.Path) || !cleanValues(r.URL.Query()) {
		return badInput("address")
	}
	if isAPI(r.URL.Path) {
		if r.ContentLength > bodyLimitOf(r) {
			return &problem{status: http.StatusRequestEntityTooLarge, key: "error.too_large"}
		}
		return nil
	}
	if err := s.origin.Check(r); err != nil {
		s.logger.Warn("cross-site request refused", "request", traceOf(r.Context()).id, "address", s.clientIP(r).String(),
			"origin", r.Header.Get("Origin"), "site", r.Header.Get("Sec-Fetch-Site"))
		return &problem{status: http.StatusForbidden, key: "error.cross_site"}
	}
	return nil
}

func (s *Server) logLine(r *http.Request, c echo.Context, t *trace, took time.Duration) {
	s.measures.observe(t.route, r.Method, c.Response().Status, took)
	line := []any{"request", t.id, "method", r.Method, "route", t.route, "status", c.Response().Status,
		"ms", float64(took.Microseconds()) / 1000, "bytes", c.Response().Size, "address", s.clientIP(r).String()}
	if t.operator != "" {
		line = append(line, "operator", t.operator)
	}
	switch {
	case t.half && r.Context().Err() == nil: // otherwise who asked has gone
		s.logger.Warn("request", append(line, "cut off", t.err.Error())...)
	case t.err != nil && c.Response().Status >= http.StatusInternalServerError:
		s.logger.Error("request", append(line, "error", t.err.Error())...)
	case t.err != nil:
		s.logger.Info("request", append(line, "refused", t.err.Error())...)
	case polled(t.route):
		s.logger.Debug("request", line...)
	default:
		s.logger.Info("request", line...)
	}
}

// polled routes are asked every few seconds by balancers, monitoring systems and the process itself.
func polled(route string) bool { return oneOf(route, "/healthz", "/readyz", "/r/test", "/nl/ping") }

// enter is around the handler of a route: the session, the right, the limits and the deadline.
func (s *Server) enter(r route) echo.HandlerFunc {
	switch {
	case isAPI(r.path):
		return s.enterAPI(r)
	case isHit(r.path):
		return s.enterHit(r)
	}
	inner := func(c echo.Context) error {
		err := s.allow(c, r)
		if err == nil {
			err = r.handle(c)
		}
		if err != nil {
			s.fail(err, c)
		}
		return nil
	}
	withSession := echo.WrapMiddleware(s.sessions.LoadAndSave)(inner)
	return func(c echo.Context) error {
		ctx := c.Request().Context()
		t := traceOf(ctx)
		t.route = r.path
		if sessionless(r) {
			return inner(c)
		}
		if !r.background {
			var done context.CancelFunc
			ctx, done = context.WithTimeout(ctx, requestDeadline)
			defer done()
		}
		visit := &db.Visit{IP: s.clientIP(c.Request()), Agent: c.Request().UserAgent()}
		c.Set(visitName, visit)
		c.SetRequest(c.Request().WithContext(db.WithVisit(ctx, visit)))
		return withSession(c)
	}
}

const visitName = "visit"

// sessionless routes are asked for by machines and for the parts of a page; they have nothing to do with a session.
func sessionless(r route) bool {
	switch r.path {
	case "/healthz", "/readyz", "/nl/ping", "/r/test", "/r/mirror", "/r/opt-out", "/static/:name", "/favicon.ico":
		return true
	}
	return false
}

// allow decides whether a request may reach its handler: limits first, then the session, the right, a form that can be
// read, and the password given again where the route wants that.
func (s *Server) allow(c echo.Context, r route) error {
	visit := s.visit(c)
	if sessionless(r) {
		return nil
	}
	who := s.house(c.Request())
	if visit.Operator != nil {
		who = "operator " + strconv.FormatInt(visit.Operator.ID, 10)
		traceOf(c.Request().Context()).operator = visit.Operator.Login
	}
	if wait := s.limits.take(who, c.Request().Method); wait > 0 {
		return &problem{status: http.StatusTooManyRequests, key: "error.too_many", wait: wait}
	}
	if r.right == anyone {
		return nil
	}
	if visit.Operator == nil {
		return s.askWho(c)
	}
	if r.right != signedIn && !visit.Operator.Has(r.right) || r.right == "" {
		return s.refuse(c, r)
	}
	if r.method == http.MethodPost {
		if _, err := form(c); err != nil {
			return err
		}
	}
	if r.confirmed && !s.confirmedLately(c.Request().Context()) {
		if err := s.confirm(c); err != nil {
			return err
		}
	}
	if r.background || c.Request().Header.Get("X-Background") != "" {
		return nil
	}
	return s.db.Seen(c.Request().Context(), visit)
}

// askWho leads a visitor to the sign-in, or to the set-up as long as nobody administers the instance.
func (s *Server) askWho(c echo.Context) error {
	needed, err := s.needsSetUp(c.Request().Context())
	if err != nil {
		return err
	}
	if needed {
		return &redirection{to: "/set-up"}
	}
	back := "/"
	if c.Request().Method == http.MethodGet {
		back = c.Request().URL.RequestURI()
	}
	return &redirection{to: signInPath(back), signIn: true}
}

// refuse writes the attempt into the audit trail and says which right is missing.
func (s *Server) refuse(c echo.Context, r route) error {
	entry := attempt(c, r)
	entry.Actor, entry.Detail = s.actor(c), map[string]any{"right": r.right}
	if err := s.db.AuditAlone(c.Request().Context(), entry); err != nil {
		return err
	}
	return &db.MissingRight{Right: r.right}
}

// attempt says what a request wanted: the order to a workflow or the change of an object, else the page.
func attempt(c echo.Context, r route) db.AuditEntry {
	kinds := map[string]string{"/workflows/": "workflow", "/options/": "option", "/operators/": "operator", "/groups/": "group", "/accounts/": "account"}
	object := orElse(c.Param("name"), c.Param("login"))
	for prefix, kind := range kinds {
		if r.method != http.MethodPost || object == "" || !strings.HasPrefix(r.path, prefix) {
			continue
		}
		action := "Modified"
		if command, ok := orders[views.Order(orElse(c.Param("order"), path.Base(r.path)))]; ok && kind == "workflow" {
			action = command.AuditName()
		}
		return db.AuditEntry{EntityType: kind, Entity: object, Action: action}
	}
	return db.AuditEntry{EntityType: "route", Entity: r.method + " " + c.Request().URL.Path, Action: "Refused"}
}

// visit is the request as the session store knows it.
func (s *Server) visit(c echo.Context) *db.Visit {
	if v, ok := c.Get(visitName).(*db.Visit); ok {
		return v
	}
	return &db.Visit{IP: s.clientIP(c.Request())}
}

// actor is who does what the request asks for, as it will stand in the audit trail.
func (s *Server) actor(c echo.Context) db.Actor {
	v := s.visit(c)
	actor := db.Actor{IP: v.IP, Session: v.Session, Route: c.Request().Method + " " + traceOf(c.Request().Context()).route}
	if v.Operator != nil {
		actor.ID, actor.Login, actor.Rights = v.Operator.ID, v.Operator.Login, v.Operator.Rights
	}
	return actor
}
