package midsourcing_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/jobtest"
	"nightshift/jobs/midsourcing"
)

var indicators = jobs.Workflow{Name: "deliveryIndicators", Run: midsourcing.DeliveryIndicators}

func do(t testing.TB, d *db.DB, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := d.Pool.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// want checks values of the database, a query and what it must give.
func want(t testing.TB, d *db.DB, checks ...[2]string) {
	t.Helper()
	for _, check := range checks {
		var got string
		if err := d.Pool.QueryRow(context.Background(), "SELECT coalesce(("+check[0]+")::text, '')").Scan(&got); err != nil {
			t.Fatalf("%s: %v", check[0], err)
		}
		if got != check[1] {
			t.Errorf("%s: got %q, want %q", check[0], got, check[1])
		}
	}
}

// mid returns a mid-sourcing instance that carries one delivery to four people: John does nothing, Marie opens, Florian
// opens, clicks nine times and forwards, Henry clicks from four devices. A seed address opens and clicks as well.
func mid(t testing.TB) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	do(t, d,
		`UPDATE xtk.option SET string_value = 'mid' WHERE name = 'XtkInstanceType'`,
		`INSERT INTO xtk.option (name, string_value) SELECT 'XtkInstanceType', 'mid'
		 WHERE NOT EXISTS (SELECT FROM xtk.option WHERE name = 'XtkInstanceType')`,
		`INSERT INTO nms.delivery (id, internal_name, label, state, emitter_account_id, emitter_delivery_id, to_deliver, html, text,
		                           tracking_pending, error_pending, contact_date, validity, last_modified)
		 VALUES (7, 'dm7', 'Carried', 'in_progress', 1, 70, 100, 60, 40, 19, 2, now() - interval '1 hour', now() + interval '2 days',
		         now() - interval '1 hour')`,
		`INSERT INTO nms.broad_log_mid (id, delivery_id, remote_id, status, failure_reason, flags)
		 VALUES (1, 7, 1, 'sent', 0, 0), (2, 7, 2, 'accepted', 0, 0), (3, 7, 3, 'received', 0, 0), (4, 7, 4, 'sent', 3, 0),
		        (5, 7, 5, 'sent', 0, 1), (6, 7, 6, 'failed', 1, 0), (7, 7, 7, 'failed', 20, 0), (8, 7, 8, 'pending', 0, 0)`,
		`INSERT INTO nms.tracking_url (id, delivery_id, type) VALUES (1500, 7, 1), (1501, 7, 5), (1502, 8, 1)`,
		`INSERT INTO nms.tracking_log (delivery_id, broad_log_id, url_id, source_id, log_date)
		 SELECT 7, log, url, uuid, now() - interval '5 minutes'
		 FROM (VALUES (2, 1, 'M', 1), (3, 1, 'A', 1), (3, 1500, 'A', 9), (3, 1, 'B', 1), (3, 1500, 'B', 2), (4, 1, 'H1', 1),
		              (4, 1500, 'H1', 1), (4, 1500, 'H2', 1), (4, 1500, 'H3', 1), (4, 1500, 'H4', 1),
		              (5, 1, 'S', 1), (5, 1500, 'S', 3)) v (log, url, uuid, times), generate_series(1, times)`)
	return d
}

func compute(t testing.TB, d *db.DB, options ...jobtest.Option) jobtest.Result {
	t.Helper()
	got := jobtest.Run(t, d, indicators, options...)
	if got.Status != "completed" {
		t.Fatalf("got %s (%s), want completed\n%s", got.Status, got.Message, strings.Join(got.Log, "\n"))
	}
	return got
}

func tells(t testing.TB, r jobtest.Result, text string) {
	t.Helper()
	if all := strings.Join(r.Log, "\n"); !strings.Contains(all, text) {
		t.Errorf("got the log\n%s\nwant %q in it", all, text)
	}
}

const figures = `SELECT concat_ws(' ', recipient_open, recipient_click, person_click, forward, total_recipient_click, total_recipient_open)
	FROM nms.delivery WHERE id = 7`

func TestFiguresOfTheExample(t *testing.T) {
	t.Parallel()
	d := mid(t)
	got := compute(t, d)
	tells(t, got, "1 deliveries examined, 1 updated")
	tells(t, got, "recipient_open 0 → 3")
	want(t, d, [2]string{figures, "3 2 6 4 15 4"},
		[2]string{`SELECT round(100.0 * recipient_click / recipient_open, 2) FROM nms.delivery WHERE id = 7`, "66.67"},
		[2]string{`SELECT concat_ws(' ', processed, success, success_without_seeds, error, unknown_user, refused, unreachable)
			FROM nms.delivery WHERE id = 7`, "7 5 4 2 1 1 0"},
		[2]string{`SELECT concat_ws(' ', estimated_recipient_open, tracking_pending, error_pending) FROM nms.delivery WHERE id = 7`, "5 0 0"},
		[2]string{`SELECT last_modified > now() - interval '1 minute' AND last_tracking_computation IS NOT NULL FROM nms.delivery WHERE id = 7`, "true"})
}

