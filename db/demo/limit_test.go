package demo_test

import (
	"fmt"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/db/demo"
)

// limit is a rule of cleanup that looks at an age: the demo must have rows on both sides of it.
type limit struct {
	table, column, where string
	days                 int
}

var limits = []limit{
	{"nms.broad_log", "last_modified", "", 180},
	{"nms.exclude_log", "last_modified", "", 180},
	{"nms.provider_msg_id", "created", "", 180},
	{"nms.tracking_log", "log_date", "", 365},
	{"nms.tracking_stats", "start_date", "", 365},
	{"nms.delivery", "delete_date", "delete_status = 'yes'", 7},
	{"nms.delivery", "delete_date", "delete_status = 'recycled'", 7},
	{"nms.delivery", "web_validity", "NOT web_res_purged", 0},
	{"nms.delivery", "validity", "state IN ('in_progress', 'paused', 'recovery_pending')", 0},
	{"nms.delivery", "validity", "delivery_mode = 'mid_sourcing' AND state = 'stopped'", 15},
	{"nms.visitor", "last_modified", "recipient_id IS NULL AND origin = 0", 30},
	{"nms.proposition", "last_modified", "", 365},
	{"nms.group", "expiration_date", "", 0},
	{"nms.address", "last_error", "status = 'with_errors' AND quarantine_reason = 'unreachable'", 10},
	{"nms.address", "last_error", "status = 'with_errors' AND quarantine_reason = 'mailbox_full'", 30},
	{"nms.address", "last_error", "status = 'quarantine' AND quarantine_reason = 'mailbox_full'", 30},
	{"nms.address", "last_modified", "status = 'quarantine' AND type = 'ios'", 185},
	{"nms.address", "last_modified", "status = 'quarantine' AND type = 'android'", 185},
	{"nms.app_subscription_rcp", "last_modified", "disabled", 180},
	{"nms.email_error_stat", "stat_date", "", 1},
	{"nms.rt_event", "processed", "", 30},
	{"nms.batch_event", "processed", "", 30},
	{"nms.event_histo", "processed", "", 365},
	{"nms.rt_event_stat", "period_start", "", 365},
	{"nms.notification", "sent_at", "state = 'sent'", 30},
	{"nms.notification", "last_modified", "state IN ('error', 'unknown')", 180},
	{"xtk.reject", "log_date", "", 180},
	{"xtk.session_info", "expiration", "", 0},
	{"xtk.login_attempt", "created", "", 365},
	{"xtk.workflow_job", "applied_at", "", 7},
	{"xtk.workflow_task", "completion_date", "status <> 'running'", 30},
	{"xtk.workflow_event", "processing_date", "status = 'processed'", 30},
	{"xtk.workflow_log", "log_date", "", 30},
	{"xtk.heatmap_sample", "start_date", "", 30},
}

// TestSmall looks at one small demo from several sides.
func TestSmall(t *testing.T) {
	t.Parallel()
	d := installed(t)
	if err := demo.Load(t.Context(), d, demo.Small, 1, nil); err != nil {
		t.Fatal(err)
	}
	for name, look := range map[string]func(*testing.T, *db.DB){
		"limits": rowsOnBothSidesOfEveryLimit, "rules": everyRuleHasWork, "past": pastIsMarkedAndSound,
	} {
		t.Run(name, func(t *testing.T) { look(t, d) })
	}
}

// rowsOnBothSidesOfEveryLimit: within four days on either side, and none so near that it crosses the limit before
// the next night is over.
func rowsOnBothSidesOfEveryLimit(t *testing.T, d *db.DB) {
	t.Parallel()
	for _, l := range limits {
		where := l.where
		if where == "" {
			where = "true"
		}
		edge := time.Now().AddDate(0, 0, -l.days)
		var outside, inside int
		err := d.Pool.QueryRow(t.Context(), fmt.Sprintf(`
			SELECT count(*) FILTER (WHERE %[1]s BETWEEN $1::timestamptz - interval '4 days' AND $1),
			       count(*) FILTER (WHERE %[1]s BETWEEN $1 AND $1::timestamptz + interval '4 days')
			FROM %[2]s
			WHERE %[3]s`, l.column, l.table, where), edge).Scan(&outside, &inside)
		if err != nil {
			t.Fatalf("%s: %v", l.table, err)
		}
		if outside == 0 || inside == 0 {
			t.Errorf("%s.%s around %d days (%s): %d rows just outside, %d just inside, want some of both", l.table, l.column, l.days, where, outside, inside)
		}
	}
}

