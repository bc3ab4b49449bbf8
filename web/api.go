package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
)

// apiPrefix is where other instances ask. There a program shows a token and never a cookie, so that no browser can be
// made to speak for somebody: the check of the origin, which is for browsers, does not apply.
const apiPrefix = "/api/v1/"

// apiBodyLimit is how large a request of an instance may be: a part of a delivery with its addresses.
const apiBodyLimit = 8 << 20

func isAPI(path string) bool { return strings.HasPrefix(path, apiPrefix) }

// enterAPI is around the handler of a route for instances: the token, the limits, the right and the deadline.
func (s *Server) enterAPI(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		traceOf(c.Request().Context()).route = r.path
		ctx, done := context.WithTimeout(c.Request().Context(), requestDeadline)
		defer done()
		c.SetRequest(c.Request().WithContext(ctx))
		c.Set(visitName, &db.Visit{IP: s.clientIP(c.Request()), Agent: c.Request().UserAgent()})
		err := s.allowAPI(c, r)
		if err == nil {
			err = r.handle(c)
		}
		if err != nil {
			s.fail(err, c)
		}
		return nil
	}
}

// allowAPI decides whether a program may reach a handler. Who shows no token that holds is limited by address.
func (s *Server) allowAPI(c echo.Context, r route) error {
	visit := s.visit(c)
	var caller db.Caller
	var refused error
	if r.right != anyone {
		if caller, refused = s.bearer(c); refused != nil && !errors.Is(refused, db.ErrBearer) {
			return refused
		}
	}
	who := "instance at " + s.house(c.Request())
	if caller.ID != 0 {
		who = "instance " + strconv.FormatInt(caller.ID, 10)
	}
	if wait := s.limits.take(who, http.MethodGet); wait > 0 {
		return &apiProblem{status: http.StatusTooManyRequests, code: "too_many_requests", detail: "too many requests, wait", wait: wait}
	}
	if refused != nil {
		return &apiProblem{status: http.StatusUnauthorized, code: "token_invalid", detail: "a bearer token is needed that holds: see POST /api/v1/logon"}
	}
	if r.right == anyone {
		return nil
	}
	visit.Operator = &caller.Operator
	c.Set(callerName, caller)
	traceOf(c.Request().Context()).operator = caller.Login
	if r.right == "" || !caller.Has(r.right) {
		return s.refuse(c, r)
	}
	return nil
}

const callerName = "caller"

// caller is the instance that asks. Routes that anyone may ask have none.
func (s *Server) caller(c echo.Context) db.Caller {
	caller, _ := c.Get(callerName).(db.Caller)
	return caller
}

// bearer reads who asks from the token. A security token that is sent too must belong to it.
func (s *Server) bearer(c echo.Context) (db.Caller, error) {
	header := c.Request().Header
	scheme, token, _ := strings.Cut(header.Get(echo.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > 200 {
		return db.Caller{}, db.ErrBearer
	}
	if security := header.Get("X-Security-Token"); security != "" && security != db.SecurityToken(token) {
		return db.Caller{}, db.ErrBearer
	}
	return s.db.Bearer(c.Request().Context(), token, s.visit(c).IP)
}

// apiProblem is an answer to a program that is not what it asked for. Programs go by the code.
type apiProblem struct {
	status       int
	code, detail string
	wait         time.Duration
}

func (p *apiProblem) Error() string { return fmt.Sprintf("%d %s: %s", p.status, p.code, p.detail) }

// badRequest refuses what a program sent; detail names what is wrong with it.
func badRequest(detail string) error {
	return &apiProblem{status: http.StatusBadRequest, code: "bad_request", detail: detail}
}

// failAPI answers a program with a problem document (RFC 9457) that has a code and the id of the request.
func (s *Server) failAPI(c echo.Context, err error) {
	own := new(apiProblem)
	if !errors.As(err, &own) {
		p := classify(err)
		own = &apiProblem{status: p.status, code: strings.TrimPrefix(p.key, "error."), detail: s.plainPage(c).T(p.key, p.args...), wait: p.wait}
	}
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, "application/problem+json")
	if own.wait > 0 {
		header.Set(echo.HeaderRetryAfter, retryAfter(own.wait))
	}
	if own.status == http.StatusUnauthorized {
		header.Set(echo.HeaderWWWAuthenticate, `Bearer realm="nightshift"`)
	}
	c.Response().WriteHeader(own.status)
	if c.Request().Method == http.MethodHead {
		return
	}
	_ = json.NewEncoder(c.Response()).Encode(map[string]any{
		"type": "about:blank", "title": http.StatusText(own.status), "status": own.status, "detail": own.detail,
		"code": own.code, "request_id": traceOf(c.Request().Context()).id,
	})
}

// answerJSON answers a program, compressed where it takes that.
func (s *Server) answerJSON(c echo.Context, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return s.packed(c, status, echo.MIMEApplicationJSON, body)
}

// readJSON reads the one JSON document of a request. Members that it does not know are ignored.
func readJSON(c echo.Context, into any) error {
	body, err := jsonBody(c)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return badRequest("the body is not the JSON that is described in /api/v1/openapi.yaml")
	}
	return nil
}

// readStrictJSON reads the one JSON document of a request, and refuses a member that is not described: whoever sends it
// means something by it.
func readStrictJSON(c echo.Context, into any) error {
	body, err := jsonBody(c)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var wrong *json.UnmarshalTypeError
	switch err := decoder.Decode(into); {
	case errors.As(err, &wrong) && wrong.Field != "":
		return badRequest(fmt.Sprintf("%s is %s: it has another type in /api/v1/openapi.yaml", wrong.Field, wrong.Value))
	case err != nil && strings.HasPrefix(err.Error(), "json: unknown field"):
		return badRequest(strings.TrimPrefix(err.Error(), "json: ") + ", it is not described in /api/v1/openapi.yaml")
	case err != nil:
		return badRequest("the body is not the JSON that is described in /api/v1/openapi.yaml")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return badRequest("the body has more than one JSON document")
	}
	return nil
}

// escapedNUL is a NUL in JSON; after an even number of backslashes only, otherwise it is a text about one.
var escapedNUL = regexp.MustCompile(`(?:^|[^\\])(?:\\\\)*\\u0000`)

// jsonBody is the whole body of a request that says it is JSON.
func jsonBody(c echo.Context) ([]byte, error) {
	header := c.Request().Header
	kind, _, err := mime.ParseMediaType(header.Get(echo.HeaderContentType))
	if err != nil || kind != echo.MIMEApplicationJSON || header.Get(echo.HeaderContentEncoding) != "" {
		return nil, &apiProblem{status: http.StatusUnsupportedMediaType, code: "not_json", detail: "the body must be application/json, not compressed"}
	}
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return nil, unread(err, badRequest("the body broke off"))
	}
	// PostgreSQL holds no NUL, and a text of ours never needs one.
	if bytes.Contains(body, []byte(`\u0000`)) && escapedNUL.Match(body) {
		return nil, badRequest("the body has a NUL character")
	}
	return body, nil
}
