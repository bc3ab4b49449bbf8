package web

import (
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/views"
)

// A rehearsal that was asked for by hand is no run: its line says so.
func TestSlotLine(t *testing.T) {
	t.Parallel()
	due := time.Date(2026, 7, 29, 4, 0, 0, 0, time.UTC)
	for what, tc := range map[string]struct {
		slot db.Slot
		want views.State
	}{
		"ran":         {db.Slot{Mode: "normal", Status: "processed", TaskStatus: "completed"}, views.Finished},
		"rehearsed":   {db.Slot{Mode: "simulation", Status: "processed", TaskStatus: "completed"}, views.Simulated},
		"interrupted": {db.Slot{Mode: "simulation", Status: "processed", TaskStatus: "interrupted"}, views.Interrupted},
	} {
		tc.slot.Due = due
		if got := slotLine(tc.slot, due.Add(time.Minute)); got.State != tc.want {
			t.Errorf("%s: got %s, want %s", what, got.State, tc.want)
		}
	}
}

// TestWorkflowSaysWhatHolds: an order that waits is told once, and a workflow that nobody can start does not say how it is
// started or in what time it is due.
func TestWorkflowSaysWhatHolds(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.exec(`INSERT INTO xtk.workflow_job (workflow_id, command, operator_login) SELECT id, 'pause', 'kim' FROM xtk.workflow WHERE internal_name = 'cleanup';
	        UPDATE xtk.workflow SET state = 'pause_pending' WHERE internal_name = 'cleanup'`)
	if told := strings.Count(c.got("/workflows/cleanup"), " ago by kim"); told != 1 {
		t.Errorf("an order that waits: told %d times, want 1", told)
	}
	body := c.got("/workflows/operationMgt")
	for text, want := range map[string]bool{"It cannot be started here.": true, "none of these dates is due": true,
		"A person starts it": false, "Slots begin": false, ">in ": false} {
		if strings.Contains(body, text) != want {
			t.Errorf("a workflow that is not in this version: %q is there %t, want %t", text, !want, want)
		}
	}
}
