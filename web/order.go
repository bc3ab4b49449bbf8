package web

import (
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/views"
)

const (
	untilResumed  = ""
	untilHour     = "1h"
	untilTomorrow = "tomorrow"
	untilAt       = "at"
	inputMoment   = "2006-01-02T15:04" // of an input of type datetime-local
	longestPause  = 366 * 24 * time.Hour
)

// askOrder shows what an order would do, before it is given.
func (s *Server) askOrder(c echo.Context) error {
	dialog, _, err := s.dialog(c)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, views.DialogPage(dialog))
}

// giveOrder gives an order. What is refused, or not understood, shows the question again with the reason and what was typed.
func (s *Server) giveOrder(c echo.Context) error {
	dialog, w, err := s.dialog(c)
	if err != nil {
		return err
	}
	args := s.orderArgs(c, &dialog, w)
	if len(dialog.Errors) > 0 {
		return s.render(c, http.StatusUnprocessableEntity, views.DialogPage(dialog))
	}
	if dialog.Trouble != "" && dialog.Plan > 0 {
		return s.render(c, http.StatusConflict, views.DialogPage(dialog))
	}
	err = s.db.Order(c.Request().Context(), s.actor(c), w.ID, orders[dialog.Order], args)
	var refusal *db.Refusal
	if errors.As(err, &refusal) {
		dialog.Trouble = dialog.T(refusal.Key)
		return s.render(c, http.StatusConflict, views.DialogPage(dialog))
	}
	if err != nil {
		return err
	}
	return s.done(c, "/workflows/"+w.Name, views.Flash{State: ordered(dialog.Order),
		Text: dialog.R("flash."+string(dialog.Order), dialog.Label)})
}

// ordered is the state whose glyph stands beside the message that an order was taken.
func ordered(order views.Order) views.State {
	switch order {
	case views.OrderPause:
		return views.PausePending
	case views.OrderStop:
		return views.StopPending
	case views.OrderUnconditionalStop:
		return views.Stopped
	}
	return views.StartPending
}

// dialog reads the workflow and what the page of an order shows of it.
func (s *Server) dialog(c echo.Context) (dialog views.Dialog, w db.WorkflowRow, err error) {
	order := views.Order(orElse(c.Param("order"), path.Base(c.Path())))
	command, known := orders[order]
	if !known {
		return dialog, w, db.ErrNotFound
	}
	w, err = s.db.WorkflowByName(c.Request().Context(), c.Param("name"))
	if err != nil {
		return dialog, w, err
	}
	page := s.page(c, views.SectionWorkflows, "")
	label := labelOf(page.Lang, w.Name, w.Label)
	page.Title, page.Tape.Own = label, w.Name
	page.Crumbs = []views.Crumb{
		{Text: page.T("rail.workflows"), Href: "/workflows"},
		{Text: packageOf(page.Lang, w.Package), Href: "/workflows?q=package:" + w.Package},
		{Text: label, Href: "/workflows/" + w.Name},
	}
	dialog = views.Dialog{Page: page, Order: order, Workflow: w.Name, Label: label, Severity: w.Severity,
		State: workflowState(w, s.instanceType(), page.Now), Version: w.Version, Errors: map[string]string{}}
	if w.Running != nil {
		dialog.Run = w.Running.ID
	}
	if order == views.OrderStart && w.Failed && w.Last != nil {
		dialog.Resume, dialog.FailedAt = true, w.Last.Step
	}
	if refusal := command.Judge(w.Situation()); refusal != nil {
		dialog.Trouble = page.T(refusal.Key)
	}
	dialog.Slots = s.comingSlots(w, page.Now, 5)
	if order == views.OrderPause {
		if err := s.pauseFollows(c, &dialog, w); err != nil {
			return dialog, w, err
		}
	}
	if err := s.planOf(c, &dialog, w.ID); err != nil {
		return dialog, w, err
	}
	if order == views.OrderPurgeHistory {
		if dialog.Purges, err = s.db.Purgeable(c.Request().Context(), w.ID); err != nil {
			return dialog, w, err
		}
	}
	return dialog, w, nil
}

