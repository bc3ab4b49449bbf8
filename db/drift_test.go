package db_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// monday is the begin of a week long ago.
var monday = time.Date(2025, 6, 30, 3, 0, 0, 0, time.UTC)

// pastOf are runs before monday, the newest last, each as fn says of the run so many steps ago.
func pastOf(count int, every time.Duration, fn func(ago int, at time.Time) (seconds, rows float64)) []replayed {
	runs := make([]replayed, count)
	for i := range runs {
		ago := count - i
		runs[i].at = monday.Add(-time.Duration(ago) * every)
		runs[i].seconds, runs[i].rows = fn(ago, runs[i].at)
	}
	return runs
}

// TestDriftComparables: which runs a run is compared with, and what follows.
func TestDriftComparables(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	still := func(seconds, rows float64) func(int, time.Time) (float64, float64) {
		return func(int, time.Time) (float64, float64) { return seconds, rows }
	}
	// Nothing to do but every tenth time, when it changes 400 to 600 rows in half a minute.
	rarely := func(ago int, _ time.Time) (float64, float64) {
		if ago%10 == 0 {
			return 28 + float64(ago%40)/10, 400 + float64(ago)
		}
		return 0.02, 0
	}
	mondays := func(_ int, at time.Time) (float64, float64) {
		if at.Weekday() == time.Monday {
			return 600, 90_000
		}
		return 60, 9000
	}
	for what, c := range map[string]struct {
		past    []replayed
		run     replayed
		want    map[string]bool
		weekday int
		busy    bool
	}{
		"always nothing, now a little":       {past: pastOf(30, day, still(0.02, 0)), run: replayed{seconds: 0.5, rows: 40}},
		"always nothing, now much":           {past: pastOf(30, day, still(0.02, 0)), run: replayed{seconds: 0.5, rows: 400}, want: map[string]bool{"more": true}},
		"always the same, now a tenth more":  {past: pastOf(30, day, still(100, 1000)), run: replayed{seconds: 109, rows: 1090}},
		"always the same, now a fifth more":  {past: pastOf(30, day, still(100, 1000)), run: replayed{seconds: 120, rows: 1200}, want: map[string]bool{"slower": true, "more": true}},
		"always the same, now a fifth less":  {past: pastOf(30, day, still(100, 1000)), run: replayed{seconds: 80, rows: 800}, want: map[string]bool{"faster": true, "fewer": true}},
		"a hundredth of a second, now three": {past: pastOf(30, day, still(0.01, 3)), run: replayed{seconds: 3, rows: 9}},
		"mostly nothing, now its usual work": {past: pastOf(240, time.Hour, rarely), run: replayed{seconds: 31, rows: 520}},
		"mostly nothing, now nothing":        {past: pastOf(240, time.Hour, rarely), run: replayed{seconds: 0.03, rows: 0}},
		"mostly nothing, now very much": {past: pastOf(240, time.Hour, rarely), run: replayed{seconds: 30, rows: 20_000},
			want: map[string]bool{"more": true}, busy: true},
		"a Monday like Mondays": {past: pastOf(200, day, mondays), run: replayed{seconds: 610, rows: 91_000}},
		"a Monday like other days": {past: pastOf(200, day, mondays), run: replayed{seconds: 60, rows: 9000},
			want: map[string]bool{"faster": true, "fewer": true}, weekday: 1},
		"too few Mondays to compare": {past: pastOf(50, day, mondays), run: replayed{seconds: 60, rows: 9000}},
		"seven runs":                 {past: pastOf(7, day, still(100, 1000)), run: replayed{seconds: 9000, rows: 0}},
		"eight runs":                 {past: pastOf(8, day, still(100, 1000)), run: replayed{seconds: 9000, rows: 1000}, want: map[string]bool{"slower": true}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			c.run.at = monday
			ids := load(t, d, "cleanup", append(c.past, c.run))
			opened := judgeAll(t, d, ids[len(ids)-1:])[ids[len(ids)-1]]
			got := map[string]bool{}
			for _, o := range opened {
				got[o.Cause] = true
				if o.Weekday != c.weekday || o.Busy != c.busy || o.Runs > 30 {
					t.Errorf("compared with %d runs of weekday %d, busy %t; want weekday %d, busy %t", o.Runs, o.Weekday, o.Busy, c.weekday, c.busy)
				}
			}
			if len(got) != len(c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			for cause := range c.want {
				if !got[cause] {
					t.Errorf("got %v, want %s among them", got, cause)
				}
			}
		})
	}
}

