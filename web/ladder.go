package web

import (
	"context"
	"strconv"
	"time"

	"nightshift/db"
	"nightshift/views"
)

const (
	pausedWatch  = "cleanupPausedWorkflows"
	pauseNotices = 4 // after them the watch stops a workflow
)

// ladder says where a paused workflow stands on its way to being stopped, and about when that is; empty when nobody
// stops it: only paused workflows of normal severity are, as long as the workflow that does it is started.
func (s *Server) ladder(ctx context.Context, page views.Page, w db.WorkflowRow) (string, error) {
	if w.State != db.Paused || w.Severity != "normal" || w.Name == pausedWatch || w.PausedAt == nil {
		return "", nil
	}
	if started, err := s.db.IsStarted(ctx, pausedWatch); err != nil || !started {
		return "", err
	}
	days, err := s.pausePeriod(ctx)
	if err != nil {
		return "", err
	}
	if w.PauseNotices == 0 {
		return page.T("ladder.ahead", page.DayYear(stopAt(w, days, page.Now))), nil
	}
	return page.T("ladder.notices", min(w.PauseNotices, pauseNotices), pauseNotices, page.DayYear(stopAt(w, days, page.Now))), nil
}

// pausePeriod is after how many days of pause a workflow counts as forgotten.
func (s *Server) pausePeriod(ctx context.Context) (int, error) {
	text, err := s.db.Option(ctx, "NmsServer_PausedWorkflowPeriod")
	if err != nil {
		return 0, err
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 1 {
		days = 7
	}
	return days, nil
}

// stopAt is the earliest day of the stop: a period for each notice to come, counted from the pause and from today, and
// one more.
func stopAt(w db.WorkflowRow, days int, now time.Time) time.Time {
	left := max(pauseNotices-w.PauseNotices, 0)
	byPause, byNotices := w.PausedAt.AddDate(0, 0, days*(pauseNotices+1)), now.AddDate(0, 0, days*left)
	if byPause.After(byNotices) {
		return byPause
	}
	return byNotices
}
