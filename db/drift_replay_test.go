package db_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// replayed is one invented run: when it was due, how long it took, what it changed, and what was wrong with it.
type replayed struct {
	at            time.Time
	seconds, rows float64
	fault         string // cause of the alarm that it must raise; empty: a usual run
}

// faults change a usual run, each in its way; the alarm that it must raise is named.
var faults = []struct {
	what, cause         string
	seconds, rows, hung float64
}{
	{"a predicate that matches nothing", "fewer", 0.4, 0, 0},
	{"ten times the volume", "more", 3, 10, 0},
	{"stale statistics", "slower", 6, 1, 0},
	{"a lock that nobody releases", "slower", 1, 0.5, 3 * 3600},
}

// replay invents 180 days of a workflow that runs every hour or every day: more on Mondays, little at weekends, by night
// less than by day, with noise. Ten runs after the first three weeks are faulty, and so is the sixth run of all.
func replay(random *rand.Rand, every time.Duration, seconds, noise, rows float64, end time.Time) []replayed {
	const days = 180
	count := int(days * 24 * time.Hour / every)
	week := [7]float64{0.3, 1.6, 1, 1.1, 1, 1.2, 0.4}
	runs := make([]replayed, count)
	for i := range runs {
		at := end.Add(-time.Duration(count-i) * every)
		busy := week[at.Weekday()] * (1 + 0.4*math.Sin(2*math.Pi*float64(at.Hour())/24))
		runs[i] = replayed{at: at, rows: math.Round(rows * busy * math.Exp(0.25*random.NormFloat64())),
			seconds: seconds * (0.7 + 0.3*busy) * math.Exp(noise*random.NormFloat64())}
	}
	early := count * 21 / days
	for i := range 10 {
		f := faults[i%len(faults)]
		r := &runs[early+(count-early-20)*i/10+random.IntN((count-early)/12)]
		r.fault, r.seconds, r.rows = f.cause, r.seconds*f.seconds+f.hung, math.Round(r.rows*f.rows)
	}
	runs[5].seconds *= 50
	return runs
}

