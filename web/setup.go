package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// needsSetUp asks the database until there is an administrator, and then never again.
func (s *Server) needsSetUp(ctx context.Context) (bool, error) {
	if s.setUp.Load() {
		return false, nil
	}
	needed, err := s.db.NeedsSetup(ctx)
	if err == nil && !needed {
		s.setUp.Store(true)
	}
	return needed, err
}

// setUpPage is shown to who has the one-time link, as long as nobody administers the instance.
func (s *Server) setUpPage(c echo.Context) error {
	token := orElse(c.Param("token"), c.QueryParam("token"))
	if err := s.mayBeSetUp(c, token); err != nil {
		return err
	}
	in := db.FirstAdministrator{Login: "admin", Zone: s.zone().String()}
	// What the instance is called and is already, in a demo for one, is proposed.
	var err error
	if in.Instance, err = s.db.Option(c.Request().Context(), "XtkInstanceName"); err != nil {
		return err
	}
	if in.Kind, err = s.db.Option(c.Request().Context(), "XtkInstanceType"); err != nil {
		return err
	}
	return s.showSetUp(c, http.StatusOK, token, in, nil)
}

func (s *Server) mayBeSetUp(c echo.Context, token string) error {
	needed, err := s.needsSetUp(c.Request().Context())
	if err != nil {
		return err
	}
	if !needed {
		return db.ErrNotFound
	}
	_, err = s.db.CheckToken(c.Request().Context(), "setup", token)
	if errors.Is(err, db.ErrToken) {
		return &problem{status: http.StatusForbidden, key: "error.set_up_link"}
	}
	return err
}

func (s *Server) showSetUp(c echo.Context, status int, token string, in db.FirstAdministrator, wrong *db.Invalid) error {
	page := s.plainPage(c)
	facts, err := s.db.SetupFacts(c.Request().Context(), token)
	if err != nil {
		return err
	}
	page.Title, page.Path = page.T("set_up.title"), "/set-up/"+token
	field := fielder(page, wrong)
	view := views.SetUp{Page: page, Token: token, Database: page.T("set_up.postgres", facts.Postgres), Tables: facts.Tables,
		Workflows: facts.Workflows, EndsIn: time.Until(facts.Ends)}
	f := &view.Fields
	f.Instance, f.Kind, f.Zone = field("instance", "set_up.instance", in.Instance), field("kind", "set_up.kind", in.Kind), field("zone", "set_up.zone", in.Zone)
	f.Login, f.Email, f.Password = field("login", "sign_in.operator", in.Login), field("email", "operator.email", in.Email), field("password", "sign_in.password", "")
	f.Kind.Options = kinds(page)
	f.Zone.Options = zones(page, in.Zone, "")
	f.Login.Required, f.Login.Autocomplete = true, "username"
	f.Password.Required, f.Password.Type, f.Password.Autocomplete = true, "password", "new-password"
	f.Password.Help = page.T("operator.password_help", db.PasswordMin)
	f.Email.Type, f.Email.Autocomplete = "email", "email"
	return s.render(c, status, views.SetUpPage(view))
}

func kinds(page views.Page) []views.Option {
	return []views.Option{{Value: "marketing", Text: page.T("kind.marketing")}, {Value: "mid", Text: page.T("kind.mid")}, {Value: "execution", Text: page.T("kind.execution")}}
}

// zoneNames are the zones offered; one that is set already is offered too.
const zoneNames = `UTC Asia/Seoul Asia/Tokyo Asia/Shanghai Asia/Hong_Kong Asia/Singapore Asia/Bangkok Asia/Jakarta Asia/Kolkata Asia/Dubai
	Australia/Sydney Pacific/Auckland Europe/London Europe/Dublin Europe/Lisbon Europe/Madrid Europe/Paris Europe/Brussels
	Europe/Amsterdam Europe/Berlin Europe/Zurich Europe/Vienna Europe/Rome Europe/Prague Europe/Warsaw Europe/Stockholm
	Europe/Helsinki Europe/Athens Europe/Istanbul Africa/Cairo Africa/Johannesburg America/Sao_Paulo America/New_York
	America/Toronto America/Chicago America/Denver America/Los_Angeles Pacific/Honolulu`

// zones offers time zones, each with its time now. An empty choice comes first when its text is given.
func zones(page views.Page, current, none string) []views.Option {
	var options []views.Option
	if none != "" {
		options = append(options, views.Option{Text: none})
	}
	names := strings.Fields(zoneNames)
	if current != "" && !oneOf(current, names...) {
		names = append([]string{current}, names...)
	}
	for _, name := range names {
		if zone, err := time.LoadLocation(name); err == nil {
			options = append(options, views.Option{Value: name, Text: page.T("operator.zone_now", name, page.Now.In(zone).Format("15:04 MST"))})
		}
	}
	return options
}

func (s *Server) makeInstance(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	token := fields.Get("token")
	if err := s.mayBeSetUp(c, token); err != nil {
		return err
	}
	page := s.plainPage(c)
	in := db.FirstAdministrator{Login: fields.Get("login"), Email: fields.Get("email"), Password: fields.Get("password"), Language: string(page.Lang),
		Instance: fields.Get("instance"), Kind: fields.Get("kind"), Zone: fields.Get("zone")}
	o, err := s.db.SetUp(c.Request().Context(), s.actor(c), token, in)
	if wrong := new(db.Invalid); errors.As(err, &wrong) {
		return s.showSetUp(c, http.StatusUnprocessableEntity, token, in, wrong)
	}
	if err != nil {
		return err
	}
	if err := s.beginSession(c, o.ID); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

func (s *Server) resetPage(c echo.Context) error {
	token := c.Param("token")
	login, err := s.db.CheckToken(c.Request().Context(), "reset", token)
	if err != nil {
		return err
	}
	return s.showReset(c, http.StatusOK, token, login, "")
}

func (s *Server) showReset(c echo.Context, status int, token, login, trouble string) error {
	page := s.plainPage(c)
	page.Title, page.Path = page.T("reset.title"), "/reset/"+token
	return s.render(c, status, views.ResetPage(views.Reset{Page: page, Token: token, Login: login,
		Password: views.Field{Name: "password", Label: page.T("reset.password"), Type: "password", Required: true, Autofocus: true,
			Autocomplete: "new-password", Help: page.T("operator.password_help", db.PasswordMin), Error: trouble}}))
}

func (s *Server) resetPassword(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	ctx, token := c.Request().Context(), fields.Get("token")
	login, err := s.db.CheckToken(ctx, "reset", token)
	if err != nil {
		return err
	}
	err = s.db.ResetPassword(ctx, s.actor(c), token, fields.Get("password"))
	if wrong := new(db.Invalid); errors.As(err, &wrong) {
		return s.showReset(c, http.StatusUnprocessableEntity, token, login, s.plainPage(c).T(wrong.Key, wrong.Args...))
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, passwordSet)
}
