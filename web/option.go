package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
	"nightshift/views/locale"
)

// optionGroups are the parts of the page, in their order.
const optionGroups = "purge engine instance tracking session other"

func (s *Server) optionsPage(c echo.Context) error {
	search := strings.TrimSpace(c.QueryParam("q"))
	if len(search) > 100 {
		return badInput("q")
	}
	options, err := s.db.Options(c.Request().Context())
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionOptions, "")
	page.Title = page.T("rail.options")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	view := views.Options{Page: page, Query: search, Total: len(options)}
	for group := range strings.FieldsSeq(optionGroups) {
		part := views.OptionGroup{Title: page.T("options.group_" + group), Note: page.T("options.note_" + group)}
		for _, option := range options {
			row := optionRow(page, option)
			if option.Group != group || !contains(search, row.Name, row.About, row.Value) {
				continue
			}
			part.Rows = append(part.Rows, row)
		}
		if len(part.Rows) > 0 {
			view.Groups = append(view.Groups, part)
		}
	}
	for _, option := range options {
		if option.Known && option.Set && option.Default != "" && option.Value != option.Default {
			view.Changed++
		}
		if !option.Valid {
			view.Wrong++
		}
	}
	return s.render(c, http.StatusOK, views.OptionsPage(view))
}

// contains reports whether one of the texts holds what is searched for, whatever the case.
func contains(search string, texts ...string) bool {
	return strings.Contains(strings.ToLower(strings.Join(texts, "\n")), strings.ToLower(search))
}

func optionRow(page views.Page, option db.Option) views.OptionRow {
	row := views.OptionRow{Name: option.Name, Value: option.Value, Default: option.Default, Set: option.Set,
		Editable: option.Known && option.Kind != db.OptionMoment, Changed: option.LastModified, By: option.ModifiedBy}
	if key := option.DescriptionKey(); locale.Has(key) {
		row.About = page.T(key)
	}
	if option.Kind == db.OptionAgents && option.Value != "" {
		rules, wrong := db.ParseUserAgentRules(option.Value)
		if row.Value = page.N("options.rules", int64(len(rules))); len(wrong) > 0 {
			row.Trouble = page.T("options.trouble_agents", wrong[0].Error())
		}
		return row
	}
	if option.Unit != "" {
		row.Value, row.Unit, row.Span = counted(page, option, option.Value)
		row.Default, _, _ = counted(page, option, option.Default)
	}
	if at, err := time.Parse("2006-01-02 15:04:05.999999-07", row.Value); err == nil && option.Kind == db.OptionMoment {
		row.Value = page.Stamp(at)
	}
	if !option.Valid && option.Known {
		row.Trouble = page.T("options.trouble", option.Value)
		if option.Kind == db.OptionDays {
			row.Trouble, row.Unit = page.T("options.trouble_purge", option.Value), ""
		}
	}
	return row
}

// counted writes a number of an option, the word behind it, and what many seconds come to.
func counted(page views.Page, option db.Option, value string) (number, unit, span string) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return value, page.T(option.Unit), ""
	}
	unit = page.T(option.Unit)
	if one := option.Unit + "_one"; n == 1 && locale.Has(one) {
		unit = page.T(one)
	}
	if d := time.Duration(n) * time.Second; option.Unit == "option.unit.seconds" && d >= time.Minute {
		if span = page.Took(d); d%(24*time.Hour) == 0 || d < time.Hour && d%time.Minute == 0 {
			span = page.About(d)
		}
	}
	return views.Number(n), unit, span
}

// agentsExample is a rule as the empty field shows it.
const agentsExample = `[{"pattern": "OurReader/([0-9.]+)", "browser_name": "Our reader", "browser_version": "$1"}]`

// option finds one option that people may edit.
func (s *Server) option(c echo.Context) (db.Option, error) {
	options, err := s.db.Options(c.Request().Context())
	if err != nil {
		return db.Option{}, err
	}
	for _, option := range options {
		if option.Name == c.Param("name") && option.Known && option.Kind != db.OptionMoment {
			return option, nil
		}
	}
	return db.Option{}, db.ErrNotFound
}

func (s *Server) optionPage(c echo.Context) error {
	option, err := s.option(c)
	if err != nil {
		return err
	}
	return s.showOption(c, http.StatusOK, option, option.Value, "")
}

func (s *Server) showOption(c echo.Context, status int, option db.Option, value, wrong string) error {
	page := s.page(c, views.SectionOptions, option.Name)
	page.Crumbs = []views.Crumb{{Text: page.T("rail.options"), Href: "/options"}, {Text: option.Name}}
	entries, _, err := s.db.AuditRows(c.Request().Context(), db.AuditFilter{EntityType: "option", Entity: option.Name, Limit: 10})
	if err != nil {
		return err
	}
	view := views.OptionForm{Page: page, Row: optionRow(page, option), Log: auditLines(page, entries)}
	view.Field = views.Field{Name: "value", Label: page.T("options.value"), Value: value, Error: wrong, Required: option.Kind != db.OptionText,
		Help: optionHelp(page, option)}
	switch option.Kind {
	case db.OptionAgents:
		view.Lines, view.Field.Required, view.Field.Placeholder = true, false, agentsExample
	case db.OptionDays, db.OptionNumber:
		view.Field.Inputmode, view.Field.Note = "numeric", page.T(option.Unit)
	case db.OptionChoice:
		view.Choices = true
		for _, choice := range option.Choices {
			view.Field.Options = append(view.Field.Options, views.Option{Value: choice, Text: choice})
		}
	case db.OptionZone:
		view.Choices, view.Field.Options = true, zones(page, value, "")
	}
	return s.render(c, status, views.OptionPage(view))
}

// optionHelp says unit, range and default of an option.
func optionHelp(page views.Page, option db.Option) string {
	switch option.Kind {
	case db.OptionDays, db.OptionNumber:
		number, _, span := counted(page, option, option.Default)
		if span != "" {
			number = page.T("options.span", number, span)
		}
		return page.T("options.range", option.Min, option.Max, page.T(option.Unit), number)
	case db.OptionAgents:
		return page.T("options.agents_help")
	case db.OptionText, db.OptionZone, db.OptionChoice, db.OptionMoment:
		if option.Default != "" {
			return page.T("options.default", option.Default)
		}
	}
	return ""
}

func (s *Server) setOption(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	option, err := s.option(c)
	if err != nil {
		return err
	}
	ctx, page := c.Request().Context(), s.plainPage(c)
	if fields.Get("reset") != "" {
		err = s.db.ResetOption(ctx, s.actor(c), option.Name)
	} else {
		err = s.db.SetOption(ctx, s.actor(c), option.Name, fields.Get("value"))
	}
	if wrong := new(db.OptionError); errors.As(err, &wrong) {
		return s.showOption(c, http.StatusUnprocessableEntity, option, fields.Get("value"), page.T(wrong.Key, wrong.Args...))
	}
	if err != nil {
		return err
	}
	return s.done(c, "/options/"+option.Name, views.Flash{State: views.Finished, Text: page.R("options.saved", option.Name)})
}
