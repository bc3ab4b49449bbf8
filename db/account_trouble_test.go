package db_test

import (
	"fmt"
	"testing"

	"nightshift/db/dbtest"
)

// Somebody is told of an account when a workflow failed for it three times in a row: not after two, not when it was stopped
// or not tried, and no longer once it works.
func TestFailingAccounts(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if _, err := d.Pool.Exec(t.Context(), `
		INSERT INTO nms.ext_account (internal_name, label, type)
		VALUES ('one', 'One', 'mid_sourcing'), ('two', 'Two', 'mid_sourcing'), ('other', 'Other', 'webhook')`); err != nil {
		t.Fatal(err)
	}
	runs := 0
	// ran writes a run of the workflow that came to the account, or to no account.
	ran := func(workflow, mode, account, status string) {
		t.Helper()
		runs++
		if _, err := d.Pool.Exec(t.Context(), `
			WITH run AS (
				INSERT INTO xtk.workflow_task (workflow_id, mode, trigger, status, start_date, completion_date, node, backend_pid)
				SELECT id, $2, 'scheduled', 'completed', now() + make_interval(secs => $5::int), now() + make_interval(secs => $5::int), 'n', 1
				FROM xtk.workflow WHERE internal_name = $1
				RETURNING id)
			INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key, status, message)
			SELECT id, 1, $3, $4, 'run ' || $5::int
			FROM run`, workflow, mode, account, status, runs); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when, want string) {
		t.Helper()
		failing, err := d.FailingAccounts(t.Context())
		got := ""
		for _, f := range failing {
			got += fmt.Sprintf("%s %s %s %d %s; ", f.Name, f.Label, f.Workflow, f.Runs, f.Message)
		}
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", when, got, err, want)
		}
	}
	const logs, counters = "defaultMidSourcingLog", "defaultMidSourcingDlv"
	ran(logs, "normal", "one", "completed")
	ran(logs, "normal", "one", "failed")
	ran(logs, "normal", "one", "failed")
	ran(counters, "normal", "one", "failed")
	ran(logs, "simulation", "one", "failed")
	ran(logs, "normal", "other", "failed")
	check("two of one workflow, one of the other", "")
	ran(logs, "normal", "one", "stopped")
	ran(logs, "normal", "two", "failed")
	ran(logs, "normal", "one", "failed")
	check("three", "one One defaultMidSourcingLog 3 run 9; ")
	ran(counters, "normal", "one", "failed")
	ran(counters, "normal", "one", "failed")
	check("both", "one One defaultMidSourcingDlv 3 run 11; one One defaultMidSourcingLog 3 run 9; ")
	ran(counters, "normal", "one", "completed")
	check("one works again", "one One defaultMidSourcingLog 3 run 9; ")
	if _, err := d.Pool.Exec(t.Context(), `UPDATE nms.ext_account SET active = false`); err != nil {
		t.Fatal(err)
	}
	check("switched off", "")
}
