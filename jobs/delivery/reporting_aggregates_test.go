package delivery_test

import (
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/delivery"
	"nightshift/jobs/jobtest"
)

var reporting = jobs.Workflow{Name: "reportingAggregates", Run: delivery.ReportingAggregates}

// reportNight is 2 o'clock of a night in Seoul.
var reportNight = time.Date(2026, 7, 23, 17, 0, 5, 0, time.UTC)

// aggregated runs the workflow on a night, counted from reportNight.
func aggregated(t testing.TB, d *db.DB, night int) jobtest.Result {
	t.Helper()
	got := jobtest.Run(t, d, reporting, jobtest.CutOff(reportNight.AddDate(0, 0, night)))
	if got.Status != "completed" {
		t.Fatalf("got %s (%s), want completed\n%s", got.Status, got.Message, strings.Join(got.Log, "\n"))
	}
	return got
}

// sentOut is an instance in Seoul with delivery 1, changed yesterday: 80 sent, 5 accepted, 5 pending, and 10 that failed
// for reasons 1 (4), 5 (3), 20 (2) and 8; 6 of these at gmail.com, which the enumeration lists, 2 at foo.bar, 2 without
// an address.
func sentOut(t testing.TB, statements ...string) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	do(t, d, append([]string{
		`UPDATE xtk.option SET string_value = 'Asia/Seoul' WHERE name = 'WdbcTimeZone'`,
		`INSERT INTO xtk.enum_value (enum_id, name, label) SELECT id, 'GMail.com', 'Gmail' FROM xtk.enum WHERE internal_name = 'domain'`,
		`INSERT INTO nms.delivery (id, internal_name, label, state, broad_start, created, last_modified) VALUES (1, 'DM1', 'One', 'finished', '2026-07-22 03:00Z', '2026-07-22Z', '2026-07-22 04:00Z')`,
		`INSERT INTO nms.broad_log (delivery_id, address, status, failure_reason, event_date, created, last_modified)
		 SELECT 1, CASE WHEN n <= 6 THEN 'a' || n || '@gmail.COM' WHEN n <= 8 THEN 'b' || n || '@foo.bar' WHEN n > 10 THEN n || '@gmail.com' END,
		        CASE WHEN n <= 10 THEN 'failed' WHEN n <= 90 THEN 'sent' WHEN n <= 95 THEN 'accepted' ELSE 'pending' END,
		        CASE WHEN n <= 4 THEN 1 WHEN n <= 7 THEN 5 WHEN n <= 9 THEN 20 WHEN n = 10 THEN 8 ELSE 0 END, '2026-07-22 03:00Z', '2026-07-22 03:00Z', '2026-07-22 03:00Z'
		 FROM generate_series(1, 100) n`,
	}, statements...)...)
	return d
}

const (
	failedByDomain = `SELECT string_agg(domain || ' ' || n, ', ' ORDER BY domain COLLATE "C") FROM (
		SELECT domain, sum(message_count) AS n FROM nms.delivery_log_stats WHERE delivery_id = 1 AND status = 'failed' GROUP BY 1) f`
	indicators = `SELECT concat_ws(' ', indicators ->> 'unknown_user', indicators ->> 'mailbox_full', indicators ->> 'refused', indicators ->> 'complaints',
		indicators ->> 'hard', indicators ->> 'soft', indicators ->> 'success', indicators ->> 'error', indicators ->> 'processed', indicators ->> 'recipient_open', message_count)
		FROM nms.delivery_log_stats WHERE delivery_id = 1 AND status = '(all)'`
	agentDays = `SELECT string_agg(concat_ws('/', to_char(stat_date, 'DD'), hash_key, pages, visitors, visitors_of_the_day), ' ' ORDER BY stat_date, hash_key) FROM nms.user_agent_stats`
)

func TestIndicatorsOfADelivery(t *testing.T) {
	t.Parallel()
	d := sentOut(t, `INSERT INTO nms.tracking_log (broad_log_id, delivery_id, url_id, log_date) SELECT id, 1, 1, '2026-07-22 05:00Z' FROM nms.broad_log WHERE status = 'accepted'`)
	tells(t, aggregated(t, d, 0), "delivery_log_stats: 1 deliveries recomputed, ")
	want(t, d, [2]string{indicators, "4 3 2 1 4 5 85 10 95 5 100"}, [2]string{failedByDomain, "(none) 2, GMail.com 6, Others 2"})
}

