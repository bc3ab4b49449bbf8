package db_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// planNode is what EXPLAIN says of one step of a plan.
type planNode struct {
	Type     string     `json:"Node Type"`
	Relation string     `json:"Relation Name"`
	Index    string     `json:"Index Name"`
	Cond     string     `json:"Index Cond"`
	Plans    []planNode `json:"Plans"`
}

// indexes are the conditions under which the plan enters indexes, and the indexes themselves, of a bitmap's or of the node.
func (n planNode) indexes() string {
	text := n.Index + " " + n.Cond
	for _, child := range n.Plans {
		if child.Relation == "" {
			text += " " + child.indexes()
		}
	}
	return text
}

// scans calls fn for each step that reads a table.
func (n planNode) scans(fn func(planNode)) {
	if n.Relation != "" && strings.Contains(n.Type, "Scan") {
		fn(n)
	}
	for _, child := range n.Plans {
		child.scans(fn)
	}
}

// querier is a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func explain(ctx context.Context, q querier, sql string, args ...any) (planNode, error) {
	var raw []byte
	if err := q.QueryRow(ctx, "EXPLAIN (FORMAT JSON) "+sql, args...).Scan(&raw); err != nil {
		return planNode{}, fmt.Errorf("explain %s: %w", sql, err)
	}
	var plans []struct{ Plan planNode }
	if err := json.Unmarshal(raw, &plans); err != nil {
		return planNode{}, fmt.Errorf("explain %s: %w", sql, err)
	}
	return plans[0].Plan, nil
}

// purges are the rules by which cleanup finds rows: the table, the rule, and what each scan of the table must enter an
// index by. A column in the condition, or the name of a partial index.
var purges = []struct{ table, where, index string }{
	{"nms.broad_log", "t.last_modified < now() - interval '180 days'", "(last_modified <"},
	{"nms.broad_log_mid", "t.last_modified < now() - interval '180 days'", "(last_modified <"},
	{"nms.broad_log_visitor", "t.last_modified < now() - interval '180 days'", "(last_modified <"},
	{"nms.broad_log_rt_event", "t.last_modified < now() - interval '180 days'", "(last_modified <"},
	{"nms.exclude_log", "t.last_modified < now() - interval '180 days'", "(last_modified <"},
	{"nms.provider_msg_id", "t.created < now() - interval '180 days'", "(created <"},
	{"nms.tracking_log", "t.log_date < now() - interval '365 days'", "(log_date <"},
	{"nms.tracking_log_visitor", "t.log_date < now() - interval '365 days'", "(log_date <"},
	{"nms.tracking_stats", "t.start_date < now() - interval '365 days'", "(start_date <"},
	{"nms.visitor", "t.recipient_id IS NULL AND t.origin = 0 AND t.last_modified < now() - interval '30 days'", "visitor_purge (last_modified <"},
	{"nms.proposition", "t.last_modified < now() - interval '365 days'", "(last_modified <"},
	{"nms.subscription", "t.delete_status <> 0", "subscription_delete_status_idx"},
	{"nms.app_subscription_rcp", "t.disabled AND t.last_modified < now() - interval '180 days'", "app_subscription_rcp_purge (last_modified <"},
	{"nms.address", "t.status = 'valid' AND t.last_modified < now() AND t.last_modified >= now() - interval '1 day'", "(last_modified <"},
	{"nms.address", "t.status = 'with_errors' AND t.last_error < now() - interval '10 days'", "(status = 'with_errors'::text)"},
	{"nms.email_error_stat", "t.stat_date >= now() - interval '1 day' AND t.stat_date < now()", "(stat_date >="},
	{"nms.rt_event", "COALESCE(t.processed, t.created) < now() - interval '30 days'", "rt_event_purge (COALESCE"},
	{"nms.batch_event", "COALESCE(t.processed, t.created) < now() - interval '30 days'", "(COALESCE"},
	{"nms.event_histo", "COALESCE(t.processed, t.created) < now() - interval '365 days'", "event_histo_purge (COALESCE"},
	{"nms.rt_event_stat", "t.period_start < now() - interval '365 days'", "(period_start <"},
	{"nms.notification", "t.state = 'sent' AND t.sent_at < now() - interval '30 days'", "notification_purge (sent_at <"},
	{"nms.delivery", "t.delete_status <> 'no' AND t.delete_date < now() - interval '7 days'", "(delete_date <"},
	{"nms.delivery", "NOT t.web_res_purged AND t.web_validity < now()", "(web_validity <"},
	{"nms.delivery", "t.state IN ('in_progress', 'paused')", "(state ="},
	{"nms.delivery", "t.proofed_delivery_id = 7", "(proofed_delivery_id = 7)"},
	{"nms.delivery_part", "t.validity < now()", "(validity <"},
	{"nms.group", "t.delete_status <> 0 OR t.expiration_date <= now()", "group_delete_status_idx"},
	{"nms.rcp_grp_rel", "t.group_id = 7", "(group_id = 7)"},
	{"nms.rema_match", "t.hypothesis_id = 7", "(hypothesis_id = 7)"},
	{"nms.coupon_value", "t.message_id = 7", "(message_id = 7)"},
	{"nms.recipient", "t.company = 'NEILSEN'", "(company ="},
	{"nms.recipient", "t.last_modified >= now() - interval '1 day'", "(last_modified >="},
	{"xtk.reject", "t.log_date < now() - interval '180 days'", "(log_date <"},
	{"xtk.login_attempt", "t.created < now() - interval '365 days'", "(created <"},
	{"xtk.session_info", "t.expiration < now()", "(expiration <"},
	{"xtk.workflow_job", "t.applied_at < now() - interval '7 days'", "(applied_at <"},
	{"xtk.heatmap_sample", "t.start_date < now() - interval '30 days'", "(start_date <"},
	{"xtk.workflow_log", "t.workflow_id = 7 AND t.log_date < now() - interval '30 days'", "(log_date <"},
}

