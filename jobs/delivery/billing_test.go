package delivery_test

import (
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

var billing = jobs.Workflow{Name: "billing", Run: delivery.Billing}

// slot is 1 o'clock of a day in July 2026, when the instance in Seoul makes its report.
func slot(day int) time.Time {
	return time.Date(2026, 7, day-1, 16, 0, 0, 0, time.UTC)
}

// scheduled is a run of the slot on a day of July.
func scheduled(day int) []jobtest.Option {
	return []jobtest.Option{jobtest.CutOff(slot(day).Add(3 * time.Second)),
		jobtest.From(jobs.Origin{Trigger: "scheduled", Event: int64(700 + day), Due: slot(day)})}
}

// ordered is a run that an operator has ordered on a day of July.
func ordered(day int) jobtest.Option { return jobtest.CutOff(slot(day).Add(10 * time.Hour)) }

// invoiced is a marketing instance in Seoul whose billing operator has an address, filled by the statements.
func invoiced(t testing.TB, statements ...string) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	do(t, d, append([]string{`UPDATE xtk.operator SET email = 'bill@example.com' WHERE login = 'billing'`,
		`UPDATE xtk.option SET string_value = 'Asia/Seoul' WHERE name = 'WdbcTimeZone'`,
		`UPDATE xtk.option SET string_value = 'acme' WHERE name = 'NmsServer_CustomerId'`}, statements...)...)
	return d
}

// aDelivery is a statement that adds a delivery of a type to a number of recipients.
func aDelivery(id, messageType, recipients int) string {
	return fmt.Sprintf(`INSERT INTO nms.delivery (id, internal_name, label, message_type, to_deliver, message_size)
		VALUES (%[1]d, 'DM%[1]d', 'Delivery %[1]d', %[2]d, %[3]d, 1000)`, id, messageType, recipients)
}

// aDay is a statement that adds a day of July to the statistics of a delivery.
func aDay(id, day, success, retries, volume int) string {
	return fmt.Sprintf(`INSERT INTO nms.delivery_stat (stat_date, delivery_id, message_type, first_send, first_success, first_error, retries_success, volume)
		VALUES ('2026-07-%02[2]d', %[1]d, COALESCE((SELECT message_type FROM nms.delivery WHERE id = %[1]d), 0),
		        '2026-07-%02[2]d 09:00+09', %[3]d, 7, %[4]d, %[5]d)`, id, day, success, retries, volume)
}

func bills(t testing.TB, d *db.DB, options ...jobtest.Option) jobtest.Result {
	t.Helper()
	got := jobtest.Run(t, d, billing, options...)
	if got.Status != "completed" {
		t.Fatalf("got %s (%s), want completed\n%s", got.Status, got.Message, strings.Join(got.Log, "\n"))
	}
	return got
}

const (
	reports = `SELECT count(*) FROM nms.billing`
	mails   = `SELECT count(*) FROM nms.notification`
	// lines are type, label, volume, average, messages, multiplier and count of each line of the only report.
	lines = `SELECT string_agg(concat_ws(' ', t.value ->> 'message_type', l.value ->> 'label', l.value ->> 'volume', l.value ->> 'average',
		l.value ->> 'messages', l.value ->> 'multiplier', l.value ->> 'count'), E'\n' ORDER BY t.ordinality, l.ordinality)
		FROM nms.billing b, jsonb_array_elements(b.data -> 'types') WITH ORDINALITY t, jsonb_array_elements(t.value -> 'lines') WITH ORDINALITY l`
	periods = `SELECT string_agg(concat_ws(' ', name, kind, to_char(period_from AT TIME ZONE 'Asia/Seoul', 'DD HH24'), to_char(period_to AT TIME ZONE 'Asia/Seoul', 'DD HH24')), E'\n' ORDER BY id)
		FROM nms.billing`
)

func TestBillingOnlyOnMarketingInstances(t *testing.T) {
	t.Parallel()
	d := invoiced(t, `UPDATE xtk.option SET string_value = 'mid' WHERE name = 'XtkInstanceType'`, aDelivery(1, 0, 500), aDay(1, 3, 500, 0, 1))
	before := jobtest.Digest(t, d)
	got := bills(t, d, scheduled(25)...)
	tells(t, got, "billing runs on marketing instances only")
	if len(got.Steps) != 0 || jobtest.Digest(t, d) != before {
		t.Errorf("got %d steps or other rows, want neither", len(got.Steps))
	}
}

