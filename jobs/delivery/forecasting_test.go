package delivery_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/delivery"
	"nightshift/jobs/jobtest"
)

var forecasting = jobs.Workflow{Name: "forecasting", Run: delivery.Forecasting}

// may is 1 o'clock of the 20th of May 2026 in Seoul, when the instance looks ahead.
var may = jobtest.CutOff(time.Date(2026, 5, 19, 16, 0, 0, 0, time.UTC))

// planned is an instance in Seoul with three recipients, of whom the first is a prospect, and an empty typology.
func planned(t testing.TB, statements ...string) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	do(t, d, append([]string{`UPDATE xtk.option SET string_value = 'Asia/Seoul' WHERE name = 'WdbcTimeZone'`,
		`INSERT INTO nms.typology (id, internal_name, label) VALUES (1, 'std', 'Standard')`,
		`INSERT INTO nms.recipient (id, email, mobile_phone, status, account)
		 SELECT n, 'p' || n || '@example.com', '+8210' || n, CASE n WHEN 1 THEN 0 ELSE 1 END, CASE WHEN n < 3 THEN 'home' ELSE 'alone' END
		 FROM generate_series(1, 3) n`}, statements...)...)
	return d
}

// onDay is a statement that schedules a newsletter to everybody at 9 o'clock of a day of 2026, with some columns set.
func onDay(id int, day string, set string) string {
	if set != "" {
		set = "; UPDATE nms.delivery SET " + set + fmt.Sprintf(" WHERE id = %d", id)
	}
	return fmt.Sprintf(`INSERT INTO nms.delivery (id, internal_name, label, typology_id, schedule_mode, contact_date, target_def, mapping_id)
		SELECT %[1]d, 'DM%[1]d', 'Newsletter %[1]d', 1, 'scheduled', '2026-%[2]s 09:00+09', '{"query": "true"}', id
		FROM nms.delivery_mapping WHERE internal_name = 'mapRecipient'`, id, day) + set
}

// ruled is a statement that gives the typology a rule.
func ruled(id int, kind, params string) string {
	return fmt.Sprintf(`INSERT INTO nms.typology_rule (id, internal_name, label, rule_type, params) VALUES (%[1]d, 'R%[1]d', 'Rule %[1]d', '%[2]s', $p$%[3]s$p$);
		INSERT INTO nms.typology_rule_rel (typology_id, rule_id) VALUES (1, %[1]d)`, id, kind, params)
}

// prepare is a statement that makes a delivery one whose target is ready: a message is pending for each recipient.
func prepare(id int, state string) string {
	return fmt.Sprintf(`UPDATE nms.delivery SET state = '%[2]s', to_deliver = (SELECT count(*) FROM nms.recipient) WHERE id = %[1]d;
		INSERT INTO nms.broad_log (delivery_id, recipient_id, address, created) SELECT %[1]d, id, email, '2026-05-18' FROM nms.recipient`, id, state)
}

func foresees(t testing.TB, d *db.DB, options ...jobtest.Option) jobtest.Result {
	t.Helper()
	got := jobtest.Run(t, d, forecasting, append([]jobtest.Option{may}, options...)...)
	if got.Status != "completed" {
		t.Fatalf("got %s (%s), want completed\n%s", got.Status, got.Message, strings.Join(got.Log, "\n"))
	}
	return got
}

// excludedWhole lists the deliveries by how many of their provisional messages are excluded.
const excludedWhole = `SELECT string_agg(delivery_id || ':' || n, ' ' ORDER BY delivery_id)
	FROM (SELECT delivery_id, count(excluded_by_rule_id) AS n FROM nms.forecast_log GROUP BY delivery_id) l WHERE n > 0`

func TestForecastSixNewsletters(t *testing.T) {
	t.Parallel()
	for grouping, want := range map[string]string{"month": "4:3 6:3", "quarter": "4:3 5:3 6:3", "none": "4:3"} {
		t.Run(grouping, func(t *testing.T) {
			t.Parallel()
			d := planned(t, ruled(1, "pressure", `{"threshold": 3, "period_days": 15, "use_calendar": true, "grouping": "`+grouping+`"}`))
			for i, day := range []string{"05-30", "06-03", "06-08", "06-12", "06-22", "06-30"} {
				do(t, d, onDay(i+1, day, ""))
			}
			got := foresees(t, d)
			tells(t, got, "6 deliveries in the provisional calendar")
			tells(t, got, "Delivery 'Newsletter 4' (06/12): 3 messages, 3 excluded by 'Rule 1'")
			if excluded := one(t, d, excludedWhole); excluded != want {
				t.Errorf("excluded: got %s, want %s", excluded, want)
			}
		})
	}
}

