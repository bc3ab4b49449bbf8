package web

import (
	_ "embed"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"nightshift/db"
)

// logonAnswer is what a program gets that signs on.
type logonAnswer struct {
	Token         string   `json:"token"`
	SecurityToken string   `json:"security_token"`
	ExpiresAt     db.Stamp `json:"expires_at"`
	ServerDate    db.Stamp `json:"server_date"`
}

// logon gives a program a token for its login and password. Failures count like those of people who sign in.
func (s *Server) logon(c echo.Context) error {
	var in struct{ Login, Password string }
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.Login == "" || len(in.Login) > 200 || len(in.Password) > 1000 {
		return badRequest("login and password are needed")
	}
	actor := s.actor(c)
	made, o, err := s.db.Logon(c.Request().Context(), db.Attempt{Login: in.Login, Password: in.Password, IP: actor.IP, Route: actor.Route})
	if errors.Is(err, db.ErrSignIn) {
		return &apiProblem{status: http.StatusUnauthorized, code: "logon_refused", detail: "login and password do not match an operator who may sign on"}
	}
	if err != nil {
		return err
	}
	traceOf(c.Request().Context()).operator = o.Login
	return s.answerJSON(c, http.StatusOK, logonAnswer{Token: made.Token, SecurityToken: made.Security,
		ExpiresAt: db.Stamp{Time: made.Expires}, ServerDate: db.Stamp{Time: made.ServerDate}})
}

//go:embed openapi.yaml
var openAPI []byte

// describeAPI says in OpenAPI 3 what instances may ask; a test holds it against the routes and their answers.
func (s *Server) describeAPI(c echo.Context) error {
	return s.packed(c, http.StatusOK, "application/yaml; charset=utf-8", openAPI)
}
