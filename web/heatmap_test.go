package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/views"
)

// heated is a console with the three executions of the example, which nobody has collected.
func heated(t *testing.T) *console {
	t.Helper()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `
		WITH t AS (
			INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, status, start_date, completion_date, rows_changed)
			SELECT w.id, 'n', 1, 'completed', '2026-03-10Z'::timestamptz + v.begun::interval, '2026-03-10Z'::timestamptz + v.ended::interval, 1000
			FROM (VALUES ('tracking', '08:00:30', '08:02:00'), ('cleanup', '08:01:00', '08:10:00'), ('billing', '08:04:00', '08:04:10')) v (name, begun, ended)
			JOIN xtk.workflow w ON w.internal_name = v.name
			RETURNING id, start_date, completion_date
		)
		INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key, status, start_date, end_date)
		SELECT id, 1, 'the_work', 'completed', start_date, completion_date
		FROM t`); err != nil {
		t.Fatal(err)
	}
	return c
}

// wants checks that an answer has each of the texts.
func wants(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("got no %q in the page", text)
		}
	}
}

func TestHeatMapIsLoadedForItsDay(t *testing.T) {
	t.Parallel()
	c := heated(t)
	_, page := c.ask("kim", http.MethodGet, "/heat-map?day=2026-03-10", nil)
	wants(t, page, "Nothing is collected of Tue 10 Mar 2026", "Load data")
	answer, _ := c.ask("kim", http.MethodPost, "/heat-map/load", url.Values{"day": {"2026-03-10"}, "back": {"/heat-map?day=2026-03-10"}})
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/heat-map?day=2026-03-10" {
		t.Errorf("got %d to %q, want the day again", answer.StatusCode, answer.Header.Get("Location"))
	}
	_, page = c.ask("kim", http.MethodGet, "/heat-map?day=2026-03-10", nil)
	wants(t, page, "<strong>3 executions of 3 workflows</strong>", "<h1>3 at once at 08:00, of 20 allowed", "08:00, runs 3, rows changed 2,500", "08:05, runs 1,",
		"3 runs, 3 technical, 0 marketing", `href="/workflows/billing"`, "the_work", "Reload data")
	if strings.Contains(page, "08:10, runs 1,") {
		t.Error("got the execution in a cell that begins as it ends")
	}
	_, page = c.ask("kim", http.MethodGet, "/heat-map?day=2026-03-10&minimum=300&cell=96", nil)
	wants(t, page, "08:00, runs 1,", "1 run, 1 technical", `<option value="cleanup"`)
	if strings.Contains(page, `<option value="billing"`) {
		t.Error("got a workflow to choose that the minimum leaves out")
	}
	_, page = c.ask("kim", http.MethodGet, "/heat-map?day=2026-03-10&measure=rows&view=table&q=BILL", nil)
	wants(t, page, "1,000 rows changed at 08:00", "08:00 – 08:05")
}

func TestHeatMapInAnotherZone(t *testing.T) {
	t.Parallel()
	c := heated(t)
	if _, err := c.db.Pool.Exec(t.Context(), `UPDATE xtk.operator SET timezone = 'Asia/Seoul' WHERE login = 'kim'`); err != nil {
		t.Fatal(err)
	}
	c.ask("kim", http.MethodPost, "/heat-map/load", url.Values{"day": {"2026-03-10"}})
	_, page := c.ask("kim", http.MethodGet, "/heat-map?day=2026-03-10", nil)
	wants(t, page, "17:00, runs 3,", "17:05, runs 1,", "3 at once at 17:00")
}

func TestHeatMapRefusesWhatNoLinkAsks(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	later := time.Now().AddDate(0, 0, 3).Format(time.DateOnly)
	for _, query := range []string{"day=yesterday", "day=" + later, "cell=288", "cell=-1", "cell=x", "minimum=3601", "minimum=x", "measure=x", "type=x"} {
		if answer, _ := c.ask("kim", http.MethodGet, "/heat-map?"+query, nil); answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", query, answer.StatusCode)
		}
	}
	answer, _ := c.ask("kim", http.MethodPost, "/heat-map/load", url.Values{"day": {later}, "back": {"//elsewhere.example"}})
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("loading a day to come: got %d, want 400", answer.StatusCode)
	}
	answer, _ = c.ask("kim", http.MethodPost, "/heat-map/load", url.Values{"day": {"2026-03-10"}, "back": {"//elsewhere.example"}})
	if got := answer.Header.Get("Location"); got != "/heat-map?day=2026-03-10" {
		t.Errorf("loading with a way back to another site: got %q, want the day", got)
	}
	for _, login := range []string{"reader", "worker"} {
		if answer, _ := c.ask(login, http.MethodGet, "/heat-map", nil); answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s: got %d, want 403", login, answer.StatusCode)
		}
		if answer, _ := c.ask(login, http.MethodPost, "/heat-map/load", url.Values{}); answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s loads: got %d, want 403", login, answer.StatusCode)
		}
	}
}

// Tomorrow's map holds what the schedules expect, for as long as a run usually takes.
func TestHeatMapExpectsTomorrow(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `
		UPDATE xtk.workflow
		SET state = 'started', next_processing = date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '1 day 4 hours'
		WHERE internal_name = 'cleanup';
		INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, status, start_date, completion_date, rows_changed)
		SELECT id, 'n', 1, 'completed', now() - interval '3 days', now() - interval '3 days' + interval '12 minutes', 300
		FROM xtk.workflow
		WHERE internal_name = 'cleanup'`); err != nil {
		t.Fatal(err)
	}
	tomorrow := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	_, page := c.ask("kim", http.MethodGet, "/heat-map?day="+tomorrow, nil)
	wants(t, page, "1 expected at once at 04:00, of 20 allowed", "04:00, expected: runs 1, rows 100", "04:10, expected: runs 1, rows 100",
		"04:15, expected: runs 0, rows 0", "≈ 12")
}

