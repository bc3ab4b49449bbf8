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

var tracking = jobs.Workflow{Name: "tracking", Run: delivery.Tracking}

// tracked returns a database with delivery 7, sent to recipients 11, 12, 13 by the messages 1, 2, 3, with its links 1500
// (a click), 1501 (a transaction) and 1502 (shows an offer), and delivery 8 with its link 1600 and its message 4.
func tracked(t testing.TB, statements ...string) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	do(t, d, `
		INSERT INTO nms.delivery (id, internal_name, label, state, mapping_id, to_deliver, processed, success, sent, contact_date, validity, last_tracking_computation, last_error_computation)
		SELECT id, 'dm' || id, 'Delivery ' || id, 'finished', (SELECT id FROM nms.delivery_mapping WHERE internal_name = 'mapRecipient'),
		       100, 0, 0, 0, now() - interval '1 day', now() + interval '2 days', now() - interval '1 hour', now() - interval '1 hour'
		FROM (VALUES (7), (8)) v (id)`, `
		INSERT INTO nms.broad_log (id, delivery_id, recipient_id, status, created)
		VALUES (1, 7, 11, 'sent', now() - interval '20 hours'), (2, 7, 12, 'sent', now() - interval '20 hours'),
		       (3, 7, 13, 'failed', now() - interval '20 hours'), (4, 8, 11, 'sent', now() - interval '20 hours')`, `
		INSERT INTO nms.tracking_url (id, delivery_id, type, offer_id, offer_space_id)
		VALUES (1500, 7, 1, NULL, NULL), (1501, 7, 5, NULL, NULL), (1502, 7, 1, 5, 3), (1600, 8, 1, NULL, NULL)`,
		`SELECT setval('nms.message_id_seq', 1000)`)
	do(t, d, statements...)
	return d
}

// hit is a statement that adds a log as a run would have loaded it.
func hit(message, deliveryID, url int, uuid, at string) string {
	return fmt.Sprintf(`INSERT INTO nms.tracking_log (broad_log_id, delivery_id, url_id, source_id, log_date) VALUES (%d, %d, %d, '%s', %s)`,
		message, deliveryID, url, uuid, at)
}

func track(t testing.TB, d *db.DB, options ...jobtest.Option) jobtest.Result {
	t.Helper()
	got := jobtest.Run(t, d, tracking, options...)
	if got.Status != "completed" {
		t.Fatalf("tracking: got %s: %s\n%s", got.Status, got.Message, strings.Join(got.Log, "\n"))
	}
	return got
}

// morning is a moment from which tests count: 10:00 UTC of yesterday.
func morning() time.Time {
	return time.Now().UTC().Add(-24 * time.Hour).Truncate(24 * time.Hour).Add(10 * time.Hour)
}

// at writes a moment of that morning, minutes after ten.
func at(minutes float64) string {
	return "'" + morning().Add(time.Duration(minutes*float64(time.Minute))).Format(time.RFC3339Nano) + "'"
}

// hourly runs a number of hours after ten.
func hourly(hours int) jobtest.Option {
	return jobtest.CutOff(morning().Add(time.Duration(hours) * time.Hour))
}

const buckets = `SELECT string_agg(to_char(start_date AT TIME ZONE 'UTC', 'HH24:MI') || ' ' || total_clicks, ', ' ORDER BY start_date) FROM nms.tracking_stats`

func TestTrackingBuckets(t *testing.T) {
	t.Parallel()
	d := tracked(t, hit(1, 7, 1500, "A", at(1)), hit(1, 7, 1500, "A", at(4)), hit(2, 7, 1500, "B", at(6)), hit(2, 7, 1500, "B", at(61)))
	tells(t, track(t, d, hourly(1)), "tracking_stats: 12 buckets, 2 rows changed")
	want(t, d, [2]string{buckets, "10:00 2, 10:05 1"},
		[2]string{`SELECT bool_and(end_date = start_date + interval '5 minutes') FROM nms.tracking_stats`, "true"})
	// A log of 10:03 arrives late; that of 11:01 lay in a stretch that was not complete.
	do(t, d, hit(2, 7, 1500, "B", at(3)))
	tells(t, track(t, d, hourly(2)), "tracking_stats: 12 buckets, 2 rows changed")
	want(t, d, [2]string{buckets, "10:00 3, 10:05 1, 11:00 1"})
	before := jobtest.Digest(t, d)
	tells(t, track(t, d, hourly(2)), "tracking_stats: 0 buckets, 0 rows changed")
	if jobtest.Digest(t, d) != before {
		t.Error("a second run at the same moment: got other rows, want the same")
	}
}

