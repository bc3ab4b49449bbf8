package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// problem is an answer that is not the page asked for: its status and the key of the sentence that says why.
type problem struct {
	status int
	key    string
	args   []any
	wait   time.Duration // after which it is worth trying again
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s %v", p.status, p.key, p.args) }

// badInput is the problem of a request that no form of ours makes: an unknown filter, an id out of range.
func badInput(what string) error {
	return &problem{status: http.StatusBadRequest, key: "error.bad_input", args: []any{what}}
}

// redirection leads elsewhere instead of answering.
type redirection struct {
	to     string
	signIn bool
}

func (r *redirection) Error() string { return "go to " + r.to }

// fail is the one exit of all errors: a page, or problem JSON for who asks for JSON. It shows an id and words of ours,
// never what was sent nor what the database said.
func (s *Server) fail(err error, c echo.Context) {
	t := traceOf(c.Request().Context())
	t.err = err
	if c.Response().Committed {
		t.half = true
		return
	}
	p := classify(err)
	if p.status == http.StatusMethodNotAllowed {
		c.Response().Header().Set(echo.HeaderAllow, methods)
	}
	if isAPI(c.Request().URL.Path) {
		s.failAPI(c, err)
		return
	}
	var elsewhere *redirection
	if errors.As(err, &elsewhere) {
		t.err = nil
		s.lead(c, elsewhere)
		return
	}
	var again *unconfirmed
	if errors.As(err, &again) {
		s.askAgain(c, again)
		return
	}
	if p.wait > 0 {
		c.Response().Header().Set("Retry-After", retryAfter(p.wait))
	}
	if wantsJSON(c.Request()) {
		s.failJSON(c, p)
		return
	}
	var missing *db.MissingRight
	if errors.As(err, &missing) {
		if refusal, err := s.refusal(c, missing); err == nil {
			s.write(c, p.status, refusal)
			return
		}
	}
	s.write(c, p.status, s.notice(c, p))
}

// classify says with which status and words an error is answered.
func classify(err error) *problem {
	var own *problem
	var missing *db.MissingRight
	var wait *db.Throttled
	var invalid *db.Invalid
	var refused *db.Refusal
	var option *db.OptionError
	var tooLarge *http.MaxBytesError
	var routed *echo.HTTPError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &missing):
		return &problem{status: http.StatusForbidden, key: "error.missing_right", args: []any{missing.Right}}
	case errors.As(err, &wait):
		return &problem{status: http.StatusTooManyRequests, key: "error.throttled", wait: wait.Wait}
	case errors.As(err, &invalid):
		return &problem{status: http.StatusUnprocessableEntity, key: invalid.Key, args: invalid.Args}
	case errors.As(err, &option):
		return &problem{status: http.StatusUnprocessableEntity, key: option.Key, args: option.Args}
	case errors.As(err, &refused):
		return &problem{status: http.StatusConflict, key: refused.Key}
	case errors.Is(err, db.ErrConflict):
		return &problem{status: http.StatusConflict, key: "error.conflict"}
	case errors.As(err, &tooLarge):
		return &problem{status: http.StatusRequestEntityTooLarge, key: "error.too_large"}
	case errors.Is(err, db.ErrNotFound):
		return &problem{status: http.StatusNotFound, key: "error.not_found"}
	case errors.Is(err, db.ErrLastAdministrator):
		return &problem{status: http.StatusConflict, key: "error.last_administrator"}
	case errors.Is(err, db.ErrToken):
		return &problem{status: http.StatusForbidden, key: "error.link"}
	case errors.Is(err, db.ErrBusy):
		return &problem{status: http.StatusServiceUnavailable, key: "error.busy", wait: 5 * time.Second}
	case errors.As(err, &routed):
		return byStatus(routed.Code)
	case hindrance(err) != "":
		return &problem{status: http.StatusServiceUnavailable, key: "hindered." + hindrance(err), wait: 5 * time.Second}
	case unavailable(err):
		return &problem{status: http.StatusServiceUnavailable, key: "error.database", wait: 5 * time.Second}
	}
	return &problem{status: http.StatusInternalServerError, key: "error.internal"}
}

// byStatus gives words to what Echo itself refuses.
func byStatus(status int) *problem {
	switch {
	case status == http.StatusNotFound:
		return &problem{status: status, key: "error.not_found"}
	case status == http.StatusMethodNotAllowed:
		return &problem{status: status, key: "error.method"}
	case status == http.StatusRequestEntityTooLarge:
		return &problem{status: status, key: "error.too_large"}
	case status >= 400 && status < 500:
		return &problem{status: status, key: "error.bad_input", args: []any{http.StatusText(status)}}
	}
	return &problem{status: http.StatusInternalServerError, key: "error.internal"}
}

