package delivery_test

import (
	"testing"

	"nightshift/db"
	"nightshift/jobs/jobtest"
)

// night is a small database with work for most steps, several batches of one where it is cheap.
func night(t testing.TB) *db.DB {
	t.Helper()
	d := quiet(t)
	delivered(t, d, 1, "8 days", "")
	delivered(t, d, 2, "9 days", "state = 'in_progress', delete_date = NULL, last_modified = now() - interval '9 days'")
	do(t, d,
		`INSERT INTO nms.delivery (id, internal_name, label, state, validity, mapping_id, web_validity, need_mirror_page)
		 SELECT 10, 'expired', 'e', 'in_progress', now() - interval '1 day', id, now() - interval '1 day', 1
		 FROM nms.delivery_mapping WHERE internal_name = 'mapRecipient'`,
		`INSERT INTO nms.broad_log (delivery_id, status) SELECT 10, s FROM unnest(ARRAY['pending', 'sent']) s, generate_series(1, 5100)`,
		`INSERT INTO nms.delivery_part (delivery_id) SELECT 10 FROM generate_series(1, 3)`,
		`INSERT INTO nms.mirror_page_info (delivery_id, data) VALUES (10, '')`,
		`INSERT INTO nms.mirror_page_search (message_id, delivery_id, mirror_page_info_id) VALUES (777, 10, 1)`,
		`INSERT INTO nms.group (id, internal_name, label, type, delete_status) VALUES (1, 'a', 'a', 0, 1), (2, 'b', 'b', 1, 1)`,
		`INSERT INTO nms.rcp_grp_rel (group_id, recipient_id) SELECT 1, n FROM generate_series(1, 5100) n`,
		`CREATE TABLE nms.grp2 (id bigint)`, `CREATE TABLE nms.wkdlv_77_1 (id bigint)`,
		`INSERT INTO nms.broad_log (delivery_id, created, last_modified)
		 SELECT 3, now() - make_interval(days => n), now() - make_interval(days => n) FROM generate_series(150, 260) n`,
		`INSERT INTO nms.tracking_log (delivery_id, url_id, log_date)
		 SELECT 3, 1, now() - make_interval(days => n) FROM generate_series(340, 400) n`,
		`INSERT INTO nms.web_tracking_log (id) SELECT id FROM nms.tracking_log ON CONFLICT DO NOTHING`,
		`INSERT INTO nms.address (address, status, quarantine_reason, last_error, last_modified)
		 SELECT 'a' || n, 'with_errors', 'unreachable', now() - make_interval(days => n), now() - make_interval(days => n) FROM generate_series(1, 30) n`,
		`INSERT INTO xtk.option (name, data_type, timestamp_value) VALUES ('NmsLastErrorStatCoalesce', 'timestamp', now() - interval '1 day')`,
		`INSERT INTO nms.email_error_stat (mx_ip, public_id, stat_date, total_errors)
		 SELECT ('10.0.0.' || n % 5)::inet, 1, now() - make_interval(hours => n), n FROM generate_series(1, 20) n`,
		`INSERT INTO nms.email_error (mx_ip, public_id) SELECT ('10.0.0.' || n)::inet, 1 FROM generate_series(1, 9) n`,
		`INSERT INTO nms.visitor (last_modified) SELECT now() - make_interval(days => n) FROM generate_series(20, 40) n`,
		`INSERT INTO xtk.session_info (token_hash, data, expiration) VALUES ('\x01', '', now() - interval '1 minute')`)
	return d
}

// TestCleanupCrashSweep: whenever the connection breaks, the next run ends where an undisturbed one would have.
func TestCleanupCrashSweep(t *testing.T) {
	t.Parallel()
	jobtest.CrashSweep(t, cleanup, night)
}

// TestCleanupStopSweep: whenever somebody stops it, the next run ends where an undisturbed one would have.
func TestCleanupStopSweep(t *testing.T) {
	t.Parallel()
	jobtest.StopSweep(t, cleanup, night)
}