func TestForecastGreaterWeightWins(t *testing.T) {
	t.Parallel()
	d := planned(t, ruled(1, "pressure", `{"threshold": 2, "period_days": 7, "use_calendar": true, "grouping": "day"}`),
		onDay(1, "05-21", "weight = 5"), onDay(2, "05-21", "weight = 10"), onDay(9, "05-18", "state = 'finished'"),
		`INSERT INTO nms.broad_log (delivery_id, recipient_id, status, event_date, created)
		 SELECT 9, id, 'sent', '2026-05-18 09:00+09', '2026-05-18' FROM nms.recipient`)
	foresees(t, d)
	want(t, d, [2]string{excludedWhole, "1:3"},
		[2]string{`SELECT string_agg(recipient_id || ':' || sent_count || ':' || (period_start = '2026-05-14 00:00+09'), ' ' ORDER BY recipient_id)
			FROM nms.forecast_pressure WHERE typology_rule_id = 1`, "1:1:true 2:1:true 3:1:true"})
}

func TestForecastThresholdByFormula(t *testing.T) {
	t.Parallel()
	d := planned(t, ruled(1, "pressure", `{"threshold_formula": "CASE r.status WHEN 0 THEN 2 ELSE 4 END", "period_days": 30, "use_calendar": true}`),
		onDay(1, "05-21", ""), onDay(2, "05-23", ""), onDay(3, "05-22", ""))
	foresees(t, d)
	want(t, d, [2]string{`SELECT string_agg(delivery_id || '/' || recipient_id, ' ') FROM nms.forecast_log WHERE excluded_by_rule_id = 1`, "2/1"})
}

func TestForecastThresholdZero(t *testing.T) {
	t.Parallel()
	for _, calendar := range []string{"true", "false"} {
		d := planned(t, ruled(1, "pressure", `{"threshold": 0, "period_days": 1, "use_calendar": `+calendar+`}`),
			onDay(1, "05-21", ""), onDay(2, "06-23", ""), onDay(3, "06-23", "typology_id = NULL"))
		foresees(t, d)
		want(t, d, [2]string{excludedWhole, "1:3 2:3"},
			[2]string{`SELECT string_agg(delivery_id || ':' || excluded_count, ' ' ORDER BY delivery_id) FROM nms.dlv_exclusion`, "1:3 2:3"})
	}
}

func TestForecastWithoutCalendar(t *testing.T) {
	t.Parallel()
	d := planned(t, ruled(1, "pressure", `{"threshold": 1, "period_days": 7}`), onDay(1, "05-21", ""), onDay(2, "05-21", ""))
	foresees(t, d)
	want(t, d, [2]string{`SELECT count(*) || ' ' || count(excluded_by_rule_id) FROM nms.forecast_log`, "6 0"})
}

// officeHours is a capacity rule of a call centre for the week from the 25th of May.
func officeHours(more string) string {
	return ruled(2, "capacity", `{"schedule": {"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "17:00", "minutes": 60}, "quantity": 10`+more+`}`) +
		`; UPDATE nms.typology_rule SET validity_from = '2026-05-25 00:00+09', validity_to = '2026-06-01 00:00+09' WHERE id = 2`
}

func TestForecastAvailabilityLines(t *testing.T) {
	t.Parallel()
	d := planned(t, officeHours(""))
	const lines = `SELECT count(*) || ' ' || sum(initial) || ' ' || min(start_date) || ' ' || max(end_date) FROM nms.volume_line`
	const all = "40 400.00 2026-05-25 00:00:00+00 2026-05-29 08:00:00+00"
	tells(t, foresees(t, d), "40 availability lines created for 'Rule 2'")
	want(t, d, [2]string{lines, all})
	do(t, d, `UPDATE nms.volume_line SET consumed = 3 WHERE start_date = '2026-05-25 01:00'`)
	foresees(t, d)
	want(t, d, [2]string{lines, all}, [2]string{`SELECT sum(consumed) FROM nms.volume_line`, "3.00"})
	// Other hours: what exists stays as it is, and is not overlapped.
	do(t, d, `UPDATE nms.typology_rule SET params = jsonb_set(params, '{schedule,to}', '"18:30"') WHERE id = 2`)
	foresees(t, d)
	want(t, d, [2]string{`SELECT count(*) FROM nms.volume_line`, "45"})
}

func TestForecastStartedDelivery(t *testing.T) {
	t.Parallel()
	d := planned(t, onDay(1, "05-21", ""), onDay(2, "05-22", ""))
	foresees(t, d)
	want(t, d, [2]string{`SELECT string_agg(concat_ws(' ', forecasted, forecast_count), ', ') FROM nms.delivery`, "t 3, t 3"})
	do(t, d, prepare(1, "in_progress"))
	logs := jobtest.Digest(t, d, "nms.broad_log")
	foresees(t, d)
	want(t, d, [2]string{`SELECT string_agg(DISTINCT delivery_id::text, ' ') FROM nms.forecast_log`, "2"},
		[2]string{`SELECT concat_ws(' ', forecasted, forecast_count, forecast_date) FROM nms.delivery WHERE id = 1`, "f"})
	if jobtest.Digest(t, d, "nms.broad_log") != logs {
		t.Error("got other log rows of the started delivery, want them untouched")
	}
}

