package delivery_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/delivery"
	"nightshift/jobs/jobtest"
)

var cleanup = jobs.Workflow{Name: "cleanup", Run: delivery.Cleanup}

// quiet returns a database in which cleanup leaves the statistics alone, filled by the statements.
func quiet(t testing.TB, statements ...string) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	do(t, d, append([]string{`INSERT INTO xtk.option (name, data_type, long_value) VALUES ('XtkCleanup_NoStats', 'long', 1)`}, statements...)...)
	return d
}

func do(t testing.TB, d *db.DB, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := d.Pool.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// one reads a single value as text.
func one(t testing.TB, d *db.DB, sql string) string {
	t.Helper()
	var value *string
	if err := d.Pool.QueryRow(context.Background(), "SELECT ("+sql+")::text").Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if value == nil {
		return ""
	}
	return *value
}

// want checks values of the database, a query and what it must give.
func want(t testing.TB, d *db.DB, checks ...[2]string) {
	t.Helper()
	for _, check := range checks {
		if got := one(t, d, check[0]); got != check[1] {
			t.Errorf("%s: got %q, want %q", check[0], got, check[1])
		}
	}
}

// clean runs the cleanup, which must complete.
func clean(t testing.TB, d *db.DB, options ...jobtest.Option) jobtest.Result {
	t.Helper()
	got := jobtest.Run(t, d, cleanup, options...)
	if got.Status != "completed" {
		t.Fatalf("cleanup: got %s: %s\n%s", got.Status, got.Message, strings.Join(got.Log, "\n"))
	}
	return got
}

func step(t testing.TB, r jobtest.Result, key string) jobtest.Step {
	t.Helper()
	i := slices.IndexFunc(r.Steps, func(s jobtest.Step) bool { return s.Key == key })
	if i < 0 {
		t.Fatalf("step %s: got none of that name among %d", key, len(r.Steps))
	}
	return r.Steps[i]
}

func said(r jobtest.Result, text string) bool {
	return strings.Contains(strings.Join(r.Log, "\n"), text)
}

// The documented order of the tasks.
const documentedOrder = `lists deliveries expired_deliveries mirror_pages delivery_work_tables rejects workflow_instances
	workflow_logins group_work_tables visitors quarantine subscriptions tracking_logs delivery_logs email_error_stat
	email_error mx_domain propositions simulation_tables audit push_quarantine statistics app_subscriptions sessions
	events reactions housekeeping`

func TestCleanupNothingToDo(t *testing.T) {
	t.Parallel()
	d := quiet(t)
	before := jobtest.Digest(t, d)
	got := jobtest.Simulate(t, d, cleanup)
	if after := jobtest.Digest(t, d); got.Status != "completed" || after != before {
		t.Errorf("rehearsal of nothing: got %s, digest %s, want completed and %s", got.Status, after, before)
	}
	got = clean(t, d)
	var keys []string
	for _, s := range got.Steps {
		keys = append(keys, s.Key)
	}
	if order := strings.Fields(documentedOrder); !slices.Equal(keys, order) {
		t.Errorf("steps: got %v, want %v", keys, order)
	}
	for table, effect := range got.Effects {
		if table != "xtk.option" {
			t.Errorf("%s: got %+v, want no change", table, effect)
		}
	}
	want(t, d, [2]string{`SELECT timestamp_value = (SELECT cut_off FROM xtk.workflow_task ORDER BY id DESC LIMIT 1)
		FROM xtk.option WHERE name = 'NmsCleanup_LastCleanup'`, "true"})
}

func TestCleanupDeliveryLogs(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO nms.broad_log (delivery_id, status, created, last_modified)
		SELECT 1, 'sent', now() - interval '181 days', now() - interval '181 days' FROM generate_series(1, 12000)`,
		`INSERT INTO nms.broad_log (delivery_id, status, created, last_modified)
		SELECT 1, 'sent', now() - interval '181 days', now() - interval '179 days' FROM generate_series(1, 10)`,
		`INSERT INTO nms.exclude_log (delivery_id, last_modified) VALUES (1, now() - interval '181 days'), (1, now() - interval '179 days')`,
		`INSERT INTO nms.broad_log_mid (delivery_id, remote_id, last_modified) VALUES (1, 1, now() - interval '181 days'), (1, 2, now())`,
		`INSERT INTO nms.provider_msg_id (broad_log_id, provider_id, created) VALUES (1, 'a', now() - interval '181 days'), (2, 'b', now())`,
		`INSERT INTO nms.delivery_mapping (internal_name, label, schema_name, target_table, broad_log_schema)
		VALUES ('gone', 'Gone', 'x', 'x', 'nms.no_such_log')`)
	got := clean(t, d)
	want(t, d, [2]string{`SELECT count(*) FROM nms.broad_log`, "10"}, [2]string{`SELECT count(*) FROM nms.exclude_log`, "1"},
		[2]string{`SELECT count(*) FROM nms.broad_log_mid`, "1"}, [2]string{`SELECT count(*) FROM nms.provider_msg_id`, "1"})
	if s := step(t, got, "delivery_logs"); s.Batches != 6 || s.RowsChanged != 12003 {
		t.Errorf("delivery_logs: got %d rows in %d batches, want 12,003 in 6 (3 of them of nms.broad_log)", s.RowsChanged, s.Batches)
	}
	if !said(got, "nms.no_such_log, which is no table") {
		t.Errorf("a mapping without its table: got no warning in %q", got.Log)
	}
}

func TestCleanupPartitions(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO nms.tracking_log (delivery_id, url_id, log_date)
		SELECT 1, 1, now() - make_interval(days => n) FROM generate_series(300, 420) n`,
		`INSERT INTO nms.web_tracking_log (id) SELECT id FROM nms.tracking_log`,
		`INSERT INTO nms.tracking_stats (start_date, end_date, delivery_id, url_id)
		SELECT now() - make_interval(days => n), now(), 1, 1 FROM generate_series(360, 370) n`)
	got := clean(t, d)
	want(t, d, [2]string{`SELECT count(*) FROM nms.tracking_log`, "65"}, [2]string{`SELECT count(*) FROM nms.web_tracking_log`, "65"},
		[2]string{`SELECT count(*) FROM nms.tracking_stats`, "5"})
	if effect := got.Effects["nms.tracking_log"]; effect.Deleted != 56 || effect.Dropped == 0 {
		t.Errorf("nms.tracking_log: got %+v, want 56 rows deleted, some with their partition", effect)
	}
	if _, err := d.EnsurePartitions(context.Background()); err != nil {
		t.Errorf("partitions after the cleanup: got %v, want them made anew", err)
	}
}