func TestExpectedRunsFillTheirCells(t *testing.T) {
	t.Parallel()
	day := db.NewHeatDay(2026, time.March, 10, time.UTC)
	view := views.HeatMap{Page: views.Page{Now: day.From.Add(10*time.Hour + 2*time.Minute)}}
	fillHeat(&view, day, [db.HeatCells]db.HeatCell{})
	at := func(minutes int) time.Time { return day.From.Add(time.Duration(minutes) * time.Minute) }
	addExpected(&view, day, []views.HeatRun{{Begun: at(595), Ended: at(610), Rows: 30}, {Begun: at(605), Ended: at(605)}, {Begun: at(604), Ended: at(606)},
		{Begun: at(-60), Ended: at(2000)}})
	var got []string
	for _, i := range []int{119, 120, 121, 122, 287} {
		got = append(got, fmt.Sprint(view.Cells[i].Runs))
	}
	if want := "0 0 4 1 1"; strings.Join(got, " ") != want {
		t.Errorf("09:55 10:00 10:05 10:10 23:55: got %v, want %s", got, want)
	}
	if !view.Cells[120].Now || view.Cells[120].Expected || !view.Cells[121].Expected {
		t.Errorf("got %+v and %+v, want now and expected", view.Cells[120], view.Cells[121])
	}
}

// What samples say stands in the cells, in the list and in the table; where nobody looked, the page says so.
func TestHeatMapShowsLoad(t *testing.T) {
	t.Parallel()
	c := heated(t)
	c.ask("kim", http.MethodPost, "/heat-map/load", url.Values{"day": {"2026-03-10"}})
	_, page := c.ask("kim", http.MethodGet, "/heat-map?day=2026-03-10&measure=database", nil)
	wants(t, page, "Nobody looked at the runs of Tue 10 Mar 2026", "08:00, runs 3, rows changed 2,500, Database time not sampled", `class="cell unsampled"`)
	c.run(`
		INSERT INTO xtk.heatmap_load (task_id, slot, samples, database_seconds, lock_seconds)
		SELECT t.id, '2026-03-10 08:00Z', 10, v.busy, v.waits
		FROM (VALUES ('tracking', 40, 0), ('cleanup', 95.4, 12)) v (name, busy, waits)
		JOIN xtk.workflow w ON w.internal_name = v.name
		JOIN xtk.workflow_task t ON t.workflow_id = w.id`)
	_, page = c.ask("kim", http.MethodGet, "/heat-map?day=2026-03-10&measure=database", nil)
	wants(t, page, "<h1>2\u202fm\u202f15\u202fs of database time at 08:00, the most of the day", "Sampled every 5\u202fs", ">135</a>",
		"08:05, runs 1, rows changed 500, Database time not sampled", "1\u202fm\u202f35\u202fs in the database · 12\u202fs waiting for locks")
	_, page = c.ask("kim", http.MethodGet, "/heat-map?day=2026-03-10&measure=locks&workflow=tracking", nil)
	wants(t, page, "No run was seen waiting for a lock on Tue 10 Mar 2026", "08:00, runs 1, rows changed 1,000, Lock waits 0\u202fs")
	_, page = c.ask("kim", http.MethodGet, "/heat-map?day=2026-03-10&measure=locks&view=table", nil)
	wants(t, page, "12\u202fs of waiting for locks at 08:00", ">2\u202fm\u202f15\u202fs</td>", ">12\u202fs</td>", ">not sampled</td>")
	if strings.Contains(page, "no forecast") {
		t.Error("a day that is over: got words about a forecast")
	}
}

// Tomorrow's database time is what runs usually take; lock waits have no forecast, and the page says so.
func TestHeatMapExpectsLoad(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.run(`
		UPDATE xtk.workflow
		SET state = 'started', next_processing = date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '1 day 4 hours'
		WHERE internal_name = 'cleanup'`)
	c.run(`
		WITH t AS (
			INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, status, start_date, completion_date, rows_changed)
			SELECT w.id, 'n', 1, 'completed', now() - n * interval '1 day', now() - n * interval '1 day' + interval '10 minutes', 300
			FROM xtk.workflow w, generate_series(2, 4) n
			WHERE w.internal_name = 'cleanup'
			RETURNING id, start_date
		)
		INSERT INTO xtk.heatmap_load (task_id, slot, samples, database_seconds, lock_seconds)
		SELECT id, date_bin('5 minutes', start_date, 'epoch'), 10, 200, 50
		FROM t`)
	tomorrow := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	_, page := c.ask("kim", http.MethodGet, "/heat-map?measure=database&day="+tomorrow, nil)
	wants(t, page, "1\u202fm\u202f40\u202fs of database time expected at 04:00", "04:05, expected: runs 1, rows 150, Database time 1\u202fm\u202f40\u202fs")
	_, page = c.ask("kim", http.MethodGet, "/heat-map?measure=locks&day="+tomorrow, nil)
	wants(t, page, "No forecast of lock waits for", "There is no forecast for this measure.", "Lock waits no forecast")
}
