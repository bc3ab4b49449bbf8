package db_test

import (
	"testing"
	"time"

	"nightshift/db/dbtest"
)

// A failed run, a missed slot and a late one are seen; a run of every minute is not, but its failure is.
func TestNight(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx := t.Context()
	_, err := d.Pool.Exec(ctx, `
		WITH w AS (
			INSERT INTO xtk.workflow (internal_name, label, built, state, next_processing)
			VALUES ('nightly', 'Nightly', true, 'started', now() + interval '1 hour'),
			       ('minutely', 'Minutely', true, 'finished', NULL),
			       ('waiting', 'Waiting', true, 'started', NULL)
			RETURNING id, internal_name
		), run AS (
			INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, status, start_date, completion_date)
			SELECT w.id, 'n', 1, 'completed', now() - interval '3 hours', now() - interval '2 hours' FROM w WHERE internal_name = 'nightly'
			UNION ALL
			SELECT w.id, 'n', 1, CASE n WHEN 7 THEN 'failed' ELSE 'completed' END,
			       now() - n * interval '1 minute', now() - n * interval '1 minute' + interval '1 second'
			FROM w, generate_series(1, 60) n WHERE internal_name = 'minutely'
		)
		INSERT INTO xtk.workflow_event (workflow_id, status, reason, scheduled_at)
		SELECT w.id, 'pending', NULL::text, now() - interval '10 minutes' FROM w WHERE internal_name = 'waiting'
		UNION ALL
		SELECT w.id, 'missed', 'service_down', now() - interval '1 hour' FROM w WHERE internal_name = 'nightly'`)
	if err != nil {
		t.Fatal(err)
	}
	night, err := d.Night(ctx, time.Now().Add(-12*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, mark := range night.Marks {
		got[mark.Workflow+" "+mark.State]++
	}
	want := map[string]int{"nightly completed": 1, "nightly missed": 1, "minutely failed": 1, "waiting late": 1}
	if len(got) != len(want) {
		t.Errorf("marks: got %v, want %v", got, want)
	}
	for key, n := range want {
		if got[key] != n {
			t.Errorf("marks %q: got %d, want %d", key, got[key], n)
		}
	}
	if len(night.Plans) != 1 || night.Plans[0].Workflow != "nightly" || night.Plans[0].Usual != time.Hour {
		t.Errorf("plans: got %+v, want the nightly one with its usual hour", night.Plans)
	}
	if night.Needs != 1 || night.Nodes != 0 {
		t.Errorf("got %d in need and %d nodes, want 1 and 0", night.Needs, night.Nodes)
	}
}
