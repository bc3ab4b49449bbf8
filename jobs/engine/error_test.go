package engine

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"nightshift/db"
	"nightshift/jobs"
)

// TestFailureStops: the workflow is paused and failed, each supervisor with an address gets one mail, the disabled one
// too, and Start executes the failed step again and no other.
func TestFailureStops(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	n.exec(`
		WITH o AS (
			INSERT INTO xtk.operator (login, label, email, disabled, language) VALUES
				('park', 'Park', 'park@example.com', true, 'ko'), ('moreau', 'Moreau', 'moreau@example.com', false, 'en'),
				('silent', 'Silent', NULL, false, 'en'), ('twice', 'Twice', 'PARK@example.com', false, 'en')
			RETURNING id)
		INSERT INTO xtk.operator_group_member (group_id, operator_id)
		SELECT g.id, o.id FROM o, xtk.operator_group g WHERE g.internal_name = 'workflowSupervisors'`)
	if err := n.d.PublishURL(t.Context(), "https://night.example"); err != nil {
		t.Fatal(err)
	}
	var first, second atomic.Int32
	id := n.add("fragile", db.Started, yearly)
	n.engine(Config{}, jobs.Workflow{Name: "fragile", Run: func(ctx context.Context, r *jobs.Run) error {
		if err := r.Step(ctx, "first", func(context.Context) error { first.Add(1); return nil }); err != nil {
			return err
		}
		return r.Step(ctx, "second", func(context.Context) error {
			if second.Add(1) == 1 {
				return errors.New("the disk is full")
			}
			return nil
		})
	}})
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.until("paused/failed", stateSQL, id)
	if got, want := n.text(tasksSQL, id), "failed"; got != want {
		t.Errorf("runs: got %s, want %s", got, want)
	}
	mails := `SELECT string_agg(to_address || ': ' || subject, ', ' ORDER BY to_address) FROM nms.notification`
	if got, want := n.text(mails), "moreau@example.com: Workflow fragile has failed, park@example.com: 워크플로우 fragile 실패"; got != want {
		t.Errorf("mails: got %s, want %s", got, want)
	}
	// The link leads to the line that says why, and the line is there.
	const link = `SELECT body_text LIKE '%https://night.example/runs/' || t.id || '?line=' || l.id || '#L' || l.id || E'\n%' AND l.message LIKE '%the disk is full%'
		FROM nms.notification n, xtk.workflow_task t, xtk.workflow_log l
		WHERE n.id = 1 AND t.workflow_id = $1 AND l.id = (SELECT min(id) FROM xtk.workflow_log WHERE task_id = t.id AND level = 'error')`
	if got := n.text(link, id); got != "true" {
		t.Errorf("the mail: got %s, want a link to the failing line of\n%s", n.text(`SELECT body_text FROM nms.notification WHERE id = 1`),
			n.text(`SELECT string_agg(id || level || message, E'\n' ORDER BY id) FROM xtk.workflow_log`))
	}
	n.order(id, db.Start, db.OrderArgs{})
	n.until("failed completed", tasksSQL, id)
	n.until("started", stateSQL, id)
	if first.Load() != 1 || second.Load() != 2 {
		t.Errorf("got first step %d times, second %d, want 1 and 2", first.Load(), second.Load())
	}
	steps := `SELECT string_agg(step_key || ' ' || status, ', ' ORDER BY task_id, step_order) FROM xtk.workflow_task_step`
	if got, want := n.text(steps), "first completed, second failed, first kept, second completed"; got != want {
		t.Errorf("steps: got %s, want %s", got, want)
	}
	mails += ` WHERE id > 2`
	if got, want := n.text(mails), "moreau@example.com: Workflow fragile works again, park@example.com: 워크플로우 fragile 복구됨"; got != want {
		t.Errorf("mails in the end: got %s, want %s", got, want)
	}
}