func TestEstimatedOpens(t *testing.T) {
	t.Parallel()
	for _, test := range [][2]string{{"40", "50 50"}, {"100", "0 0"}} {
		t.Run(test[0], func(t *testing.T) {
			t.Parallel()
			d := mid(t)
			do(t, d, `DELETE FROM nms.tracking_log`, `UPDATE nms.delivery SET text = `+test[0],
				`INSERT INTO nms.tracking_log (delivery_id, broad_log_id, url_id, log_date) SELECT 7, 1000 + n, 1, now() FROM generate_series(1, 30) n`)
			compute(t, d)
			want(t, d, [2]string{`SELECT concat_ws(' ', estimated_recipient_open, estimated_total_recipient_open) FROM nms.delivery WHERE id = 7`, test[1]})
		})
	}
}

func TestTransactionsAndOtherPages(t *testing.T) {
	t.Parallel()
	d := mid(t)
	do(t, d, `DELETE FROM nms.tracking_log`, `
		WITH hit AS (
			INSERT INTO nms.tracking_log (delivery_id, broad_log_id, url_id, log_date)
			VALUES (7, 1, 1501, now()), (7, 1, 3, now()), (7, 2, 2, now()), (7, 3, 6, now()), (7, 4, 1502, now())
			RETURNING id, url_id)
		INSERT INTO nms.web_tracking_log (id, amount, article)
		SELECT id, 12.50, 3
		FROM hit
		WHERE url_id IN (1501, 3)`)
	compute(t, d)
	want(t, d, [2]string{`SELECT concat_ws(' ', transaction, amount, article, web_page, total_web_page, opt_out, mirror_page, recipient_open, recipient_click)
		FROM nms.delivery WHERE id = 7`, "1 12.50 3 1 2 1 1 4 0"})
}

func TestNothingPendingChangesNothing(t *testing.T) {
	t.Parallel()
	d := mid(t)
	compute(t, d)
	before := jobtest.Digest(t, d)
	tells(t, compute(t, d), "0 deliveries examined, 0 updated")
	// A line of the log that changes no figure has the delivery examined and left as it is.
	do(t, d, `UPDATE nms.broad_log_mid SET address = 'a@example.com' WHERE id = 8`)
	modified := jobtest.Digest(t, d, "nms.delivery")
	tells(t, compute(t, d), "1 deliveries examined, 0 updated")
	if jobtest.Digest(t, d, "nms.delivery") != modified {
		t.Error("got another delivery row, want no change")
	}
	do(t, d, `DELETE FROM nms.broad_log_mid WHERE id = 8`)
	if jobtest.Digest(t, d) == before {
		t.Error("got an equal checksum after a deletion, want the checksum to see it")
	}
}

func TestNewOpensMoveTheDelivery(t *testing.T) {
	t.Parallel()
	d := mid(t)
	compute(t, d)
	do(t, d, `UPDATE nms.delivery SET last_modified = now() - interval '1 hour', tracking_pending = 5 WHERE id = 7`,
		`INSERT INTO nms.tracking_log (delivery_id, broad_log_id, url_id, log_date) SELECT 7, 2000 + n, 1, now() FROM generate_series(1, 5) n`)
	compute(t, d)
	want(t, d, [2]string{figures, "8 2 6 4 15 9"},
		[2]string{`SELECT last_modified > now() - interval '1 minute' FROM nms.delivery WHERE id = 7`, "true"})
}

func TestOtherInstancesAreLeftAlone(t *testing.T) {
	t.Parallel()
	d := mid(t)
	do(t, d, `UPDATE xtk.option SET string_value = 'marketing' WHERE name = 'XtkInstanceType'`)
	before := jobtest.Digest(t, d)
	got := compute(t, d)
	tells(t, got, "runs on mid-sourcing instances only")
	if jobtest.Digest(t, d) != before || len(got.Steps) != 0 {
		t.Errorf("got %d steps or other rows, want nothing but the line", len(got.Steps))
	}
}