// everyRuleHasWork: what cleanup finds by other means than age.
func everyRuleHasWork(t *testing.T, d *db.DB) {
	t.Parallel()
	for what, query := range map[string]string{
		"an outbox in the order of its ids, whose newest messages are of this week": `
			SELECT bool_and(ascending) AND max(created) > now() - interval '7 days'
			FROM (SELECT created, created >= lag(created, 1, '-infinity') OVER (ORDER BY id) AS ascending FROM nms.notification) n`,
		"a delivery in each state": `SELECT count(DISTINCT state) = 21 FROM nms.delivery`,
		"a stopped delivery with exactly 10,000 messages left": `
			SELECT count(*) = 1 FROM nms.delivery WHERE state = 'stopped' AND to_deliver - processed = 10000`,
		"one with 9,999": `
			SELECT count(*) = 1 FROM nms.delivery WHERE state = 'stopped' AND to_deliver - processed = 9999`,
		"a deleted delivery that is being sent": `
			SELECT count(*) > 0 FROM nms.delivery WHERE delete_status = 'yes' AND state = 'in_progress'`,
		"a deleted delivery without a date": `
			SELECT count(*) > 0 FROM nms.delivery WHERE delete_status = 'yes' AND delete_date IS NULL`,
		"a proof of a deleted delivery": `
			SELECT count(*) > 0 FROM nms.delivery p JOIN nms.delivery d ON d.id = p.proofed_delivery_id WHERE d.delete_status = 'yes'`,
		"coupons, mirror pages, parts and propositions of deleted deliveries": `
			SELECT count(*) > 0
			FROM nms.delivery d
			WHERE d.delete_status <> 'no'
			  AND EXISTS (SELECT FROM nms.coupon_value c JOIN nms.broad_log b ON b.id = c.message_id WHERE b.delivery_id = d.id)
			  AND EXISTS (SELECT FROM nms.delivery_part p WHERE p.delivery_id = d.id)`,
		"pending messages of expired deliveries": `
			SELECT count(*) > 0 FROM nms.delivery d JOIN nms.broad_log b ON b.delivery_id = d.id
			WHERE d.state = 'in_progress' AND d.validity < now() AND b.status = 'pending'`,
		"a deleted list with a table of its own": `
			SELECT count(*) = 1 FROM nms.group g JOIN pg_class c ON c.relname = 'grp' || g.id WHERE g.delete_status <> 0 AND g.type > 0`,
		"orphaned work tables of each kind": `
			SELECT count(*) = 6 FROM pg_class
			WHERE relname IN ('grp990001', 'wkdlv_990002_1', 'wkf990003_1', 'wkf990003_2', 'wkfhisto990003_a', 'wksimu_77_result')`,
		"tables that only look like work tables": `
			SELECT count(*) = 2 FROM pg_class WHERE relname IN ('wkdlv_backup', 'grp_backup')`,
		"subscriptions to remove":  `SELECT count(*) > 0 FROM nms.subscription WHERE delete_status <> 0`,
		"rejects without a job":    `SELECT count(*) > 0 FROM xtk.reject r WHERE NOT EXISTS (SELECT FROM xtk.job j WHERE j.id = r.job_id)`,
		"logins without workflow":  `SELECT count(*) > 0 FROM xtk.workflow_login l WHERE NOT EXISTS (SELECT FROM xtk.workflow w WHERE w.id = l.workflow_id)`,
		"reactions to nothing":     `SELECT count(*) > 0 FROM nms.rema_match m WHERE NOT EXISTS (SELECT FROM nms.hypothesis h WHERE h.id = m.hypothesis_id)`,
		"apps that do not exist":   `SELECT count(*) > 0 FROM nms.app_subscription_rcp s WHERE NOT EXISTS (SELECT FROM nms.mobile_app a WHERE a.id = s.mobile_app_id)`,
		"old user_unknown":         `SELECT count(*) > 0 FROM nms.address WHERE quarantine_reason = 'user_unknown' AND last_error < now() - interval '5 years'`,
		"a valid address":          `SELECT count(*) > 0 FROM nms.address WHERE status = 'valid'`,
		"servers with many errors": `SELECT count(*) > 0 FROM (SELECT FROM nms.email_error_stat GROUP BY mx_ip HAVING sum(total_errors) >= 20) s`,
		"servers with few errors":  `SELECT count(*) > 0 FROM (SELECT FROM nms.email_error_stat GROUP BY mx_ip HAVING sum(total_errors) < 20) s`,
		"servers without counters": `SELECT count(*) > 0 FROM nms.email_error e WHERE NOT EXISTS (SELECT FROM nms.email_error_stat s WHERE s.mx_ip = e.mx_ip)`,
		"aliases to apply": `
			SELECT count(*) > 0 FROM nms.recipient r JOIN xtk.enum_alias a ON lower(a.label) = lower(r.company) WHERE a.enum_value_id IS NOT NULL`,
		"workflows that have been paused too long": `
			SELECT count(*) = 2 FROM xtk.workflow WHERE state = 'paused' AND severity = 'normal' AND paused_at < now() - interval '7 days'`,
	} {
		var ok bool
		if err := d.Pool.QueryRow(t.Context(), query).Scan(&ok); err != nil || !ok {
			t.Errorf("%s: got %v (%v), want true", what, ok, err)
		}
	}
}

