package standard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/jobtest"
	"nightshift/jobs/standard"
)

var heat = jobs.Workflow{Name: "collectDataHeatMapService", Run: standard.CollectDataHeatMapService}

func do(t testing.TB, d *db.DB, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := d.Pool.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func one(t testing.TB, d *db.DB, sql string) (value string) {
	t.Helper()
	if err := d.Pool.QueryRow(context.Background(), "SELECT coalesce(("+sql+")::text, '')").Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func collect(t testing.TB, d *db.DB, options ...jobtest.Option) jobtest.Result {
	t.Helper()
	got := jobtest.Run(t, d, heat, options...)
	if got.Status != "completed" {
		t.Fatalf("got %s (%s), want completed\n%s", got.Status, got.Message, strings.Join(got.Log, "\n"))
	}
	return got
}

// past is an execution of a workflow on a day of 2026, with an activity of the same length; no end is running.
func past(workflow, begin, end string) string {
	ended, status := "NULL", "running"
	if end != "" {
		ended, status = "'2026-03-10 "+end+"Z'", "completed"
	}
	return fmt.Sprintf(`
		WITH t AS (
			INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, status, start_date, completion_date, rows_changed)
			SELECT id, 'n', 1, '%s', '2026-03-10 %sZ', %s::timestamptz, 100
			FROM xtk.workflow
			WHERE internal_name = '%s'
			RETURNING id, start_date, completion_date
		)
		INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key, status, start_date, end_date)
		SELECT id, 1, 'work', '%s', start_date, completion_date
		FROM t`, status, begin, ended, workflow, status)
}

// busy has the three executions of the example and one of the evening.
func busy(t testing.TB) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	do(t, d, past("tracking", "08:00:30", "08:02:00"), past("cleanup", "08:01:00", "08:10:00"),
		past("billing", "08:04:00", "08:04:10"), past("tracking", "20:00:00", "20:00:00"),
		`INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, status, mode, start_date, completion_date)
		 SELECT id, 'n', 1, 'completed', 'simulation', '2026-03-10 08:00Z', '2026-03-10 09:00Z' FROM xtk.workflow WHERE internal_name = 'offerMgt'`)
	return d
}

// cells are the counts of the cells that are not empty.
func cells(t testing.TB, d *db.DB, zone string, filter db.HeatFilter) string {
	t.Helper()
	place, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	heated, err := d.HeatMap(context.Background(), db.NewHeatDay(2026, time.March, 10, place), filter)
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for i, cell := range heated {
		if cell.Runs > 0 {
			shown = append(shown, fmt.Sprintf("%02d:%02d=%d", i/12, i%12*5, cell.Runs))
		}
	}
	return strings.Join(shown, " ")
}

const samples = `SELECT string_agg(concat_ws(' ', task_id, step_order, workflow_name, activity, start_date, end_date), ', ' ORDER BY task_id, step_order)
	FROM xtk.heatmap_sample WHERE workflow_name <> 'collectDataHeatMapService'`

func TestCellsCountWhatTouchesThem(t *testing.T) {
	t.Parallel()
	d := busy(t)
	got := collect(t, d)
	if line := "4 executions of 3 workflows since the beginning"; !strings.Contains(strings.Join(got.Log, "\n"), line) {
		t.Errorf("got the log %q, want %q in it", got.Log, line)
	}
	for _, test := range []struct {
		zone, want string
		filter     db.HeatFilter
	}{
		{"UTC", "08:00=3 08:05=1 20:00=1", db.HeatFilter{}},
		{"Asia/Seoul", "17:00=3 17:05=1", db.HeatFilter{}},
		{"UTC", "08:00=1 08:05=1", db.HeatFilter{Minimum: 5 * time.Minute}},
		{"UTC", "08:00=1", db.HeatFilter{Names: []string{"billing"}}},
		{"UTC", "", db.HeatFilter{Kind: "campaign"}},
	} {
		if got := cells(t, d, test.zone, test.filter); got != test.want {
			t.Errorf("%s %+v: got %q, want %q", test.zone, test.filter, got, test.want)
		}
	}
}

func TestSecondRunWritesNothing(t *testing.T) {
	t.Parallel()
	d := busy(t)
	collect(t, d)
	before := one(t, d, samples)
	got := collect(t, d)
	if after := one(t, d, samples); after != before || strings.Count(after, ",") != 7 {
		t.Errorf("got the samples %s, want the eight of the first run: %s", after, before)
	}
	// What is new is the first collection itself.
	if line := "1 executions of 1 workflows since "; !strings.Contains(strings.Join(got.Log, "\n"), line) {
		t.Errorf("got the log %q, want %q in it", got.Log, line)
	}
}

func TestNothingToCollect(t *testing.T) {
	t.Parallel()
	got := collect(t, dbtest.New(t))
	if line := "0 executions of 0 workflows since the beginning"; !strings.Contains(strings.Join(got.Log, "\n"), line) {
		t.Errorf("got the log %q, want %q in it", got.Log, line)
	}
}

func TestPurgedHistoryTakesItsSamples(t *testing.T) {
	t.Parallel()
	d := busy(t)
	collect(t, d)
	do(t, d, `DELETE FROM xtk.workflow_task USING xtk.workflow w WHERE w.id = workflow_id AND w.internal_name = 'tracking'`)
	got := collect(t, d)
	if left := one(t, d, `SELECT count(*) FROM xtk.heatmap_sample WHERE workflow_name = 'tracking'`); left != "0" || got.Effects["xtk.heatmap_sample"].Deleted != 4 {
		t.Errorf("got %s samples left and %d deleted, want 0 and 4", left, got.Effects["xtk.heatmap_sample"].Deleted)
	}
}

// A run whose lock is held counts up to now and gets its end when it has one; the label stays that of the time.
func TestRunningExecution(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	session := jobtest.OpenSession(t, d, "at work")
	defer func() { _ = session.Close(context.WithoutCancel(t.Context())) }()
	if _, err := session.Exec(t.Context(), `SELECT pg_advisory_lock($1, id::int) FROM xtk.workflow WHERE internal_name = 'tracking'`, db.LockWorkflow); err != nil {
		t.Fatal(err)
	}
	do(t, d, past("tracking", "08:00:00", ""), past("cleanup", "08:00:00", ""),
		`INSERT INTO xtk.engine_node (name, host, pid, version, seen_at) VALUES ('n', 'h', 1, 'v', '2026-03-10 08:07Z')`)
	collect(t, d)
	const ends = `SELECT string_agg(concat_ws(' ', workflow_label, to_char(end_date AT TIME ZONE 'UTC', 'HH24:MI')), ', ' ORDER BY workflow_name, step_order)
		FROM xtk.heatmap_sample`
	if got := one(t, d, ends); got != "Database cleanup 08:07, Database cleanup 08:07, Tracking, Tracking" {
		t.Errorf("got %q, want that the lost execution ended when its node was last heard", got)
	}
	if got := cells(t, d, "UTC", db.HeatFilter{Names: []string{"tracking"}}); !strings.HasPrefix(got, "08:00=1 08:05=1") || !strings.HasSuffix(got, " 23:55=1") {
		t.Errorf("got %q, want every cell from 08:00 on", got)
	}
	do(t, d, `UPDATE xtk.workflow SET label = 'New name' WHERE internal_name = 'tracking'`,
		`UPDATE xtk.workflow_task SET status = 'completed', completion_date = now() WHERE start_date = '2026-03-10 08:00Z' AND id = (SELECT min(id) FROM xtk.workflow_task)`)
	collect(t, d)
	if got := one(t, d, `SELECT concat_ws(' ', workflow_label, end_date IS NOT NULL) FROM xtk.heatmap_sample WHERE workflow_name = 'tracking' AND step_order = 0`); got != "Tracking t" {
		t.Errorf("got %q, want the label of the time and an end", got)
	}
}

func TestManyExecutionsInPages(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	do(t, d, `
		INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, status, start_date, completion_date)
		SELECT (SELECT min(id) FROM xtk.workflow), 'n', 1, 'completed', '2026-03-10 00:00Z'::timestamptz + n * interval '1 second', '2026-03-10 00:01Z'::timestamptz + n * interval '1 second'
		FROM generate_series(1, 2 * 2000 + 7) n`)
	collect(t, d)
	if got := one(t, d, `SELECT count(*) FROM xtk.heatmap_sample`); got != "4007" {
		t.Errorf("got %s samples, want 4007", got)
	}
}

func TestSimulationAnnouncesWhatTheRunDoes(t *testing.T) {
	t.Parallel()
	d := busy(t)
	do(t, d, `INSERT INTO xtk.heatmap_sample (task_id, workflow_id, workflow_name, workflow_label, kind, start_date) VALUES (999, 1, 'x', 'x', 'technical', now())`)
	before := jobtest.Digest(t, d)
	at := jobtest.CutOff(time.Now())
	rehearsed := jobtest.Simulate(t, d, heat, at)
	if rehearsed.Status != "completed" || jobtest.Digest(t, d) != before {
		t.Fatalf("got %s and other rows, want completed and no change", rehearsed.Status)
	}
	counters := jobtest.Count(t, d)
	got := collect(t, d, at)
	counters.Check(t, got)
	for table, want := range rehearsed.Effects {
		if got := got.Effects[table]; got != want {
			t.Errorf("%s: the run did %+v, want what was announced: %+v", table, got, want)
		}
	}
	if got.Effects["xtk.heatmap_sample"] != (jobtest.Effect{Inserted: 8, Deleted: 1}) {
		t.Errorf("got %+v, want 8 samples added and 1 deleted", got.Effects["xtk.heatmap_sample"])
	}
}

func TestCollectionSurvivesACutAnywhere(t *testing.T) {
	t.Parallel()
	jobtest.CrashSweep(t, heat, busy)
	jobtest.StopSweep(t, heat, busy)
}
