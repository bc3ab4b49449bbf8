package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/views"
)

const (
	aheadSpan = 24 * time.Hour
	aheadMany = 30 // occurrences in 24 h from which on a workflow counts as frequent
)

// showOverview is the first page: whether to worry, then what needs someone, what runs, what comes.
func (s *Server) showOverview(c echo.Context) error {
	ctx := c.Request().Context()
	page := s.page(c, views.SectionOverview, "")
	page.Title = page.T("rail.overview")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	page.Refresh, page.Updated = listRefresh, true
	all, err := s.db.Workflows(ctx)
	if err != nil {
		return err
	}
	sortByCatalogue(all)
	shown := views.Overview{Page: page, Total: len(all), NoneYet: true}
	shown.Places = s.places(ctx)
	for _, w := range all {
		state := workflowState(w, s.instanceType(), page.Now)
		shown.NoneYet = shown.NoneYet && w.Last == nil && w.Running == nil
		if state.Calls() {
			a := s.attention(page, w, state, s.actor(c))
			ladder, err := s.ladder(ctx, page, w)
			if err != nil {
				return err
			}
			a.Follows = strings.TrimSpace(a.Follows + " " + ladder)
			shown.Attention = append(shown.Attention, a)
		}
		if len(unacknowledged(w.Drifts)) > 0 && !state.Calls() {
			shown.Looks = append(shown.Looks, lookOf(page, w))
		}
		if w.Running != nil {
			shown.Running = append(shown.Running, runningRow(page, w))
		}
		if w.State == db.Started {
			s.lookAhead(&shown, w)
		}
	}
	if shown.Mail, err = s.mailNeed(ctx); err != nil {
		return err
	}
	if shown.Accounts, err = s.failingAccounts(ctx, page, func(db.FailingAccount) bool { return true }); err != nil {
		return err
	}
	since := nightBegin(page.Now.In(page.Zone))
	account, err := s.db.SlotAccount(ctx, 0, since, page.Now)
	if err != nil {
		return err
	}
	shown.Night = nightAccount(account, since)
	return s.render(c, http.StatusOK, views.OverviewPage(shown))
}

// failingAccounts are the accounts with which a workflow fails again and again, each with all that fail with it and that
// the page is about.
func (s *Server) failingAccounts(ctx context.Context, page views.Page, about func(db.FailingAccount) bool) (all []views.AccountTrouble, err error) {
	failing, err := s.db.FailingAccounts(ctx)
	for _, f := range failing {
		if !about(f) {
			continue
		}
		if n := len(all); n == 0 || all[n-1].Name != f.Name {
			all = append(all, views.AccountTrouble{Name: f.Name, Label: orElse(f.Label, f.Name), Runs: f.Runs, Run: f.Run, Since: f.Since, Message: f.Message})
		}
		one := &all[len(all)-1]
		one.Workflows = append(one.Workflows, labelOf(page.Lang, f.Workflow, f.WorkflowLabel))
		if f.Since.Before(one.Since) {
			one.Since = f.Since
		}
	}
	return all, err
}

// attention says what is the matter with a workflow that needs someone.
func (s *Server) attention(page views.Page, w db.WorkflowRow, state views.State, actor db.Actor) views.Attention {
	a := views.Attention{Workflow: w.Name, Label: labelOf(page.Lang, w.Name, w.Label), State: state, Since: w.StateSince,
		Can: ordersFor(actor, w.Situation()), By: w.StateBy}
	switch state {
	case views.Failed:
		if w.Last == nil {
			break
		}
		a.Run = w.Last.ID
		a.What = page.R("overview.failed_at", w.Last.Step, views.BriefFailure(w.Last.Message))
		a.Follows = page.T("overview.failed_follows")
	case views.Paused:
		a.What = page.R("overview.paused", orElse(w.StateBy, "—"))
		if w.PauseReason != "" {
			a.What = page.R("overview.paused_why", orElse(w.StateBy, "—"), w.PauseReason)
		}
		a.Follows = page.T("overview.paused_follows")
		if w.PauseUntil != nil {
			a.Follows = page.T("overview.paused_until", page.Stamp(*w.PauseUntil))
		}
	case views.Late:
		a.Since = moment(w.Waiting)
		a.What = page.R("overview.late", page.When(a.Since), stateReason(page, w, state))
	}
	return a
}