// carried are the tables whose rows go with their delivery.
var carried = []string{"nms.broad_log", "nms.broad_log_mid", "nms.exclude_log", "nms.proposition", "nms.tracking_log", "nms.web_tracking_log",
	"nms.delivery_part", "nms.mirror_page_info", "nms.mirror_page_search", "nms.tracking_url", "nms.tracking_stats", "nms.delivery_log_stats",
	"nms.dlv_exclusion", "xtk.job_log"}

// TestPurgesHaveTheirIndex: on a small table a scan of all rows is right, so scans are forbidden here; the planner then
// has to find an index that the rule enters by its own condition, in every partition.
func TestPurgesHaveTheirIndex(t *testing.T) {
	t.Parallel()
	conn, err := dbtest.Demo(t).RunSession(t.Context(), "plans")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), `SET enable_seqscan = off`); err != nil {
		t.Fatal(err)
	}
	all := purges
	for _, table := range carried {
		all = append(all, struct{ table, where, index string }{table, "t.delivery_id = 7", "(delivery_id = 7)"})
	}
	for _, p := range all {
		plan, err := explain(t.Context(), conn, "SELECT count(*) FROM "+p.table+" t WHERE "+p.where)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		plan.scans(func(n planNode) {
			found = true
			if got := n.indexes(); !strings.Contains(got, p.index) {
				t.Errorf("%s where %s: %s of %s enters by %q, want %q", p.table, p.where, n.Type, n.Relation, got, p.index)
			}
		})
		if !found {
			t.Errorf("%s where %s: the plan reads no table", p.table, p.where)
		}
	}
}

// recorder keeps the statements that a pool sends.
type recorder struct {
	mu         sync.Mutex
	statements []statement
}

type statement struct {
	sql  string
	args []any
}

func (r *recorder) add(sql string, args []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statements = append(r.statements, statement{sql, args})
}

// TraceQueryStart keeps a statement.
func (r *recorder) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	r.add(data.SQL, data.Args)
	return ctx
}

// TraceQueryEnd is not of interest.
func (r *recorder) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart is not of interest.
func (r *recorder) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery keeps a statement of a batch.
func (r *recorder) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	r.add(data.SQL, data.Args)
}

// TraceBatchEnd is not of interest.
func (r *recorder) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// busyYear gives a database the runs of a workflow that has run every few minutes for long and is running, with a log.
const busyYear = `
	INSERT INTO xtk.workflow_event (workflow_id, status, scheduled_at, processing_date)
	SELECT w.id, 'processed', now() - i * interval '7 minutes', now() - i * interval '7 minutes'
	FROM generate_series(1, 30000) i, xtk.workflow w
	WHERE w.internal_name = 'cleanup';
	INSERT INTO xtk.workflow_task (workflow_id, event_id, status, node, backend_pid, start_date, completion_date)
	SELECT e.workflow_id, e.id, CASE WHEN e.id % 500 = 0 THEN 'failed' ELSE 'completed' END, 'test', 1, e.scheduled_at, e.scheduled_at + interval '5 seconds'
	FROM xtk.workflow_event e;
	UPDATE xtk.workflow_event e SET task_id = t.id FROM xtk.workflow_task t WHERE t.event_id = e.id;
	INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, start_date)
	SELECT w.id, 'test', 1, now() - interval '1 minute'
	FROM xtk.workflow w
	WHERE w.internal_name = 'cleanup';
	INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key, status, end_date)
	SELECT t.id, 1, 'step', 'completed', t.completion_date
	FROM xtk.workflow_task t;
	INSERT INTO xtk.workflow_task_effect (task_id, step_order, table_name, deleted)
	SELECT t.id, 1, 'nms.broad_log', 5
	FROM xtk.workflow_task t;
	INSERT INTO xtk.workflow_log (workflow_id, task_id, message, log_date)
	SELECT t.workflow_id, t.id, 'line ' || n, t.start_date
	FROM xtk.workflow_task t, generate_series(1, 3) n;
	ANALYZE`

