package delivery_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/jobs/jobtest"
)

// measured is what two runs of the same moment may tell differently: the database grows while they run.
var measured = []jobtest.Option{jobtest.Alike("nms.billing.data", `"database_bytes": \d+`), jobtest.Alike("nms.billing.html", `[\d.]+ [MG]B`),
	jobtest.Alike("nms.notification.body_text", `[\d.]+ [MG]B`), jobtest.Alike("nms.notification.body_html", `[\d.]+ [MG]B`)}

func TestBillingCompletesTheStatistics(t *testing.T) {
	t.Parallel()
	d := invoiced(t, aDelivery(1, 0, 500), aDelivery(2, 0, 500), aDay(2, 10, 100, 0, 0),
		// 23:30 on 9 July in Seoul, then the day after; of delivery 2 the day is known.
		`INSERT INTO nms.broad_log (delivery_id, recipient_id, status, event_date)
		 SELECT 1, n, (ARRAY['sent', 'accepted', 'received', 'failed', 'pending'])[n], '2026-07-09 23:30+09' FROM generate_series(1, 5) n`,
		`INSERT INTO nms.broad_log (delivery_id, recipient_id, status, event_date) VALUES (1, 6, 'sent', '2026-07-10 00:10+09'), (2, 7, 'sent', '2026-07-10 09:00+09')`,
		`INSERT INTO nms.broad_log_visitor (delivery_id, visitor_id, status, event_date) VALUES (9, 1, 'sent', '2026-07-11 09:00+09')`,
		`INSERT INTO nms.broad_log (delivery_id, recipient_id, status, event_date) VALUES (1, 8, 'sent', '2026-07-25 00:10+09'), (1, 8, 'sent', '2026-06-24 23:50+09')`)
	rows := `SELECT string_agg(concat_ws(' ', stat_date, delivery_id, first_success, first_error, volume), ', ' ORDER BY stat_date, delivery_id) FROM nms.delivery_stat`
	counters := jobtest.Count(t, d)
	got := bills(t, d, scheduled(25)...)
	counters.Check(t, got)
	want(t, d, [2]string{rows, "2026-07-09 1 3 1 3000, 2026-07-10 1 1 0 1000, 2026-07-10 2 100 7 0, 2026-07-11 9 1 0 0"},
		[2]string{lines, "0 Delivery 1 4000 1000 4 1 4\n0 Delivery 2 0 0 100 1 100\n0 [Aggregation of 1 small delivery] 0 0 1 1 1"})
	// A report by hand counts what today has sent so far, and leaves the day open.
	got = bills(t, d, ordered(25))
	want(t, d, [2]string{`SELECT data ->> 'actions' FROM nms.billing WHERE kind = 'manual'`, "1"},
		[2]string{`SELECT count(*) FROM nms.delivery_stat WHERE stat_date >= '2026-07-25'`, "0"})
	if s := step(t, got, "statistics"); s.RowsChanged != 0 {
		t.Errorf("statistics again: got %d rows, want 0", s.RowsChanged)
	}
}

func TestBillingOfWhatIsGoneOrSpansTwoPeriods(t *testing.T) {
	t.Parallel()
	d := invoiced(t, aDelivery(1, 0, 500), aDay(1, 3, 200, 0, 0),
		`INSERT INTO nms.delivery_stat (stat_date, delivery_id, first_send, first_success) VALUES ('2026-06-20', 1, '2026-06-20 09:00+09', 300)`,
		aDay(77, 5, 150, 0, 0))
	bills(t, d, scheduled(25)...)
	want(t, d, [2]string{lines, "0 Delivery 1 0 0 200 1 200\n0 (deleted #77) 0 0 150 1 150"},
		[2]string{`SELECT data #>> '{types,0,lines,0,start}' FROM nms.billing`, "2026-06-20"})
}

func TestBillingOfNothing(t *testing.T) {
	t.Parallel()
	d := invoiced(t)
	got := bills(t, d, scheduled(25)...)
	want(t, d, [2]string{`SELECT concat_ws(' ', data ->> 'actions', data ->> 'types', html LIKE '%Nothing was sent in this period.%') FROM nms.billing`, "0 [] t"}, [2]string{mails, "1"})
	if len(got.Steps) != 5 {
		t.Errorf("got %d steps, want 5", len(got.Steps))
	}
	before := jobtest.Digest(t, d)
	tells(t, bills(t, d, scheduled(25)...), "nothing to compute: report billing-2026-07-25 of this run is stored")
	again := append(scheduled(25), jobtest.From(jobs.Origin{Trigger: "catch_up", Event: 99, Due: slot(25).Add(time.Hour)}))
	tells(t, bills(t, d, again...), "nothing to compute: the reports reach to 2026-07-25")
	if jobtest.Digest(t, d) != before {
		t.Error("got other rows after the second run, want no change")
	}
}