// TestErrorsIgnored: two errors, a success and two errors leave the workflow started; a third in a row fails it.
func TestErrorsIgnored(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("bumpy", db.Started, yearly+`, on_error = 'ignore', error_limit = 3`)
	var fails atomic.Bool
	n.engine(Config{}, jobs.Workflow{Name: "bumpy", Run: func(context.Context, *jobs.Run) error {
		if fails.Load() {
			return errors.New("no answer")
		}
		return nil
	}})
	history := ""
	for i, bad := range []bool{true, true, false, true, true, true} {
		fails.Store(bad)
		n.order(id, db.Wakeup, db.OrderArgs{})
		if history != "" {
			history += " "
		}
		history += map[bool]string{true: "failed", false: "completed"}[bad]
		n.until(history, tasksSQL, id)
		want := "started"
		if i == 5 {
			want = "paused/failed"
		}
		n.until(want, stateSQL, id)
	}
	n.has(id, "Failed: 3 errors in a row")
}

// TestErrorsInARow: a workflow that ignores its errors for ever tells of the third in a row, once, and of its recovery.
func TestErrorsInARow(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	n.exec(`
		WITH o AS (INSERT INTO xtk.operator (login, label, email) VALUES ('moreau', 'Moreau', 'moreau@example.com') RETURNING id)
		INSERT INTO xtk.operator_group_member (group_id, operator_id)
		SELECT g.id, o.id FROM o, xtk.operator_group g WHERE g.internal_name = 'workflowSupervisors'`)
	n.exec(`INSERT INTO nms.ext_account (internal_name, label, type, server, params) VALUES ('chat', 'Chat', 'webhook', 'https://chat.example', '{"language": "ko"}'),
		('off', 'Off', 'webhook', 'https://off.example', '{}')`)
	n.exec(`UPDATE nms.ext_account SET active = false WHERE internal_name = 'off'`)
	id := n.add("bumpy", db.Started, yearly+`, on_error = 'ignore'`)
	var fails atomic.Bool
	n.engine(Config{}, jobs.Workflow{Name: "bumpy", Run: func(context.Context, *jobs.Run) error {
		if fails.Load() {
			return errors.New("no answer")
		}
		return nil
	}})
	history := ""
	for _, bad := range []bool{true, true, true, true, false, false} {
		fails.Store(bad)
		n.order(id, db.Wakeup, db.OrderArgs{})
		history = strings.TrimSpace(history + " " + map[bool]string{true: "failed", false: "completed"}[bad])
		n.until(history, tasksSQL, id)
	}
	subjects := `SELECT string_agg(channel || ': ' || to_address || ': ' || subject, E'\n' ORDER BY id) FROM nms.notification`
	want := "mail: moreau@example.com: Workflow bumpy: 3 errors in a row\nwebhook: Chat: 워크플로우 bumpy: 연속 오류 3회\n" +
		"mail: moreau@example.com: Workflow bumpy works again\nwebhook: Chat: 워크플로우 bumpy 복구됨"
	if got := n.text(subjects); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	message := `SELECT (body_text::jsonb ->> 'event') || ' ' || (body_text::jsonb ->> 'workflow') || ' ' || (body_text::jsonb ->> 'state') || ' '
		|| (body_text::jsonb ->> 'text' LIKE '워크플로우 bumpy: 연속 오류 3회%no answer%')
		FROM nms.notification WHERE channel = 'webhook' ORDER BY id LIMIT 1`
	if got, want := n.text(message), "errors bumpy started true"; got != want {
		t.Errorf("message to the webhook: got %s, want %s", got, want)
	}
}

// TestErrorAborts: the workflow is finished and failed, and Start begins anew.
func TestErrorAborts(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("strict", db.Started, yearly+`, on_error = 'abort'`)
	n.engine(Config{}, jobs.Workflow{Name: "strict", Run: func(context.Context, *jobs.Run) error { panic("a bug") }})
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.until("finished/failed", stateSQL, id)
	n.order(id, db.Start, db.OrderArgs{})
	n.until("started", stateSQL, id)
	if got, want := n.text(slotsSQL, id), "manual/processed"; got != want {
		t.Errorf("got %s, want %s: nothing resumes an aborted run", got, want)
	}
}