// TestDriftOfWhatDidNotComplete: a run that failed, was stopped or rehearsed opens and closes nothing, yet its page says
// that it took long.
func TestDriftOfWhatDidNotComplete(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ids := load(t, d, "cleanup", pastOf(20, 24*time.Hour, func(ago int, _ time.Time) (float64, float64) {
		if ago == 1 {
			return 900, 1000
		}
		return 100, 1000
	}))
	if opened := judgeAll(t, d, ids); len(opened) != 1 || len(opened[ids[19]]) != 1 {
		t.Fatalf("opened %v, want slower by the last run", opened)
	}
	for _, c := range []struct {
		status, mode string
		seconds      int
		said         int // in how many ways its page says that it is not as usual
	}{
		{"failed", "normal", 5, 0}, {"stopped", "normal", 5000, 1}, {"interrupted", "normal", 100, 0}, {"completed", "simulation", 5000, 0},
	} {
		var task int64
		err := d.Pool.QueryRow(t.Context(), `
			INSERT INTO xtk.workflow_task (workflow_id, status, mode, node, backend_pid, start_date, completion_date, rows_changed)
			SELECT id, $1, $2, 'test', 1, $3::timestamptz, $3::timestamptz + make_interval(secs => $4), 1000
			FROM xtk.workflow
			WHERE internal_name = 'cleanup'
			RETURNING id`, c.status, c.mode, monday, c.seconds).Scan(&task)
		if err != nil {
			t.Fatal(err)
		}
		if opened := judgeAll(t, d, []int64{task}); len(opened) > 0 {
			t.Errorf("%s %s: opened %v, want nothing", c.mode, c.status, opened)
		}
		run, _, err := d.RunWithLog(t.Context(), task, db.LogFilter{})
		if err != nil || len(run.Compared.Drifts) != c.said {
			t.Errorf("page of a %s %s of %d s: %v (%v), want %d drifts", c.status, c.mode, c.seconds, run.Compared.Drifts, err, c.said)
		}
	}
	alarms, err := d.Drifts(t.Context(), []int64{workflowID(t, d, "cleanup")}, time.Time{})
	if err != nil || len(alarms) != 1 || alarms[0].Closed != nil || !alarms[0].Shown(alarms[0].WorkflowID, ids[19], monday) {
		t.Errorf("alarms: %v (%v), want the one of the slow run, open", alarms, err)
	}
	// Its history takes it along.
	err = pgx.BeginFunc(t.Context(), d.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `DELETE FROM xtk.workflow_task WHERE id = $1`, ids[19])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if w, err := d.WorkflowByName(t.Context(), "cleanup"); err != nil || len(w.Drifts) != 0 {
		t.Errorf("open alarms: %v (%v), want none", w.Drifts, err)
	}
}

func workflowID(t *testing.T, d *db.DB, name string) int64 {
	t.Helper()
	w, err := d.WorkflowByName(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return w.ID
}

// TestDriftAcknowledged: an alarm that somebody knows of stays open and opens no second one of its cause; the next usual run
// closes it, and from then on there may be a new one, of which nobody knows.
func TestDriftAcknowledged(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	slow := map[int]bool{1: true, 3: true, 4: true}
	ids := load(t, d, "cleanup", pastOf(24, 24*time.Hour, func(ago int, _ time.Time) (float64, float64) {
		if slow[ago] {
			return 900, 1000
		}
		return 100, 1000
	}))
	opened := judgeAll(t, d, ids[:21])[ids[20]]
	if len(opened) != 1 {
		t.Fatalf("opened %v, want slower by the first slow run", opened)
	}
	alarm := opened[0].ID
	var missing *db.MissingRight
	if err := d.AcknowledgeDrifts(t.Context(), db.Actor{Login: "lee"}, "cleanup", []int64{alarm}, ""); !errors.As(err, &missing) {
		t.Errorf("without a right: got %v, want it refused", err)
	}
	kim := db.Actor{Login: "kim", Rights: []string{db.Administration}}
	if err := d.AcknowledgeDrifts(t.Context(), kim, "tracking", []int64{alarm}, ""); !errors.Is(err, db.ErrConflict) {
		t.Errorf("of another workflow: got %v, want a conflict", err)
	}
	if err := d.AcknowledgeDrifts(t.Context(), kim, "cleanup", []int64{alarm}, "a new index is built"); err != nil {
		t.Fatal(err)
	}
	if err := d.AcknowledgeDrifts(t.Context(), kim, "cleanup", []int64{alarm}, "again"); !errors.Is(err, db.ErrConflict) {
		t.Errorf("again: got %v, want a conflict", err)
	}
	if opened := judgeAll(t, d, ids[21:22]); len(opened) > 0 {
		t.Errorf("a second slow run opened %v, want nothing while the alarm is open", opened)
	}
	w, err := d.WorkflowByName(t.Context(), "cleanup")
	if err != nil || len(w.Drifts) != 1 || w.Drifts[0].Acknowledged == nil || w.Drifts[0].KnownBy != "kim" || w.Drifts[0].Why != "a new index is built" {
		t.Errorf("open alarms: %+v (%v), want the one that kim knows of", w.Drifts, err)
	}
	if opened := judgeAll(t, d, ids[22:]); len(opened) != 1 || len(opened[ids[23]]) != 1 {
		t.Errorf("a usual run and a slow one opened %v, want slower by the last", opened)
	}
	if w, err = d.WorkflowByName(t.Context(), "cleanup"); err != nil || len(w.Drifts) != 1 || w.Drifts[0].ID == alarm || w.Drifts[0].Acknowledged != nil {
		t.Errorf("open alarms: %+v (%v), want a new one of which nobody knows", w.Drifts, err)
	}
	var trail string
	if err := d.Pool.QueryRow(t.Context(), `
		SELECT string_agg(concat_ws(' ', operator_login, entity, allowed, detail::jsonb), '; ' ORDER BY seq)
		FROM xtk.audit
		WHERE action = 'Acknowledged'`).Scan(&trail); err != nil {
		t.Fatal(err)
	}
	const want = `lee cleanup f {}; kim cleanup t {"reason": "a new index is built", "changed": {"alarm_slower": {"after": "acknowledged", "before": "open"}}}`
	if trail != want {
		t.Errorf("audit:\ngot  %s\nwant %s", trail, want)
	}
}