func TestBillingMail(t *testing.T) {
	t.Parallel()
	d := invoiced(t, `UPDATE xtk.operator SET language = 'ko' WHERE login = 'billing'`, aDelivery(1, 0, 500), aDay(1, 3, 500, 0, 1),
		`UPDATE nms.delivery SET label = '=HYPERLINK("x") <script>'`)
	tells(t, bills(t, d, scheduled(25)...), "Report billing-2026-07-25 sent to bill@example.com")
	want(t, d, [2]string{`SELECT concat_ws('|', effect_key, workflow_name, to_address, subject, attachment_name, attachment_type, state) FROM nms.notification`,
		"billing:billing-2026-07-25|billing|bill@example.com|활동 보고서 billing-2026-07-25 acme|billing-2026-07-25.csv|text/csv; charset=utf-8|pending"},
		[2]string{`SELECT convert_from(attachment, 'UTF8') FROM nms.notification`, "Message type,Start date,Label,Total volume (bytes),Average volume,Messages,Multiplier (x),Count\n" +
			`email,2026-07-03,"'=HYPERLINK(""x"") <script>",1,0,500,1,500` + "\n"},
		[2]string{`SELECT body_html LIKE '%&lt;script&gt;%' AND body_html NOT LIKE '%<script>%' AND body_html LIKE '%마케팅 작업%' FROM nms.notification`, "true"},
		[2]string{`SELECT body_text LIKE '기간: 2026-06-25 → 2026-07-25%마케팅 작업: 500%' FROM nms.notification`, "true"})
}

func TestBillingOptions(t *testing.T) {
	t.Parallel()
	d := invoiced(t, `UPDATE xtk.option SET string_value = '' WHERE name = 'NmsServer_CustomerId'`, aDelivery(1, 0, 500), aDay(1, 3, 500, 0, 51_200_000),
		`INSERT INTO xtk.option (name, string_value) VALUES ('NmsBilling_MainActionThreshold', 'x'), ('NmsBilling_VolumeUnit', '9223372036854775807')`,
		`UPDATE xtk.option SET string_value = 'Mars/Olympus' WHERE name = 'WdbcTimeZone'`)
	got := bills(t, d, scheduled(25)...)
	for _, warning := range []string{"NmsServer_CustomerId is empty", `NmsBilling_MainActionThreshold is "x"`, "NmsBilling_VolumeUnit is", `WdbcTimeZone is "Mars/Olympus"`} {
		tells(t, got, "warning "+warning)
	}
	want(t, d, [2]string{lines, "0 Delivery 1 51200000 102400 500 1 500"}, [2]string{mails, "1"})
}

// Whatever is written while the figures are read, lines and profiles tell of the same moment.
func TestBillingFiguresAreOfOneSnapshot(t *testing.T) {
	t.Parallel()
	d := invoiced(t, aDelivery(1, 0, 500), `INSERT INTO nms.delivery_mapping (internal_name, label, schema_name, target_table, broad_log_schema)
		VALUES ('slow', 'Slow', 'nms:slow', 'nms.slow', 'nms.broad_log_slow')`,
		`CREATE TABLE nms.broad_log_slow (delivery_id bigint, recipient_id bigint, status text, flags int, event_date timestamptz)`)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // a message a transaction, of a profile of its own, to two tables
		defer close(done)
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			_, _ = d.Pool.Exec(context.Background(), `
				WITH one AS (INSERT INTO nms.broad_log (delivery_id, recipient_id, status, event_date) VALUES (1, $1, 'sent', '2026-07-25 01:30+09'))
				INSERT INTO nms.broad_log_slow VALUES (1, $1, 'sent', 0, '2026-07-25 01:30+09')`, n)
		}
	}()
	for range 5 {
		bills(t, d, ordered(25))
	}
	close(stop)
	<-done
	want(t, d, [2]string{`SELECT bool_and((data ->> 'actions')::int = (SELECT sum((p ->> 'count')::int) FROM jsonb_array_elements(data -> 'profiles') p)) FROM nms.billing`, "true"},
		[2]string{`SELECT max((data ->> 'actions')::int) > 0 FROM nms.billing`, "true"})
}