// unavailable reports whether an error means that PostgreSQL does not answer now, rather than that we asked wrongly.
func unavailable(err error) bool {
	var connect *pgconn.ConnectError
	var server *pgconn.PgError
	var network net.Error
	switch {
	case errors.As(err, &connect), errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return true
	case errors.As(err, &server):
		// Connection exceptions, no resources, shut down or cancelled by an administrator or a time limit.
		return strings.HasPrefix(server.Code, "08") || strings.HasPrefix(server.Code, "53") || strings.HasPrefix(server.Code, "57")
	case errors.As(err, &network):
		return true
	}
	return pgconn.SafeToRetry(err)
}

func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}

// lead sends a browser elsewhere; htmx, which would put the other page into this one, is told to load it as a whole.
func (s *Server) lead(c echo.Context, to *redirection) {
	header := c.Response().Header()
	switch {
	case wantsJSON(c.Request()) && to.signIn:
		s.failJSON(c, &problem{status: http.StatusUnauthorized, key: "error.sign_in"})
	case c.Request().Header.Get("HX-Request") != "":
		header.Set("HX-Redirect", to.to)
		c.Response().WriteHeader(http.StatusUnauthorized)
	default:
		header.Set("Location", to.to)
		c.Response().WriteHeader(http.StatusSeeOther)
	}
}

// failJSON answers with a problem document (RFC 9457).
func (s *Server) failJSON(c echo.Context, p *problem) {
	page := s.plainPage(c)
	c.Response().Header().Set("Content-Type", "application/problem+json")
	c.Response().WriteHeader(p.status)
	if c.Request().Method == http.MethodHead {
		return
	}
	_ = json.NewEncoder(c.Response()).Encode(map[string]any{
		"type": "about:blank", "title": http.StatusText(p.status), "status": p.status,
		"detail": page.T(p.key, p.args...), "instance": traceOf(c.Request().Context()).id,
	})
}

// notice is the page of a problem. Where the database is the problem it shows no masthead, which would need it.
func (s *Server) notice(c echo.Context, p *problem) templ.Component {
	page := s.plainPage(c)
	hindered := strings.HasPrefix(p.key, "hindered.")
	switch {
	case s.visit(c).Operator == nil:
	case hindered:
		page = s.frame(c, "", "") // the database answers those who read
	case p.status < http.StatusInternalServerError:
		page = s.page(c, "", "")
	}
	page.RequestID, page.Path = traceOf(c.Request().Context()).id, "/"
	key := fmt.Sprintf("error.fact_%d", p.status)
	if p.status == http.StatusServiceUnavailable && p.key != "error.database" {
		key = "error.fact_busy"
	}
	fact, why := page.T(key), page.T(p.key, p.args...)
	if hindered {
		fact, why = why+".", page.T("hindered.nothing")+" "+page.T(p.key+"_do")
	}
	page.Title = fact
	return views.NoticePage(views.Notice{Page: page, Status: p.status, Fact: fact, Why: why, Next: s.nextStep(c, page, p)})
}

// nextStep is where to go from a problem: again to the same page when waiting helps, else to where one may be.
func (s *Server) nextStep(c echo.Context, page views.Page, p *problem) []views.Link {
	switch {
	case p.key == "error.set_up_link":
		return nil // its text says where the link is
	case p.wait > 0 && c.Request().Method == http.MethodGet:
		return []views.Link{{Text: page.T("error.again"), Href: local(c.Request().URL.RequestURI())}}
	case s.visit(c).Operator == nil:
		return []views.Link{{Text: page.T("sign_in.title"), Href: "/sign-in"}}
	}
	return []views.Link{{Text: page.T("error.home"), Href: "/"}}
}

// refusal says which right is missing, and who can grant it: who administers the instance.
func (s *Server) refusal(c echo.Context, missing *db.MissingRight) (templ.Component, error) {
	operators, err := s.db.Operators(c.Request().Context())
	if err != nil {
		return nil, err
	}
	page := s.page(c, "", "")
	page.Path = "/"
	var grants []string
	for _, o := range operators {
		if o.Has(db.Administration) && !o.Disabled && o.HasPassword && len(grants) < 5 {
			grants = append(grants, o.Name())
		}
	}
	fact := page.T("error.refused")
	if c.Request().Method == http.MethodGet {
		fact = page.T("error.refused_page")
	}
	page.Title = page.T("error.fact_403")
	page.Crumbs = []views.Crumb{{Text: page.T("error.fact_403")}}
	return views.RefusalPage(views.Refusal{Page: page, Fact: fact, Right: rightName(page, missing.Right), Grants: grants, Back: "/"}), nil
}

// unknown answers whatever has no route.
func (s *Server) unknown(echo.Context) error {
	return &problem{status: http.StatusNotFound, key: "error.not_found"}
}
