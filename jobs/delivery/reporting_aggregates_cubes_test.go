package delivery_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs/jobtest"
)

// cubed is an instance with a cube of message logs and aggregates of it, as rows of (name, mode, condition, table, workflow).
func cubed(t testing.TB, aggregates string, statements ...string) *db.DB {
	t.Helper()
	return sentOut(t, append([]string{
		`INSERT INTO xtk.olap_cube (id, name, label, fact_table, filter) VALUES (1, 'logs', 'Logs', 'nms.broad_log', $$status <> 'pending'$$)`,
		`INSERT INTO xtk.olap_dimension (cube_id, name, expression) VALUES (1, 'Day', 'created::date'), (1, 'status', 'status'), (1, 'other', 'id')`,
		`INSERT INTO xtk.olap_measure (cube_id, name, operator, expression, filter) VALUES (1, 'messages', 'count', '*', NULL),
			(1, 'domains', 'count_distinct', $$split_part(address, '@', 2)$$, 'address IS NOT NULL'), (1, 'top', 'max', 'failure_reason', NULL)`,
		`INSERT INTO xtk.olap_aggregate (cube_id, name, dimensions, mode, partial_condition, table_name, workflow_name)
		 SELECT 1, name, '["status", "Day"]', mode, condition, table_name, workflow FROM (VALUES ` + aggregates + `) v (name, mode, condition, table_name, workflow)`,
	}, statements...)...)
}

const (
	ours    = `('byStatus', 'full', NULL, 'nms.agg_logs', 'reportingAggregates')`
	partial = `('recent', 'partial', '"Day" >= DATE ''2026-07-20''', 'nms.agg_logs', 'reportingAggregates')`
	summed  = `SELECT string_agg(concat_ws('/', "Day", status, messages, domains, top), ' ' ORDER BY "Day", status) FROM nms.agg_logs`
)

func TestFullAggregate(t *testing.T) {
	t.Parallel()
	d := cubed(t, ours+`, ('theirs', 'full', NULL, 'nms.agg_theirs', 'offerPropositions')`)
	tells(t, aggregated(t, d, 0), "nms.agg_logs: full, 3 rows")
	want(t, d, [2]string{summed, "2026-07-22/accepted/5/1/0 2026-07-22/failed/10/2/20 2026-07-22/sent/80/1/0"},
		[2]string{`SELECT concat_ws(' ', row_count, duration_ms >= 0, last_update = '` + reportNight.Format(time.RFC3339) + `') FROM xtk.olap_aggregate WHERE name = 'byStatus'`, "3 t t"},
		[2]string{`SELECT concat_ws(' ', last_update, to_regclass('nms.agg_theirs')) FROM xtk.olap_aggregate WHERE name = 'theirs'`, ""})
	do(t, d, `UPDATE nms.broad_log SET status = 'sent' WHERE status = 'accepted'`, `INSERT INTO xtk.olap_measure (cube_id, name, operator) VALUES (1, 'again', 'count')`)
	aggregated(t, d, 1)
	want(t, d, [2]string{summed, "2026-07-22/failed/10/2/20 2026-07-22/sent/85/1/0"}, [2]string{`SELECT sum(again) FROM nms.agg_logs`, "95"},
		[2]string{`SELECT to_regclass('nms.agg_logs_new')`, ""})
}

func TestPartialAggregate(t *testing.T) {
	t.Parallel()
	d := cubed(t, partial, `INSERT INTO nms.broad_log (delivery_id, address, status, created, last_modified) VALUES (1, 'x@y.z', 'sent', '2026-07-10Z', '2026-07-10Z')`)
	tells(t, aggregated(t, d, 0), "nms.agg_logs: full, 4 rows")
	do(t, d, `UPDATE nms.broad_log SET status = 'failed' WHERE status = 'sent'`)
	tells(t, aggregated(t, d, 1), "nms.agg_logs: partial, 3 rows")
	want(t, d, [2]string{summed, "2026-07-10/sent/1/1/0 2026-07-22/accepted/5/1/0 2026-07-22/failed/90/3/20"})
	// Another form of the cube makes it whole anew.
	do(t, d, `DELETE FROM xtk.olap_measure WHERE name = 'domains'`)
	tells(t, aggregated(t, d, 2), "nms.agg_logs: full, 3 rows")
}

