package web

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// affinityWord is what an affinity may be: a free word without spaces or punctuation.
var affinityWord = regexp.MustCompile(`^[A-Za-z0-9_-]{0,60}$`)

// editProperties shows the properties of a workflow, to be changed.
func (s *Server) editProperties(c echo.Context) error {
	w, err := s.db.WorkflowByName(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	form, err := s.propertyForm(c, w, w.EditOf(), nil)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, views.PropertiesPage(form))
}

// saveProperties saves the properties; what is wrong is said beside its field, and nothing typed is lost.
func (s *Server) saveProperties(c echo.Context) error {
	w, err := s.db.WorkflowByName(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	edit, wrong := typedProperties(c, w, s.plainPage(c))
	form, err := s.propertyForm(c, w, edit, wrong)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return s.render(c, http.StatusUnprocessableEntity, views.PropertiesPage(form))
	}
	err = s.db.SaveWorkflow(c.Request().Context(), s.actor(c), w.ID, edit)
	if errors.Is(err, db.ErrConflict) {
		form.Trouble = form.T("form.conflict")
		return s.render(c, http.StatusConflict, views.PropertiesPage(form))
	}
	if err != nil {
		return err
	}
	return s.done(c, "/workflows/"+w.Name, views.Flash{State: views.Finished, Text: form.R("flash.properties", form.Label)})
}

// typedProperties reads the form. Only the fields that it shows are taken.
func typedProperties(c echo.Context, w db.WorkflowRow, page views.Page) (db.WorkflowEdit, map[string]string) {
	edit, wrong := w.EditOf(), map[string]string{}
	number := func(field string, least, most int) int {
		text := strings.TrimSpace(c.FormValue(field))
		if text == "" {
			text = "0"
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			wrong[field] = page.T("form.range", least, most)
		}
		return n
	}
	choice := func(field, now string, of ...string) string {
		value := c.FormValue(field)
		for _, known := range of {
			if value == known {
				return value
			}
		}
		wrong[field] = page.T("form.choose")
		return now
	}
	edit.Version, _ = strconv.Atoi(c.FormValue("version"))
	edit.Severity = choice("severity", edit.Severity, "normal", "production", "critical")
	edit.OnError = choice("on_error", edit.OnError, "stop", "ignore", "abort")
	edit.Priority, _ = strconv.Atoi(choice("priority", strconv.Itoa(edit.Priority), "0", "1", "2"))
	edit.ErrorLimit = number("error_limit", 0, 1000)
	edit.HistoryDays = number("history_days", 0, 36500)
	edit.MaxSeconds = number("max_minutes", 0, 100_000) * 60
	group, err := strconv.ParseInt(c.FormValue("supervisors"), 10, 64)
	if err != nil && c.FormValue("supervisors") != "" {
		wrong["supervisors"] = page.T("form.choose")
	}
	edit.Supervisors = group
	if edit.Affinity = strings.TrimSpace(c.FormValue("affinity")); !affinityWord.MatchString(edit.Affinity) {
		wrong["affinity"] = page.T("form.affinity")
	}
	edit.LogSQL, edit.Exclusive = c.FormValue("log_sql") == "on", c.FormValue("exclusive") == "on"
	edit.Watchdog, edit.KeepResult = c.FormValue("watchdog") == "on", c.FormValue("keep_result") == "on"
	return edit, wrong
}

// propertyForm is the form with the values of an edit and what is wrong with them.
func (s *Server) propertyForm(c echo.Context, w db.WorkflowRow, edit db.WorkflowEdit, wrong map[string]string) (views.PropertiesForm, error) {
	page := s.page(c, views.SectionWorkflows, "")
	label := labelOf(page.Lang, w.Name, w.Label)
	page.Title, page.Tape.Own = label, w.Name
	page.Crumbs = []views.Crumb{
		{Text: page.T("rail.workflows"), Href: "/workflows"},
		{Text: label, Href: "/workflows/" + w.Name},
		{Text: page.T("properties.crumb")},
	}
	groups, err := s.db.Groups(c.Request().Context())
	if err != nil {
		return views.PropertiesForm{}, err
	}
	supervisors := []views.Option{{Value: "0", Text: "—"}}
	for _, group := range groups {
		supervisors = append(supervisors, views.Option{Value: strconv.FormatInt(group.ID, 10), Text: groupLabel(page, group)})
	}
	field := func(name, kind, value string, options ...views.Option) views.Field {
		return views.Field{Name: name, Label: page.T("property." + name), Help: page.T("property." + name + "_help"), Type: kind,
			Value: value, Options: options, Error: wrong[name]}
	}
	words := func(prefix string, values ...string) []views.Option {
		options := make([]views.Option, len(values))
		for i, value := range values {
			options[i] = views.Option{Value: value, Text: page.T(prefix + value)}
		}
		return options
	}
	on := map[bool]string{true: "on"}
	return views.PropertiesForm{Page: page, Workflow: w.Name, Label: label, Version: edit.Version,
		GroupNames: []string{page.T("properties.people"), page.T("properties.errors"), page.T("properties.run"), page.T("properties.history")},
		Groups: [][]views.Field{
			{field("severity", "select", edit.Severity, words("severity.", "normal", "production", "critical")...),
				field("supervisors", "select", strconv.FormatInt(edit.Supervisors, 10), supervisors...)},
			{field("on_error", "select", edit.OnError, words("on_error.", "stop", "ignore", "abort")...),
				field("error_limit", "number", strconv.Itoa(edit.ErrorLimit)),
				field("watchdog", "checkbox", on[edit.Watchdog])},
			{field("priority", "select", strconv.Itoa(edit.Priority), words("priority.", "0", "1", "2")...),
				field("affinity", "text", edit.Affinity),
				field("max_minutes", "number", numberText(edit.MaxSeconds/60)),
				field("exclusive", "checkbox", on[edit.Exclusive])},
			{field("history_days", "number", strconv.Itoa(edit.HistoryDays)),
				field("log_sql", "checkbox", on[edit.LogSQL]),
				field("keep_result", "checkbox", on[edit.KeepResult])},
		}}, nil
}
