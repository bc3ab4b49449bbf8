package db_test

import (
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// november is the month of these tests, in UTC.
var november = time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC)

// slotsOfNovember gives workflow w 720 hourly slots: 2 skipped by a freeze, 3 while paused, 40 missed in one row, a failed
// one, a late one, one caught up, and all others ran; besides, a manual run and what made up for the pause, which are no slots.
const slotsOfNovember = `
	INSERT INTO xtk.workflow_event (workflow_id, kind, status, reason, outcome, scheduled_at, processing_date, occurrences, scheduled_to, operator_login)
	SELECT $1::bigint, CASE i WHEN 700 THEN 'catch_up' ELSE 'scheduled' END,
	       CASE WHEN i IN (5, 6, 10, 11, 12) THEN 'skipped' WHEN i = 100 THEN 'missed' ELSE 'processed' END,
	       CASE WHEN i IN (5, 6) THEN 'freeze' WHEN i IN (10, 11, 12) THEN 'paused' WHEN i = 100 THEN 'service_down' END,
	       CASE WHEN i IN (5, 6, 10, 11, 12, 100) THEN NULL WHEN i = 300 THEN 'failed' ELSE 'completed' END,
	       at, CASE i WHEN 400 THEN at + interval '3 minutes' ELSE at + interval '1 second' END, CASE i WHEN 100 THEN 40 ELSE 1 END,
	       CASE i WHEN 100 THEN at + interval '39 hours' END, NULL
	FROM (SELECT i, timestamptz '2025-11-01 00:00+00' + i * interval '1 hour' AS at FROM generate_series(0, 719) i WHERE i NOT BETWEEN 101 AND 139) slot
	UNION ALL
	SELECT $1::bigint, 'manual', 'processed', NULL, 'completed', '2025-11-02 00:30+00', '2025-11-02 00:30+00', 1, NULL, 'kim'
	UNION ALL
	SELECT $1::bigint, 'catch_up', 'processed', NULL, 'completed', '2025-11-01 13:00:01+00', '2025-11-01 13:00:01+00', 1, NULL, 'nightshift'
	UNION ALL
	SELECT $1::bigint, 'scheduled', 'processed', NULL, 'completed', '2025-12-01 00:00+00', '2025-12-01 00:00+00', 1, NULL, NULL`

// The numbers of a statement are those of the schedule, answer by answer, and stay when the history is purged.
func TestStatement(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id := addWorkflow(t, d, "hourly", db.Started, false)
	if _, err := d.Pool.Exec(t.Context(), slotsOfNovember, id); err != nil {
		t.Fatal(err)
	}
	want := db.Account{Due: 720, Ran: 672, RanLate: 1, CaughtUp: 1, Failed: 1, Skipped: 5, Missed: 40}
	check := func(when string) {
		t.Helper()
		for _, workflow := range []int64{0, id} {
			lines, err := d.Statement(t.Context(), workflow, november, november.AddDate(0, 1, 0))
			if err != nil || len(lines) != 1 {
				t.Fatalf("%s: got %d lines, %v, want 1", when, len(lines), err)
			}
			got := lines[0]
			sum := got.Ran + got.RanLate + got.CaughtUp + got.Failed + got.Stopped + got.Skipped + got.Missed + got.Cancelled + got.Running + got.Waiting
			if got.Account != want || sum != got.Due || got.Reasons["freeze"] != 2 || got.Reasons["paused"] != 3 {
				t.Errorf("%s: got %+v, want %+v with 2 frozen and 3 paused", when, got, want)
			}
		}
	}
	check("before the purge")
	notRun, more, err := d.Slots(t.Context(), db.SlotFilter{WorkflowID: id, From: november, To: november.AddDate(0, 1, 0), NotRun: true, Limit: 100})
	if err != nil || more || len(notRun) != 7 {
		t.Errorf("not run: got %d rows, more %t, %v, want 7", len(notRun), more, err)
	}
	if _, err := d.Pool.Exec(t.Context(), `DELETE FROM xtk.workflow_event WHERE workflow_id = $1 AND id % 2 = 0`, id); err != nil {
		t.Fatal(err)
	}
	check("half purged")
	if _, err := d.Pool.Exec(t.Context(), `DELETE FROM xtk.workflow_event WHERE workflow_id = $1`, id); err != nil {
		t.Fatal(err)
	}
	check("all purged")
	if _, err := d.Pool.Exec(t.Context(), `DELETE FROM xtk.workflow WHERE id = $1`, id); err != nil {
		t.Errorf("delete the workflow: got %v, want its numbers to go with it", err)
	}
}

// The month of a purged slot is that of the instance's zone.
func TestStatementZone(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	id := addWorkflow(t, d, "hourly", db.Started, false)
	if _, err := d.Pool.Exec(t.Context(), `
		INSERT INTO xtk.option (name, data_type, string_value) VALUES ('WdbcTimeZone', 'string', 'Asia/Seoul')
		ON CONFLICT (name) DO UPDATE SET string_value = excluded.string_value`); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(t.Context(), slotsOfNovember, id); err != nil {
		t.Fatal(err)
	}
	seoul, err := time.LoadLocation("Asia/Seoul")
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2025, 11, 1, 0, 0, 0, 0, seoul)
	for _, sql := range []string{`SELECT 1`, `DELETE FROM xtk.workflow_event`} {
		if _, err := d.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		lines, err := d.Statement(t.Context(), id, from, from.AddDate(0, 1, 0))
		if err != nil || len(lines) != 1 || lines[0].Due != 711 { // nine hours of the UTC month are Seoul's December
			t.Errorf("after %q: got %+v, %v, want 711 slots", sql, lines, err)
		}
	}
}

// A slot is late in the database when it is late for people.
func TestLatenessOfAnswer(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	got := text(t, d, `SELECT pg_get_expr(a.adbin, a.adrelid) FROM pg_attrdef a JOIN pg_attribute c ON c.attrelid = a.adrelid AND c.attnum = a.adnum
		WHERE a.adrelid = 'xtk.workflow_event'::regclass AND c.attname = 'answer' AND pg_get_expr(a.adbin, a.adrelid) LIKE '%''00:02:00''::interval%'`)
	if got == "" || db.Lateness != 2*time.Minute {
		t.Errorf("the column answer: got %q, want the %s of Lateness in it", got, db.Lateness)
	}
}