// prepared is what the rules made of delivery 2: its state, its figures, its messages by status and reason.
const prepared = `SELECT concat_ws(' ', state, to_deliver, reject, (SELECT string_agg(l, ' ' ORDER BY l) FROM (
	SELECT status || '/' || failure_reason || ':' || count(*) AS l FROM nms.broad_log WHERE delivery_id = 2 GROUP BY status, failure_reason) x),
	(SELECT 'out:' || count(*) FROM nms.exclude_log WHERE delivery_id = 2)) FROM nms.delivery WHERE id = 2`

func TestForecastPreparedDelivery(t *testing.T) {
	t.Parallel()
	d := planned(t, ruled(1, "pressure", `{"threshold": 1, "period_days": 7, "recipient_filter": "r.id = 2"}`),
		onDay(2, "05-21", ""), prepare(2, "target_ready"), onDay(9, "05-18", "state = 'finished'"),
		`INSERT INTO nms.broad_log (delivery_id, recipient_id, status, event_date, created) VALUES (9, 2, 'received', '2026-05-18', '2026-05-18')`)
	counters := jobtest.Count(t, d)
	got := foresees(t, d)
	counters.Check(t, got)
	tells(t, got, "Delivery 'Newsletter 2' (05/21): 3 messages, 1 excluded by 'Rule 1'")
	want(t, d, [2]string{prepared, "target_ready 2 1 ignored/12:1 pending/0:2 out:1"},
		[2]string{`SELECT concat_ws(' ', recipient_id, address, failure_reason, rule_id) FROM nms.exclude_log`, "2 p2@example.com 12 1"})
	do(t, d, `UPDATE nms.typology_rule SET params = params || '{"threshold": 2}'`)
	foresees(t, d)
	want(t, d, [2]string{prepared, "target_ready 3 0 pending/0:3 out:0"}, [2]string{`SELECT excluded_count FROM nms.dlv_exclusion`, "0"})
	// From message_ready on, exclusions are only added.
	do(t, d, `UPDATE nms.typology_rule SET params = params || '{"threshold": 1}'`, `UPDATE nms.delivery SET state = 'message_ready' WHERE id = 2`)
	foresees(t, d)
	want(t, d, [2]string{prepared, "message_ready 2 1 ignored/12:1 pending/0:2 out:1"})
	do(t, d, `UPDATE nms.typology_rule SET active = false`)
	foresees(t, d)
	want(t, d, [2]string{prepared, "message_ready 2 1 ignored/12:1 pending/0:2 out:1"}, [2]string{`SELECT excluded_count FROM nms.dlv_exclusion`, "1"})
}

