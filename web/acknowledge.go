package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// askAcknowledge shows the alarms of a workflow that nobody has acknowledged, and asks for a reason.
func (s *Server) askAcknowledge(c echo.Context) error {
	form, err := s.acknowledgeForm(c)
	if err != nil {
		return err
	}
	if len(form.Drifts) == 0 {
		return s.noAlarm(c, form)
	}
	return s.render(c, http.StatusOK, views.AcknowledgePage(form))
}

// acknowledge notes that the operator knows of the alarms that the form has shown.
func (s *Server) acknowledge(c echo.Context) error {
	fields, err := form(c)
	if err != nil {
		return err
	}
	form, err := s.acknowledgeForm(c)
	if err != nil {
		return err
	}
	if form.Reason = strings.TrimSpace(fields.Get("reason")); len([]rune(form.Reason)) > 200 {
		form.Wrong = form.T("order.reason_long", 200)
		return s.render(c, http.StatusUnprocessableEntity, views.AcknowledgePage(form))
	}
	var seen []int64
	for _, text := range fields["alarm"] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return badInput("alarm=" + text)
		}
		seen = append(seen, id)
	}
	err = s.db.AcknowledgeDrifts(c.Request().Context(), s.actor(c), form.Workflow, seen, form.Reason)
	if errors.Is(err, db.ErrConflict) {
		return s.noAlarm(c, form)
	}
	if err != nil {
		return err
	}
	return s.done(c, "/workflows/"+form.Workflow, views.Flash{State: views.Finished, Text: form.R("alarm.acknowledged", form.Label)})
}

// noAlarm leads to the workflow, of which no alarm is left that anybody could acknowledge.
func (s *Server) noAlarm(c echo.Context, form views.AcknowledgeForm) error {
	return s.done(c, "/workflows/"+form.Workflow, views.Flash{State: views.Finished, Text: form.R("alarm.gone", form.Label)})
}

func (s *Server) acknowledgeForm(c echo.Context) (views.AcknowledgeForm, error) {
	w, err := s.db.WorkflowByName(c.Request().Context(), c.Param("name"))
	if err != nil {
		return views.AcknowledgeForm{}, err
	}
	page := s.page(c, views.SectionWorkflows, "")
	form := views.AcknowledgeForm{Page: page, Workflow: w.Name, Label: labelOf(page.Lang, w.Name, w.Label), Drifts: driftsOf(unacknowledged(w.Drifts))}
	form.Title = form.T("alarm.ask", form.Label)
	if w.Running != nil {
		form.Run = w.Running.ID
	}
	measureNow(page, w, form.Drifts)
	return form, nil
}
