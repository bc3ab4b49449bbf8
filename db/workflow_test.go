package db_test

import (
	"errors"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// history gives a workflow three nights: two that ended well and one that failed, each with steps, effects and a log.
func history(t *testing.T, d *db.DB, workflow int64) (failed int64) {
	t.Helper()
	if _, err := d.Pool.Exec(t.Context(), `
		WITH task AS (
			INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, status, start_date, completion_date, rows_changed, error_step, error_message)
			SELECT $1, 'n1', 0, CASE n WHEN 3 THEN 'failed' ELSE 'completed' END,
			       now() - make_interval(days => 4 - n), now() - make_interval(days => 4 - n) + make_interval(secs => 10 * n),
			       100 * n, CASE n WHEN 3 THEN 'second' END, CASE n WHEN 3 THEN 'lock timeout' END
			FROM generate_series(1, 3) n
			RETURNING id, status, start_date, completion_date
		), step AS (
			INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key, status, start_date, end_date)
			SELECT task.id, n, (ARRAY['first', 'second', 'third'])[n], CASE WHEN n = 2 AND task.status = 'failed' THEN 'failed' ELSE 'completed' END,
			       task.start_date, task.completion_date
			FROM task, generate_series(1, 3) n
			WHERE task.status = 'completed' OR n < 3
		), effect AS (
			INSERT INTO xtk.workflow_task_effect (task_id, step_order, table_name, deleted)
			SELECT id, 1, 'nms.broad_log', 70 FROM task
		)
		INSERT INTO xtk.workflow_log (workflow_id, task_id, level, message, log_date)
		SELECT $1, task.id, CASE n WHEN 5 THEN 'warning' ELSE 'info' END, 'line ' || n, task.start_date
		FROM task, generate_series(1, 10) n`, workflow); err != nil {
		t.Fatal(err)
	}
	if err := d.Pool.QueryRow(t.Context(), `
		SELECT id FROM xtk.workflow_task WHERE workflow_id = $1 AND status = 'failed'`, workflow).Scan(&failed); err != nil {
		t.Fatal(err)
	}
	return failed
}

func TestWorkflowList(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id := addWorkflow(t, d, "listed", db.Started, false)
	failed := history(t, d, id)
	running := addRunning(t, d, id)
	if _, err := d.Pool.Exec(t.Context(), `
		INSERT INTO xtk.workflow_event (workflow_id, status, reason, scheduled_at) VALUES
			($1, 'skipped', 'paused', now() - interval '5 hours'), ($1, 'pending', NULL, now() - interval '1 hour')`, id); err != nil {
		t.Fatal(err)
	}
	w, err := d.WorkflowByName(t.Context(), "listed")
	if err != nil {
		t.Fatal(err)
	}
	if w.Running == nil || w.Running.ID != running || w.Last == nil || w.Last.ID != failed || w.Last.Deleted != 70 || w.Last.Step != "second" {
		t.Errorf("got running %+v, last %+v, want %d and %d with 70 deleted at second", w.Running, w.Last, running, failed)
	}
	if w.Usual != 15*time.Second || w.Waiting == nil {
		t.Errorf("got usual %s, waiting %v, want 15 s and a time", w.Usual, w.Waiting)
	}
	var bars string
	for _, bar := range w.Spark {
		bars += bar.Status + " "
	}
	if want := "completed completed failed skipped running "; bars != want {
		t.Errorf("got bars %q, want %q", bars, want)
	}
	if _, err := d.Workflow(t.Context(), 1<<30); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("unknown id: got %v, want not found", err)
	}
}

func TestRunPage(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id := addWorkflow(t, d, "paged", db.Started, false)
	failed := history(t, d, id)
	r, _, err := d.RunWithLog(t.Context(), failed, db.LogFilter{})
	if err != nil {
		t.Fatal(err)
	}
	steps := ""
	for _, s := range r.StepList {
		steps += s.Key + "/" + s.Status + " "
	}
	if want := "first/completed second/failed third/ "; steps != want {
		t.Errorf("got steps %q, want %q", steps, want)
	}
	if r.Usual.Runs != 2 || r.Usual.P50 != 15*time.Second || r.StepList[2].Usual.P50 != 15*time.Second || len(r.Effects) != 1 {
		t.Errorf("got usual %+v, third step %+v, %d effects, want 2 runs of 15 s and 1 effect", r.Usual, r.StepList[2], len(r.Effects))
	}
	if want := (db.Situation{State: db.Started, Built: true}); r.Situation() != want || r.LastEnded != failed || r.OrderAt != nil {
		t.Errorf("got %+v, last ended %d, order at %v, want %+v, the run itself and no order", r.Situation(), r.LastEnded, r.OrderAt, want)
	}
	if _, err := d.Pool.Exec(t.Context(), `
		UPDATE xtk.workflow_task SET result = '{"steps": ["first", "second", "new", "third"]}' WHERE id = $1`, failed); err != nil {
		t.Fatal(err)
	}
	if r, _, err = d.RunWithLog(t.Context(), failed, db.LogFilter{}); err != nil {
		t.Fatal(err)
	}
	if steps = ""; len(r.StepList) == 4 {
		steps = r.StepList[2].Key + r.StepList[2].Status + " " + r.StepList[3].Key + r.StepList[3].Usual.P50.String()
	}
	if want := "new third15s"; steps != want {
		t.Errorf("announced steps to come: got %q, want %q", steps, want)
	}
	if _, _, err := d.RunWithLog(t.Context(), 1<<40, db.LogFilter{}); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("unknown run: got %v, want not found", err)
	}
}