func TestTrackingBucketsOfTransactions(t *testing.T) {
	t.Parallel()
	d := tracked(t, `
		WITH hit AS (
			INSERT INTO nms.tracking_log (broad_log_id, delivery_id, url_id, source_type, log_date)
			VALUES (1, 7, 1501, '', `+at(1)+`), (2, 7, 1501, '', `+at(2)+`), (1, 7, 1500, '', `+at(2)+`), (1, 7, 1501, 'facebook', `+at(3)+`)
			RETURNING id, url_id)
		INSERT INTO nms.web_tracking_log (id, amount, article)
		SELECT id, 12.50, 3
		FROM hit`, `
		INSERT INTO nms.tracking_log_visitor (broad_log_id, delivery_id, url_id, log_date) VALUES (1, 7, 1500, `+at(4)+`)`)
	track(t, d, hourly(1))
	want(t, d, [2]string{`
		SELECT string_agg(concat_ws(' ', url_id, source_type, total_clicks, transaction, article, amount), ', ' ORDER BY url_id, source_type)
		FROM nms.tracking_stats`, "1500  2 0 0 0.00, 1501  2 2 6 25.00, 1501 facebook 1 1 3 12.50"})
}

// A first consolidation of more than a day goes on where it was stopped, and one after a clock that went back begins anew.
func TestTrackingBucketsOfManyDays(t *testing.T) {
	t.Parallel()
	d := tracked(t, `
		INSERT INTO nms.tracking_log (broad_log_id, delivery_id, url_id, log_date)
		SELECT 1, 7, 1500, `+at(-1)+`::timestamptz - n * interval '31 hours'
		FROM generate_series(0, 19) n`)
	track(t, d, hourly(0))
	want(t, d, [2]string{`SELECT count(*) || ' ' || sum(total_clicks) FROM nms.tracking_stats`, "20 20"})
	do(t, d, `UPDATE xtk.option SET timestamp_value = now() + interval '1 year' WHERE name = 'NmsTracking_LastConsolidation'`, `DELETE FROM nms.tracking_stats`)
	track(t, d, hourly(0))
	want(t, d, [2]string{`SELECT count(*) || ' ' || sum(total_clicks) FROM nms.tracking_stats`, "20 20"})
}

// What a purge has taken from a bucket is not forgotten because a late log comes.
func TestTrackingBucketsOutliveTheirLogs(t *testing.T) {
	t.Parallel()
	d := tracked(t, hit(1, 7, 1500, "A", at(1)))
	track(t, d, hourly(1))
	do(t, d, `INSERT INTO xtk.option (name, data_type, long_value) VALUES ('NmsCleanup_TrackingLogPurgeDelay', 'long', 3600)`,
		`DELETE FROM nms.tracking_log`, `UPDATE nms.tracking_stats SET total_clicks = 40`, hit(1, 7, 1500, "A", at(2)))
	track(t, d, hourly(4))
	want(t, d, [2]string{buckets, "10:00 40"})
}

// The thresholds of the documentation.
func TestTrackingIndicatorThresholds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ change, want, say string }{
		{`tracking_pending = 9`, "0", "0 deliveries recomputed, 1 below"},
		{`tracking_pending = 10`, "1", "1 deliveries recomputed, 0 below"},
		{`tracking_pending = 9, last_tracking_computation = now() - interval '25 hours'`, "1", "1 deliveries recomputed"},
		{`error_pending = 9`, "0", "0 deliveries recomputed, 1 below"},
		{`error_pending = 10`, "1", "1 deliveries recomputed"},
		{`error_pending = 9, last_error_computation = now() - interval '25 hours'`, "1", "1 deliveries recomputed"},
		{`last_tracking_computation = NULL`, "1", "1 deliveries recomputed"},
		{`last_tracking_computation = NULL, state = 'editing'`, "0", "0 deliveries recomputed, 0 below"},
		{`tracking_pending = 10, emitter_account_id = 1, emitter_delivery_id = 1`, "0", "0 deliveries recomputed"},
		{`tracking_pending = 10, validity = now() - interval '31 days'`, "0", "0 deliveries recomputed"},
		{`tracking_pending = 10, validity = now() - interval '29 days'`, "1", "1 deliveries recomputed"},
		{`tracking_pending = 10, delete_status = 'yes'`, "0", "0 deliveries recomputed"},
	} {
		t.Run(test.change, func(t *testing.T) {
			t.Parallel()
			d := tracked(t, hit(1, 7, 1500, "A", "now()"), `UPDATE nms.delivery SET processed = 1000 WHERE id = 7`, `UPDATE nms.delivery SET `+test.change+` WHERE id = 7`)
			got := track(t, d)
			tells(t, got, test.say)
			want(t, d, [2]string{`SELECT recipient_click FROM nms.delivery WHERE id = 7`, test.want})
			tells(t, track(t, d), "indicators: 0 deliveries recomputed")
		})
	}
}

