package delivery_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/delivery"
	"nightshift/jobs/jobtest"
)

var cleanupPaused = jobs.Workflow{Name: "cleanupPausedWorkflows", Run: delivery.CleanupPausedWorkflows}

// paused returns a database with a supervisor (Korean), a creator and an administrator, all with an address, in which
// the workflow tracking has been paused for some days.
func paused(t testing.TB, days int, statements ...string) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	do(t, d, `
		INSERT INTO xtk.operator (id, login, label, email, language)
		VALUES (101, 'kim', 'Kim', 'kim@example.com', 'ko'), (102, 'moreau', 'Moreau', 'moreau@example.com', 'en'),
		       (103, 'boss', 'Boss', 'boss@example.com', 'en')`,
		`INSERT INTO xtk.operator_group_member (group_id, operator_id)
		 SELECT g.id, CASE g.internal_name WHEN 'workflowSupervisors' THEN 101 ELSE 103 END
		 FROM xtk.operator_group g
		 WHERE g.internal_name IN ('workflowSupervisors', 'administrators')`,
		fmt.Sprintf(`
		UPDATE xtk.workflow
		SET state = 'paused', paused_at = now() - interval '%d days', created_by_id = 102, modified_by_id = 102
		WHERE internal_name = 'tracking'`, days))
	do(t, d, statements...)
	return d
}

func remind(t testing.TB, d *db.DB, options ...jobtest.Option) jobtest.Result {
	t.Helper()
	got := jobtest.Run(t, d, cleanupPaused, options...)
	if got.Status != "completed" {
		t.Fatalf("got %s (%s), want completed\n%s", got.Status, got.Message, strings.Join(got.Log, "\n"))
	}
	return got
}

const (
	pauseState = `SELECT concat_ws(' ', state, pause_notice_count, pause_warning::text) FROM xtk.workflow WHERE internal_name = 'tracking'`
	mailed     = `SELECT string_agg(to_address, ', ' ORDER BY to_address) FROM nms.notification`
)

func TestPausedForLessThanThePeriod(t *testing.T) {
	t.Parallel()
	d := paused(t, 6)
	before := jobtest.Digest(t, d, "xtk.workflow", "nms.notification", "xtk.audit")
	tells(t, remind(t, d), "1 paused workflows, 0 beyond 7 days: 0 notified, 0 stopped")
	if jobtest.Digest(t, d, "xtk.workflow", "nms.notification", "xtk.audit") != before {
		t.Error("got other rows than before, want no change")
	}
}

func TestPausedForLongerGetsANotice(t *testing.T) {
	t.Parallel()
	for name, failed := range map[string]string{"paused": "false", "failed": "true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := paused(t, 8, `UPDATE xtk.workflow SET failed = `+failed+` WHERE internal_name = 'tracking'`)
			got := remind(t, d)
			want(t, d, [2]string{pauseState, "paused 1 true"}, [2]string{mailed, "kim@example.com, moreau@example.com"},
				[2]string{`SELECT message LIKE 'Paused since %UTC (notice 1 of 4)' FROM xtk.workflow_log l
					JOIN xtk.workflow w ON w.id = l.workflow_id AND w.internal_name = 'tracking' WHERE level = 'warning'`, "true"},
				[2]string{`SELECT subject LIKE '워크플로우 Tracking: %부터 일시 중지됨' FROM nms.notification WHERE operator_id = 101`, "true"},
				[2]string{`SELECT subject LIKE 'Workflow Tracking has been paused since %' AND body_text LIKE '%notice 1 of 4%/workflows/tracking%' AND body_text NOT LIKE '%EXTRA%'
					FROM nms.notification WHERE operator_id = 102`, "true"})
			tells(t, got, "1 paused workflows, 1 beyond 7 days: 1 notified, 0 stopped")
		})
	}
}

func TestOnlyNormalSeverityIsProcessed(t *testing.T) {
	t.Parallel()
	for _, severity := range []string{"production", "critical"} {
		t.Run(severity, func(t *testing.T) {
			t.Parallel()
			d := paused(t, 60, `UPDATE xtk.workflow SET severity = '`+severity+`' WHERE internal_name = 'tracking'`)
			remind(t, d)
			want(t, d, [2]string{pauseState, "paused 0 false"}, [2]string{mailed, ""})
		})
	}
}

