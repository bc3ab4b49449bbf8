package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/views"
)

// editSchedule shows when a workflow runs, to be changed.
func (s *Server) editSchedule(c echo.Context) error {
	w, err := s.db.WorkflowByName(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	form := s.scheduleForm(c, w)
	schedule, err := scheduleOf(w)
	if err != nil {
		return err
	}
	fillSchedule(&form, schedule)
	s.previewSchedule(&form, w, schedule)
	return s.render(c, http.StatusOK, views.SchedulePage(form))
}

// saveSchedule saves a schedule, or shows the next dates of what was typed.
func (s *Server) saveSchedule(c echo.Context) error {
	w, err := s.db.WorkflowByName(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	form := s.scheduleForm(c, w)
	readSchedule(c, &form)
	edit := w.EditOf()
	edit.Version = form.Version
	schedule := s.typedSchedule(&form, &edit)
	if before, err := jobs.ParseSchedule(w.Schedule); err == nil {
		schedule.Signal = before.Signal // signals are the workflow's own, not the editor's
	}
	if len(form.Errors) > 0 {
		return s.render(c, http.StatusUnprocessableEntity, views.SchedulePage(form))
	}
	w.Zone, w.ValidFrom, w.ValidTo = edit.Zone, edit.ValidFrom, edit.ValidTo
	if edit.ValidFrom != nil {
		schedule.Anchor = *edit.ValidFrom
	}
	s.previewSchedule(&form, w, schedule)
	if c.FormValue("do") == "preview" {
		return s.render(c, http.StatusOK, views.SchedulePage(form))
	}
	if edit.Schedule, err = json.Marshal(schedule); err != nil {
		return err
	}
	err = s.db.SaveWorkflow(c.Request().Context(), s.actor(c), w.ID, edit)
	if errors.Is(err, db.ErrConflict) {
		form.Trouble = form.T("form.conflict")
		return s.render(c, http.StatusConflict, views.SchedulePage(form))
	}
	if err != nil {
		return err
	}
	return s.done(c, "/workflows/"+w.Name, views.Flash{State: views.Finished, Text: form.R("flash.schedule", form.Label, form.Words)})
}

// scheduleOf is a workflow's schedule, with every nth day counted from the beginning of its validity.
func scheduleOf(w db.WorkflowRow) (jobs.Schedule, error) {
	schedule, err := jobs.ParseSchedule(w.Schedule)
	if w.ValidFrom != nil {
		schedule.Anchor = *w.ValidFrom
	}
	return schedule, err
}

// scheduleForm is the form without its values.
func (s *Server) scheduleForm(c echo.Context, w db.WorkflowRow) views.ScheduleForm {
	page := s.page(c, views.SectionWorkflows, "")
	form := views.ScheduleForm{Workflow: w.Name, Label: labelOf(page.Lang, w.Name, w.Label), Version: w.Version,
		Timezone: w.Zone, MaxExecutions: numberText(w.MaxExecutions), Errors: map[string]string{}}
	page.Title, page.Tape.Own = form.Label, w.Name
	page.Crumbs = []views.Crumb{
		{Text: page.T("rail.workflows"), Href: "/workflows"},
		{Text: form.Label, Href: "/workflows/" + w.Name},
		{Text: page.T("schedule.crumb")},
	}
	form.Page = page
	form.Zones = zones(page, w.Zone, page.T("schedule.instance_zone", s.zone().String()))
	if w.ValidFrom != nil {
		form.ValidFrom = w.ValidFrom.In(s.zoneOf(w)).Format(inputMoment)
	}
	if w.ValidTo != nil {
		form.ValidTo = w.ValidTo.In(s.zoneOf(w)).Format(inputMoment)
	}
	return form
}

func numberText(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// fillSchedule puts a schedule into the form.
func fillSchedule(form *views.ScheduleForm, s jobs.Schedule) {
	form.Kind, form.Cron = s.Kind, s.Cron
	form.Times, form.Every = strings.Join(s.Times, ", "), numberText(s.Every)
	form.From, form.To, form.WindowFrom, form.WindowTo = s.From, s.To, s.WindowFrom, s.WindowTo
	form.Weekdays, form.Months, form.EveryDays = s.Weekdays, s.Months, numberText(s.EveryDays)
	form.Nth = numberText(s.Nth)
	if s.Nth != 0 {
		form.NthWeekday = strconv.Itoa(s.NthWeekday)
	}
	days := make([]string, len(s.MonthDays))
	for i, day := range s.MonthDays {
		days[i] = strconv.Itoa(day)
	}
	form.MonthDays, form.At = strings.Join(days, ", "), s.At
}

// readSchedule puts what was typed into the form.
func readSchedule(c echo.Context, form *views.ScheduleForm) {
	value := func(name string) string { return strings.TrimSpace(c.FormValue(name)) }
	form.Kind, form.Cron, form.Times, form.Every = value("kind"), value("cron"), value("times"), value("every")
	form.From, form.To, form.WindowFrom, form.WindowTo = value("from"), value("to"), value("window_from"), value("window_to")
	form.EveryDays, form.MonthDays, form.Nth, form.NthWeekday = value("every_days"), value("month_days"), value("nth"), value("nth_weekday")
	form.At, form.ValidFrom, form.ValidTo = value("at"), value("valid_from"), value("valid_to")
	form.MaxExecutions, form.Timezone = value("max_executions"), value("timezone")
	form.Weekdays, form.Months = numbersOf(c, "weekdays"), numbersOf(c, "months")
	form.Version, _ = strconv.Atoi(value("version"))
}

// numbersOf reads the ticked numbers of a group.
func numbersOf(c echo.Context, name string) []int {
	values, err := c.FormParams()
	if err != nil {
		return nil
	}
	var numbers []int
	for _, text := range values[name] {
		if n, err := strconv.Atoi(text); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// typedSchedule makes a schedule of what was typed, says by field what is wrong, and sets the limits of the edit.
func (s *Server) typedSchedule(form *views.ScheduleForm, edit *db.WorkflowEdit) jobs.Schedule {
	number := func(field, text string) int {
		if text == "" {
			return 0
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			form.Errors[field] = form.T("form.not_a_number", text)
		}
		return n
	}
	schedule := jobs.Schedule{Kind: form.Kind, WindowFrom: form.WindowFrom, WindowTo: form.WindowTo}
	switch form.Kind {
	case "times":
		schedule.Times, schedule.Weekdays = listOf(form.Times), form.Weekdays
	case "period":
		schedule.Every, schedule.From, schedule.To, schedule.Weekdays = number("every", form.Every), form.From, form.To, form.Weekdays
	case "daily":
		schedule.Times, schedule.EveryDays, schedule.Weekdays = listOf(form.Times), number("every_days", form.EveryDays), form.Weekdays
	case "weekly":
		schedule.Times, schedule.Weekdays = listOf(form.Times), form.Weekdays
	case "monthly":
		schedule.Times, schedule.Months = listOf(form.Times), form.Months
		for _, day := range listOf(form.MonthDays) {
			schedule.MonthDays = append(schedule.MonthDays, number("month_days", day))
		}
		schedule.Nth, schedule.NthWeekday = number("nth", form.Nth), number("nth_weekday", form.NthWeekday)
	case "once":
		schedule.At = form.At
		if len(schedule.At) == len(inputMoment) {
			schedule.At += ":00"
		}
	case "cron":
		schedule.Cron = form.Cron
	}
	edit.MaxExecutions = number("max_executions", form.MaxExecutions)
	if edit.MaxExecutions < 0 {
		form.Errors["max_executions"] = form.T("form.not_a_number", form.MaxExecutions)
	}
	edit.Zone = form.Timezone
	zone := s.zone()
	if form.Timezone != "" {
		named, err := time.LoadLocation(form.Timezone)
		if err != nil {
			form.Errors["timezone"] = form.T("form.unknown_zone", form.Timezone)
		} else {
			zone = named
		}
	}
	edit.ValidFrom, edit.ValidTo = momentField(form, "valid_from", form.ValidFrom, zone), momentField(form, "valid_to", form.ValidTo, zone)
	var wrong *jobs.ScheduleError
	if err := schedule.Check(); errors.As(err, &wrong) {
		form.Errors[wrong.Field] = form.T(wrong.Key, wrong.Args...)
	} else if err != nil {
		form.Trouble = err.Error()
		form.Errors["kind"] = err.Error()
	}
	return schedule
}

// momentField reads a moment of a form in a zone; nil when nothing was typed.
func momentField(form *views.ScheduleForm, field, text string, zone *time.Location) *time.Time {
	if text == "" {
		return nil
	}
	at, err := time.ParseInLocation(inputMoment, text, zone)
	if err != nil {
		form.Errors[field] = form.T("form.not_a_moment", text)
		return nil
	}
	return &at
}

// listOf splits a list that was typed with commas or spaces.
func listOf(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
}

// previewSchedule shows the schedule in words with its next ten dates and what is unwise about it.
func (s *Server) previewSchedule(form *views.ScheduleForm, w db.WorkflowRow, schedule jobs.Schedule) {
	zone := s.zoneOf(w)
	form.Words = scheduleWords(form.Lang, schedule)
	form.Next = nextDates(schedule, 10, w, form.Now, zone)
	for _, warning := range schedule.Warnings() {
		form.Warnings = append(form.Warnings, form.T(warning.Key, warning.Args...))
	}
	if note := clockChange(form.Page, schedule, zone); note != "" && len(form.Next) > 0 {
		form.Warnings = append(form.Warnings, note)
	}
}