func TestRunListByKeyset(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	history(t, d, addWorkflow(t, d, "a", db.Started, false))
	history(t, d, addWorkflow(t, d, "b", db.Started, false))
	var seen []int64
	filter := db.RunFilter{Limit: 4}
	first, more, err := d.Runs(t.Context(), filter)
	if err != nil || !more || len(first) != 4 {
		t.Fatalf("first page: got %d rows, more %t, %v, want 4 and more", len(first), more, err)
	}
	last := first[3].Cursor()
	second, more, err := d.Runs(t.Context(), db.RunFilter{Limit: 4, Before: &last})
	if err != nil || more || len(second) != 2 {
		t.Fatalf("second page: got %d rows, more %t, %v, want 2 and no more", len(second), more, err)
	}
	for _, r := range append(first, second...) {
		seen = append(seen, r.ID)
	}
	top := second[0].Cursor()
	back, _, err := d.Runs(t.Context(), db.RunFilter{Limit: 4, After: &top})
	if err != nil || len(back) != 4 || back[0].ID != seen[0] || back[3].ID != seen[3] {
		t.Errorf("back: got %v, %v, want the first page again", back, err)
	}
	if n, err := d.CountRuns(t.Context(), db.RunFilter{Status: "failed"}); err != nil || n != 2 {
		t.Errorf("failed runs: got %d, %v, want 2", n, err)
	}
}

