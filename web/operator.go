package web

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

func (s *Server) operatorsPage(c echo.Context) error {
	ctx := c.Request().Context()
	operators, err := s.db.Operators(ctx)
	if err != nil {
		return err
	}
	groups, err := s.db.Groups(ctx)
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionOperators, "")
	page.Title = page.T("rail.operators")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	view := views.Operators{Page: page}
	labels := map[string]string{}
	for _, g := range groups {
		labels[g.Name] = groupLabel(page, g)
		view.Groups = append(view.Groups, views.GroupRow{Name: g.Name, Label: labels[g.Name], Rights: rightNames(page, g.Rights), Members: len(g.Members)})
	}
	for _, o := range operators {
		row := views.OperatorRow{Login: o.Login, Name: o.Name(), Email: o.Email, Rights: rightNames(page, o.Rights), Sessions: o.Sessions,
			LastLogin: o.LastLogin}
		row.State, row.Why = standing(page, o)
		for _, name := range o.Groups {
			row.Groups = append(row.Groups, labels[name])
		}
		if row.State == views.Started {
			view.Active++
			if o.Has(db.Administration) {
				view.Admins++
			}
		}
		view.Rows = append(view.Rows, row)
	}
	return s.render(c, http.StatusOK, views.OperatorsPage(view))
}

// standing says whether an operator can sign in, and if not, why.
func standing(page views.Page, o db.Operator) (views.State, string) {
	switch {
	case o.Disabled:
		return views.NotHere, page.T("operator.disabled")
	case o.ForbidConsole:
		return views.NotHere, page.T("operator.no_console")
	case !o.HasPassword:
		return views.Edited, page.T("operator.no_password")
	}
	return views.Started, page.T("operator.can_sign_in")
}

// operatorInput is what was entered and refused, to be shown again with its error, or a link that was just made.
type operatorInput struct {
	edit    db.OperatorEdit
	wrong   *db.Invalid
	trouble string
	link    string
}

func (s *Server) newOperatorPage(c echo.Context) error {
	return s.showOperator(c, http.StatusOK, nil, operatorInput{edit: db.OperatorEdit{Language: string(s.plainPage(c).Lang)}})
}

func (s *Server) operatorPage(c echo.Context) error {
	o, err := s.db.OperatorByLogin(c.Request().Context(), c.Param("login"))
	if err != nil {
		return err
	}
	return s.showOperator(c, http.StatusOK, &o, operatorInput{edit: editOf(o)})
}

func editOf(o db.Operator) db.OperatorEdit {
	return db.OperatorEdit{Login: o.Login, Label: o.Label, Email: o.Email, Language: o.Language, Timezone: o.Timezone, Groups: o.Groups,
		Rights: o.DirectRights, Disabled: o.Disabled}
}

// showOperator shows an operator, or with none the form for a new one.
func (s *Server) showOperator(c echo.Context, status int, o *db.Operator, in operatorInput) error {
	page := s.page(c, views.SectionOperators, "")
	view := views.OperatorForm{Page: page, New: o == nil, Name: page.T("operators.add_title"), Trouble: in.trouble, Link: in.link, LinkHolds: 15 * time.Minute}
	if o != nil {
		view.Name, view.Login, view.LastLogin, view.PasswordAt = o.Name(), o.Login, o.LastLogin, o.PasswordChanged
		view.State, view.Why = standing(page, *o)
		view.Effective = rightNames(page, o.Rights)
		sessions, err := s.sessionRows(c.Request().Context(), o.ID, s.visit(c).Session)
		if err != nil {
			return err
		}
		view.Sessions = sessions
	}
	view.Title = view.Name
	view.Crumbs = []views.Crumb{{Text: page.T("rail.operators"), Href: "/operators"}, {Text: view.Name}}
	view.Fields = s.operatorFields(page, in)
	if err := s.operatorChoices(c, &view, in.edit); err != nil {
		return err
	}
	return s.render(c, status, views.OperatorPage(view))
}

func (s *Server) operatorFields(page views.Page, in operatorInput) views.OperatorFields {
	field := fielder(page, in.wrong)
	f := views.OperatorFields{
		Login: field("login", "operator.login", in.edit.Login), Label: field("label", "operator.label", in.edit.Label),
		Email: field("email", "operator.email", in.edit.Email), Language: field("language", "operator.language", in.edit.Language),
		Zone: field("timezone", "operator.timezone", in.edit.Timezone), Disabled: field("disabled", "operator.disable", ""),
	}
	f.Login.Required, f.Login.Mono, f.Login.Help = true, true, page.T("operator.login_help")
	f.Email.Type, f.Email.Help = "email", page.T("operator.email_help")
	f.Language.Options = languageOptions(page)
	f.Zone.Options = zones(page, in.edit.Timezone, page.T("operator.zone_instance", s.zone().String()))
	f.Disabled.Help = page.T("operator.disable_help")
	if in.edit.Disabled {
		f.Disabled.Value = "on"
	}
	return f
}