// runningRow is a run that is on, with how far it is: by its steps, and within the usual time when there is one.
func runningRow(page views.Page, w db.WorkflowRow) views.RunningRow {
	run := w.Running
	row := views.RunningRow{Run: run.ID, Workflow: w.Name, Label: labelOf(page.Lang, w.Name, w.Label),
		Step: run.StepOrder, StepName: run.Step, Took: page.Now.Sub(run.Start), UsualTook: w.Usual}
	last := lastRun(&db.RunBrief{End: &page.Now, Inserted: run.Inserted, Updated: run.Updated, Deleted: run.Deleted})
	switch {
	case run.Mode == "simulation" && last.Rows > 0:
		row.Did = page.T("runs.would_change", last.Rows)
	case run.Mode == "simulation":
		row.Did = page.T("run.rehearsal")
	case last.Rows > 0:
		row.Did = page.T("did."+last.Did, last.Rows)
	}
	if w.Usual > 0 {
		row.Share = min(0.99, float64(row.Took)/float64(w.Usual))
	}
	return row
}

// lookAhead adds when a workflow is due in the next 24 hours.
func (s *Server) lookAhead(shown *views.Overview, w db.WorkflowRow) {
	schedule, err := jobs.ParseSchedule(w.Schedule)
	if err != nil || w.Next == nil {
		return
	}
	end := shown.Now.Add(aheadSpan)
	ahead := views.Ahead{Workflow: w.Name, Label: labelOf(shown.Lang, w.Name, w.Label), Lasts: w.Usual, Bold: w.Severity != "normal"}
	zone := s.zoneOf(w)
	for at := *w.Next; !at.IsZero() && at.Before(end) && len(ahead.At) <= aheadMany; at = schedule.Next(at, zone) {
		if !s.night.known().Freeze.Holds(at) {
			ahead.At = append(ahead.At, at)
		}
	}
	switch {
	case len(ahead.At) > aheadMany:
		shown.Frequent = append(shown.Frequent, w.Name)
	case len(ahead.At) > 0:
		shown.Ahead = append(shown.Ahead, ahead)
	}
}

// nightBegin is 18:00 of the day on which the night began.
func nightBegin(local time.Time) time.Time {
	begin := time.Date(local.Year(), local.Month(), local.Day(), 18, 0, 0, 0, local.Location())
	if local.Before(begin) {
		begin = begin.AddDate(0, 0, -1)
	}
	return begin
}

// nightAccount gives each kind of answer that due slots got a line; kinds that did not occur are left out, but for missed.
func nightAccount(a db.Account, since time.Time) views.Night {
	night := views.Night{Since: since, Due: int64(a.Due)}
	for _, row := range []views.NightRow{
		{Count: int64(a.Ran), Key: "on_time", State: views.Finished},
		{Count: int64(a.RanLate), Key: "late", State: views.Late},
		{Count: int64(a.CaughtUp), Key: "caught_up", State: views.Finished},
		{Count: int64(a.Running), Key: "running", State: views.Running},
		{Count: int64(a.Waiting), Key: "waiting", State: views.Waiting},
		{Count: int64(a.Skipped), Key: "skipped", State: views.Skipped},
		{Count: int64(a.Stopped + a.Cancelled), Key: "stopped", State: views.Stopped},
		{Count: int64(a.Failed), Key: "failed", State: views.Failed},
		{Count: int64(a.Missed), Key: "missed", State: views.Missed},
	} {
		if row.Count > 0 || row.Key == "missed" || row.Key == "on_time" {
			night.Rows = append(night.Rows, row)
		}
	}
	return night
}