// TestWatchdog starts a failed workflow again by itself, from the beginning.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	n := newNight(t)
	id := n.add("watched", db.Started, yearly+`, watchdog = true`)
	n.exec(`INSERT INTO xtk.option (name, data_type, long_value) VALUES ('XtkWorkflow_WatchdogRestartTimerTimeout', 'long', 1)`)
	var tries atomic.Int32
	n.engine(Config{}, jobs.Workflow{Name: "watched", Run: func(context.Context, *jobs.Run) error {
		if tries.Add(1) == 1 {
			return errors.New("once")
		}
		return nil
	}})
	n.order(id, db.Wakeup, db.OrderArgs{})
	n.until("failed completed", tasksSQL, id)
	n.until("started", stateSQL, id)
}

// TestJudge goes through what the end of a run makes of its workflow, for every state, policy and ending.
func TestJudge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state, onError string
		limit, errors  int
		mode, status   string
		givenUp        bool
		want           consequence
	}{
		{db.Started, "stop", 0, 2, "normal", "completed", false, consequence{"", false, 0, true, ""}},
		{db.Started, "stop", 0, 0, "normal", "failed", false, consequence{db.Paused, true, 1, true, "Failed: paused until somebody starts it"}},
		{db.Started, "ignore", 0, 8, "normal", "failed", false, consequence{"", false, 9, true, "Error ignored (9 in a row): the next occurrence runs as planned"}},
		{db.Started, "ignore", 3, 2, "normal", "failed", false, consequence{db.Paused, true, 3, true, "Failed: 3 errors in a row, paused until somebody starts it"}},
		{db.Started, "abort", 0, 0, "normal", "failed", false, consequence{db.Finished, true, 1, true, "Failed: aborted, it can only be started anew"}},
		{db.Started, "stop", 0, 1, "normal", "stopped", false, consequence{"", false, 1, false, ""}},
		{db.Started, "stop", 0, 1, "normal", "handed back", false, consequence{"", false, 1, false, ""}},
		{db.Started, "stop", 0, 1, "normal", "lost", false, consequence{"", false, 1, false, ""}},
		{db.Started, "ignore", 0, 1, "normal", "lost", true, consequence{db.Paused, true, 2, false, "Failed: paused until somebody starts it"}},
		{db.Started, "stop", 0, 1, "simulation", "failed", false, consequence{"", false, 1, false, ""}},
		{db.PausePending, "stop", 0, 1, "normal", "completed", false, consequence{db.Paused, false, 0, true, "Paused after run 7"}},
		{db.PausePending, "stop", 0, 0, "normal", "failed", false, consequence{db.Paused, true, 1, true, "Failed: paused until somebody starts it"}},
		{db.PausePending, "stop", 0, 1, "simulation", "completed", false, consequence{"", false, 1, false, ""}},
		{db.StopPending, "stop", 0, 0, "normal", "stopped", false, consequence{db.Finished, false, 0, false, "Stopped: run 7 has ended"}},
		{db.StopPending, "stop", 0, 0, "normal", "failed", false, consequence{db.Finished, false, 1, true, "Stopped: run 7 has ended"}},
		{db.StopPending, "stop", 0, 0, "normal", "completed", false, consequence{db.Finished, false, 0, true, "Stopped: run 7 has ended"}},
		{db.BeingEdited, "stop", 0, 0, "normal", "failed", false, consequence{"", false, 1, true, ""}},
		{db.Finished, "abort", 0, 0, "normal", "failed", false, consequence{"", false, 1, true, ""}},
		{db.Paused, "stop", 0, 0, "simulation", "completed", false, consequence{"", false, 0, false, ""}},
		{db.Finished, "stop", 0, 0, "normal", "lost", true, consequence{"", false, 1, false, ""}},
	} {
		p := policy{state: c.state, onError: c.onError, errorLimit: c.limit, consecutiveErrors: c.errors}
		if got := p.judge(ending{task: 7, mode: c.mode, status: c.status, givenUp: c.givenUp}); got != c.want {
			t.Errorf("%+v: got %+v, want %+v", c, got, c.want)
		}
	}
}
