package db_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
)

// joined registers a process that began some time ago; it is alive until the test ends or its session is closed.
func joined(t *testing.T, d *db.DB, name string, age time.Duration) (db.Node, *pgx.Conn) {
	t.Helper()
	session, err := pgx.Connect(t.Context(), d.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close(t.Context()) })
	n := db.Node{Name: name, Host: "h", PID: 1, Version: "test", Affinities: []string{}, Expected: db.Modules(), Started: time.Now().Add(-age)}
	if err := db.JoinNode(t.Context(), session, &n); err != nil {
		t.Fatal(err)
	}
	return n, session
}

// statesOf reads the modules of a process by name; nil when it is not listed.
func statesOf(t *testing.T, d *db.DB, node string) map[string]string {
	t.Helper()
	nodes, err := d.Watched(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Name == node {
			states := map[string]string{}
			for _, m := range n.Modules {
				states[m.Name] = m.State
			}
			return states
		}
	}
	return nil
}

func wantStates(t *testing.T, what string, got map[string]string, want ...string) {
	t.Helper()
	for i, name := range db.Modules() {
		if got[name] != want[i] {
			t.Errorf("%s: %s: got %q, want %q", what, name, got[name], want[i])
		}
	}
}

// What is said of a module is what it said itself: nothing yet, signs of life, silence; a sender without an account is off,
// and signs of a process of the same name before this one are not this one's.
func TestModules(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	run := func(sql string, args ...any) {
		t.Helper()
		if _, err := d.Pool.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Beat(t.Context(), db.ModuleWeb); err != nil {
		t.Fatalf("a sign of life before the process is registered: got %s, want it written later", err)
	}
	node, session := joined(t, d, "a", 10*time.Second)
	if err := d.UseNode(t.Context(), node.ID); err != nil {
		t.Fatal(err)
	}
	run(`INSERT INTO xtk.node_module VALUES ($1, 'mail', now() - interval '2 h', now() - interval '1 h')`, node.ID)
	wantStates(t, "just begun, the console was heard before", statesOf(t, d, "a"), "starting", "up", "starting", "starting", "starting")
	for _, module := range db.Modules() {
		if err := d.Beat(t.Context(), module); err != nil {
			t.Fatal(err)
		}
	}
	wantStates(t, "all heard", statesOf(t, d, "a"), "up", "up", "up", "off", "off")
	run(`INSERT INTO nms.ext_account (internal_name, label, type, active, last_error_at) VALUES ('post', 'p', 'tech_smtp', true, now()), ('hook', 'h', 'webhook', true, NULL)`)
	wantStates(t, "with accounts", statesOf(t, d, "a"), "up", "up", "up", "failing", "up")
	run(`UPDATE xtk.engine_node SET started_at = now() - interval '1 day';
		UPDATE xtk.node_module SET seen_at = now() - interval '3 minutes' WHERE module = 'redirection'`)
	wantStates(t, "the redirection is silent", statesOf(t, d, "a"), "up", "up", "missing", "failing", "up")
	run(`DELETE FROM xtk.node_module WHERE module = 'web'`)
	wantStates(t, "nothing ever heard of the console", statesOf(t, d, "a"), "up", "missing", "missing", "failing", "up")
	if err := session.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone := statesOf(t, d, "a")
	for deadline := time.Now().Add(time.Minute); gone[db.ModuleEngine] != "missing" && time.Now().Before(deadline); gone = statesOf(t, d, "a") {
		time.Sleep(10 * time.Millisecond) // PostgreSQL notices the end of the session by itself
	}
	wantStates(t, "the process is lost", gone, "missing", "missing", "missing", "missing", "missing")
	if err := d.SeeNode(t.Context(), node.ID, true); err != nil {
		t.Fatal(err)
	}
	if got := statesOf(t, d, "a"); got != nil {
		t.Errorf("a process that ended in order: got %v, want nothing missed", got)
	}
}

// Only an administrator retires a process, and only one that is missing; it is listed again when it is heard again.
func TestRetireNode(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	kim, lee := db.Actor{Login: "kim", Rights: []string{db.Administration}}, db.Actor{Login: "lee"}
	alive, _ := joined(t, d, "alive", time.Minute)
	if _, err := d.Pool.Exec(t.Context(), `INSERT INTO xtk.engine_node (id, name, host, pid, version, modules) VALUES (70, 'gone', 'h', 7, 'test', '{engine}')`); err != nil {
		t.Fatal(err)
	}
	retire := func(actor db.Actor, id int64, want error) {
		t.Helper()
		if name, err := d.RetireNode(t.Context(), actor, id); !errors.Is(err, want) || want == nil && name != "gone" {
			t.Errorf("%s retires %d: got %q, %v, want %v", actor.Login, id, name, err, want)
		}
	}
	var missing *db.MissingRight
	if _, err := d.RetireNode(t.Context(), lee, 70); !errors.As(err, &missing) || statesOf(t, d, "gone") == nil {
		t.Errorf("lee retires a process: got %v, want a refusal", err)
	}
	retire(kim, int64(alive.ID), db.ErrConflict)
	retire(kim, 71, db.ErrNotFound)
	retire(kim, 70, nil)
	retire(kim, 70, db.ErrNotFound)
	if got := statesOf(t, d, "gone"); got != nil {
		t.Errorf("a retired process: got %v, want it out of the list", got)
	}
	var detail string
	if err := d.Pool.QueryRow(t.Context(), `
		SELECT string_agg(operator_login || ' ' || allowed || ' ' || entity || ' ' || COALESCE(detail #>> '{before,state}', '') || '>' || COALESCE(detail #>> '{after,state}', ''), ', ' ORDER BY seq)
		FROM xtk.audit
		WHERE entity_type = 'node'`).Scan(&detail); err != nil || detail != "lee false gone missing>retired, kim true gone missing>retired" {
		t.Errorf("the audit trail: got %q, %v", detail, err)
	}
	// A process that was there for one run, and was lost, is missed by nobody.
	if _, err := d.Pool.Exec(t.Context(), `INSERT INTO xtk.engine_node (name, host, pid, version) VALUES ('gone (run)', 'h', 8, 'test')`); err != nil {
		t.Fatal(err)
	}
	if got := statesOf(t, d, "gone (run)"); got != nil {
		t.Errorf("a process of one run: got %v, want nothing", got)
	}
	again, _ := joined(t, d, "gone", time.Second)
	if got := statesOf(t, d, "gone"); again.ID != 70 || got == nil {
		t.Errorf("heard again: got %v as %d, want it listed again as 70", got, again.ID)
	}
}