// load writes the runs of a workflow as history, and returns their ids in order.
func load(t *testing.T, d *db.DB, workflow string, runs []replayed) []int64 {
	t.Helper()
	var id, first int64
	err := d.Pool.QueryRow(t.Context(), `
		SELECT w.id, (SELECT COALESCE(max(id), 0) + 1 FROM xtk.workflow_task) FROM xtk.workflow w WHERE w.internal_name = $1`, workflow).Scan(&id, &first)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int64, len(runs))
	rows := pgx.CopyFromSlice(len(runs), func(i int) ([]any, error) {
		r := runs[i]
		ids[i] = first + int64(i)
		return []any{ids[i], id, "completed", "test", 1, r.at, r.at, r.at.Add(time.Duration(r.seconds * float64(time.Second))), int64(r.rows)}, nil
	})
	err = d.Pool.AcquireFunc(t.Context(), func(conn *pgxpool.Conn) error {
		_, err := conn.CopyFrom(t.Context(), pgx.Identifier{"xtk", "workflow_task"},
			[]string{"id", "workflow_id", "status", "node", "backend_pid", "due_at", "start_date", "completion_date", "rows_changed"}, rows)
		return err
	})
	if err == nil {
		_, err = d.Pool.Exec(t.Context(), `SELECT setval(pg_get_serial_sequence('xtk.workflow_task', 'id'), (SELECT max(id) FROM xtk.workflow_task))`)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// judgeAll judges runs one after another, as they ended, and returns the alarms by the run that opened them.
func judgeAll(t *testing.T, d *db.DB, ids []int64) map[int64][]db.Drift {
	t.Helper()
	opened := map[int64][]db.Drift{}
	err := pgx.BeginFunc(t.Context(), d.Pool, func(tx pgx.Tx) error {
		for _, id := range ids {
			drifts, err := db.JudgeDrift(t.Context(), tx, id)
			if err != nil {
				return err
			}
			if len(drifts) > 0 {
				opened[id] = drifts
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// TestDriftReplay: half a year of two workflows with twenty faults. At least 95 of a hundred are found, no workflow is
// told of falsely more than once in thirty days, every alarm closes, and nothing is said before there are eight runs.
func TestDriftReplay(t *testing.T) {
	t.Parallel()
	random, end := rand.New(rand.NewPCG(7, 1)), time.Date(2025, 7, 1, 5, 0, 0, 0, time.UTC)
	d := dbtest.New(t)
	found, wrong := 0, 0
	for _, w := range []struct {
		name                 string
		every                time.Duration
		seconds, noise, rows float64
	}{
		{"cleanup", 24 * time.Hour, 400, 0.02, 900_000},
		{"tracking", time.Hour, 40, 0.15, 5000},
	} {
		runs := replay(random, w.every, w.seconds, w.noise, w.rows, end)
		ids := load(t, d, w.name, runs)
		if _, err := d.Pool.Exec(t.Context(), `ANALYZE xtk.workflow_task`); err != nil {
			t.Fatal(err)
		}
		opened := judgeAll(t, d, ids)
		falsely := 0
		for i, r := range runs {
			drifts := opened[ids[i]]
			switch {
			case i < 8 && len(drifts) > 0:
				t.Errorf("%s: run %d of all opened %v, want nothing before eight comparable runs", w.name, i+1, drifts)
			case r.fault == "" && len(drifts) > 0:
				falsely += len(drifts)
			case r.fault != "":
				wrong++
				if hasCause(drifts, r.fault) {
					found++
				} else {
					t.Logf("%s on %s: %.0f s, %.0f rows, want an alarm of %s, got %v", w.name, r.at, r.seconds, r.rows, r.fault, drifts)
				}
			}
		}
		if falsely > 6 {
			t.Errorf("%s: %d false alarms in 180 days, want at most one in thirty days", w.name, falsely)
		}
		t.Logf("%s: %d runs, %d false alarms in 180 days", w.name, len(runs), falsely)
	}
	if found < 19 || wrong != 20 {
		t.Errorf("found %d of %d faults, want at least 19 of 20", found, wrong)
	}
	t.Logf("found %d of %d faults", found, wrong)
	var open, doubled, few int
	if err := d.Pool.QueryRow(t.Context(), `
		SELECT count(*) FILTER (WHERE closed_at IS NULL), count(*) FILTER (WHERE EXISTS (
		           SELECT FROM xtk.workflow_drift o
		           WHERE o.workflow_id = d.workflow_id AND o.cause = d.cause AND o.id <> d.id
		             AND o.opened_at >= d.opened_at AND o.opened_at < d.closed_at)),
		       count(*) FILTER (WHERE runs < 8)
		FROM xtk.workflow_drift d`).Scan(&open, &doubled, &few); err != nil || open+doubled+few > 0 {
		t.Errorf("alarms: %d open after usual runs, %d beside one of the same cause, %d of fewer than eight runs (%v), want none", open, doubled, few, err)
	}
	hangs(t, d, "cleanup", true)
	hangs(t, d, "tracking", false)
}

func hasCause(drifts []db.Drift, cause string) bool {
	for _, d := range drifts {
		if d.Cause == cause {
			return true
		}
	}
	return false
}

// hangs: a run that goes on and on is told of as soon as it has passed its limit, and not before. Of a workflow that
// takes equally long every time the limit is a tenth beyond the ninetieth of a hundred.
func hangs(t *testing.T, d *db.DB, workflow string, steady bool) {
	t.Helper()
	begin := func(ago time.Duration) (task int64) {
		if err := d.Pool.QueryRow(t.Context(), `
			INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, due_at, start_date)
			SELECT id, 'test', 1, timestamptz '2025-07-01 05:00Z', now() - $2::interval
			FROM xtk.workflow
			WHERE internal_name = $1
			RETURNING id`, workflow, ago).Scan(&task); err != nil {
			t.Fatal(err)
		}
		return task
	}
	hung := begin(20 * time.Minute)
	var opened []db.Drift
	err := pgx.BeginFunc(t.Context(), d.Pool, func(tx pgx.Tx) (err error) {
		opened, err = db.JudgeDrift(t.Context(), tx, hung)
		if err == nil {
			_, err = tx.Exec(t.Context(), `DELETE FROM xtk.workflow_task WHERE id = $1`, hung)
		}
		return err
	})
	if err != nil || len(opened) != 1 || opened[0].Cause != "slower" {
		t.Fatalf("%s: a run of twenty minutes opened %v (%v), want slower and nothing else while it is on", workflow, opened, err)
	}
	o := opened[0]
	if steady && o.Bound > o.P90*1.1+5 {
		t.Errorf("%s: a hang is known after %.1f s, want at most a tenth and 5 s more than %.1f s", workflow, o.Bound, o.P90)
	}
	t.Logf("%s: usually %.1f–%.1f s, a hang is known after %.1f s", workflow, o.P10, o.P90, o.Bound)
	for _, ago := range []float64{-3, 0.01} {
		task := begin(time.Duration((o.Bound + ago) * float64(time.Second)))
		drifting, err := d.DriftingRuns(t.Context(), []int64{task})
		if err != nil || len(drifting) == 1 != (ago > 0) {
			t.Errorf("%s, %.2f s after its limit: told of %v (%v), want %t", workflow, ago, drifting, err, ago > 0)
		}
		if _, err := d.Pool.Exec(context.WithoutCancel(t.Context()), `DELETE FROM xtk.workflow_task WHERE id = $1`, task); err != nil {
			t.Fatal(err)
		}
	}
}