// busy is a database with work for every step.
func busy(t testing.TB) *db.DB {
	return invoiced(t, aDelivery(1, 0, 500), aDelivery(2, 1, 40), aDay(1, 3, 480, 20, 51_200_500), aDay(2, 4, 40, 0, 100),
		`INSERT INTO nms.broad_log (delivery_id, recipient_id, status, event_date)
		 SELECT 1, n, 'sent', '2026-06-30 12:00+09'::timestamptz + n * interval '1 day' FROM generate_series(1, 20) n`)
}

func TestBillingSimulated(t *testing.T) {
	t.Parallel()
	d := busy(t)
	before := jobtest.Digest(t, d)
	rehearsed := jobtest.Simulate(t, d, billing, scheduled(25)...)
	if rehearsed.Status != "completed" || jobtest.Digest(t, d) != before {
		t.Fatalf("got %s (%s) or other rows, want completed and no change", rehearsed.Status, rehearsed.Message)
	}
	tells(t, rehearsed, "Report billing-2026-07-25 would be sent to bill@example.com")
	done := bills(t, d, scheduled(25)...)
	sameSteps(t, rehearsed, done)
	figures := func(r jobtest.Result) (lines []string) {
		for _, line := range r.Log {
			if strings.Contains(line, "messages, count") || strings.Contains(line, "Active profiles") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	if got, want := strings.Join(figures(rehearsed), "\n"), strings.Join(figures(done), "\n"); got != want || got == "" {
		t.Errorf("figures of the simulation: got\n%s\nwant\n%s", got, want)
	}
}

func TestBillingSurvivesACutAnywhere(t *testing.T) {
	t.Parallel()
	due := append([]jobtest.Option{jobtest.From(jobs.Origin{Trigger: "scheduled", Event: 725, Due: slot(25)})}, measured...)
	jobtest.CrashSweep(t, billing, busy, due...)
	jobtest.StopSweep(t, billing, busy, due...)
}

// An order whose process was lost is repeated with the same event, and makes one report, too.
func TestBillingByHandIsRepeatedWithItsEvent(t *testing.T) {
	t.Parallel()
	d := invoiced(t, aDelivery(1, 0, 500), aDay(1, 3, 500, 0, 1))
	order := []jobtest.Option{ordered(20), jobtest.From(jobs.Origin{Trigger: "manual", Event: 726})}
	bills(t, d, order...)
	do(t, d, `UPDATE nms.billing SET sent_at = NULL`, `TRUNCATE nms.notification`) // lost between report and mail
	for range 2 {
		tells(t, bills(t, d, order...), "nothing to compute: report billing-2026-07-20 of this run is stored")
		want(t, d, [2]string{reports, "1"}, [2]string{mails, "1"}, [2]string{`SELECT sent_to FROM nms.billing`, "bill@example.com"})
	}
}

// A run that resumes a scheduled one makes the scheduled report, on whatever day somebody starts it again.
func TestBillingResumedIsStillScheduled(t *testing.T) {
	t.Parallel()
	d := invoiced(t, aDelivery(1, 0, 500), aDay(1, 3, 500, 0, 1), `ALTER TABLE nms.billing ADD CONSTRAINT broken CHECK (false)`)
	failed := jobtest.Run(t, d, billing, scheduled(25)...)
	if failed.Status != "failed" || failed.StepOf(t, "report").Status != "failed" {
		t.Fatalf("got %s (%s), want failed at the report", failed.Status, failed.Message)
	}
	do(t, d, `ALTER TABLE nms.billing DROP CONSTRAINT broken`)
	got := bills(t, d, jobtest.Resume(failed.TaskID), ordered(28), jobtest.From(jobs.Origin{Trigger: "resume", Event: 999, Due: slot(28)}))
	want(t, d, [2]string{periods, "billing-2026-07-25 scheduled 25 00 25 00"}, [2]string{`SELECT event_id FROM nms.billing`, "725"},
		[2]string{lines, "0 Delivery 1 1 0 500 1 500"}, [2]string{mails, "1"})
	if s := step(t, got, "figures"); s.Status != "kept" {
		t.Errorf("figures: got %s, want kept", s.Status)
	}
}