func TestCleanupOptions(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO xtk.option (name, data_type, string_value, long_value) VALUES
		('NmsCleanup_VisitorPurgeDelay', 'long', NULL, 0), ('NmsCleanup_RejectsPurgeDelay', 'string', 'half a year', NULL),
		('NmsCleanup_PropositionPurgeDelay', 'long', NULL, -86400), ('NmsCleanup_BroadLogPurgeDelay', 'long', NULL, 86400)`,
		`INSERT INTO nms.visitor (last_modified) VALUES (now() - interval '10 years')`,
		`INSERT INTO xtk.job (id, internal_name, label, type, status) VALUES (1, 'j', 'j', 'import', 'finished')`,
		`INSERT INTO xtk.reject (job_id, message, log_date) VALUES (1, 'bad', now() - interval '10 years'), (2, 'its import is gone', now())`,
		`INSERT INTO nms.proposition (offer_id, status, event_date, last_modified) VALUES (1, 'generated', now(), now() - interval '10 years')`,
		`INSERT INTO nms.broad_log (delivery_id, last_modified) VALUES (1, now() - interval '25 hours'), (1, now() - interval '23 hours')`)
	got := clean(t, d)
	want(t, d, [2]string{`SELECT count(*) FROM nms.visitor`, "1"}, [2]string{`SELECT string_agg(message, ',') FROM xtk.reject`, "bad"},
		[2]string{`SELECT count(*) FROM nms.proposition`, "1"}, [2]string{`SELECT count(*) FROM nms.broad_log`, "1"})
	for _, name := range []string{"NmsCleanup_VisitorPurgeDelay", "NmsCleanup_RejectsPurgeDelay", "NmsCleanup_PropositionPurgeDelay"} {
		if !slices.ContainsFunc(got.Log, func(line string) bool { return strings.HasPrefix(line, "warning") && strings.Contains(line, name) }) {
			t.Errorf("%s: got no warning in %q", name, got.Log)
		}
	}
}

// TestCleanupFails: a task that fails keeps those before it and stops those after it.
func TestCleanupFails(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO nms.visitor (last_modified) VALUES (now() - interval '31 days')`,
		`INSERT INTO nms.broad_log_visitor (delivery_id, last_modified) VALUES (1, now() - interval '1 year')`,
		`INSERT INTO xtk.session_info (token_hash, data, expiration) VALUES ('\x01', '', now() - interval '1 minute')`,
		`CREATE FUNCTION nms.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no right to delete'; END $$`,
		`CREATE TRIGGER refuse BEFORE DELETE ON nms.broad_log_visitor FOR EACH ROW EXECUTE FUNCTION nms.refuse()`)
	got := jobtest.Run(t, d, cleanup)
	if got.Status != "failed" || got.Outcome.Step != "delivery_logs" {
		t.Errorf("got %s in step %q, want failed in delivery_logs", got.Status, got.Outcome.Step)
	}
	if last := got.Steps[len(got.Steps)-1]; last.Key != "delivery_logs" {
		t.Errorf("last step begun: got %s, want delivery_logs", last.Key)
	}
	want(t, d, [2]string{`SELECT count(*) FROM nms.visitor`, "0"}, [2]string{`SELECT count(*) FROM xtk.session_info`, "1"},
		[2]string{`SELECT count(*) FROM xtk.option WHERE name = 'NmsCleanup_LastCleanup'`, "0"})
	do(t, d, `DROP TRIGGER refuse ON nms.broad_log_visitor`)
	resumed := clean(t, d, jobtest.Resume(got.TaskID))
	if s := step(t, resumed, "visitors"); s.Status != "kept" {
		t.Errorf("visitors in the resumed run: got %s, want kept", s.Status)
	}
	want(t, d, [2]string{`SELECT count(*) FROM nms.broad_log_visitor`, "0"}, [2]string{`SELECT count(*) FROM xtk.session_info`, "0"})
}

