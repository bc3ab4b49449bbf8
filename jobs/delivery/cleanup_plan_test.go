package delivery_test

import (
	"maps"
	"testing"
	"time"

	"nightshift/db/dbtest"
	"nightshift/jobs/jobtest"
)

// sameSteps holds what a rehearsal announced against what the run then did, step by step and table by table.
func sameSteps(t testing.TB, rehearsed, done jobtest.Result) {
	t.Helper()
	for _, s := range done.Steps {
		plan := step(t, rehearsed, s.Key)
		delete(s.Effects, "jobtest.counted") // the counters' own table
		if !maps.Equal(plan.Effects, s.Effects) {
			t.Errorf("step %s: announced %+v, done %+v", s.Key, plan.Effects, s.Effects)
		}
	}
}

// TestCleanupDemo: on the small demo, what is rehearsed is what is done, the rehearsal leaves no trace, the ledger is
// what triggers count, and a second run finds nothing.
func TestCleanupDemo(t *testing.T) {
	t.Parallel()
	d := dbtest.Demo(t)
	before := jobtest.Digest(t, d)
	// All runs count from one moment: between two of them a row of the demo may come of age.
	moment := jobtest.CutOff(time.Now())
	rehearsed := jobtest.Simulate(t, d, cleanup, moment)
	if rehearsed.Status != "completed" {
		t.Fatalf("rehearsal: got %s: %s", rehearsed.Status, rehearsed.Message)
	}
	if after := jobtest.Digest(t, d); after != before {
		t.Error("rehearsal: got other rows afterwards, want every business table the same")
	}
	counters := jobtest.Count(t, d)
	done := clean(t, d, moment)
	counters.Check(t, done)
	sameSteps(t, rehearsed, done)
	for _, s := range done.Steps {
		if len(s.Effects) == 0 && s.Key != "statistics" && s.Key != "audit" {
			t.Errorf("step %s: got nothing to do, want the demo to give every step some", s.Key)
		}
	}
	do(t, d, `DROP SCHEMA jobtest CASCADE`)
	for _, s := range clean(t, d, moment).Steps {
		for table, effect := range s.Effects {
			if table != "xtk.option" {
				t.Errorf("second run, step %s: got %s %+v, want nothing", s.Key, table, effect)
			}
		}
	}
}
