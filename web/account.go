package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// accountInput is what was entered and refused, to be shown again with its error.
type accountInput struct {
	edit  db.OperatorEdit
	theme string
	wrong *db.Invalid
}

func (s *Server) accountPage(c echo.Context) error {
	o := s.visit(c).Operator
	edit := db.OperatorEdit{Label: o.Label, Email: o.Email, Language: o.Language, Timezone: o.Timezone}
	return s.showAccount(c, http.StatusOK, accountInput{edit: edit, theme: o.Theme})
}

func (s *Server) showAccount(c echo.Context, status int, in accountInput) error {
	o, page := s.visit(c).Operator, s.page(c, views.SectionAccount, "")
	page.Title = page.T("rail.account")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	sessions, err := s.sessionRows(c.Request().Context(), o.ID, s.visit(c).Session)
	if err != nil {
		return err
	}
	member, err := s.db.Operator(c.Request().Context(), o.ID)
	if err != nil {
		return err
	}
	names, err := s.groupLabels(c.Request().Context(), page, member.Groups)
	if err != nil {
		return err
	}
	field := fielder(page, in.wrong)
	view := views.Account{Page: page, Login: o.Login, Groups: names, Rights: rightNames(page, o.Rights), Sessions: sessions}
	view.Label, view.Mail = field("label", "operator.label", in.edit.Label), field("email", "operator.email", in.edit.Email)
	view.Language, view.Theme = field("language", "operator.language", in.edit.Language), field("theme", "operator.theme", in.theme)
	view.TimeZone = field("timezone", "operator.timezone", in.edit.Timezone)
	view.Current, view.Fresh = field("current", "account.current", ""), field("password", "reset.password", "")
	view.Mail.Type, view.Mail.Autocomplete, view.Label.Autocomplete = "email", "email", "name"
	view.Language.Options = languageOptions(page)
	view.Theme.Options = []views.Option{{Value: "system", Text: page.T("theme.system")}, {Value: "light", Text: page.T("theme.light")}, {Value: "dark", Text: page.T("theme.dark")}}
	view.TimeZone.Options = zones(page, in.edit.Timezone, page.T("operator.zone_instance", s.zone().String()))
	view.Current.Type, view.Current.Autocomplete, view.Current.Required = "password", "current-password", true
	view.Fresh.Type, view.Fresh.Autocomplete, view.Fresh.Required = "password", "new-password", true
	view.Fresh.Help = page.T("operator.password_help", db.PasswordMin)
	return s.render(c, status, views.AccountPage(view))
}

// fielder makes the inputs of a form, each with the error that belongs to it.
func fielder(page views.Page, wrong *db.Invalid) func(name, label, value string) views.Field {
	return func(name, label, value string) views.Field {
		f := views.Field{Name: name, Label: page.T(label), Value: value}
		if wrong == nil {
			return f
		}
		for _, one := range append([]*db.Invalid{wrong}, wrong.Others...) {
			if one.Field == name {
				f.Error = page.T(one.Key, one.Args...)
			}
		}
		return f
	}
}

func languageOptions(page views.Page) []views.Option {
	return []views.Option{{Value: "en", Text: page.T("language.en")}, {Value: "ko", Text: page.T("language.ko")}}
}

func rightNames(page views.Page, rights []string) []string {
	names := make([]string, len(rights))
	for i, right := range rights {
		names[i] = rightName(page, right)
	}
	return names
}

func (s *Server) groupLabels(ctx context.Context, page views.Page, names []string) ([]string, error) {
	groups, err := s.db.Groups(ctx)
	if err != nil {
		return nil, err
	}
	var labels []string
	for _, g := range groups {
		if oneOf(g.Name, names...) {
			labels = append(labels, groupLabel(page, g))
		}
	}
	return labels, nil
}

func (s *Server) sessionRows(ctx context.Context, operatorID int64, here string) ([]views.SessionRow, error) {
	open, err := s.db.OpenSessions(ctx, operatorID)
	if err != nil {
		return nil, err
	}
	var rows []views.SessionRow
	for _, session := range open {
		rows = append(rows, views.SessionRow{Name: session.Name, Address: session.IP, Browser: browser(session.Agent),
			Created: session.Created, LastSeen: session.LastSeen, Ends: session.Ends, Here: session.Name == here})
	}
	return rows, nil
}

// browser is the part of a user agent that people recognise; a strange one is shown as it came.
func browser(agent string) string {
	system := ""
	for _, name := range []string{"Android", "iPhone", "Windows", "Mac OS", "Linux"} {
		if strings.Contains(agent, name) {
			system = ", " + name
			break
		}
	}
	for mark, name := range map[string]string{"Edg/": "Edge", "Firefox/": "Firefox", "HeadlessChrome/": "Chrome"} {
		if strings.Contains(agent, mark) {
			return name + system
		}
	}
	switch {
	case strings.Contains(agent, "Chrome/"):
		return "Chrome" + system
	case strings.Contains(agent, "Safari/"):
		return "Safari" + system
	case agent == "":
		return "—"
	}
	return agent[:min(len(agent), 60)]
}

func (s *Server) editAccount(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	in := accountInput{edit: db.OperatorEdit{Label: fields.Get("label"), Email: fields.Get("email"), Language: fields.Get("language"),
		Timezone: fields.Get("timezone")}, theme: fields.Get("theme")}
	err = s.db.EditAccount(c.Request().Context(), s.actor(c), in.edit, in.theme)
	if errors.As(err, &in.wrong) {
		return s.showAccount(c, http.StatusUnprocessableEntity, in)
	}
	if err != nil {
		return err
	}
	return s.done(c, "/account", views.Flash{State: views.Finished, Text: s.plainPage(c).R("account.saved")})
}

func (s *Server) changePassword(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	o := s.visit(c).Operator
	in := accountInput{edit: db.OperatorEdit{Label: o.Label, Email: o.Email, Language: o.Language, Timezone: o.Timezone}, theme: o.Theme}
	err = s.db.ChangePassword(c.Request().Context(), s.actor(c), fields.Get("current"), fields.Get("password"))
	if errors.As(err, &in.wrong) {
		return s.showAccount(c, http.StatusUnprocessableEntity, in)
	}
	if err != nil {
		return err
	}
	if err := s.beginSession(c, o.ID); err != nil {
		return err
	}
	return s.done(c, "/account", views.Flash{State: views.Finished, Text: s.plainPage(c).R("account.password_changed")})
}

func (s *Server) endOwnSession(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	if err := s.db.EndSession(c.Request().Context(), s.actor(c), fields.Get("session")); err != nil {
		return err
	}
	return s.done(c, "/account", views.Flash{State: views.Finished, Text: s.plainPage(c).R("sessions.ended")})
}

func (s *Server) endOtherSessions(c echo.Context) error {
	actor := s.actor(c)
	if err := s.db.EndSessions(c.Request().Context(), actor, actor.ID, actor.Session); err != nil {
		return err
	}
	return s.done(c, "/account", views.Flash{State: views.Finished, Text: s.plainPage(c).R("sessions.ended")})
}
