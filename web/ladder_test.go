package web

import (
	"strings"
	"testing"
	"time"

	"nightshift/db"
)

// A workflow that is paused too long says how many notices were sent and when it is stopped, on its page and on the
// overview; not one that nobody stops.
func TestLadder(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.exec(`UPDATE xtk.workflow SET state = 'paused', paused_at = now() - interval '15 days', pause_notice_count = 2, severity = 'normal' WHERE internal_name = 'aliasCleansing'`)
	said := func(path string) bool { return strings.Contains(c.got(path), "notice 2 of 4 sent, stops on ") }
	if said("/") || said("/workflows/aliasCleansing") {
		t.Error("the workflow that stops others is not started: got a date, want none")
	}
	c.exec(`UPDATE xtk.workflow SET state = 'started' WHERE internal_name = 'cleanupPausedWorkflows'`)
	if !said("/") || !said("/workflows/aliasCleansing") {
		t.Error("got no notice 2 of 4, want it on the overview and on the workflow's page")
	}
	c.exec(`UPDATE xtk.workflow SET paused_at = now(), pause_notice_count = 0 WHERE internal_name = 'aliasCleansing'`)
	if body := c.got("/"); said("/") || !strings.Contains(body, "If it stays paused, its supervisors are told, and it stops on ") {
		t.Error("paused just now: want what happens if it stays so, not that it is paused too long")
	}
	c.exec(`UPDATE xtk.workflow SET severity = 'production' WHERE internal_name = 'aliasCleansing'`)
	if said("/") || said("/workflows/aliasCleansing") {
		t.Error("a workflow of severity production is never stopped: got a date, want none")
	}
}

func TestStopAt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		paused        time.Duration
		notices, want int // days from now
	}{{0, 0, 35}, {8 * 24 * time.Hour, 1, 27}, {15 * 24 * time.Hour, 2, 20}, {29 * 24 * time.Hour, 4, 6}, {100 * 24 * time.Hour, 0, 28}, {100 * 24 * time.Hour, 4, 0}} {
		paused := now.Add(-test.paused)
		if got := stopAt(db.WorkflowRow{PausedAt: &paused, PauseNotices: test.notices}, 7, now); !got.Equal(now.AddDate(0, 0, test.want)) {
			t.Errorf("paused for %s, %d notices: got %s, want %d days from now", test.paused, test.notices, got, test.want)
		}
	}
}
