package web

import (
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