// A run that failed counts against all the steps it announced, like its own page.
func TestStepsAnnounced(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	failed := history(t, d, addWorkflow(t, d, "said", db.Started, false))
	if _, err := d.Pool.Exec(t.Context(), `
		UPDATE xtk.workflow_task t
		SET steps_done = (SELECT count(*) FROM xtk.workflow_task_step s WHERE s.task_id = t.id AND s.status = 'completed'),
		    steps_begun = (SELECT count(*) FROM xtk.workflow_task_step s WHERE s.task_id = t.id)`); err != nil {
		t.Fatal(err)
	}
	if r, err := d.RunRow(t.Context(), failed); err != nil || r.StepsDone != 1 || r.Steps != 2 {
		t.Errorf("nothing announced: got %d of %d, %v, want 1 of the 2 begun", r.StepsDone, r.Steps, err)
	}
	if _, err := d.Pool.Exec(t.Context(), `UPDATE xtk.workflow_task SET result = '{"steps": ["first", "second", "third", "fourth"]}'`); err != nil {
		t.Fatal(err)
	}
	runs, _, err := d.Runs(t.Context(), db.RunFilter{Limit: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		if r.Status == "completed" && (r.StepsDone != 3 || r.Steps != 3) {
			t.Errorf("a completed run: got %d of %d, want the 3 it came to", r.StepsDone, r.Steps)
		}
		if r.Status == "failed" && (r.StepsDone != 1 || r.Steps != 4) {
			t.Errorf("the failed run: got %d of %d, want 1 of 4", r.StepsDone, r.Steps)
		}
	}
}

func TestLogPages(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	task := history(t, d, addWorkflow(t, d, "said", db.Started, false))
	tail, more, err := d.Log(t.Context(), db.LogFilter{TaskID: task, Limit: 3})
	if err != nil || !more || len(tail) != 3 || tail[2].Message != "line 10" || tail[0].Message != "line 8" {
		t.Fatalf("tail: got %v, more %t, %v, want lines 8 to 10", tail, more, err)
	}
	earlier, _, err := d.Log(t.Context(), db.LogFilter{TaskID: task, Limit: 3, Before: tail[0].ID})
	if err != nil || len(earlier) != 3 || earlier[2].Message != "line 7" {
		t.Errorf("earlier: got %v, %v, want up to line 7", earlier, err)
	}
	later, more, err := d.Log(t.Context(), db.LogFilter{TaskID: task, Limit: 2, After: earlier[2].ID})
	if err != nil || !more || len(later) != 2 || later[0].Message != "line 8" {
		t.Errorf("later: got %v, more %t, %v, want from line 8", later, more, err)
	}
	warnings, _, err := d.Log(t.Context(), db.LogFilter{TaskID: task, Limit: 9, Levels: []string{"warning"}, Search: "LINE 5"})
	if err != nil || len(warnings) != 1 {
		t.Errorf("warnings: got %v, %v, want one line", warnings, err)
	}
	if c, err := d.CountLog(t.Context(), db.LogFilter{TaskID: task}); err != nil || c != (db.LogCount{All: 10, Warnings: 1}) {
		t.Errorf("count: got %+v, %v, want 10 lines, 1 warning", c, err)
	}
}

// A run's page counts its lines by level, statements apart; of very many up to the cap, and yet each line of trouble.
func TestRunWithLogCounts(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	task := history(t, d, addWorkflow(t, d, "said", db.Started, false))
	add := func(lines int, level string) {
		t.Helper()
		if _, err := d.Pool.Exec(t.Context(), `
			INSERT INTO xtk.workflow_log (workflow_id, task_id, level, message)
			SELECT workflow_id, id, $3, 'more'
			FROM xtk.workflow_task, generate_series(1, $2)
			WHERE id = $1`, task, lines, level); err != nil {
			t.Fatal(err)
		}
	}
	counted := func(f db.LogFilter, want db.LogCount) {
		t.Helper()
		f.Limit, f.Count = 1, true
		if _, journal, err := d.RunWithLog(t.Context(), task, f); err != nil || journal.Count != want {
			t.Errorf("got %+v, %v, want %+v", journal.Count, err, want)
		}
	}
	add(2, "sql")
	counted(db.LogFilter{}, db.LogCount{All: 10, Warnings: 1})
	counted(db.LogFilter{Search: "line 5", Levels: []string{"error"}}, db.LogCount{All: 1, Warnings: 1})
	add(db.CountCap, "info")
	add(2, "error")
	counted(db.LogFilter{}, db.LogCount{All: db.CountCap + 1, Warnings: 1, Errors: 2})
}

func TestSaveWorkflow(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id := addWorkflow(t, d, "edited", db.Started, false)
	w, err := d.Workflow(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	edit := w.EditOf()
	edit.Severity, edit.Schedule = "critical", []byte(`{"kind": "cron", "cron": "0 5 * * *"}`)
	if err := d.SaveWorkflow(t.Context(), kim(), id, edit); err != nil {
		t.Fatal(err)
	}
	if err := d.SaveWorkflow(t.Context(), kim(), id, edit); !errors.Is(err, db.ErrConflict) {
		t.Errorf("a form of an old version: got %v, want a conflict", err)
	}
	var missing *db.MissingRight
	if err := d.SaveWorkflow(t.Context(), lee(), id, edit); !errors.As(err, &missing) {
		t.Errorf("by lee: got %v, want the missing right", err)
	}
	got := text(t, d, `
		SELECT concat_ws(' ', w.severity, w.cron, w.version, a.detail -> 'changed' -> 'severity' ->> 'before',
		                 (SELECT count(*) FROM xtk.audit WHERE NOT allowed))
		FROM xtk.workflow w
		JOIN xtk.audit a ON a.entity = w.internal_name AND a.allowed
		WHERE w.id = $1`, id)
	if want := "critical 0 5 * * * 2 normal 1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSlotAccount(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id := addWorkflow(t, d, "accounted", db.Started, false)
	history(t, d, id)
	if _, err := d.Pool.Exec(t.Context(), `
		INSERT INTO xtk.workflow_event (workflow_id, kind, status, reason, scheduled_at, occurrences, task_id, processing_date, outcome)
		SELECT t.workflow_id, 'scheduled', 'processed', NULL, t.start_date - CASE t.rows_changed WHEN 100 THEN interval '1 hour' ELSE '0' END, 1, t.id,
		       t.start_date, t.status
		FROM xtk.workflow_task t
		UNION ALL SELECT $1, 'scheduled', 'missed', 'service_down', now() - interval '1 hour', 7, NULL, NULL, NULL
		UNION ALL SELECT $1, 'scheduled', 'skipped', 'already_running', now() - interval '2 hours', 1, NULL, NULL, NULL
		UNION ALL SELECT $1, 'manual', 'pending', NULL, now() - interval '2 hours', 1, NULL, NULL, NULL`, id); err != nil {
		t.Fatal(err)
	}
	a, err := d.SlotAccount(t.Context(), id, time.Now().AddDate(0, 0, -9), time.Now())
	if want := (db.Account{Due: 11, Ran: 1, RanLate: 1, Failed: 1, Skipped: 1, Missed: 7}); err != nil || a != want {
		t.Errorf("got %+v, %v, want %+v", a, err, want)
	}
	slots, more, err := d.Slots(t.Context(), db.SlotFilter{WorkflowID: id, Limit: 5})
	if err != nil || !more || len(slots) != 5 || slots[0].Reason != "service_down" {
		t.Errorf("slots: got %v, more %t, %v, want five with the missed one first", slots, more, err)
	}
}
