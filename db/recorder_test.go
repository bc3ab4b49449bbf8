package db_test

import (
	"slices"
	"testing"

	"nightshift/db/dbtest"
)

// Nine good runs of 1 to 9 rows, a failed one and a missed slot: the recorder has eleven slots, the usual is of the good ones.
func TestRecorderAndUsualRows(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx := t.Context()
	var id int64
	if err := d.Pool.QueryRow(ctx, `
		INSERT INTO xtk.workflow (internal_name, label, built) VALUES ('recorded', 'Recorded', true) RETURNING id`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	_, err := d.Pool.Exec(ctx, `
		WITH task AS (
			INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, status, start_date, completion_date, rows_changed)
			SELECT $1, 'n', 1, CASE n WHEN 10 THEN 'failed' ELSE 'completed' END,
			       now() - n * interval '1 day', now() - n * interval '1 day' + n * interval '1 minute', n
			FROM generate_series(1, 10) n
			RETURNING id, start_date, rows_changed
		), step AS (
			INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key, status, end_date, rows_changed)
			SELECT id, 1, 'only', 'completed', start_date, rows_changed FROM task
		)
		INSERT INTO xtk.workflow_event (workflow_id, status, scheduled_at, task_id)
		SELECT $1, 'processed', start_date, id FROM task`, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(ctx, `
		INSERT INTO xtk.workflow_event (workflow_id, status, reason, scheduled_at)
		VALUES ($1, 'missed', 'service_down', now() - interval '12 hours')`, id); err != nil {
		t.Fatal(err)
	}
	recorder, err := d.Recorder(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if len(recorder.Slots) != 11 || recorder.Slots[0].Status != "failed" || recorder.Slots[10].Status != "missed" {
		t.Errorf("slots: got %d (%+v), want 11 from the failed run to the missed slot", len(recorder.Slots), recorder.Slots)
	}
	if recorder.Good != 9 || recorder.Rows != 5 || recorder.Seconds != 300 {
		t.Errorf("usual: got %d runs, %v rows, %v s, want 9, 5, 300", recorder.Good, recorder.Rows, recorder.Seconds)
	}
	usual, err := d.UsualRows(ctx, id, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{1, 1, 5, 9, 9}; !slices.Equal(usual["only"], want) {
		t.Errorf("usual rows: got %v, want %v", usual["only"], want)
	}
}