// TestForeignTablesAreNeverReplaced: an aggregate that names a table of the platform fails, and only it.
func TestForeignTablesAreNeverReplaced(t *testing.T) {
	t.Parallel()
	d := cubed(t, ours+`, ('bad', 'full', NULL, 'nms.recipient', 'reportingAggregates'), ('out', 'full', NULL, 'public.x', 'reportingAggregates'), ('view', 'full', NULL, 'x', 'reportingAggregates')`,
		`INSERT INTO nms.recipient (last_name) VALUES ('Kim')`, `UPDATE xtk.olap_aggregate SET dimensions = '["status", "nope"]' WHERE name = 'view'`)
	got := jobtest.Run(t, d, reporting, jobtest.CutOff(reportNight))
	for _, text := range []string{"aggregate bad of cube logs: the table nms.recipient is not one that this workflow has made", `its table "public.x" is not of the form nms.name`} {
		if got.Status != "failed" || !strings.Contains(got.Message, text) {
			t.Errorf("got %s (%s), want failed with %q", got.Status, got.Message, text)
		}
	}
	want(t, d, [2]string{`SELECT count(*) FROM nms.recipient`, "1"}, [2]string{`SELECT count(*) FROM nms.agg_logs`, "3"})
}

// TestOldAggregateWhileTheNewOneIsBuilt: readers see the old one, whole, until the new one is; a killed run leaves it.
func TestOldAggregateWhileTheNewOneIsBuilt(t *testing.T) {
	t.Parallel()
	d := cubed(t, ours)
	aggregated(t, d, 0)
	before := one(t, d, summed)
	// Building it waits for this, which stands for a long time.
	hold, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hold.Exec(t.Context(), `LOCK TABLE xtk.olap_aggregate IN EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	do(t, d, `DELETE FROM nms.broad_log WHERE status = 'sent'`)
	session := jobtest.OpenSession(t, d, "killed")
	ended := make(chan jobtest.Result, 1)
	go func() {
		ended <- jobtest.Run(t, d, reporting, jobtest.CutOff(reportNight.AddDate(0, 0, 1)), jobtest.Session(session), jobtest.Lost())
	}()
	until(t, d, `SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'xtk.olap_aggregate'::regclass`)
	do(t, d, `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND relation = 'xtk.olap_aggregate'::regclass`)
	<-ended
	_ = session.Close(context.Background())
	if err := hold.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, d, [2]string{summed, before}, [2]string{`SELECT to_regclass('nms.agg_logs_new')`, ""})
}

// until waits for a condition of the database.
func until(t testing.TB, d *db.DB, sql string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); one(t, d, sql) != "true"; <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: got nothing in a minute", sql)
		}
	}
}

// reported is work for every step.
func reported(t testing.TB) *db.DB {
	t.Helper()
	return cubed(t, ours, `INSERT INTO nms.tracking_log (delivery_id, url_id, user_agent_id, broad_log_id, log_date)
		SELECT 1, 1, 7, id, '2026-07-22 05:00Z' FROM nms.broad_log WHERE status = 'sent'`,
		`INSERT INTO nms.service (id, internal_name, label) VALUES (1, 'news', 'News')`,
		`INSERT INTO nms.subscription (service_id, recipient_id) SELECT 1, n FROM generate_series(1, 10) n`,
		`UPDATE nms.delivery SET processed = 95, success = 85, error = 10`,
		`UPDATE nms.broad_log SET last_modified = now()`, `UPDATE nms.delivery SET last_modified = now(), broad_start = now() - interval '1 day'`)
}

func TestReportingLedgerAndSimulation(t *testing.T) {
	t.Parallel()
	d := reported(t)
	before := jobtest.Digest(t, d)
	rehearsed := jobtest.Simulate(t, d, reporting)
	if rehearsed.Status != "completed" || jobtest.Digest(t, d) != before {
		t.Fatalf("rehearsal: got %s (%s) or other rows, want it completed and no change", rehearsed.Status, rehearsed.Message)
	}
	tells(t, rehearsed, "1 deliveries would be recomputed")
	counters := jobtest.Count(t, d)
	got := jobtest.Run(t, d, reporting)
	counters.Check(t, got)
	for table, effect := range rehearsed.Effects {
		if got.Effects[table] != effect {
			t.Errorf("%s: got %v, want what was rehearsed, %v", table, got.Effects[table], effect)
		}
	}
}

func TestReportingNothingToDo(t *testing.T) {
	t.Parallel()
	d := sentOut(t, `DELETE FROM nms.delivery`, `DELETE FROM nms.broad_log`)
	aggregated(t, d, 0)
	want(t, d, [2]string{`SELECT (SELECT count(*) FROM nms.delivery_log_stats) + (SELECT count(*) FROM nms.user_agent_stats) + (SELECT count(*) FROM nms.service_stats)`, "0"})
}

var anyDuration = jobtest.Alike("xtk.olap_aggregate.duration_ms", "[0-9]+")

func TestReportingCrashSweep(t *testing.T) {
	t.Parallel()
	jobtest.CrashSweep(t, reporting, reported, anyDuration)
}

func TestReportingStopSweep(t *testing.T) {
	t.Parallel()
	jobtest.StopSweep(t, reporting, reported, anyDuration)
}

// BenchmarkReportingDelivery measures the figures of a delivery of a million messages against the bare statement that groups
// its log once, as a person would write it.
func BenchmarkReportingDelivery(b *testing.B) {
	d := sentOut(b, `DELETE FROM nms.broad_log`, `INSERT INTO nms.broad_log (delivery_id, address, status, created, last_modified)
		SELECT 1, 'n' || n || '@' || CASE n % 3 WHEN 0 THEN 'gmail.com' ELSE 'd' || n % 1000 || '.example' END, 'sent', now(), now() FROM generate_series(1, 1000000) n`,
		`VACUUM ANALYZE nms.broad_log`, `UPDATE nms.delivery SET last_modified = now(), broad_start = now()`)
	for b.Loop() {
		best := [2]time.Duration{time.Hour, time.Hour}
		for range 5 {
			begin := time.Now()
			if err := pgx.BeginFunc(b.Context(), d.Pool, func(tx pgx.Tx) error {
				_, err := tx.Exec(b.Context(), `
					CREATE TEMP TABLE bare ON COMMIT DROP AS
					SELECT lower(split_part(COALESCE(address, ''), '@', 2)) AS domain, status, failure_reason, count(*) AS n, max(last_modified) AS last
					FROM nms.broad_log
					WHERE delivery_id = 1
					GROUP BY 1, 2, 3`)
				return err
			}); err != nil {
				b.Fatal(err)
			}
			best[0] = min(best[0], time.Since(begin))
			do(b, d, `DELETE FROM xtk.option WHERE name = 'NmsReporting_LastAggregation'`)
			begin = time.Now()
			if got := jobtest.Run(b, d, reporting); got.Status != "completed" {
				b.Fatal(got.Message)
			}
			best[1] = min(best[1], time.Since(begin))
		}
		b.ReportMetric(best[0].Seconds(), "s-floor")
		b.ReportMetric(best[1].Seconds(), "s-run")
		b.ReportMetric(best[1].Seconds()/best[0].Seconds(), "x-of-floor")
	}
}