func TestReportingTwiceChangesNothingButItsDate(t *testing.T) {
	t.Parallel()
	d := sentOut(t, `INSERT INTO nms.tracking_log (delivery_id, url_id, user_agent_id, broad_log_id, log_date) VALUES (1, 1, 7, 3, '2026-07-22 05:00Z')`,
		`INSERT INTO nms.service (id, internal_name, label) VALUES (1, 'news', 'News')`)
	aggregated(t, d, 0)
	const without = `SELECT md5(string_agg((to_jsonb(s) - 'last_update')::text, '' ORDER BY s.id)) FROM nms.delivery_log_stats s`
	rows, others := one(t, d, without), jobtest.Digest(t, d, "nms.user_agent_stats", "nms.service_stats")
	got := jobtest.Run(t, d, reporting, jobtest.CutOff(reportNight.Add(time.Hour)))
	want(t, d, [2]string{without, rows}, [2]string{`SELECT count(DISTINCT last_update) FROM nms.delivery_log_stats WHERE last_update = '` +
		reportNight.Add(time.Hour).Format(time.RFC3339) + `'`, "1"})
	if jobtest.Digest(t, d, "nms.user_agent_stats", "nms.service_stats") != others || got.Effects["nms.user_agent_stats"].Updated != 0 {
		t.Errorf("got %v, want no change of agents and services", got.Effects)
	}
}

// TestOnlyWhatChanged: of old deliveries only those whose logs changed are computed, by whichever table.
func TestOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	d := sentOut(t, `INSERT INTO nms.delivery (id, internal_name, label, broad_start, created, last_modified)
		SELECT n, 'DM' || n, 'Old', '2026-06-01Z', '2026-06-01Z', '2026-06-01Z' FROM generate_series(2, 4) n`,
		`INSERT INTO nms.broad_log (delivery_id, address, status, created, last_modified) SELECT n, 'a@gmail.com', 'sent', '2026-06-01Z', '2026-06-01Z' FROM generate_series(2, 4) n`)
	if s := step(t, aggregated(t, d, 0), "delivery_log_stats"); s.RowsRead != 4 {
		t.Errorf("first run: got %d deliveries, want all 4", s.RowsRead)
	}
	do(t, d, `UPDATE nms.broad_log SET status = 'failed', failure_reason = 3, last_modified = '2026-08-05Z' WHERE delivery_id = 2`,
		`INSERT INTO nms.tracking_log (broad_log_id, delivery_id, url_id, log_date) SELECT id, 3, 1, '2026-08-05Z' FROM nms.broad_log WHERE delivery_id = 3`)
	if s := step(t, aggregated(t, d, 20), "delivery_log_stats"); s.RowsRead != 2 {
		t.Errorf("got %d deliveries, want the two whose logs changed", s.RowsRead)
	}
	want(t, d, [2]string{`SELECT string_agg(concat_ws(' ', delivery_id, domain, status, failure_reason, message_count, indicators ->> 'recipient_open'), ', ' ORDER BY delivery_id, status)
		FROM nms.delivery_log_stats WHERE delivery_id > 1`,
		"2 (all) (all) 0 1 0, 2 GMail.com failed 3 1, 3 (all) (all) 0 1 1, 3 GMail.com sent 0 1, 4 (all) (all) 0 1 0, 4 GMail.com sent 0 1"})
}

// TestPurgedLogsLeaveTheFigures: a delivery whose logs are purged, whole or in part, keeps what was counted.
func TestPurgedLogsLeaveTheFigures(t *testing.T) {
	t.Parallel()
	d := sentOut(t)
	aggregated(t, d, 0)
	do(t, d, `UPDATE nms.delivery SET last_modified = '2027-05-01Z'`, `DELETE FROM nms.broad_log WHERE status = 'sent'`,
		`UPDATE nms.broad_log SET last_modified = '2027-05-01Z' WHERE status = 'pending'`)
	tells(t, aggregated(t, d, 282), "0 deliveries recomputed")
	want(t, d, [2]string{indicators, "4 3 2 1 4 5 85 10 95 0 100"})
	do(t, d, `DELETE FROM nms.broad_log`, `DELETE FROM xtk.option WHERE name = 'NmsReporting_LastAggregation'`)
	aggregated(t, d, 282)
	want(t, d, [2]string{indicators, "4 3 2 1 4 5 85 10 95 0 100"})
}