func TestFourMondaysThenTheStop(t *testing.T) {
	t.Parallel()
	d := paused(t, 8)
	monday := time.Now()
	for notice := 1; notice <= 4; notice++ {
		remind(t, d, jobtest.CutOff(monday))
		want(t, d, [2]string{pauseState, fmt.Sprintf("paused %d true", notice)})
		// The next run comes a fraction of a second early.
		monday = monday.Add(7*24*time.Hour - 300*time.Millisecond)
	}
	do(t, d, `DELETE FROM nms.notification`)
	remind(t, d, jobtest.CutOff(monday))
	want(t, d, [2]string{pauseState, "finished 0 false"}, [2]string{mailed, "kim@example.com, moreau@example.com"},
		[2]string{`SELECT count(*) FROM nms.notification WHERE subject IN ('Workflow Tracking was stopped', '워크플로우 Tracking 중지됨')`, "2"},
		[2]string{`SELECT count(*) FROM xtk.audit WHERE entity = 'tracking' AND action = 'Unconditional Stop' AND operator_login = 'admin' AND allowed`, "1"},
		[2]string{`SELECT count(*) FROM xtk.workflow_log WHERE message LIKE 'Stopped unconditionally by admin: paused since % UTC, 4 notices'`, "1"},
		[2]string{`SELECT outcome FROM xtk.workflow_job WHERE command = 'unconditional_stop'`, "applied"})
	if _, bad, err := d.VerifyAudit(t.Context()); err != nil || bad != 0 {
		t.Errorf("got a break of the audit chain at %d (%v), want none", bad, err)
	}
	before := jobtest.Digest(t, d, "xtk.workflow", "nms.notification", "xtk.audit")
	remind(t, d, jobtest.CutOff(monday.Add(time.Hour)))
	if jobtest.Digest(t, d, "xtk.workflow", "nms.notification", "xtk.audit") != before {
		t.Error("got other rows after another run, want no change")
	}
}

func TestStoppedWorkflowLosesItsWorkTables(t *testing.T) {
	t.Parallel()
	d := paused(t, 40, `UPDATE xtk.workflow SET pause_notice_count = 4, pause_last_notice_at = now() - interval '7 days' WHERE internal_name = 'tracking'`,
		`INSERT INTO xtk.option (name, data_type, long_value) VALUES ('XtkCleanup_NoStats', 'long', 1)`)
	table := "wkf" + one(t, d, `SELECT id FROM xtk.workflow WHERE internal_name = 'tracking'`) + "_1"
	do(t, d, `CREATE TABLE xtk.`+table+` (id int)`)
	clean(t, d)
	want(t, d, [2]string{`SELECT to_regclass('xtk.` + table + `') IS NOT NULL`, "true"})
	remind(t, d)
	clean(t, d)
	want(t, d, [2]string{`SELECT to_regclass('xtk.` + table + `') IS NOT NULL`, "false"})
}

func TestPausedAgainCountsFromTheBeginning(t *testing.T) {
	t.Parallel()
	d := paused(t, 8, `
		UPDATE xtk.workflow
		SET pause_notice_count = 3, pause_last_notice_at = now() - interval '10 days'
		WHERE internal_name = 'tracking'`)
	remind(t, d)
	want(t, d, [2]string{pauseState, "paused 1 true"})
}

func TestWhoIsTold(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, sql, want string }{
		{"an administrator only as its creator", `UPDATE xtk.workflow SET created_by_id = 103`, "boss@example.com, kim@example.com, moreau@example.com"},
		{"one person once", `UPDATE xtk.workflow SET created_by_id = 101, modified_by_id = 101`, "kim@example.com"},
		{"one address once", `UPDATE xtk.operator SET email = ' KIM@example.com' WHERE id = 102`, "kim@example.com"},
		{"a disabled operator", `UPDATE xtk.operator SET disabled = true WHERE id = 102`, "kim@example.com, moreau@example.com"},
		{"nobody without an address", `UPDATE xtk.operator SET email = ' ' WHERE id = 102`, "kim@example.com"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := paused(t, 8, test.sql)
			remind(t, d)
			want(t, d, [2]string{mailed, test.want})
		})
	}
	t.Run("nobody at all", func(t *testing.T) {
		t.Parallel()
		d := paused(t, 8, `UPDATE xtk.operator SET email = NULL`)
		tells(t, remind(t, d), "warning tracking: nobody to tell has an e-mail address")
		want(t, d, [2]string{pauseState, "paused 1 true"})
	})
}

