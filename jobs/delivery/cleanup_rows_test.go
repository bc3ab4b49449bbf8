package delivery_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs/jobtest"
)

func TestCleanupVisitors(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO nms.visitor (name, recipient_id, origin, last_modified) VALUES
		('old', NULL, 0, now() - interval '31 days'), ('zero', 0, 0, now() - interval '31 days'), ('young', NULL, 0, now() - interval '29 days'),
		('known', 5, 0, now() - interval '31 days'), ('social', NULL, 1, now() - interval '31 days')`,
		`INSERT INTO nms.service (id, internal_name, label, deleted) VALUES (1, 's', 's', false), (2, 'gone', 'g', true)`,
		`INSERT INTO nms.subscription (service_id, recipient_id, delete_status) VALUES (1, 1, 0), (1, 2, 1)`,
		`INSERT INTO nms.mobile_app (id, label, platform, service_id) VALUES (1, 'a', 'ios', 1), (2, 'b', 'ios', 2), (3, 'c', 'ios', NULL), (4, 'd', 'ios', 77)`,
		`INSERT INTO nms.app_subscription_rcp (mobile_app_id, registration_token, disabled, last_modified) VALUES
			(1, 'kept', false, now() - interval '1 year'), (2, 'deletedService', false, now()), (3, 'noService', false, now()), (4, 'unknownService', false, now()),
			(99, 'noApp', false, now()), (1, 'disabledLong', true, now() - interval '181 days'), (1, 'disabledShort', true, now() - interval '179 days')`)
	clean(t, d)
	want(t, d, [2]string{`SELECT string_agg(name, ' ' ORDER BY name) FROM nms.visitor`, "known social young"},
		[2]string{`SELECT string_agg(recipient_id::text, ' ') FROM nms.subscription`, "1"},
		[2]string{`SELECT string_agg(registration_token, ' ' ORDER BY registration_token) FROM nms.app_subscription_rcp`, "disabledShort kept noService"})
}

func TestCleanupQuarantine(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO xtk.option (name, data_type, timestamp_value) VALUES ('NmsCleanup_LastCleanup', 'timestamp', now() - interval '1 day')`,
		`INSERT INTO nms.address (address, type, status, quarantine_reason, last_error, last_modified)
		SELECT a, kind, status, reason, now() - error::interval, now() - modified::interval FROM (VALUES
			('valid', 'email', 'valid', NULL, NULL, '1 hour'),
			('validBefore', 'email', 'valid', NULL, NULL, '2 days'),
			('unknown', 'email', 'quarantine', 'user_unknown', '5 years', '5 years'),
			('full31', 'email', 'quarantine', 'mailbox_full', '31 days', '31 days'),
			('full29', 'email', 'quarantine', 'mailbox_full', '29 days', '29 days'),
			('soft11', 'email', 'with_errors', 'unreachable', '11 days', '11 days'),
			('soft9', 'email', 'with_errors', 'unreachable', '9 days', '9 days'),
			('softFull11', 'email', 'with_errors', 'mailbox_full', '11 days', '11 days'),
			('reached', 'email', 'with_errors', 'unreachable', '2 days', '2 days'),
			('denied', 'email', 'denylisted', 'denylisted', '5 years', '5 years'),
			('device186', 'ios', 'quarantine', 'user_unknown', '186 days', '186 days'),
			('device184', 'android', 'quarantine', 'user_unknown', '184 days', '184 days')) AS v (a, kind, status, reason, error, modified)`,
		`INSERT INTO nms.recipient (id, email) VALUES (1, 'Reached'), (2, 'soft9')`,
		`INSERT INTO nms.broad_log (delivery_id, recipient_id, status, event_date) VALUES (1, 1, 'sent', now()), (1, 2, 'failed', now())`)
	rehearsed := jobtest.Simulate(t, d, cleanup)
	got := clean(t, d)
	want(t, d, [2]string{`SELECT string_agg(address, ' ' ORDER BY address) FROM nms.address`,
		"denied device184 full29 soft9 softFull11 unknown validBefore"})
	sameSteps(t, rehearsed, got)
}