func TestCleanupStatistics(t *testing.T) {
	t.Parallel()
	d := quiet(t)
	const vacuumed = `SELECT last_vacuum IS NOT NULL FROM pg_stat_user_tables WHERE relid = 'nms.recipient'::regclass`
	if got := clean(t, d); !said(got, "Option 'XtkCleanup_NoStats' is set to '1'") {
		t.Errorf("NoStats 1: got %q, want its line", got.Log)
	}
	want(t, d, [2]string{vacuumed, "false"})
	do(t, d, `UPDATE xtk.option SET long_value = 2 WHERE name = 'XtkCleanup_NoStats'`)
	clean(t, d)
	want(t, d, [2]string{vacuumed, "false"},
		[2]string{`SELECT last_analyze IS NOT NULL FROM pg_stat_user_tables WHERE relid = 'nms.recipient'::regclass`, "true"})
	do(t, d, `DELETE FROM xtk.option WHERE name = 'XtkCleanup_NoStats'`)
	// A table that somebody has locked is left for the next run; the others are not.
	other, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := other.Exec(t.Context(), `LOCK TABLE nms.recipient IN SHARE UPDATE EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	if got := clean(t, d); got.Outcome.Warnings != 1 || !said(got, `left for the next run: VACUUM (ANALYZE) "nms"."recipient": `) {
		t.Errorf("a table that is locked: got %d warnings, %q, want it named", got.Outcome.Warnings, got.Log)
	}
	want(t, d, [2]string{vacuumed, "false"},
		[2]string{`SELECT last_vacuum IS NOT NULL FROM pg_stat_user_tables WHERE relid = 'xtk.workflow'::regclass`, "true"})
	if err := other.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	clean(t, d)
	want(t, d, [2]string{vacuumed, "true"})
}