func TestUserAgentsByDay(t *testing.T) {
	t.Parallel()
	// In Seoul the 23rd begins at 15:00 of the 22nd.
	d := sentOut(t, `INSERT INTO nms.tracking_log (delivery_id, url_id, user_agent_id, broad_log_id, log_date)
		SELECT 1, 1, 7, 1 + n % 2, '2026-07-22 16:00Z' FROM generate_series(1, 5) n`,
		`INSERT INTO nms.tracking_log (delivery_id, url_id, user_agent_id, broad_log_id, log_date)
		 VALUES (1, 1, 8, 1, '2026-07-23 14:59Z'), (1, 1, 8, 9, '2026-07-22 14:59Z'), (1, 1, 8, 9, '2026-07-23 15:00Z'), (1, 1, NULL, 9, '2026-07-22 16:00Z')`)
	tells(t, aggregated(t, d, 0), "user_agent_stats: 2026-07-23, 2 agents, 6 pages")
	want(t, d, [2]string{agentDays, "22/8/1/1/1 23/7/5/2/2 23/8/1/1/2"},
		[2]string{`SELECT timestamp_value AT TIME ZONE 'Asia/Seoul' FROM xtk.option WHERE name = 'NmsUserAgentStats_LastConsolidation'`, "2026-07-24 00:00:00"})
	// A late log of a day counted before, and one of the day of the last run.
	do(t, d, `INSERT INTO nms.tracking_log (delivery_id, url_id, user_agent_id, broad_log_id, log_date) VALUES (1, 1, 8, 5, '2026-07-23 10:00Z'), (1, 1, 7, 5, '2026-07-24 10:00Z')`)
	aggregated(t, d, 1)
	want(t, d, [2]string{agentDays, "22/8/1/1/1 23/7/5/2/3 23/8/2/2/3 24/7/1/1/2 24/8/1/1/2"})
}

func TestSubscriptionsByDay(t *testing.T) {
	t.Parallel()
	d := sentOut(t, `INSERT INTO nms.service (id, internal_name, label, deleted) VALUES (1, 'news', 'News', false), (2, 'gone', 'Gone', true), (3, 'empty', 'Empty', false)`,
		`INSERT INTO nms.subscription (service_id, recipient_id) SELECT 1, n FROM generate_series(1, 10) n`,
		`INSERT INTO nms.sub_histo (service_id, recipient_id, action, event_date) VALUES (1, 1, 1, '2026-07-23 01:00Z'), (1, 2, 1, '2026-07-23 14:00Z'),
			(1, 99, 0, '2026-07-22 15:00Z'), (1, 3, 1, '2026-07-23 15:30Z'), (1, 98, 0, '2026-07-22 14:00Z')`)
	const days = `SELECT string_agg(concat_ws('/', service_id, to_char(stat_date, 'DD'), registered, subscriptions, unsubscriptions), ' ' ORDER BY stat_date, service_id) FROM nms.service_stats`
	aggregated(t, d, 0)
	want(t, d, [2]string{days, "1/23/9/2/1 3/23/0/0/0"})
	// Two nights later: what happened in between is told by the history.
	do(t, d, `DELETE FROM nms.subscription WHERE recipient_id IN (4, 5)`,
		`INSERT INTO nms.sub_histo (service_id, recipient_id, action, event_date) VALUES (1, 4, 0, '2026-07-24 16:00Z'), (1, 5, 0, '2026-07-25 16:00Z')`)
	aggregated(t, d, 2)
	want(t, d, [2]string{days, "1/23/9/2/1 3/23/0/0/0 1/24/10/1/0 3/24/0/0/0 1/25/9/0/1 3/25/0/0/0"})
}

func TestAveragesLeaveProofsOut(t *testing.T) {
	t.Parallel()
	d := sentOut(t, `INSERT INTO nms.delivery (id, internal_name, label, typology_id, broad_start, proofed_delivery_id, is_model, processed, success, error, recipient_open, recipient_click) VALUES
		(11, 'a', 'a', 5, '2026-07-01Z', NULL, false, 100, 80, 20, 40, 8), (12, 'b', 'b', 5, '2026-05-01Z', NULL, false, 300, 240, 60, 120, 24),
		(13, 'proof', 'p', 5, '2026-07-01Z', 11, false, 10, 0, 10, 0, 0), (14, 'old', 'o', 5, '2026-01-01Z', NULL, false, 10, 0, 10, 0, 0),
		(15, 'none', 'n', 6, '2026-07-01Z', NULL, false, 0, 0, 0, 0, 0), (16, 'model', 'm', 5, '2026-07-01Z', NULL, true, 10, 0, 10, 0, 0)`,
		`INSERT INTO nms.delivery_average_stats (message_type, typology_id, deliveries) VALUES (1, 9, 3)`)
	aggregated(t, d, 0)
	want(t, d, [2]string{`SELECT string_agg(concat_ws(' ', message_type, typology_id, deliveries, success_rate, open_rate, click_rate, error_rate), ', ') FROM nms.delivery_average_stats`,
		"0 5 2 0.8 0.5 0.1 0.2"})
}
