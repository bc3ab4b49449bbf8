package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/views"
)

const (
	freezeListed = 8    // workflows that the question lists
	slotsCounted = 5000 // slots of one workflow that are counted
)

// frozenOf is the freeze as pages show it.
func frozenOf(f db.Freeze, now time.Time) views.Frozen {
	if !f.Holds(now) {
		return views.Frozen{}
	}
	return views.Frozen{On: true, By: f.By, Reason: f.Reason, Since: f.Since, Until: f.Until}
}

// nextRun is the next slot of a workflow that no freeze skips; zero when there is none, or none that can be known.
func (s *Server) nextRun(w db.WorkflowRow) time.Time {
	freeze := s.night.known().Freeze
	if w.Next == nil || !freeze.Holds(*w.Next) {
		return moment(w.Next)
	}
	schedule, err := jobs.ParseSchedule(w.Schedule)
	if err != nil || freeze.Until.IsZero() {
		return time.Time{}
	}
	return schedule.Next(freeze.Until.Add(-time.Nanosecond), s.zoneOf(w))
}

// askFreeze shows what a freeze would do, before it is set. What was chosen stands in the address.
func (s *Server) askFreeze(c echo.Context) error {
	form, _, err := s.freezeForm(c)
	if err != nil {
		return err
	}
	if !c.QueryParams().Has("until") {
		form.Until = untilHour
		form.Errors = map[string]string{}
	}
	return s.showFreeze(c, http.StatusOK, form)
}

// setFreeze freezes the instance.
func (s *Server) setFreeze(c echo.Context) error {
	form, until, err := s.freezeForm(c)
	if err != nil {
		return err
	}
	switch length := len([]rune(form.Reason)); {
	case length == 0:
		form.Errors["reason"] = form.T("freeze.reason_needed")
	case length > 200:
		form.Errors["reason"] = form.T("order.reason_long", 200)
	}
	if len(form.Errors) > 0 {
		return s.showFreeze(c, http.StatusUnprocessableEntity, form)
	}
	err = s.db.SetFreeze(c.Request().Context(), s.actor(c), form.Reason, until)
	if errors.Is(err, db.ErrConflict) {
		form.Trouble = form.T("freeze.twice")
		return s.showFreeze(c, http.StatusConflict, form)
	}
	if err != nil {
		return err
	}
	s.night.forget()
	return s.done(c, "/", views.Flash{State: views.Paused, Text: form.R("freeze.done")})
}

// freezeForm reads what was typed, with the end that was chosen.
func (s *Server) freezeForm(c echo.Context) (views.FreezeForm, time.Time, error) {
	page := s.page(c, "", "")
	page.Title = page.T("freeze.ask")
	form := views.FreezeForm{Page: page, Reason: strings.TrimSpace(c.FormValue("reason")), Until: c.FormValue("until"),
		UntilAt: c.FormValue("until_at"), Errors: map[string]string{}}
	until, ok := untilOf(page, form.Until, form.UntilAt)
	if !ok {
		form.Errors["until"] = page.T("order.until_wrong")
	}
	return form, until, nil
}

// showFreeze adds what the freeze would skip: until its end, or in the next 24 hours when it has none.
func (s *Server) showFreeze(c echo.Context, status int, form views.FreezeForm) error {
	all, err := s.db.Workflows(c.Request().Context())
	if err != nil {
		return err
	}
	until, ok := untilOf(form.Page, form.Until, form.UntilAt)
	if !ok || until.IsZero() {
		until = form.Now.Add(aheadSpan)
	}
	form.End = until
	for _, w := range all {
		if w.Running != nil {
			form.Runs++
		}
		if touch := s.touched(form.Page, w, until); touch.Slots > 0 {
			form.Touched, form.Slots = append(form.Touched, touch), form.Slots+touch.Slots
		}
	}
	slices.SortStableFunc(form.Touched, func(a, b views.FreezeTouch) int {
		return cmp.Or(-a.Next.Compare(b.Next), cmp.Compare(a.Slots, b.Slots))
	})
	form.More = max(0, len(form.Touched)-freezeListed)
	form.Touched = form.Touched[:len(form.Touched)-form.More]
	return s.render(c, status, views.FreezePage(form))
}

// touched counts the slots of a workflow until a moment.
func (s *Server) touched(page views.Page, w db.WorkflowRow, until time.Time) views.FreezeTouch {
	touch := views.FreezeTouch{Workflow: w.Name, Label: labelOf(page.Lang, w.Name, w.Label)}
	schedule, err := jobs.ParseSchedule(w.Schedule)
	if err != nil || w.State != db.Started || w.Next == nil || !w.Built {
		return touch
	}
	zone := s.zoneOf(w)
	for at := *w.Next; !at.IsZero() && at.Before(until) && touch.Slots < slotsCounted; at = schedule.Next(at, zone) {
		touch.Slots++
	}
	touch.First, touch.Next = *w.Next, schedule.Next(until.Add(-time.Nanosecond), zone)
	return touch
}

// askLift asks before the freeze is lifted.
func (s *Server) askLift(c echo.Context) error {
	page := s.page(c, "", "")
	page.Title = page.T("freeze.ask_lift")
	if !page.Frozen.On {
		return s.done(c, "/", views.Flash{State: views.Finished, Text: page.R("freeze.gone")})
	}
	waiting, err := s.db.WaitingEvents(c.Request().Context())
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, views.LiftPage(views.LiftForm{Page: page, Waiting: waiting}))
}

// liftFreeze ends the freeze now.
func (s *Server) liftFreeze(c echo.Context) error {
	err := s.db.LiftFreeze(c.Request().Context(), s.actor(c))
	page := s.plainPage(c)
	if errors.Is(err, db.ErrNotFound) {
		return s.done(c, "/", views.Flash{State: views.Finished, Text: page.R("freeze.gone")})
	}
	if err != nil {
		return err
	}
	s.night.forget()
	return s.done(c, "/", views.Flash{State: views.Finished, Text: page.R("freeze.lifted")})
}
