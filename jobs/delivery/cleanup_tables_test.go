package delivery_test

import (
	"context"
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/jobs/jobtest"
)

// tablesLike lists the tables of both schemas whose name begins like a work table's.
func tablesLike(t testing.TB, d *db.DB, pattern string) string {
	t.Helper()
	return one(t, d, `SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c
		WHERE c.relnamespace IN ('nms'::regnamespace, 'xtk'::regnamespace) AND c.relkind IN ('r', 'v') AND c.relname ~ '`+pattern+`'`)
}

func create(t testing.TB, d *db.DB, names string) {
	t.Helper()
	for _, name := range strings.Fields(names) {
		do(t, d, "CREATE TABLE "+name+" (id bigint)")
	}
}

func TestCleanupDeliveryTables(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO nms.delivery (id, internal_name, label, state) VALUES
		(42, 'd42', 'd', 'in_progress'), (43, 'd43', 'd', 'stopped'), (44, 'd44', 'd', 'editing'), (4, 'd4', 'd', 'finished')`,
		`CREATE VIEW nms.wkdlv_43_9 AS SELECT 1 AS id`)
	create(t, d, `nms.wkdlv_42_1 nms.wkdlv_43_1 nms.wkdlv_44_1 nms.wkdlv_4_1 nms.wkdlv_99_1 nms.wkdlv_backup nms."wkdlv_43_1;drop"
		nms.wkdlv_99999999999999999999999999_1`)
	do(t, d, `CREATE ROLE other_`+one(t, d, `SELECT current_database()`), `ALTER TABLE nms.wkdlv_99_1 OWNER TO other_`+one(t, d, `SELECT current_database()`))
	t.Cleanup(func() {
		do(t, d, `DROP TABLE nms.wkdlv_99_1`, `DROP ROLE other_`+one(t, d, `SELECT current_database()`))
	})
	before := jobtest.Digest(t, d)
	rehearsed := jobtest.Simulate(t, d, cleanup)
	if after := jobtest.Digest(t, d); after != before {
		t.Error("rehearsal: got other tables afterwards, want the same")
	}
	got := clean(t, d)
	if kept, wanted := tablesLike(t, d, "^wkdlv"), "wkdlv_42_1 wkdlv_43_1;drop wkdlv_43_9 wkdlv_4_1 wkdlv_99_1 wkdlv_backup"; kept != wanted {
		t.Errorf("kept: got %q, want %q (the view and another role's table, too)", kept, wanted)
	}
	if !said(got, "Table wkdlv_43_1 dropped") || !said(got, "wkdlv_43_9 is a view") || !said(rehearsed, "would: drop table wkdlv_43_1") {
		t.Errorf("log: got %q, want the dropped table and the view", got.Log)
	}
}

func TestCleanupLists(t *testing.T) {
	t.Parallel()
	d := quiet(t, `INSERT INTO nms.group (id, internal_name, label, type, delete_status, expiration_date) VALUES
		(1, 'deleted', 'd', 0, 1, NULL), (2, 'expired', 'e', 0, 0, now() - interval '1 minute'), (3, 'own', 'o', 1, 1, NULL),
		(4, 'kept', 'k', 0, 0, now() + interval '1 day'), (5, 'keptOwn', 'k', 1, 0, NULL), (6, 'noTable', 'n', 1, 1, NULL)`,
		`INSERT INTO nms.recipient (id) SELECT n FROM generate_series(1, 11000) n`,
		`INSERT INTO nms.rcp_grp_rel (group_id, recipient_id) SELECT 1, n FROM generate_series(1, 11000) n`,
		`INSERT INTO nms.rcp_grp_rel (group_id, recipient_id) VALUES (2, 1), (4, 1)`,
		`CREATE TABLE nms.group_note (id bigint GENERATED ALWAYS AS IDENTITY, group_id bigint REFERENCES nms.group ON DELETE CASCADE)`,
		`INSERT INTO nms.group_note (group_id) SELECT g FROM generate_series(1, 4) g, generate_series(1, 10)`)
	create(t, d, `nms.grp3 nms.grp5 nms.grp4 nms.grp77 nms.grpx nms.grp5_old`)
	rehearsed := jobtest.Simulate(t, d, cleanup)
	got := clean(t, d)
	want(t, d, [2]string{`SELECT string_agg(id::text, ' ' ORDER BY id) FROM nms.group`, "4 5"}, [2]string{`SELECT count(*) FROM nms.recipient`, "11000"},
		[2]string{`SELECT string_agg(group_id::text, ' ') FROM nms.rcp_grp_rel`, "4"}, [2]string{`SELECT count(*) FROM nms.group_note`, "10"})
	if kept, wanted := tablesLike(t, d, `^grp`), "grp5 grp5_old grpx"; kept != wanted {
		t.Errorf("kept: got %q, want %q", kept, wanted)
	}
	sameSteps(t, rehearsed, got)
	if s := step(t, got, "lists"); s.Effects["nms.rcp_grp_rel"].Deleted != 11001 || s.Batches < 4 {
		t.Errorf("lists: got %+v in %d batches, want 11,001 members in 3 batches and 1", s.Effects, s.Batches)
	}
}

func TestCleanupWorkflows(t *testing.T) {
	t.Parallel()
	d := quiet(t, `UPDATE xtk.workflow SET history_days = 0 WHERE internal_name = 'tracking'`,
		`UPDATE xtk.workflow SET id = 900, last_processed = now() WHERE internal_name = 'tracking'`,
		`UPDATE xtk.workflow SET id = 901, state = 'finished' WHERE internal_name = 'billing'`,
		`UPDATE xtk.workflow SET id = 902, state = 'started', last_processed = now() - interval '31 days' WHERE internal_name = 'forecasting'`,
		`INSERT INTO xtk.workflow_log (workflow_id, message, log_date)
		 SELECT w, days || ' days', now() - make_interval(days => days) FROM unnest(ARRAY[900, 901]) w, unnest(ARRAY[29, 31]) days`,
		`INSERT INTO xtk.workflow_task (workflow_id, status, node, backend_pid, start_date, completion_date)
		 SELECT w, 'completed', 'n', 0, now() - make_interval(days => days), now() - make_interval(days => days)
		 FROM unnest(ARRAY[900, 901]) w, unnest(ARRAY[29, 31]) days`,
		`INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, start_date) VALUES (901, 'n', 0, now() - interval '40 days')`,
		`INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key) SELECT id, 1, 'a' FROM xtk.workflow_task`,
		`INSERT INTO xtk.workflow_event (workflow_id, status, reason, scheduled_at) VALUES
			(901, 'processed', NULL, now() - interval '31 days'), (901, 'skipped', 'paused', now() - interval '32 days'),
			(901, 'pending', NULL, now() - interval '33 days'), (901, 'processed', NULL, now() - interval '29 days')`,
		`INSERT INTO xtk.workflow_login (workflow_id, operator_id) VALUES (900, 1), (99, 1)`)
	create(t, d, `xtk.wkf900_1 xtk.wkf901_1 xtk.wkf902_1 xtk.wkf99_1 xtk.wkf900x xtk.wkfhisto901_a xtk.wkfhisto99 nms.wksimu_7_a nms.wksimu_8_a`)
	do(t, d, `INSERT INTO nms.simulation (id, internal_name, label) VALUES (8, 's', 's')`)
	clean(t, d)
	want(t, d,
		[2]string{`SELECT string_agg(workflow_id || ' ' || message, ', ' ORDER BY workflow_id, message) FROM xtk.workflow_log WHERE workflow_id >= 900`,
			"900 29 days, 900 31 days, 901 29 days"},
		[2]string{`SELECT string_agg(workflow_id || status, ' ' ORDER BY workflow_id, status) FROM xtk.workflow_task WHERE workflow_id >= 900`,
			"900completed 900completed 901completed 901running"},
		[2]string{`SELECT count(*) FROM xtk.workflow_task_step WHERE step_key = 'a'`, "4"},
		[2]string{`SELECT string_agg(status, ' ' ORDER BY id) FROM xtk.workflow_event WHERE workflow_id = 901`, "pending processed"},
		[2]string{`SELECT string_agg(workflow_id::text, ' ') FROM xtk.workflow_login`, "900"})
	if kept, wanted := tablesLike(t, d, `^(wkf|wksimu)`), "wkf900_1 wkf900x wkfhisto901_a wksimu_8_a"; kept != wanted {
		t.Errorf("kept: got %q, want %q", kept, wanted)
	}
}

func TestCleanupLeavesTableInUse(t *testing.T) {
	t.Parallel()
	d := quiet(t)
	create(t, d, `nms.grp77 nms.grp78`)
	tx, err := d.Pool.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(context.Background(), `SELECT FROM nms.grp77`); err != nil {
		t.Fatal(err)
	}
	got := clean(t, d)
	if err := tx.Rollback(context.Background()); err != nil {
		t.Fatal(err)
	}
	if kept := tablesLike(t, d, `^grp`); kept != "grp77" || !said(got, "grp77 is in use") {
		t.Errorf("a table in use: got %q kept, want grp77 and a warning", kept)
	}
}