func TestTwoRunsInAnHourAreOneNotice(t *testing.T) {
	t.Parallel()
	d := paused(t, 8)
	remind(t, d)
	before := jobtest.Digest(t, d, "xtk.workflow", "nms.notification")
	remind(t, d, jobtest.CutOff(time.Now().Add(time.Hour)))
	want(t, d, [2]string{pauseState, "paused 1 true"})
	if jobtest.Digest(t, d, "xtk.workflow", "nms.notification") != before {
		t.Error("got other rows after the second run, want no change")
	}
}

func TestResumedJustBeforeTheStop(t *testing.T) {
	t.Parallel()
	d := paused(t, 60, `UPDATE xtk.workflow SET pause_notice_count = 4, pause_last_notice_at = now() - interval '8 days' WHERE internal_name = 'tracking'`)
	tx, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `UPDATE xtk.workflow SET state = 'started', paused_at = NULL WHERE internal_name = 'tracking'`); err != nil {
		t.Fatal(err)
	}
	// The run has chosen the workflow and waits for its row; then the order to resume is committed.
	go func() {
		for waits := false; !waits && t.Context().Err() == nil; {
			_ = d.Pool.QueryRow(context.Background(), `
				SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid')`).Scan(&waits)
		}
		_ = tx.Commit(context.Background())
	}()
	tells(t, remind(t, d), "tracking is not paused any more")
	want(t, d, [2]string{pauseState, "started 4 false"}, [2]string{`SELECT count(*) FROM xtk.workflow_job`, "0"}, [2]string{mailed, ""})
}

func TestPausedWorkflowsOption(t *testing.T) {
	t.Parallel()
	for value, notices := range map[string]string{"14": "0", "0": "1", "x": "1", "-3": "1", "1": "1"} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			d := paused(t, 8, `INSERT INTO xtk.option (name, string_value) VALUES ('NmsServer_PausedWorkflowPeriod', '`+value+`')`)
			remind(t, d)
			want(t, d, [2]string{`SELECT pause_notice_count FROM xtk.workflow WHERE internal_name = 'tracking'`, notices})
		})
	}
}

func TestPausedWithoutADateAndNoLongerPaused(t *testing.T) {
	t.Parallel()
	d := paused(t, 8,
		`UPDATE xtk.workflow SET paused_at = NULL, last_modified = now() - interval '9 days' WHERE internal_name = 'tracking'`,
		`UPDATE xtk.workflow SET pause_warning = true WHERE internal_name = 'billing'`,
		`UPDATE xtk.workflow SET state = 'paused', paused_at = now() - interval '90 days' WHERE internal_name = 'cleanupPausedWorkflows'`)
	tells(t, remind(t, d), "warning 1 paused workflows did not say since when")
	want(t, d, [2]string{pauseState, "paused 1 true"},
		[2]string{`SELECT string_agg(internal_name, ',') FROM xtk.workflow WHERE pause_warning`, "tracking"})
}

func TestSimulatedRemindersChangeNothing(t *testing.T) {
	t.Parallel()
	d := paused(t, 40, `UPDATE xtk.workflow SET state = 'paused', paused_at = now() - interval '40 days', pause_notice_count = 4,
		pause_last_notice_at = now() - interval '8 days' WHERE internal_name = 'billing'`)
	const journal = `SELECT count(*) FROM xtk.workflow_log WHERE task_id IS NULL`
	before, lines := jobtest.Digest(t, d), one(t, d, journal)
	workflows := jobtest.Digest(t, d, "xtk.workflow", "xtk.workflow_job")
	got := jobtest.Simulate(t, d, cleanupPaused)
	if got.Status != "completed" || jobtest.Digest(t, d) != before || jobtest.Digest(t, d, "xtk.workflow", "xtk.workflow_job") != workflows {
		t.Errorf("got %s and other rows, want completed and no change", got.Status)
	}
	want(t, d, [2]string{journal, lines})
	tells(t, got, "2 paused workflows, 2 beyond 7 days: 1 would be notified, 1 would be stopped")
}

func TestRemindersSurviveACutAnywhere(t *testing.T) {
	t.Parallel()
	setup := func(t testing.TB) *db.DB {
		return paused(t, 40, `UPDATE xtk.workflow SET state = 'paused', paused_at = now() - interval '40 days', pause_notice_count = 4,
			pause_last_notice_at = now() - interval '8 days' WHERE internal_name = 'billing'`)
	}
	jobtest.CrashSweep(t, cleanupPaused, setup)
	jobtest.StopSweep(t, cleanupPaused, setup)
}