func (s *Server) operatorChoices(c echo.Context, view *views.OperatorForm, edit db.OperatorEdit) error {
	groups, err := s.db.Groups(c.Request().Context())
	if err != nil {
		return err
	}
	for _, g := range groups {
		view.Groups = append(view.Groups, views.Choice{Name: "group", Value: g.Name, Text: groupLabel(view.Page, g), Checked: oneOf(g.Name, edit.Groups...),
			Note: join(rightNames(view.Page, g.Rights))})
	}
	view.Rights, err = s.rightChoices(c, view.Page, edit.Rights)
	return err
}

func (s *Server) rightChoices(c echo.Context, page views.Page, held []string) ([]views.Choice, error) {
	rights, err := s.db.Rights(c.Request().Context())
	if err != nil {
		return nil, err
	}
	var choices []views.Choice
	for _, right := range rights {
		choices = append(choices, views.Choice{Name: "right", Value: right.Name, Text: rightName(page, right.Name), Checked: oneOf(right.Name, held...)})
	}
	return choices, nil
}

// operatorEdit takes from a form what may be set of an operator, and nothing else.
func operatorEdit(fields url.Values) db.OperatorEdit {
	return db.OperatorEdit{Login: fields.Get("login"), Label: fields.Get("label"), Email: fields.Get("email"), Language: fields.Get("language"),
		Timezone: fields.Get("timezone"), Groups: fields["group"], Rights: fields["right"], Disabled: fields.Get("disabled") == "on"}
}

func (s *Server) addOperator(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	in := operatorInput{edit: operatorEdit(fields)}
	o, err := s.db.AddOperator(c.Request().Context(), s.actor(c), in.edit)
	if errors.As(err, &in.wrong) {
		return s.showOperator(c, http.StatusUnprocessableEntity, nil, in)
	}
	if err != nil {
		return err
	}
	return s.done(c, "/operators/"+o.Login, views.Flash{State: views.Finished, Text: s.plainPage(c).R("operator.added", o.Name())})
}

func (s *Server) editOperator(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	o, err := s.db.OperatorByLogin(c.Request().Context(), c.Param("login"))
	if err != nil {
		return err
	}
	in, page := operatorInput{edit: operatorEdit(fields)}, s.plainPage(c)
	_, err = s.db.EditOperator(c.Request().Context(), s.actor(c), o.ID, in.edit)
	if errors.As(err, &in.wrong) {
		return s.showOperator(c, http.StatusUnprocessableEntity, &o, in)
	}
	if errors.Is(err, db.ErrLastAdministrator) {
		in.trouble = page.T("error.last_administrator")
		return s.showOperator(c, http.StatusConflict, &o, in)
	}
	if err != nil {
		return err
	}
	return s.done(c, "/operators/"+o.Login, views.Flash{State: views.Finished, Text: page.R("operator.saved", o.Name())})
}

// makeResetLink shows a one-time link on the answer itself: it is nowhere else, and not in the browser's history.
func (s *Server) makeResetLink(c echo.Context) error {
	ctx := c.Request().Context()
	o, err := s.db.OperatorByLogin(ctx, c.Param("login"))
	if err != nil {
		return err
	}
	in, page := operatorInput{edit: editOf(o)}, s.plainPage(c)
	token, err := s.db.ResetLink(ctx, s.actor(c), o.ID)
	if wrong := new(db.Invalid); errors.As(err, &wrong) {
		in.trouble = page.T(wrong.Key, wrong.Args...)
		return s.showOperator(c, http.StatusUnprocessableEntity, &o, in)
	}
	if err != nil {
		return err
	}
	in.link = s.publicURL(c) + "/reset/" + token
	return s.showOperator(c, http.StatusOK, &o, in)
}

// publicURL is the console's address as browsers see it.
func (s *Server) publicURL(c echo.Context) string {
	if s.config.URL != nil {
		return s.config.URL.Scheme + "://" + s.config.URL.Host
	}
	return "http://" + c.Request().Host
}

func (s *Server) endSessions(c echo.Context) error {
	o, err := s.db.OperatorByLogin(c.Request().Context(), c.Param("login"))
	if err != nil {
		return err
	}
	if err := s.db.EndSessions(c.Request().Context(), s.actor(c), o.ID, ""); err != nil {
		return err
	}
	return s.done(c, "/operators/"+o.Login, views.Flash{State: views.Finished, Text: s.plainPage(c).R("sessions.ended")})
}
