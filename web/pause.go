package web

import (
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/views"
)

const (
	pauseCounted = 2000 // slots of a pause that are counted
	staleListed  = 6
)

// pauseFollows reads what was typed and works out what a pause until the end that was chosen does: which slots it skips,
// which one runs then, and which tables grow older than usual. Without an end it looks a day ahead.
func (s *Server) pauseFollows(c echo.Context, dialog *views.Dialog, w db.WorkflowRow) error {
	dialog.Reason = strings.TrimSpace(c.FormValue("reason"))
	dialog.Until, dialog.UntilAt = c.FormValue("until"), c.FormValue("until_at")
	end, ok := untilOf(dialog.Page, dialog.Until, dialog.UntilAt)
	if !ok {
		return nil // the order itself says what is wrong with it
	}
	dialog.End, dialog.Slots = end, nil
	horizon := end
	if end.IsZero() {
		horizon = dialog.Now.Add(aheadSpan)
	}
	schedule, err := jobs.ParseSchedule(w.Schedule)
	if err != nil {
		return nil
	}
	zone := s.zoneOf(w)
	at := schedule.Next(dialog.Now, zone)
	next := at
	for ; !at.IsZero() && at.Before(horizon) && dialog.Skips < pauseCounted; at = schedule.Next(at, zone) {
		dialog.Slots, dialog.Skips = append(dialog.Slots, at), dialog.Skips+1
	}
	if dialog.Skips == 0 {
		if !next.IsZero() {
			dialog.Slots = append(dialog.Slots, next)
		}
		return nil
	}
	if !end.IsZero() {
		dialog.Slots = append(dialog.Slots, end) // one run then makes up for those before
	}
	all, err := s.db.Workflows(c.Request().Context())
	if err != nil {
		return err
	}
	dialog.Stale = s.goesStale(w, all, dialog.Slots[0], horizon)
	dialog.StaleToo = max(0, len(dialog.Stale)-staleListed)
	dialog.Stale = dialog.Stale[:len(dialog.Stale)-dialog.StaleToo]
	return nil
}

// goesStale lists the tables that a workflow writes and others read, as the catalogue says. From the first slot that is
// skipped they are older than usual; who reads them in the pause reads old data.
func (s *Server) goesStale(w db.WorkflowRow, all []db.WorkflowRow, from, until time.Time) []views.Stale {
	var stale []views.Stale
	for _, table := range w.Writes {
		if strings.HasPrefix(table, "xtk.") {
			continue // the platform's own: options, history, orders
		}
		one, read := views.Stale{Table: table, From: from}, false
		if w.Last != nil {
			one.UpTo = w.Last.Start
		}
		for _, other := range all {
			if other.ID == w.ID || !other.Built || !slices.Contains(other.Reads, table) {
				continue
			}
			read = true
			if at := s.slotWithin(other, from, until); !at.IsZero() && (one.At.IsZero() || at.Before(one.At)) {
				one.Reader, one.At = other.Name, at
			}
		}
		if read {
			stale = append(stale, one)
		}
	}
	slices.SortStableFunc(stale, func(a, b views.Stale) int {
		if a.At.IsZero() != b.At.IsZero() {
			return -a.At.Compare(b.At) // what nobody reads meanwhile comes last
		}
		return a.At.Compare(b.At)
	})
	return stale
}

// slotWithin is the first slot of a started workflow in a stretch of time; zero when there is none.
func (s *Server) slotWithin(w db.WorkflowRow, from, until time.Time) time.Time {
	schedule, err := jobs.ParseSchedule(w.Schedule)
	if err != nil || w.State != db.Started {
		return time.Time{}
	}
	if at := schedule.Next(from.Add(-time.Nanosecond), s.zoneOf(w)); at.Before(until) {
		return at
	}
	return time.Time{}
}
