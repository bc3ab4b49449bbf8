package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/views"
)

// routineOf reads the routine of a workflow as the page finds it now.
func (c *console) routineOf(name string) views.RoutineRow {
	c.t.Helper()
	all, err := c.db.Workflows(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	rows, err := c.routine(c.t.Context(), views.Page{Lang: "en", Now: time.Now(), Zone: time.UTC}, all)
	if err != nil || len(rows) != 4 {
		c.t.Fatalf("routine: got %v, %v, want four rows", rows, err)
	}
	for _, row := range rows {
		if row.Workflow == name {
			return row
		}
	}
	c.t.Fatalf("routine: no row of %q in %v", name, rows)
	return views.RoutineRow{}
}

// The routine says what an operator would find: nothing started, a day without cleanup, errors of tracking that recur, rules
// that are not fetched every day.
func TestRoutine(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := c.db.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when, name, level, text string) {
		t.Helper()
		if got := c.routineOf(name); got.Level != level || !strings.Contains(got.Text, text) {
			t.Errorf("%s: %s: got %+v, want %s and %q", when, name, got, level, text)
		}
	}
	if _, err := c.night.now(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("a new instance", "cleanup", "warning", "not started")
	want("a new instance", "", "off", "none is started")
	exec(`UPDATE xtk.workflow SET built = true, state = 'started', next_processing = now() + interval '1 h'
	      WHERE internal_name IN ('cleanup', 'tracking', 'deliverabilityUpdate')`)
	want("started", "cleanup", "warning", "no run has ended well yet")
	want("started", "tracking", "ok", "0 ended well, 0 failed")
	want("started", "deliverabilityUpdate", "off", "not installed")
	run := func(name, status, ago string) {
		t.Helper()
		exec(`INSERT INTO xtk.workflow_task (workflow_id, status, node, backend_pid, start_date, completion_date)
		      SELECT id, '` + status + `', 'n', 1, now() - interval '` + ago + `', now() - interval '` + ago + `' + interval '5 min'
		      FROM xtk.workflow WHERE internal_name = '` + name + `'`)
	}
	run("cleanup", "completed", "30 h")
	want("a day without", "cleanup", "warning", "none has ended well since")
	run("cleanup", "completed", "3 h")
	want("daily", "cleanup", "ok", "took 5")
	run("tracking", "failed", "2 h")
	want("one error", "tracking", "ok", "1 failed")
	run("tracking", "failed", "1 h")
	want("errors that recur", "tracking", "warning", "2 failed")
	exec(`INSERT INTO xtk.package_install (name, label) VALUES ('deliverability', 'd')`)
	want("monitored", "deliverabilityUpdate", "warning", "no run has ended well yet")
	run("deliverabilityUpdate", "completed", "5 h")
	want("monitored", "deliverabilityUpdate", "ok", "asked for")
	if _, body := c.ask("reader", http.MethodGet, "/monitoring", nil); !strings.Contains(body, "Daily routine") || !strings.Contains(body, "2 failed") {
		t.Error("the page: want the routine")
	}
}

// A pause is told of when it counts as forgotten, and events of Message Center where they are executed.
func TestPausedTooLong(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	page := views.Page{Lang: "en", Now: time.Now(), Zone: time.UTC}
	for days, want := range map[int]bool{6: false, 8: true} {
		at := page.Now.AddDate(0, 0, -days)
		got, told := c.monitored(page, db.WorkflowRow{Name: "billing", Built: true, State: db.Paused, PausedAt: &at, StateSince: at}, 7)
		if told != want || want && (got.State != views.Paused || !strings.Contains(got.Why, "forgotten after 7")) {
			t.Errorf("paused for %d days: got %+v, %v, want told %v", days, got, told, want)
		}
	}
	if _, err := c.db.Pool.Exec(t.Context(), `
		UPDATE xtk.option SET string_value = 'execution' WHERE name = 'XtkInstanceType';
		INSERT INTO xtk.option (name, data_type, string_value) VALUES ('XtkInstanceType', 'string', 'execution') ON CONFLICT (name) DO UPDATE SET string_value = 'execution';
		INSERT INTO nms.rt_event (type) SELECT 'order' FROM generate_series(1, 3);
		INSERT INTO nms.delivery (internal_name, label, state, failed_message) VALUES ('broken', 'Autumn <news>', 'failed', 'refused');
		INSERT INTO nms.delivery (internal_name, label, state, sent, contact_date) VALUES ('gone-out', 'Welcome', 'finished', 5, now() - interval '1 h')`); err != nil {
		t.Fatal(err)
	}
	c.night.forget()
	_, body := c.ask("reader", http.MethodGet, "/monitoring", nil)
	for _, text := range []string{"Events waiting for Message Center", "Autumn &lt;news&gt;", "refused", "Welcome"} {
		if !strings.Contains(body, text) {
			t.Errorf("the page of an execution instance: got no %q", text)
		}
	}
}