// The percentages and times are options.
func TestTrackingThresholdsAreOptions(t *testing.T) {
	t.Parallel()
	d := tracked(t, hit(1, 7, 1500, "A", "now()"), `UPDATE nms.delivery SET processed = 1000, tracking_pending = 10 WHERE id = 7`,
		`INSERT INTO xtk.option (name, data_type, long_value) VALUES ('NmsTracking_TrackingIgnorePercent', 'long', 5)`)
	tells(t, track(t, d), "0 deliveries recomputed, 1 below")
	do(t, d, `UPDATE xtk.option SET data_type = 'string', long_value = NULL, string_value = 'many' WHERE name = 'NmsTracking_TrackingIgnorePercent'`)
	got := track(t, d)
	tells(t, got, `NmsTracking_TrackingIgnorePercent is "many"`)
	tells(t, got, "1 deliveries recomputed")
}

// A delivery without any log is computed once; one that another server sends keeps the counts of that server.
func TestTrackingIndicatorsOfSpecialDeliveries(t *testing.T) {
	t.Parallel()
	d := tracked(t, `DELETE FROM nms.broad_log`, `UPDATE nms.delivery SET last_tracking_computation = NULL WHERE id = 8`,
		`UPDATE nms.delivery SET delivery_mode = 'mid_sourcing', processed = 900, error = 12, tracking_pending = 100 WHERE id = 7`,
		hit(1, 7, 1500, "A", "now()"))
	tells(t, track(t, d), "indicators: 2 deliveries recomputed, 0 below")
	want(t, d, [2]string{`SELECT concat_ws(' ', processed, error, recipient_click, tracking_pending) FROM nms.delivery WHERE id = 7`, "900 12 1 0"},
		[2]string{`SELECT last_tracking_computation IS NOT NULL FROM nms.delivery WHERE id = 8`, "true"})
	tells(t, track(t, d), "indicators: 0 deliveries recomputed, 0 below")
}

func offers(status ...string) string {
	return `
		INSERT INTO nms.proposition (id, recipient_id, offer_id, offer_space_id, delivery_id, broad_log_id, status, event_date)
		SELECT n, 10 + n, 5, 3, 7, n, s, now()
		FROM unnest(string_to_array('` + strings.Join(status, " ") + `', ' ')) WITH ORDINALITY v (s, n)`
}

const space = `INSERT INTO nms.offer_space (id, environment_id, internal_name, label, channel) VALUES (3, 1, 'email', 'E-mail', 0)`

const statuses = `SELECT string_agg(status, ' ' ORDER BY id) FROM nms.proposition`

func TestTrackingPropositions(t *testing.T) {
	t.Parallel()
	d := tracked(t, space, offers("generated", "scheduled", "generated"))
	tells(t, track(t, d), "propositions: 2 presented, 0 brought on")
	want(t, d, [2]string{statuses, "presented presented generated"})
	do(t, d, `UPDATE nms.broad_log SET status = 'received' WHERE id = 3`, hit(1, 7, 1502, "A", "now()"), hit(2, 7, 1500, "B", "now()"))
	tells(t, track(t, d), "propositions: 1 presented, 1 brought on")
	want(t, d, [2]string{statuses, "accepted presented presented"})
	before := jobtest.Digest(t, d, "nms.proposition")
	tells(t, track(t, d), "propositions: 0 presented, 0 brought on")
	if jobtest.Digest(t, d, "nms.proposition") != before {
		t.Error("got other propositions after a second run, want the same")
	}
}

func TestTrackingPropositionsNeverGoBack(t *testing.T) {
	t.Parallel()
	d := tracked(t, space, offers("rejected", "accepted", "interested"), hit(1, 7, 1502, "A", "now()"), hit(2, 7, 1502, "A", "now()"), hit(3, 7, 1502, "A", "now()"),
		`UPDATE nms.offer_space SET accepted_status = 'presented'`)
	tells(t, track(t, d), "0 presented, 0 brought on")
	want(t, d, [2]string{statuses, "rejected accepted interested"})
}
