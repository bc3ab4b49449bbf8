package delivery_test

import (
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs/jobtest"
)

// ahead is a small instance with something for each step: provisional logs to remove and to write, lines to make, sent
// messages that press, a prepared delivery from which people are excluded and to which some come back.
func ahead(t testing.TB) *db.DB {
	t.Helper()
	return planned(t, officeHours(`, "exclude_excess": true`),
		ruled(1, "pressure", `{"threshold_formula": "2 - r.status", "period_days": 14, "use_calendar": true, "weight_formula": "10 - d.id"}`),
		ruled(3, "filtering", `{"filter": "r.id = 3"}`),
		`INSERT INTO nms.group (id, internal_name, label) VALUES (1, 'club', 'Club')`, `INSERT INTO nms.rcp_grp_rel (group_id, recipient_id) VALUES (1, 1), (1, 2)`,
		onDay(1, "05-26", ""), onDay(2, "05-27", ""), prepare(2, "target_ready"), onDay(4, "05-28", `target_def = '{"lists": ["club"]}'`),
		onDay(5, "05-30", "state = 'ready'"), prepare(5, "ready"), onDay(6, "05-19", "forecasted = true"), onDay(9, "05-18", "state = 'finished'"),
		`INSERT INTO nms.forecast_log (delivery_id, recipient_id, contact_date) VALUES (6, 1, '2026-05-19'), (6, 2, '2026-05-19'), (77, 1, '2026-05-01'), (4, 3, '2026-05-28')`,
		`INSERT INTO nms.dlv_exclusion (delivery_id, typology_rule_id, excluded_count) VALUES (6, 1, 2), (1, 99, 1)`,
		`INSERT INTO nms.forecast_pressure (typology_rule_id, recipient_id, period_start, sent_count) VALUES (1, 2, '2026-05-01', 9), (99, 1, '2026-05-01', 9)`,
		`INSERT INTO nms.broad_log (delivery_id, recipient_id, status, event_date, created) VALUES (9, 1, 'sent', '2026-05-18', '2026-05-18')`,
		`UPDATE nms.broad_log SET status = 'ignored', failure_reason = 12 WHERE delivery_id = 2 AND recipient_id = 3`,
		`INSERT INTO nms.exclude_log (delivery_id, recipient_id, failure_reason, rule_id) VALUES (2, 3, 12, 1)`,
		`UPDATE nms.delivery SET to_deliver = 2, reject = 1 WHERE id = 2`)
}

func TestForecastAnnouncesWhatIsDone(t *testing.T) {
	t.Parallel()
	d := ahead(t)
	before := jobtest.Digest(t, d)
	rehearsed := jobtest.Simulate(t, d, forecasting, may)
	if rehearsed.Status != "completed" {
		t.Fatalf("rehearsal: got %s (%s), want completed", rehearsed.Status, rehearsed.Message)
	}
	if jobtest.Digest(t, d) != before {
		t.Error("got other rows after the rehearsal, want no change")
	}
	counters := jobtest.Count(t, d)
	done := foresees(t, d)
	counters.Check(t, done)
	sameSteps(t, rehearsed, done)
	for _, table := range strings.Fields("nms.forecast_log nms.forecast_pressure nms.volume_line nms.dlv_exclusion nms.broad_log nms.exclude_log nms.delivery") {
		if done.Effects[table] == (jobtest.Effect{}) {
			t.Errorf("%s: got no effect, want that the example has one for each table", table)
		}
	}
}

func TestForecastTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	d := ahead(t)
	foresees(t, d)
	before := jobtest.Digest(t, d)
	if again := foresees(t, d); len(again.Effects) != 0 || jobtest.Digest(t, d) != before {
		t.Errorf("second run: got %v, want no change", again.Effects)
	}
	// An hour later only the moments of the computation differ.
	const rest = `SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM (
		SELECT f::text AS t FROM nms.forecast_log f UNION ALL SELECT b::text FROM nms.broad_log b UNION ALL SELECT p::text FROM nms.forecast_pressure p
		UNION ALL SELECT v::text FROM nms.volume_line v UNION ALL SELECT e::text FROM nms.exclude_log e
		UNION ALL SELECT concat_ws(' ', delivery_id, typology_rule_id, excluded_count) FROM nms.dlv_exclusion
		UNION ALL SELECT concat_ws(' ', id, state, forecasted, forecast_count, to_deliver, reject) FROM nms.delivery) t`
	first := one(t, d, rest)
	later := foresees(t, d, jobtest.CutOff(time.Date(2026, 5, 19, 17, 0, 0, 0, time.UTC)))
	if got := one(t, d, rest); got != first {
		t.Errorf("an hour later: got other rows (%v), want only other moments", later.Effects)
	}
}

func TestForecastNothingToDo(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	before := jobtest.Digest(t, d)
	got := foresees(t, d)
	tells(t, got, "0 deliveries in the provisional calendar")
	if jobtest.Digest(t, d) != before || len(got.Steps) != 5 {
		t.Errorf("got %d steps and %v, want 5 that change nothing", len(got.Steps), got.Effects)
	}
}

// TestForecastSurvivesACutAnywhere holds a run that was cut or stopped, and the one after it, against an undisturbed one.
func TestForecastSurvivesACutAnywhere(t *testing.T) {
	t.Parallel()
	// A sweep follows its rules from now: the example is moved as many days.
	setup := func(t testing.TB) *db.DB {
		d := ahead(t)
		do(t, d, `CREATE TEMPORARY TABLE moved AS SELECT make_interval(days => current_date - DATE '2026-05-19') AS by;
			UPDATE nms.delivery SET contact_date = contact_date + by FROM moved;
			UPDATE nms.broad_log SET event_date = event_date + by FROM moved WHERE event_date IS NOT NULL;
			UPDATE nms.typology_rule SET validity_from = validity_from + by, validity_to = validity_to + by FROM moved;
			UPDATE nms.typology_rule SET params = jsonb_set(params, '{schedule,days}', '[1, 2, 3, 4, 5, 6, 7]') WHERE id = 2;
			DROP TABLE moved`)
		return d
	}
	jobtest.CrashSweep(t, forecasting, setup)
	jobtest.StopSweep(t, forecasting, setup)
}

// TestForecastDemo: on the small demo, what is rehearsed is what is done, every step has something to do, every kind of
// rule excludes somebody, and a second run finds it done.
func TestForecastDemo(t *testing.T) {
	t.Parallel()
	d := dbtest.Demo(t)
	before := jobtest.Digest(t, d)
	now := jobtest.CutOff(time.Now())
	rehearsed := jobtest.Simulate(t, d, forecasting, now)
	if jobtest.Digest(t, d) != before {
		t.Error("rehearsal: got other rows afterwards, want every business table the same")
	}
	counters := jobtest.Count(t, d)
	done := jobtest.Run(t, d, forecasting, now)
	if done.Status != "completed" {
		t.Fatalf("got %s: %s", done.Status, done.Message)
	}
	counters.Check(t, done)
	sameSteps(t, rehearsed, done)
	want(t, d, [2]string{`SELECT string_agg(DISTINCT r.rule_type, ' ' ORDER BY r.rule_type)
		FROM nms.dlv_exclusion e JOIN nms.typology_rule r ON r.id = e.typology_rule_id WHERE e.excluded_count > 0`, "capacity filtering pressure"})
	do(t, d, `DROP SCHEMA jobtest CASCADE`)
	if again := jobtest.Run(t, d, forecasting, now); again.Status != "completed" || len(again.Effects) != 0 {
		t.Errorf("second run: got %s, %v, want completed and nothing changed", again.Status, again.Effects)
	}
}
