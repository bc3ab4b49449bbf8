package db_test

import (
	"testing"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// However a run ends, lists go on saying what they said of it while it was on.
func TestTotalsOfEndedRun(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"completed", "failed", "stopped", "interrupted"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			workflow := addWorkflow(t, d, "counted", db.Started, false)
			exec := func(sql string, args ...any) {
				t.Helper()
				if _, err := d.Pool.Exec(t.Context(), sql, args...); err != nil {
					t.Fatal(err)
				}
			}
			var task int64
			if err := d.Pool.QueryRow(t.Context(), `
				INSERT INTO xtk.workflow_task (workflow_id, trigger, status, node, backend_pid)
				VALUES ($1, 'scheduled', 'running', 'here', 1) RETURNING id`, workflow).Scan(&task); err != nil {
				t.Fatal(err)
			}
			exec(`INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key, status) VALUES ($1, 1, 'a', 'kept'), ($1, 2, 'b', 'completed'), ($1, 3, 'c', 'running')`, task)
			exec(`INSERT INTO xtk.workflow_task_effect (task_id, step_order, table_name, inserted, updated, deleted) VALUES ($1, 1, 'x', 1, 20, 300), ($1, 2, 'x', 0, 4000, 0)`, task)
			want := func(when string) {
				t.Helper()
				runs, _, err := d.Runs(t.Context(), db.RunFilter{WorkflowID: workflow, Limit: 5})
				if err != nil || len(runs) != 1 {
					t.Fatalf("%s: got %d runs, %v, want one", when, len(runs), err)
				}
				if r := runs[0]; r.Steps != 3 || r.StepsDone != 2 || r.RowsChanged != 4321 {
					t.Errorf("%s: got %d of %d steps and %d rows, want 2 of 3 and 4321", when, r.StepsDone, r.Steps, r.RowsChanged)
				}
			}
			want("while it is on")
			exec(`UPDATE xtk.workflow_task SET status = $2, completion_date = now() WHERE id = $1`, task, status)
			want(status)
		})
	}
}

// Names in a list are those of now: of a workflow that was added since the last list, and after a change of label here.
func TestNamesInList(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	listed := func(workflow int64, want string) {
		t.Helper()
		runs, _, err := d.Runs(t.Context(), db.RunFilter{WorkflowID: workflow, Limit: 5})
		if err != nil || len(runs) != 1 || runs[0].Workflow+" "+runs[0].Label != want {
			t.Errorf("got %+v, %v, want one run of %q", runs, err, want)
		}
	}
	first := addWorkflow(t, d, "first", db.Started, false)
	addRunning(t, d, first)
	listed(first, "first first")
	second := addWorkflow(t, d, "second", db.Started, false)
	addRunning(t, d, second)
	listed(second, "second second")
	w, err := d.Workflow(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	edit := w.EditOf()
	edit.Label = "Renamed"
	if err := d.SaveWorkflow(t.Context(), kim(), first, edit); err != nil {
		t.Fatal(err)
	}
	listed(first, "first Renamed")
}