// pastIsMarkedAndSound: invented runs say so, only workflows that can run have one, and each run has its steps.
func pastIsMarkedAndSound(t *testing.T, d *db.DB) {
	t.Parallel()
	for what, query := range map[string]string{
		"runs that do not say that they are invented": `SELECT count(*) FROM xtk.workflow_task WHERE result->>'invented' IS DISTINCT FROM 'true' OR node <> 'demo'`,
		"runs of workflows that are not built":        `SELECT count(*) FROM xtk.workflow_task t JOIN xtk.workflow w ON w.id = t.workflow_id WHERE NOT w.built`,
		"started workflows that are not built":        `SELECT count(*) FROM xtk.workflow WHERE state = 'started' AND NOT built`,
		"events still to be run":                      `SELECT count(*) FROM xtk.workflow_event WHERE status IN ('pending', 'processing')`,
		"runs without an event":                       `SELECT count(*) FROM xtk.workflow_task t WHERE NOT EXISTS (SELECT FROM xtk.workflow_event e WHERE e.id = t.event_id)`,
		"runs that end before they begin":             `SELECT count(*) FROM xtk.workflow_task WHERE completion_date < start_date OR completion_date > now()`,
		"runs whose rows are not those of their steps": `
			SELECT count(*) FROM xtk.workflow_task t
			WHERE t.rows_changed <> (SELECT COALESCE(sum(s.rows_changed), 0) FROM xtk.workflow_task_step s WHERE s.task_id = t.id)`,
		"runs whose steps are not counted in their rows": `
			SELECT count(*) FROM xtk.workflow_task t
			WHERE (t.steps_begun, t.steps_done) <> (
				SELECT count(*), count(*) FILTER (WHERE s.status IN ('completed', 'kept')) FROM xtk.workflow_task_step s WHERE s.task_id = t.id)`,
		"invented audit rows": `SELECT count(*) FROM xtk.audit`,
	} {
		var n int
		if err := d.Pool.QueryRow(t.Context(), query).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: got %d (%v), want none", what, n, err)
		}
	}
	var states int
	err := d.Pool.QueryRow(t.Context(), `SELECT count(DISTINCT status) FROM xtk.workflow_task`).Scan(&states)
	if err != nil || states < 3 {
		t.Errorf("the past has runs in %d states (%v), want completed, failed and interrupted", states, err)
	}
	var open string
	err = d.Pool.QueryRow(t.Context(), `
		SELECT string_agg(w.internal_name || ' ' || a.cause, ', ')
		FROM xtk.workflow_drift a
		JOIN xtk.workflow w ON w.id = a.workflow_id
		WHERE a.closed_at IS NULL`).Scan(&open)
	if err != nil || open != "cleanup slower" {
		t.Errorf("open alarms: got %q (%v), want cleanup slower", open, err)
	}
}

// TestTemplate: the database that tests copy has the demo in it.
func TestTemplate(t *testing.T) {
	t.Parallel()
	var people int
	if err := dbtest.Demo(t).Pool.QueryRow(t.Context(), `SELECT count(*) FROM nms.recipient`).Scan(&people); err != nil || people < 5000 {
		t.Errorf("the template has %d recipients (%v), want those of the small demo", people, err)
	}
}