func TestCleanupErrorCounters(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO xtk.option (name, data_type, timestamp_value) VALUES ('NmsLastErrorStatCoalesce', 'timestamp', date_trunc('hour', now()) - interval '1 day')`,
		`INSERT INTO nms.email_error_stat (mx_ip, public_id, stat_date, total_errors, sent_messages) VALUES
		('10.0.0.1', 1, now() - interval '3 hours', 12, 100), ('10.0.0.1', 1, now() - interval '2 hours', 9, 50),
		('10.0.0.2', 1, now() - interval '2 hours', 5, 10), ('10.0.0.3', 1, now() - interval '9 days', 1, 1)`,
		`INSERT INTO nms.email_error (mx_ip, public_id) SELECT ('10.0.0.' || n)::inet, 1 FROM generate_series(1, 4) n`,
		`INSERT INTO nms.mx_domain (mx_ip, domain) SELECT ('10.0.0.' || n)::inet, 'example.com' FROM generate_series(1, 4) n`)
	clean(t, d)
	checks := [][2]string{
		{`SELECT string_agg(concat_ws(' ', host(mx_ip), total_errors, sent_messages), ', ' ORDER BY mx_ip) FROM nms.email_error_stat`, "10.0.0.1 21 150, 10.0.0.3 1 1"},
		{`SELECT stat_date = date_trunc('hour', now()) - interval '1 day' FROM nms.email_error_stat WHERE mx_ip = '10.0.0.1'`, "true"},
		{`SELECT string_agg(host(mx_ip), ' ' ORDER BY mx_ip) FROM nms.email_error`, "10.0.0.1 10.0.0.3"},
		{`SELECT string_agg(host(mx_ip), ' ' ORDER BY mx_ip) FROM nms.mx_domain`, "10.0.0.1 10.0.0.3"}}
	want(t, d, checks...)
	if again := clean(t, d); !said(again, "coalesceUpToDate") {
		t.Errorf("second run: got %q, want coalesceUpToDate", again.Log)
	}
	want(t, d, checks...)
}

func TestCleanupEvents(t *testing.T) {
	t.Parallel()
	events := func(kind string) *db.DB {
		return quiet(t, `UPDATE xtk.option SET string_value = '`+kind+`' WHERE name = 'XtkInstanceType'`,
			`INSERT INTO nms.rt_event (id, created, processed) VALUES (1, now() - interval '40 days', now() - interval '31 days'),
				(2, now() - interval '40 days', now() - interval '29 days'), (3, now() - interval '31 days', NULL)`,
			`INSERT INTO nms.batch_event (id, created) VALUES (1, now() - interval '31 days')`,
			`INSERT INTO nms.broad_log_rt_event (delivery_id, event_id) VALUES (1, 1), (1, 2)`,
			`INSERT INTO nms.tracking_log_rt_event (event_id, url_id, log_date) VALUES (1, 1, now()), (2, 1, now())`,
			`INSERT INTO nms.rt_event_stat (period_start) VALUES (now() - interval '366 days'), (now() - interval '364 days')`,
			`INSERT INTO nms.event_histo (id, created) VALUES (1, now() - interval '366 days'), (2, now() - interval '364 days')`,
			`INSERT INTO nms.broad_log_event_histo (remote_id, event_id, status) VALUES (1, 1, 'sent'), (2, 2, 'sent')`)
	}
	const counts = `SELECT concat_ws(' ', (SELECT count(*) FROM nms.rt_event), (SELECT count(*) FROM nms.batch_event),
		(SELECT count(*) FROM nms.broad_log_rt_event), (SELECT count(*) FROM nms.tracking_log_rt_event), (SELECT count(*) FROM nms.rt_event_stat),
		(SELECT count(*) FROM nms.event_histo), (SELECT count(*) FROM nms.broad_log_event_histo))`
	for kind, left := range map[string]string{"execution": "1 0 1 1 1 2 2", "marketing": "3 1 2 2 2 1 1", "mid": "3 1 2 2 2 2 2"} {
		d := events(kind)
		clean(t, d)
		if got := one(t, d, counts); got != left {
			t.Errorf("%s: got %s rows left, want %s", kind, got, left)
		}
	}
}

func TestCleanupHouse(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO xtk.session_info (token_hash, data, expiration) VALUES ('\x01', '', now() - interval '1 minute'), ('\x02', '', now() + interval '1 minute')`,
		`INSERT INTO xtk.api_token (token_hash, operator_id, expiration)
		 SELECT h, id, now() + a FROM xtk.operator, (VALUES ('\x01'::bytea, interval '-1 minute'), ('\x02', interval '1 minute')) AS t (h, a) WHERE login = 'admin'`,
		`INSERT INTO xtk.login_attempt (login, success, created) VALUES ('old', true, now() - interval '366 days'), ('new', true, now() - interval '364 days')`,
		`INSERT INTO nms.notification (effect_key, to_address, subject, body_text, state, sent_at) VALUES
			('a', 'x', 'x', 'x', 'sent', now() - interval '31 days'), ('b', 'x', 'x', 'x', 'sent', now() - interval '29 days'), ('c', 'x', 'x', 'x', 'pending', NULL)`,
		`INSERT INTO nms.notification (effect_key, to_address, subject, body_text, state, last_modified)
		 SELECT state || age, 'x', 'x', 'x', state, now() - make_interval(days => age)
		 FROM unnest(ARRAY['error', 'unknown', 'pending', 'sending']) state, unnest(ARRAY[179, 181]) age`,
		`INSERT INTO xtk.workflow_job (workflow_id, command, operator_login, applied_at) SELECT min(id), 'start', 'kim', now() - interval '8 days' FROM xtk.workflow`,
		`INSERT INTO xtk.workflow_job (workflow_id, command, operator_login) SELECT min(id), 'stop', 'kim' FROM xtk.workflow`,
		`INSERT INTO xtk.heatmap_sample (task_id, workflow_id, workflow_name, workflow_label, kind, start_date)
		 SELECT n, 1, 'a', 'a', 'technical', now() - make_interval(days => n) FROM unnest(ARRAY[29, 31]) n`,
		`INSERT INTO nms.offer_received (received, operator_login, prefix, environment, categories, spaces, offers, refusal)
		 SELECT now() - make_interval(days => n), 'fr', 'fr_', 'e' || n, 0, 0, 0, 'no' FROM unnest(ARRAY[179, 181]) n`,
		`INSERT INTO nms.hypothesis (id, internal_name, label) VALUES (1, 'h', 'h')`,
		`INSERT INTO nms.rema_match (hypothesis_id) VALUES (1), (2)`)
	for n := range 4 {
		err := pgx.BeginFunc(context.Background(), d.Pool, func(tx pgx.Tx) error {
			return d.Audit(context.Background(), tx, db.AuditEntry{EntityType: "delivery", Entity: "d", Action: "modified", Allowed: true,
				Actor: db.Actor{Login: "kim"}, Detail: map[string]any{"n": n}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	do(t, d, `ALTER TABLE xtk.audit DISABLE TRIGGER guard`, `UPDATE xtk.audit SET changed_at = now() - interval '181 days' WHERE seq <= 2`,
		`ALTER TABLE xtk.audit ENABLE TRIGGER guard`)
	rehearsed := jobtest.Simulate(t, d, cleanup)
	for round := range 2 {
		got := clean(t, d)
		if round == 0 {
			sameSteps(t, rehearsed, got)
		}
		want(t, d, [2]string{`SELECT string_agg(token_hash::text, ' ') FROM xtk.session_info`, `\x02`},
			[2]string{`SELECT string_agg(token_hash::text, ' ') FROM xtk.api_token`, `\x02`},
			[2]string{`SELECT string_agg(login, ' ') FROM xtk.login_attempt`, "new"},
			[2]string{`SELECT string_agg(effect_key, ' ' ORDER BY id) FROM nms.notification WHERE length(effect_key) = 1`, "b c"},
			[2]string{`SELECT string_agg(effect_key, ' ' ORDER BY effect_key) FROM nms.notification WHERE length(effect_key) > 1`,
				"error179 pending179 pending181 sending179 sending181 unknown179"},
			[2]string{`SELECT string_agg(command, ' ') FROM xtk.workflow_job`, "stop"},
			[2]string{`SELECT string_agg(task_id::text, ' ') FROM xtk.heatmap_sample`, "29"},
			[2]string{`SELECT string_agg(environment, ' ') FROM nms.offer_received`, "e179"},
			[2]string{`SELECT string_agg(hypothesis_id::text, ' ') FROM nms.rema_match`, "1"},
			[2]string{`SELECT string_agg(seq::text, ' ' ORDER BY seq) FROM xtk.audit`, "3 4"},
			[2]string{`SELECT seq FROM xtk.audit_anchor`, "2"})
	}
	if count, bad, err := d.VerifyAudit(context.Background()); err != nil || bad != 0 || count != 2 {
		t.Errorf("audit after the purge: got %d rows, first bad %d, error %v, want 2 that verify", count, bad, err)
	}
}

// TestCleanupBatchSizes: each kind of rows goes in batches of its documented size: one row more makes one batch more.
func TestCleanupBatchSizes(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO nms.visitor (last_modified) SELECT now() - interval '31 days' FROM generate_series(1, 20001)`,
		`INSERT INTO nms.address (address, type, status, last_modified) SELECT 'd' || n, 'ios', 'quarantine', now() - interval '186 days' FROM generate_series(1, 5001) n`,
		`INSERT INTO nms.service (id, internal_name, label) VALUES (1, 's', 's')`,
		`INSERT INTO nms.subscription (service_id, recipient_id, delete_status) SELECT 1, n, 1 FROM generate_series(1, 5001) n`)
	delivered(t, d, 1, "8 days", "")
	do(t, d, `INSERT INTO nms.broad_log (id, delivery_id) SELECT 1000000 + n, 1 FROM generate_series(1, 19998) n`,
		`INSERT INTO nms.exclude_log (delivery_id) SELECT 1 FROM generate_series(1, 20000)`,
		`INSERT INTO nms.coupon_value (coupon_id, coupon_code, message_id) SELECT 2, 'B' || n, 1000000 + n FROM generate_series(1, 5000) n`)
	got := clean(t, d)
	for table, size := range map[string]string{"nms.visitor": "20,000", "nms.broad_log": "20,000", "nms.exclude_log": "20,000", "nms.coupon_value": "5,000",
		"nms.subscription": "5,000", "nms.address": "5,000", "nms.delivery_part": "500,000", "nms.proposition": "20,000", "nms.tracking_log": "20,000",
		"nms.mirror_page_info": "20,000", "nms.mirror_page_search": "20,000", "xtk.job_log": "20,000"} {
		more := strings.Replace(size, "000", "001", 1)
		if !slices.ContainsFunc(got.Log, func(line string) bool {
			return strings.Contains(line, table+": ") && strings.HasSuffix(line, "batches of "+size)
		}) {
			t.Errorf("%s: got no batches of %s in %q", table, size, got.Log)
		}
		if one := strings.Contains(strings.Join(got.Log, "\n"), table+": "+more+" rows counted"); one && !said(got, table+": "+more+" rows in 2 batches") {
			t.Errorf("%s: got %s rows not in 2 batches: %q", table, more, got.Log)
		}
	}
}
