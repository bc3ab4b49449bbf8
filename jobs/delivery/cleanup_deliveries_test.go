package delivery_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/jobs/external/midsourcing"
	"nightshift/jobs/jobtest"
)

// delivered makes a deleted delivery with something in every table that belongs to one.
func delivered(t testing.TB, d *db.DB, id int, deleted string, columns string) {
	t.Helper()
	set := ""
	if columns != "" {
		set = ", " + columns
	}
	for _, sql := range []string{
		`INSERT INTO nms.delivery (id, internal_name, label, delete_status, delete_date, mapping_id)
		 SELECT $1, 'd' || $1, 'd', 'yes', now() - $2::interval, id FROM nms.delivery_mapping WHERE internal_name = 'mapRecipient'`,
		`INSERT INTO nms.broad_log (id, delivery_id) SELECT $1 * 1000 + n, $1 FROM generate_series(1, 3) n`,
		`INSERT INTO nms.exclude_log (delivery_id) VALUES ($1)`,
		`INSERT INTO nms.coupon_value (coupon_id, coupon_code, message_id) VALUES (1, 'C' || $1, $1 * 1000 + 1)`,
		`INSERT INTO nms.tracking_log (id, delivery_id, url_id, log_date) SELECT $1 * 1000 + n, $1, 1, now() FROM generate_series(1, 2) n`,
		`INSERT INTO nms.web_tracking_log (id) VALUES ($1 * 1000 + 1)`,
		`INSERT INTO nms.tracking_url (delivery_id) VALUES ($1)`,
		`INSERT INTO nms.tracking_stats (start_date, end_date, delivery_id, url_id) VALUES (now(), now(), $1, 1)`,
		`INSERT INTO nms.delivery_part (delivery_id) VALUES ($1)`,
		`INSERT INTO nms.dlv_exclusion (delivery_id, typology_rule_id) VALUES ($1, 1)`,
		`INSERT INTO nms.proposition (offer_id, delivery_id, status, event_date) VALUES (1, $1, 'generated', now())`,
		`INSERT INTO nms.mirror_page_info (delivery_id, data) VALUES ($1, '')`,
		`INSERT INTO nms.mirror_page_search (message_id, delivery_id, mirror_page_info_id) VALUES ($1 * 1000 + 1, $1, 1)`,
		`INSERT INTO xtk.job_log (delivery_id, message) VALUES ($1, 'sent')`,
		`INSERT INTO nms.delivery_log_stats (delivery_id, status) VALUES ($1, 'sent')`,
		`INSERT INTO nms.delivery_stat (stat_date, delivery_id) VALUES (current_date, $1)`,
	} {
		args := []any{id}
		if strings.Contains(sql, "$2") {
			args = append(args, deleted)
		}
		if _, err := d.Pool.Exec(context.Background(), strings.ReplaceAll(sql, "$1", "$1::bigint"), args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	do(t, d, fmt.Sprintf(`UPDATE nms.delivery SET label = 'd%d'%s WHERE id = %d`, id, set, id))
}

// belongings are the tables that delivered fills, except the one that stays for billing.
var belongings = strings.Fields(`nms.delivery nms.broad_log nms.exclude_log nms.tracking_log nms.tracking_url nms.tracking_stats
	nms.delivery_part nms.dlv_exclusion nms.proposition nms.mirror_page_info nms.mirror_page_search xtk.job_log nms.delivery_log_stats`)

func belonging(t testing.TB, d *db.DB, id int, rows string) {
	t.Helper()
	for _, table := range belongings {
		column := "delivery_id"
		if table == "nms.delivery" {
			column = "id"
		}
		got := one(t, d, fmt.Sprintf(`SELECT CASE count(*) WHEN 0 THEN 'none' ELSE 'some' END FROM %s WHERE %s = %d`, table, column, id))
		if got != rows {
			t.Errorf("%s of delivery %d: got %s, want %s", table, id, got, rows)
		}
	}
	for _, query := range []string{`SELECT count(*) FROM nms.coupon_value WHERE coupon_code = 'C%d'`, `SELECT count(*) FROM nms.web_tracking_log WHERE id = %d * 1000 + 1`} {
		if got := one(t, d, fmt.Sprintf(query, id)); (got == "0") != (rows == "none") {
			t.Errorf(query+": got %s, want %s", id, got, rows)
		}
	}
	want(t, d, [2]string{fmt.Sprintf(`SELECT count(*) FROM nms.delivery_stat WHERE delivery_id = %d`, id), "1"})
}

func TestCleanupDeliveries(t *testing.T) {
	t.Parallel()
	d := quiet(t)
	delivered(t, d, 1, "8 days", "")
	delivered(t, d, 2, "6 days", "")
	delivered(t, d, 3, "8 days", "delete_status = 'recycled', proofed_delivery_id = 1, state = 'in_progress'")
	delivered(t, d, 4, "8 days", "delete_date = NULL, last_modified = now() - interval '8 days'")
	delivered(t, d, 5, "8 days", "delete_status = 'no'")
	do(t, d, `CREATE TABLE nms.campaign_delivery (id int PRIMARY KEY, delivery_id bigint REFERENCES nms.delivery)`,
		`INSERT INTO nms.campaign_delivery VALUES (1, 1), (2, 2)`)
	got := clean(t, d)
	for id, rows := range map[int]string{1: "none", 2: "some", 3: "none", 4: "none", 5: "some"} {
		belonging(t, d, id, rows)
	}
	want(t, d, [2]string{`SELECT string_agg(id || ':' || COALESCE(delivery_id::text, 'none'), ' ' ORDER BY id) FROM nms.campaign_delivery`, "1:none 2:2"})
	if s := step(t, got, "deliveries"); s.RowsRead != 3 || !strings.Contains(s.Message, "3 deliveries") {
		t.Errorf("deliveries: got %d read, %q, want 3", s.RowsRead, s.Message)
	}
}

// A cleanup that breaks off after it has stopped a delivery without a delete date finds it again the next time: to stop it
// was a change, too, and must not put it off by another week.
func TestCleanupOfAStoppedDeliveryGoesOn(t *testing.T) {
	t.Parallel()
	d := quiet(t)
	delivered(t, d, 1, "8 days", "state = 'in_progress', delete_date = NULL, last_modified = now() - interval '8 days'")
	do(t, d, `CREATE FUNCTION nms.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$`,
		`CREATE TRIGGER refuse BEFORE DELETE ON nms.delivery_part FOR EACH ROW EXECUTE FUNCTION nms.refuse()`)
	if got := jobtest.Run(t, d, cleanup); !said(got, "not now") {
		t.Fatalf("a table that refuses: got %s, log %q, want it told", got.Status, got.Log)
	}
	want(t, d, [2]string{`SELECT state || ' ' || (delete_date < now() - interval '7 days') FROM nms.delivery`, "stopped true"})
	do(t, d, `DROP TRIGGER refuse ON nms.delivery_part`)
	clean(t, d)
	belonging(t, d, 1, "none")
}

func TestCleanupRemote(t *testing.T) {
	t.Parallel()
	d := quiet(t)
	fake := midsourcing.NewFake("mid", "secret")
	server := httptest.NewServer(fake)
	defer server.Close()
	down := httptest.NewServer(fake)
	down.Close()
	for i, url := range []string{server.URL, down.URL, server.URL} {
		sealed, err := d.Seal(fmt.Sprint("mid", i+1), "secret")
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Pool.Exec(context.Background(), `
			INSERT INTO nms.ext_account (id, internal_name, label, type, server, account, secret, active)
			VALUES ($1::bigint, 'mid' || $1::bigint, 'Mid', 'mid_sourcing', $2, 'mid', $3, $4)`, i+1, url, sealed, i < 2)
		if err != nil {
			t.Fatal(err)
		}
		delivered(t, d, i+1, "8 days", fmt.Sprintf("provider_id = %d, mid_remote_id = %d, delivery_mode = 'mid_sourcing'", i+1, 9+i))
	}
	delivered(t, d, 4, "8 days", "")
	if got := jobtest.Simulate(t, d, cleanup); !said(got, "would: ask mid1 to remove deliveries 9") || len(fake.Removed()) != 0 {
		t.Errorf("rehearsal: got %d calls, log %q, want none and what it would ask", len(fake.Removed()), got.Log)
	}
	got := clean(t, d)
	if calls := fake.Removed(); len(calls) != 1 || !slices.Equal(calls[0].RemoteIDs, []int64{9}) || !slices.Equal(calls[0].EmitterIDs, []int64{1}) {
		t.Errorf("calls: got %v, want one with 9, our delivery 1", calls)
	}
	for id, rows := range map[int]string{1: "none", 2: "some", 3: "some", 4: "none"} {
		belonging(t, d, id, rows)
	}
	for _, name := range []string{"mid2", "mid3"} {
		if !slices.ContainsFunc(got.Log, func(line string) bool { return strings.HasPrefix(line, "warning") && strings.Contains(line, name) }) {
			t.Errorf("%s: got no warning in %q", name, got.Log)
		}
	}
	if said(got, "secret") {
		t.Errorf("log: got the password in %q", got.Log)
	}
}

func TestCleanupExpired(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO nms.delivery (id, internal_name, label, state, validity, last_modified, to_deliver, processed, delivery_mode, provider_id, mapping_id)
		SELECT v.id, 'd' || v.id, 'd', v.state, now() + v.validity::interval, now() + v.modified::interval, v.to_deliver, v.processed, v.mode, v.provider, m.id
		FROM nms.delivery_mapping m, (VALUES
			(1, 'in_progress', '-1 day', '0', 10, 5, 'bulk', NULL),
			(2, 'stopped', NULL, '-1 day', 20000, 10000, 'bulk', NULL),
			(3, 'stopped', NULL, '-1 day', 20000, 10001, 'bulk', NULL),
			(4, 'stopped', NULL, '-16 days', 20000, 0, 'bulk', NULL),
			(5, 'in_progress', '1 day', '0', 10, 5, 'bulk', NULL),
			(6, 'stopped', '-1 day', '-1 hour', 10, 5, 'mid_sourcing', 1),
			(7, 'stopped', '-1 day', '-1 hour', 10, 5, 'mid_sourcing', 2),
			(8, 'finished', '-1 day', '-1 hour', 10, 5, 'mid_sourcing', 1),
			(9, 'editing', '-1 day', '-1 hour', 10, 5, 'bulk', NULL),
			(10, 'in_progress', '-1 day', '-1 hour', 10, 5, 'bulk', NULL),
			(11, 'stopped', '-16 days', '-1 hour', 10, 5, 'mid_sourcing', 3)) AS v (id, state, validity, modified, to_deliver, processed, mode, provider)
		WHERE m.internal_name = 'mapRecipient'`,
		`INSERT INTO nms.ext_account (id, internal_name, label, type) VALUES (1, 'pulled', 'p', 'mid_sourcing'), (2, 'never', 'n', 'mid_sourcing'), (3, 'off', 'o', 'mid_sourcing')`,
		`UPDATE nms.ext_account SET active = false WHERE id = 3`,
		`INSERT INTO xtk.option (name, data_type, timestamp_value) VALUES ('NmsMidSourcing_LastBroadLog_pulled', 'timestamp', now())`,
		`INSERT INTO nms.broad_log (delivery_id, status)
		 SELECT d, s FROM unnest(ARRAY[1, 5, 6, 7, 8]) d, unnest(ARRAY['pending', 'sent']) s, generate_series(1, 5)`,
		`INSERT INTO nms.delivery_part (delivery_id, validity) VALUES (1, NULL), (3, now() + interval '1 day'), (5, now() + interval '1 day'), (5, now() - interval '1 minute')`,
		`UPDATE nms.delivery SET is_model = true WHERE id = 10`,
		`CREATE TABLE nms.seen AS SELECT id, last_modified FROM nms.delivery`)
	got := clean(t, d)
	want(t, d,
		[2]string{`SELECT string_agg(id::text, ' ' ORDER BY id) FROM nms.delivery WHERE state = 'finished'`, "1 2 6 8"},
		[2]string{`SELECT broad_end = validity AND processed = 10 FROM nms.delivery WHERE id = 1`, "true"},
		[2]string{`SELECT broad_end = (SELECT cut_off FROM xtk.workflow_task ORDER BY id DESC LIMIT 1) FROM nms.delivery WHERE id = 2`, "true"},
		[2]string{`SELECT string_agg(id::text, ' ' ORDER BY id) FROM nms.delivery JOIN nms.seen USING (id, last_modified)`, "3 4 5 7 8 9 10 11"},
		[2]string{`SELECT string_agg(delivery_id || ':' || n, ' ' ORDER BY delivery_id) FROM (
			SELECT delivery_id, count(*) n FROM nms.broad_log b JOIN nms.broad_log_msg m ON m.id = b.msg_id
			WHERE status = 'cancelled' AND text_normalized = 'delivery cancelled, validity expired' GROUP BY 1) x`, "1:5 6:5 8:5"},
		[2]string{`SELECT count(*) FROM nms.broad_log WHERE status = 'sent'`, "25"},
		[2]string{`SELECT string_agg(delivery_id::text, ' ') FROM nms.delivery_part`, "5"})
	if message := step(t, got, "expired_deliveries").Message; message != "3 deliveries finished, 15 logs cancelled, 3 parts deleted" {
		t.Errorf("expired_deliveries: got %q, want 3 finished, 15 cancelled, 3 parts", message)
	}
}

func TestCleanupMirrorPages(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO nms.delivery (id, internal_name, label, web_validity, need_mirror_page)
		VALUES (1, 'a', 'a', now() - interval '1 day', 1), (2, 'b', 'b', now() - interval '1 day', 0), (3, 'c', 'c', now() + interval '1 day', 1)`,
		`INSERT INTO nms.mirror_page_info (delivery_id, data) VALUES (1, ''), (2, ''), (3, '')`,
		`INSERT INTO nms.mirror_page_search (message_id, delivery_id, mirror_page_info_id) VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)`)
	for range 2 {
		clean(t, d)
		want(t, d,
			[2]string{`SELECT string_agg(delivery_id::text, ' ' ORDER BY delivery_id) FROM nms.mirror_page_info`, "2 3"},
			[2]string{`SELECT string_agg(delivery_id::text, ' ') FROM nms.mirror_page_search`, "3"},
			[2]string{`SELECT string_agg(id::text, ' ' ORDER BY id) FROM nms.delivery WHERE web_res_purged`, "1 2"},
			[2]string{`SELECT string_agg(delivery_id::text, ' ' ORDER BY delivery_id) FROM xtk.job_log`, "1 2"})
	}
}

// What is carried for another instance ends like one's own, with the messages that are kept for it, and in the order in
// which that instance reads: a change bears its own time.
func TestCleanupExpiredCarried(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO nms.delivery (id, internal_name, label, state, validity, emitter_account_id, emitter_delivery_id, last_modified)
		VALUES (1, 'd1', 'd', 'in_progress', now() - interval '1 day', 1, 70, now() - interval '2 days')`,
		`INSERT INTO nms.broad_log_mid (delivery_id, remote_id, status) VALUES (1, 1, 'pending'), (1, 2, 'sent')`)
	before := one(t, d, `SELECT clock_timestamp()::text`)
	clean(t, d)
	want(t, d, [2]string{`SELECT state FROM nms.delivery`, "finished"},
		[2]string{`SELECT string_agg(status, ' ' ORDER BY remote_id) FROM nms.broad_log_mid`, "cancelled sent"},
		[2]string{`SELECT last_modified > '` + before + `'::timestamptz FROM nms.delivery`, "true"})
}