func TestBillingMultiplier(t *testing.T) {
	t.Parallel()
	for volume, line := range map[int]string{
		51_200_000: "0 Delivery 1 51200000 102400 500 1 500",
		51_200_500: "0 Delivery 1 51200500 102401 500 2 1000",
		0:          "0 Delivery 1 0 0 500 1 500",
	} {
		d := invoiced(t, aDelivery(1, 0, 500), aDay(1, 3, 480, 20, volume))
		bills(t, d, scheduled(25)...)
		want(t, d, [2]string{lines, line})
	}
}

func TestBillingGroupsSmallDeliveries(t *testing.T) {
	t.Parallel()
	d := invoiced(t, aDelivery(1, 0, 40), aDelivery(2, 0, 60), aDelivery(3, 0, 99), aDelivery(4, 0, 100), aDelivery(5, 0, 5),
		aDay(1, 3, 40, 0, 0), aDay(2, 3, 60, 0, 0), aDay(3, 3, 99, 0, 0), aDay(4, 3, 100, 0, 0), aDay(5, 2, 5, 0, 0))
	got := bills(t, d, scheduled(25)...)
	want(t, d, [2]string{lines, "0 [Aggregation of 1 small delivery] 0 0 5 1 5\n0 [Aggregation of 3 small deliveries] 0 0 199 1 199\n0 Delivery 4 0 0 100 1 100"})
	tells(t, got, "email: 5 deliveries (4 aggregated), 304 messages, count 304")
	do(t, d, `TRUNCATE nms.billing`, `INSERT INTO xtk.option (name, data_type, long_value) VALUES ('NmsBilling_MainActionThreshold', 'long', 60)`)
	bills(t, d, scheduled(25)...)
	want(t, d, [2]string{`SELECT string_agg(l.value ->> 'label', ', ' ORDER BY l.ordinality) FROM nms.billing b, jsonb_array_elements(b.data #> '{types,0,lines}') WITH ORDINALITY l`,
		"[Aggregation of 1 small delivery], [Aggregation of 1 small delivery], Delivery 2, Delivery 3, Delivery 4"})
}

func TestBillingActiveProfiles(t *testing.T) {
	t.Parallel()
	logged := func(table, key string, id int, status string, months string, flags int) string {
		return fmt.Sprintf(`INSERT INTO nms.%s (delivery_id, %s, status, event_date, flags) VALUES (1, %d, '%s', '2026-07-24 16:00+00'::timestamptz - interval '%s', %d)`,
			table, key, id, status, months, flags)
	}
	d := invoiced(t, aDelivery(1, 0, 500),
		logged("broad_log", "recipient_id", 1, "sent", "2 months", 0), logged("broad_log", "recipient_id", 1, "failed", "3 months", 0),
		logged("broad_log", "recipient_id", 2, "sent", "13 months", 0), logged("broad_log", "recipient_id", 3, "ignored", "1 month", 0),
		logged("broad_log", "recipient_id", 4, "cancelled", "1 month", 0), logged("broad_log", "recipient_id", 5, "sent", "1 month", 1),
		logged("broad_log", "recipient_id", 0, "sent", "1 month", 0),
		`INSERT INTO nms.broad_log (delivery_id, status, event_date) VALUES (1, 'sent', '2026-07-01')`,
		`INSERT INTO nms.visitor (id, origin, external_id) VALUES (11, 0, 'a'), (12, 1, 'b'), (13, 2, 'c'), (14, 3, 'd')`)
	for id := 11; id <= 14; id++ {
		do(t, d, logged("broad_log_visitor", "visitor_id", id, "sent", "1 month", 0))
	}
	got := bills(t, d, scheduled(25)...)
	tells(t, got, "Active profiles (12 months): 1 (nms:recipient)")
	tells(t, got, "Active profiles (12 months): 2 (nms:visitor)")
	want(t, d, [2]string{`SELECT string_agg(concat_ws(' ', schema_name, month, contact_count), ', ' ORDER BY schema_name) FROM nms.active_contact`,
		"nms:recipient 2026-07-01 1, nms:visitor 2026-07-01 2"})
}

