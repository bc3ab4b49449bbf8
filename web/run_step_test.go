package web

import (
	"testing"
	"time"

	"nightshift/db"
)

// TestStepAheadOfTheClock: a step that by the database's clock begins in a moment has taken no time yet, not less than none.
func TestStepAheadOfTheClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC)
	soon, before := now.Add(5*time.Millisecond), now.Add(-time.Minute)
	for name, step := range map[string]db.RunStep{
		"begins in 5 ms":        {Start: &soon, Status: "running"},
		"ends before its begin": {Start: &now, End: &before, Status: "completed"},
	} {
		if got := runStep(step, db.Run{}, now).Took; got != 0 {
			t.Errorf("%s: got %s, want 0 s", name, got)
		}
	}
}