func TestForecastLockedDelivery(t *testing.T) {
	t.Parallel()
	d := planned(t, ruled(1, "pressure", `{"threshold": 0}`), onDay(1, "05-21", ""), onDay(2, "05-22", ""), onDay(3, "05-23", ""), prepare(3, "ready"))
	tx, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `SELECT FROM nms.delivery WHERE id IN (1, 3) FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	got := foresees(t, d)
	tells(t, got, "warning Delivery 1 skipped: being processed")
	tells(t, got, "warning Delivery 3 skipped: being processed")
	want(t, d, [2]string{excludedWhole, "2:3"}, [2]string{`SELECT count(*) FROM nms.broad_log WHERE status = 'pending'`, "3"},
		[2]string{`SELECT string_agg(state, ' ' ORDER BY id) FROM nms.delivery`, "editing editing ready"})
}

func TestForecastBrokenTarget(t *testing.T) {
	t.Parallel()
	d := planned(t, ruled(1, "pressure", `{"threshold": 0}`), onDay(1, "05-21", ""), onDay(2, "05-22", ""),
		onDay(3, "05-23", `target_def = '{"query": "1 / r.status > 0"}'`))
	got := jobtest.Run(t, d, forecasting, may)
	if got.Status != "failed" || !strings.Contains(got.Message, "delivery 3 'Newsletter 3': division by zero") {
		t.Errorf("got %s (%s), want failed because of delivery 3", got.Status, got.Message)
	}
	want(t, d, [2]string{`SELECT string_agg(id::text, ' ' ORDER BY id) FROM nms.delivery WHERE forecasted`, "1 2"}, [2]string{excludedWhole, "1:3 2:3"},
		[2]string{`SELECT concat_ws(' ', state, forecasted) FROM nms.delivery WHERE id = 3`, "editing f"})
	// Once it is mended, what had failed is repeated.
	do(t, d, `UPDATE nms.delivery SET target_def = '{"query": "r.status > 0"}' WHERE id = 3`)
	foresees(t, d, jobtest.Resume(got.TaskID))
	want(t, d, [2]string{excludedWhole, "1:3 2:3 3:2"})
}

// Logs beyond what one statement writes are written, kept and removed like the others.
func TestForecastManyMessages(t *testing.T) {
	t.Parallel()
	d := planned(t, `INSERT INTO nms.recipient (id, email, status) SELECT n, 'p' || n || '@example.com', 1 FROM generate_series(4, 11000) n`, onDay(1, "05-21", ""))
	const count = `SELECT concat_ws(' ', count(*), count(DISTINCT recipient_id), min(recipient_id), max(recipient_id), max(d.forecast_count))
		FROM nms.forecast_log l JOIN nms.delivery d ON d.id = l.delivery_id`
	if got := foresees(t, d); got.Effects["nms.forecast_log"].Inserted != 11_000 {
		t.Errorf("got %+v, want 11,000 written", got.Effects["nms.forecast_log"])
	}
	want(t, d, [2]string{count, "11000 11000 1 11000 11000"})
	if got := foresees(t, d); got.Effects["nms.forecast_log"] != (jobtest.Effect{}) {
		t.Errorf("again: got %+v, want no log touched", got.Effects["nms.forecast_log"])
	}
	do(t, d, `UPDATE nms.delivery SET target_def = '{"query": "r.id % 10 = 0"}'`)
	if got := foresees(t, d); got.Effects["nms.forecast_log"].Deleted != 9_900 {
		t.Errorf("got %+v, want 9,900 removed", got.Effects["nms.forecast_log"])
	}
	want(t, d, [2]string{count, "1100 1100 10 11000 1100"})
}

// What one transaction writes is a part of many decisions: all are written, and taken back.
func TestForecastManyExclusions(t *testing.T) {
	t.Parallel()
	d := planned(t, `INSERT INTO nms.recipient (id, email, status) SELECT n, 'p' || n || '@example.com', 1 FROM generate_series(4, 11000) n`,
		ruled(1, "pressure", `{"threshold": 0, "recipient_filter": "r.id % 2 = 0"}`), onDay(1, "05-21", ""), onDay(2, "05-22", ""), prepare(2, "target_ready"))
	do(t, d, `INSERT INTO nms.delivery (id, internal_name, label, typology_id, schedule_mode, contact_date, target_def, mapping_id, state, to_deliver)
		SELECT n, 'DM' || n, 'Newsletter ' || n, 1, 'scheduled', '2026-05-23 09:00+09', '{"query": "r.id IN (1, 2)"}', m.id, CASE n % 4 WHEN 0 THEN 'ready' ELSE 'editing' END, CASE n % 4 WHEN 0 THEN 2 ELSE 0 END
		FROM nms.delivery_mapping m, generate_series(11, 150) n
		WHERE m.internal_name = 'mapRecipient'`,
		`INSERT INTO nms.broad_log (delivery_id, recipient_id, address, created) SELECT d.id, n, 'p', '2026-05-18' FROM nms.delivery d, generate_series(1, 2) n WHERE d.id > 10 AND d.state = 'ready'`)
	const small = `SELECT string_agg(DISTINCT concat_ws(' ', d.to_deliver, d.reject, e.excluded_count, (SELECT sum(excluded_by_rule_id) FROM nms.forecast_log l WHERE l.delivery_id = d.id)), ', ')
		FROM nms.delivery d JOIN nms.dlv_exclusion e ON e.delivery_id = d.id WHERE d.id > 10`
	counters := jobtest.Count(t, d)
	got := foresees(t, d)
	counters.Check(t, got)
	tells(t, got, "Delivery 'Newsletter 1' (05/21): 11,000 messages, 5,500 excluded by 'Rule 1'")
	tells(t, got, "Delivery 'Newsletter 2' (05/22): 11,000 messages, 5,500 excluded by 'Rule 1'")
	tells(t, got, "… and 122 more")
	want(t, d, [2]string{prepared, "target_ready 5500 5500 ignored/12:5500 pending/0:5500 out:5500"}, [2]string{small, "0 0 1 1, 1 1 1"},
		[2]string{`SELECT count(*) || ' ' || sum(recipient_id % 2) FROM nms.forecast_log WHERE delivery_id = 1 AND excluded_by_rule_id = 1`, "5500 0"})
	do(t, d, `UPDATE nms.typology_rule SET active = false`)
	foresees(t, d)
	want(t, d, [2]string{prepared, "target_ready 11000 0 pending/0:11000 out:0"}, [2]string{who, ""})
}
