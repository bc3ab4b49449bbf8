package db_test

import (
	"errors"
	"testing"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// A plan holds for half an hour, while all options that its rehearsal read are what they were.
func TestPlan(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx := t.Context()
	var workflow, run int64
	if err := d.Pool.QueryRow(ctx, `SELECT id FROM xtk.workflow WHERE internal_name = 'cleanup'`).Scan(&workflow); err != nil {
		t.Fatal(err)
	}
	if err := d.Pool.QueryRow(ctx, `
		INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, mode, status, completion_date, options)
		VALUES ($1, 'n', 1, 'simulation', 'completed', now(), '{"NmsCleanup_BroadLogPurgeDelay": "15552000"}')
		RETURNING id`, workflow).Scan(&run); err != nil {
		t.Fatal(err)
	}
	holds := func(want string) {
		t.Helper()
		if got, err := d.Plan(ctx, workflow, run); err != nil || got != want {
			t.Errorf("got %q (%v), want %q", got, err, want)
		}
	}
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := d.Pool.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	holds("")
	exec(`INSERT INTO xtk.option (name, data_type, long_value) VALUES ('NmsCleanup_BroadLogPurgeDelay', 'long', 7776000)`)
	holds("order.refused.plan_changed")
	exec(`UPDATE xtk.option SET long_value = 15552000 WHERE name = 'NmsCleanup_BroadLogPurgeDelay'`)
	holds("")
	exec(`INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, mode, status, completion_date)
	      VALUES ($1, 'n', 1, 'simulation', 'completed', now() - interval '31 minutes')`, workflow)
	if err := d.Pool.QueryRow(ctx, `SELECT max(id) FROM xtk.workflow_task`).Scan(&run); err != nil {
		t.Fatal(err)
	}
	holds("order.refused.plan_old")
	if _, err := d.Plan(ctx, workflow+1, run); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("the plan of another workflow: got %v, want ErrNotFound", err)
	}
}

// When the instance's zone changes, what follows it is worked out anew; a schedule with a zone of its own is not.
func TestZoneReschedules(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx := t.Context()
	if _, err := d.Pool.Exec(ctx, `
		UPDATE xtk.workflow
		SET state = 'started', next_processing = now(), timezone = CASE internal_name WHEN 'cleanup' THEN 'Asia/Seoul' END
		WHERE internal_name IN ('cleanup', 'aliasCleansing')`); err != nil {
		t.Fatal(err)
	}
	actor := db.Actor{Login: "kim", Rights: []string{db.Administration}}
	if err := d.SetOption(ctx, actor, "WdbcTimeZone", "Europe/Paris"); err != nil {
		t.Fatal(err)
	}
	var kept string
	if err := d.Pool.QueryRow(ctx, `
		SELECT string_agg(internal_name, ' ') FROM xtk.workflow WHERE next_processing IS NOT NULL`).Scan(&kept); err != nil {
		t.Fatal(err)
	}
	if kept != "cleanup" {
		t.Errorf("next dates kept: got %q, want only that of cleanup, which has a zone of its own", kept)
	}
}