// TestPagesNeverReadWholeTables: with many runs, no statement behind the lists and pages reads a large table from
// end to end.
func TestPagesNeverReadWholeTables(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if _, err := d.Pool.Exec(t.Context(), busyYear); err != nil {
		t.Fatal(err)
	}
	sent := &recorder{}
	config := d.Pool.Config()
	config.ConnConfig.Tracer = sent
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	readPages(t, &db.DB{Pool: db.PoolOf(pool)})
	large := largeTables(t, d)
	if len(large) < 5 || len(sent.statements) < 10 {
		t.Fatalf("%d large tables, %d statements: want something to look at", len(large), len(sent.statements))
	}
	for _, s := range sent.statements {
		if !strings.Contains(s.sql, "xtk.workflow") {
			continue
		}
		plan, err := explain(t.Context(), d.Pool, s.sql, s.args...)
		if err != nil {
			t.Fatal(err)
		}
		plan.scans(func(n planNode) {
			if n.Type == "Seq Scan" && large[n.Relation] {
				t.Errorf("%s is read from end to end, want an index, by\n%s\n%v", n.Relation, s.sql, s.args)
			}
		})
	}
}

// readPages asks for what the lists and pages show.
func readPages(t *testing.T, d *db.DB) {
	t.Helper()
	ctx := t.Context()
	w, err := d.WorkflowByName(ctx, "cleanup")
	if err != nil {
		t.Fatal(err)
	}
	runs, _, err := d.Runs(ctx, db.RunFilter{Limit: 50})
	if err != nil || len(runs) < 50 {
		t.Fatalf("the list of runs: %d rows (%v), want 50", len(runs), err)
	}
	last, task := runs[49].Cursor(), runs[49].ID
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []db.RunFilter{
		{Limit: 50, Before: &last}, {Limit: 50, After: &last}, {Limit: 50, WorkflowID: w.ID}, {Limit: 50, Status: "failed"}, {Limit: 50, Node: "a"},
		{Limit: 50, WorkflowID: w.ID, Before: &last}, {Limit: 50, From: time.Now().Add(-24 * time.Hour)},
	} {
		_, _, err := d.Runs(ctx, f)
		must(err)
	}
	for _, f := range []db.LogFilter{{TaskID: task, Limit: 200}, {TaskID: task, After: 5, Limit: 200}, {WorkflowID: w.ID, Limit: 200}} {
		_, _, err := d.Log(ctx, f)
		must(err)
	}
	_, err = d.CountLog(ctx, db.LogFilter{TaskID: task})
	must(err)
	_, err = d.RunRow(ctx, task)
	must(err)
	run, _, err := d.RunWithLog(ctx, task, db.LogFilter{Limit: 200, Count: true})
	must(err)
	_, err = d.RunAgain(ctx, &run)
	must(err)
	_, _, err = d.Slots(ctx, db.SlotFilter{WorkflowID: w.ID, Limit: 50})
	must(err)
	_, _, err = d.Slots(ctx, db.SlotFilter{From: time.Now().Add(-24 * time.Hour), Limit: 50})
	must(err)
	_, err = d.SlotAccount(ctx, w.ID, time.Now().Add(-2*time.Hour), time.Now())
	must(err)
	_, _, err = d.Slots(ctx, db.SlotFilter{WorkflowID: w.ID, From: time.Now().AddDate(0, 0, -30), To: time.Now(), NotRun: true, Limit: 50})
	must(err)
	_, err = d.Statement(ctx, 0, time.Now().AddDate(0, 0, -2), time.Now())
	must(err)
	_, err = d.Recorder(ctx, w.ID)
	must(err)
	_, err = d.Drifts(ctx, []int64{w.ID}, time.Now().AddDate(0, -1, 0))
	must(err)
	_, err = d.DriftingRuns(ctx, []int64{1, 2, 3})
	must(err)
	_, err = d.Night(ctx, time.Now().Add(-12*time.Hour))
	must(err)
	_, err = d.Workflows(ctx)
	must(err)
}

// largeTables are those with so many rows that reading them all shows.
func largeTables(t *testing.T, d *db.DB) map[string]bool {
	t.Helper()
	rows, err := d.Pool.Query(t.Context(), `
		SELECT c.relname::text
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN ('nms', 'xtk')
		  AND c.relkind = 'r'
		  AND c.reltuples > 2000`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	large := map[string]bool{}
	for _, name := range names {
		large[name] = true
	}
	return large
}