func TestWhichDeliveriesAreComputed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ change, want string }{
		{`validity = now() - interval '31 days'`, "0"},
		{`validity = now() - interval '29 days'`, "3"},
		{`validity = NULL`, "3"},
		{`emitter_account_id = NULL`, "0"},
		{`is_model = true`, "0"},
		{`delete_status = 'yes'`, "0"},
		{`tracking_pending = 0, error_pending = 0`, "3"},
	} {
		t.Run(test.change, func(t *testing.T) {
			t.Parallel()
			d := mid(t)
			do(t, d, `UPDATE nms.delivery SET `+test.change)
			compute(t, d)
			want(t, d, [2]string{`SELECT recipient_open FROM nms.delivery WHERE id = 7`, test.want})
		})
	}
}

func TestPurgedLogsDoNotLowerFigures(t *testing.T) {
	t.Parallel()
	for name, purge := range map[string][]string{
		"all gone":       {`DELETE FROM nms.tracking_log`, `DELETE FROM nms.broad_log_mid`},
		"the first gone": {`DELETE FROM nms.tracking_log WHERE broad_log_id = 2`, `UPDATE nms.delivery SET contact_date = now() - interval '200 days'`},
		"all old": {`UPDATE nms.tracking_log SET log_date = now() - interval '181 days' WHERE broad_log_id = 2`,
			`DELETE FROM nms.tracking_log WHERE broad_log_id <> 2`, `UPDATE nms.broad_log_mid SET last_modified = now() - interval '181 days'`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := mid(t)
			compute(t, d)
			do(t, d, append(purge, `UPDATE nms.delivery SET tracking_pending = 4`)...)
			compute(t, d)
			want(t, d, [2]string{figures, "3 2 6 4 15 4"})
		})
	}
}

func TestHitsThatArriveMeanwhileStayPending(t *testing.T) {
	t.Parallel()
	d := mid(t)
	tx, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `UPDATE nms.delivery SET tracking_pending = tracking_pending + 6 WHERE id = 7`); err != nil {
		t.Fatal(err)
	}
	// The run has read 19 pending hits and waits for the row; then six more are committed.
	go func() {
		for waits := false; !waits && t.Context().Err() == nil; {
			_ = d.Pool.QueryRow(context.Background(), `
				SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid')`).Scan(&waits)
		}
		_ = tx.Commit(context.Background())
	}()
	compute(t, d)
	want(t, d, [2]string{`SELECT tracking_pending FROM nms.delivery WHERE id = 7`, "6"})
}

func TestOneDeliveryThatFailsLeavesTheOthers(t *testing.T) {
	t.Parallel()
	d := mid(t)
	do(t, d, `
		INSERT INTO nms.delivery_mapping (id, internal_name, label, schema_name, target_table, tracking_log_schema)
		VALUES (900, 'lost', 'Lost', 'nms:lost', 'nms.lost', 'nms.no_such_table')`, `
		INSERT INTO nms.delivery (id, internal_name, label, mapping_id, emitter_account_id, emitter_delivery_id, tracking_pending)
		VALUES (6, 'dm6', 'Broken', 900, 2, 70, 1)`)
	got := jobtest.Run(t, d, indicators)
	if got.Status != "failed" || !strings.Contains(got.Message, "delivery 6") {
		t.Errorf("got %s (%s), want failed because of delivery 6", got.Status, got.Message)
	}
	want(t, d, [2]string{figures, "3 2 6 4 15 4"}, [2]string{`SELECT tracking_pending FROM nms.delivery WHERE id = 6`, "1"})
}

func TestRehearsalAnnouncesWhatIsDone(t *testing.T) {
	t.Parallel()
	d := mid(t)
	before := jobtest.Digest(t, d)
	rehearsed := jobtest.Simulate(t, d, indicators, jobtest.CutOff(time.Now()))
	tells(t, rehearsed, "1 deliveries examined, 1 would be updated")
	if jobtest.Digest(t, d) != before {
		t.Error("got other rows after the rehearsal, want no change")
	}
	counters := jobtest.Count(t, d)
	done := compute(t, d)
	counters.Check(t, done)
	if got, announced := fmt.Sprint(done.Effects["nms.delivery"]), fmt.Sprint(rehearsed.Effects["nms.delivery"]); got != announced || got != "{0 1 0 0}" {
		t.Errorf("got %s, announced %s, want one update", got, announced)
	}
}

func TestIndicatorsSurviveACutAnywhere(t *testing.T) {
	t.Parallel()
	setup := func(t testing.TB) *db.DB {
		d := mid(t)
		do(t, d, `
			INSERT INTO nms.delivery (id, internal_name, label, emitter_account_id, emitter_delivery_id, tracking_pending)
			VALUES (8, 'dm8', 'Another', 2, 70, 1)`,
			`INSERT INTO nms.tracking_log (delivery_id, broad_log_id, url_id, log_date) VALUES (8, 1, 1, now())`)
		return d
	}
	jobtest.CrashSweep(t, indicators, setup)
	jobtest.StopSweep(t, indicators, setup)
}