func TestBillingWithoutAnAddress(t *testing.T) {
	t.Parallel()
	d := invoiced(t, `UPDATE xtk.operator SET email = ' ' WHERE login = 'billing'`, aDelivery(1, 0, 500), aDay(1, 3, 500, 0, 1))
	failed := jobtest.Run(t, d, billing, scheduled(25)...)
	if failed.Status != "failed" || !strings.Contains(failed.Message, "operator 'billing' has no e-mail address") {
		t.Fatalf("got %s (%s), want failed for want of an address", failed.Status, failed.Message)
	}
	want(t, d, [2]string{reports, "1"}, [2]string{mails, "0"}, [2]string{`SELECT sent_at IS NULL FROM nms.billing`, "true"})
	stored := one(t, d, `SELECT data FROM nms.billing`)
	do(t, d, `UPDATE xtk.operator SET email = 'late@example.com', disabled = true WHERE login = 'billing'`, aDay(1, 4, 500, 0, 1))
	for name, options := range map[string][]jobtest.Option{"resumed": {jobtest.Resume(failed.TaskID), ordered(26)}, "again": {jobtest.Resume(failed.TaskID), ordered(27)}} {
		got := bills(t, d, options...)
		want(t, d, [2]string{reports, "1"}, [2]string{mails, "1"}, [2]string{`SELECT data FROM nms.billing`, stored},
			[2]string{`SELECT sent_to FROM nms.billing`, "late@example.com"})
		if s := step(t, got, "report"); s.Status != "kept" {
			t.Errorf("%s: step report: got %s, want kept", name, s.Status)
		}
	}
	t.Run("started by hand", func(t *testing.T) {
		do(t, d, `UPDATE nms.billing SET sent_at = NULL`, `TRUNCATE nms.notification`)
		bills(t, d, ordered(26))
		want(t, d, [2]string{reports, "1"}, [2]string{mails, "1"})
	})
}

func TestBillingLeavesOutWhatOnlyFailed(t *testing.T) {
	t.Parallel()
	d := invoiced(t, aDelivery(1, 0, 500), aDelivery(2, 0, 500), aDay(1, 3, 0, 0, 0), aDay(2, 3, 0, 1, 0))
	bills(t, d, scheduled(25)...)
	want(t, d, [2]string{lines, "0 Delivery 2 0 0 1 1 1"})
}

func TestBillingPeriodsMeet(t *testing.T) {
	t.Parallel()
	d := invoiced(t, aDelivery(1, 0, 500), aDay(1, 24, 10, 0, 0), aDay(1, 25, 100, 0, 0), aDay(1, 28, 1000, 0, 0),
		`INSERT INTO nms.delivery_stat (stat_date, delivery_id, first_success) VALUES ('2026-06-25', 1, 5), ('2026-06-24', 1, 3)`)
	bills(t, d, scheduled(25)...)
	bills(t, d, ordered(29))
	bills(t, d, ordered(29))
	bills(t, d, scheduled(30)...)
	bills(t, d, scheduled(30)...)
	want(t, d, [2]string{periods, "billing-2026-07-25 scheduled 25 00 25 00\nbilling-2026-07-29 manual 25 00 29 11\n" +
		"billing-2026-07-29-2 manual 25 00 29 11\nbilling-2026-07-30 scheduled 25 00 30 00"},
		[2]string{`SELECT string_agg(data ->> 'actions', ' ' ORDER BY id) FROM nms.billing`, "15 1100 1100 1100"},
		[2]string{`SELECT string_agg(period_from::text, ' ') FROM nms.billing WHERE name = 'billing-2026-07-25'`, "2026-06-24 15:00:00+00"},
		[2]string{mails, "4"})
}

func TestBillingTwoTypes(t *testing.T) {
	t.Parallel()
	d := invoiced(t, aDelivery(1, 0, 500), aDelivery(2, 1, 500), aDelivery(3, 1, 400), aDay(1, 3, 480, 20, 51_200_500), aDay(2, 3, 300, 0, 0), aDay(3, 4, 50, 0, 0))
	got := bills(t, d, scheduled(25)...)
	want(t, d, [2]string{`SELECT string_agg(concat_ws(' ', t ->> 'message_type', t ->> 'messages', t ->> 'count'), ', ') FROM nms.billing, jsonb_array_elements(data -> 'types') t`, "0 500 1000, 1 350 350"},
		[2]string{`SELECT (data ->> 'actions')::int = 1350 AND html LIKE '%<h2>email</h2>%<h2>sms</h2>%Total: 1,350%' FROM nms.billing`, "true"})
	tells(t, got, "sms: 2 deliveries (0 aggregated), 350 messages, count 350")
}