// planOf reads which rehearsal's plan is to be run, if any, and says why it no longer can be.
func (s *Server) planOf(c echo.Context, dialog *views.Dialog, workflowID int64) error {
	text := orElse(c.FormValue("plan"), c.QueryParam("plan"))
	if dialog.Order != views.OrderRun || text == "" || text == "0" {
		return nil
	}
	plan, err := strconv.ParseInt(text, 10, 64)
	if err != nil || plan < 1 {
		return badInput("plan=" + text)
	}
	refused, err := s.db.Plan(c.Request().Context(), workflowID, plan)
	if err != nil {
		return err
	}
	if dialog.Plan = plan; refused != "" {
		dialog.Trouble = dialog.T(refused)
	}
	return nil
}

// comingSlots are the next moments at which the schedule of a workflow fires.
func (s *Server) comingSlots(w db.WorkflowRow, now time.Time, n int) []time.Time {
	schedule, err := jobs.ParseSchedule(w.Schedule)
	if err != nil {
		return nil
	}
	return schedule.NextN(now, n, s.zoneOf(w))
}

// zoneOf is the zone of a workflow's schedule: its own, else the instance's.
func (s *Server) zoneOf(w db.WorkflowRow) *time.Location {
	if w.Zone != "" {
		if zone, err := time.LoadLocation(w.Zone); err == nil {
			return zone
		}
	}
	return s.zone()
}

// orderArgs reads what a form gives with an order, and says by field what is wrong with it.
func (s *Server) orderArgs(c echo.Context, dialog *views.Dialog, w db.WorkflowRow) db.OrderArgs {
	var args db.OrderArgs
	switch dialog.Order {
	case views.OrderPause:
		args.Reason = dialog.Reason
		if args.Reason == "" && w.Severity != "normal" {
			dialog.Errors["reason"] = dialog.T("order.reason_needed")
		}
		if len([]rune(args.Reason)) > 200 {
			dialog.Errors["reason"] = dialog.T("order.reason_long", 200)
		}
		var ok bool
		if args.Until, ok = untilOf(dialog.Page, dialog.Until, dialog.UntilAt); !ok {
			dialog.Errors["until"] = dialog.T("order.until_wrong")
		}
	case views.OrderUnconditionalStop:
		if c.FormValue("name") != w.Name {
			dialog.Errors["name"] = dialog.T("order.type_name", w.Name)
		}
	case views.OrderRun, views.OrderSimulate, views.OrderWakeup:
		dialog.Params = c.FormValue("params")
		args.Params = runParams(dialog)
	}
	return args
}

// untilOf works out when a pause or a freeze ends by itself, in the page's zone; zero: never. ok is false for what is no
// choice, or no moment of the coming year.
func untilOf(page views.Page, choice, at string) (end time.Time, ok bool) {
	local := page.Now.In(page.Zone)
	switch choice {
	case untilResumed:
		return time.Time{}, true
	case untilHour:
		return page.Now.Add(time.Hour), true
	case untilTomorrow:
		return time.Date(local.Year(), local.Month(), local.Day()+1, 8, 0, 0, 0, page.Zone), true
	case untilAt:
		end, err := time.ParseInLocation(inputMoment, at, page.Zone)
		return end, err == nil && end.After(page.Now) && !end.After(page.Now.Add(longestPause))
	}
	return time.Time{}, false
}

// runParams reads the parameters of a run, name=value a line; a leading minus, as on a command line, is left out.
func runParams(dialog *views.Dialog) map[string]string {
	params := map[string]string{}
	for line := range strings.Lines(dialog.Params) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "-"), "=")
		if before, after, colon := strings.Cut(name, ":"); colon && value == "" {
			name, value = before, after
		}
		if name = strings.TrimSpace(name); name == "" || len(name) > 60 || len(value) > 500 || len(params) >= 20 {
			dialog.Errors["params"] = dialog.T("order.params_wrong")
			return nil
		}
		params[name] = strings.TrimSpace(value)
	}
	if len(params) == 0 {
		return nil
	}
	return params
}
