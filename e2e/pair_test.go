package e2e_test

import (
	"testing"

	"nightshift/db"
	"nightshift/views/locale"
)

// carriedMessages is three pages of logs.
const carriedMessages = 12_000

// sendingInstance is a mid-sourcing instance that has sent a delivery of another: every tenth message failed for now.
func sendingInstance(t *testing.T) *db.DB {
	t.Helper()
	d := empty(t)
	execute(t, d, `UPDATE xtk.option SET string_value = 'mid' WHERE name = 'XtkInstanceType'`)
	account(t, d, "mid", locale.English, "midSourcing")
	execute(t, d, `
		WITH f AS (
			INSERT INTO xtk.folder (internal_name, label, full_name) VALUES ('midSourcing-mid', 'mid', '/Mid-sourcing/mid/') RETURNING id),
		o AS (
			UPDATE xtk.operator SET folder_id = f.id FROM f WHERE login = 'mid' RETURNING operator.id, f.id AS folder)
		INSERT INTO nms.delivery (id, internal_name, label, state, emitter_account_id, emitter_delivery_id, folder_id)
		SELECT 7, 'carried', 'Carried', 'in_progress', o.id, 101, o.folder FROM o`)
	execute(t, d, `
		INSERT INTO nms.broad_log_mid (delivery_id, emitter_account_id, remote_id, address, status, failure_type, failure_reason, event_date, last_modified)
		SELECT 7, o.id, n, 'a' || n || '@example.com', CASE n % 10 WHEN 0 THEN 'failed' ELSE 'sent' END, CASE n % 10 WHEN 0 THEN 'soft' END,
		       CASE n % 10 WHEN 0 THEN 3 ELSE 0 END, now() - interval '1 hour', now() - interval '1 hour' + make_interval(secs => n / 100)
		FROM generate_series(1, $1) n, xtk.operator o WHERE o.login = 'mid'`, carriedMessages)
	return d
}

func execute(t testing.TB, d *db.DB, sql string, args ...any) {
	t.Helper()
	if _, err := d.Pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %s", sql, err)
	}
}

// Two instances, a binary each: one is killed after the first page of logs, then the other, and both start anew. Every
// message arrives, and no soft error is counted twice.
func TestTwoInstancesKilled(t *testing.T) {
	t.Parallel()
	there, here := sendingInstance(t), empty(t)
	server := start(t, there.URL())
	sealed, err := here.Seal("defaultEmailMid", password)
	if err != nil {
		t.Fatal(err)
	}
	execute(t, here, `INSERT INTO nms.ext_account (id, internal_name, label, type, server, account, secret)
		VALUES (1, 'defaultEmailMid', 'Mid', 'mid_sourcing', $1, 'mid', $2)`, server.base, sealed)
	execute(t, here, `INSERT INTO nms.delivery (id, internal_name, label, delivery_mode, provider_id, mid_remote_id, created)
		VALUES (101, 'd', 'd', 'mid_sourcing', 1, 7, now() - interval '1 day')`)
	execute(t, here, `INSERT INTO nms.broad_log (id, delivery_id, address) SELECT n, 101, 'a' || n || '@example.com' FROM generate_series(1, $1) n`, carriedMessages)
	marketing := start(t, here.URL())
	const name = "defaultMidSourcingLog"
	started(t, here, name)
	arrived := func(least int) func() bool {
		return func() bool {
			var n int
			return here.Pool.QueryRow(t.Context(), `SELECT count(*) FROM nms.broad_log WHERE status <> 'pending'`).Scan(&n) == nil && n >= least
		}
	}
	what := func() string { return "logs of the sending instance arrive" }
	order(t, here, name, "run")
	await(t, patience, what, arrived(1))
	server.kill()
	marketing.kill()
	server = start(t, there.URL())
	execute(t, here, `UPDATE nms.ext_account SET server = $1`, server.base)
	start(t, here.URL())
	first := awaitTask(t, here, name, 0, "completed", "failed")
	order(t, here, name, "run")
	awaitTask(t, here, name, first.ID, "completed")
	var logs, errors int
	if err := here.Pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM nms.broad_log WHERE status = CASE id % 10 WHEN 0 THEN 'failed' ELSE 'sent' END),
		       (SELECT sum(consecutive_error) FROM nms.address)`).Scan(&logs, &errors); err != nil || logs != carriedMessages || errors != carriedMessages/10 {
		t.Errorf("got %d logs and %d soft errors (%v), want %d and %d", logs, errors, err, carriedMessages, carriedMessages/10)
	}
}
