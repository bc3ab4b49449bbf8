package web

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/views"
)

// An operator without a right reads the state of the instance, as a page and as JSON; nobody else does, but for the ping.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `
		INSERT INTO xtk.engine_node (name, host, pid, version, modules) VALUES ('gone', 'machine-2', 7, 'test', '{engine,web,redirection,mail,webhook}');
		UPDATE xtk.workflow SET state = 'paused', failed = true, built = true WHERE internal_name = 'cleanup'`); err != nil {
		t.Fatal(err)
	}
	if got, body := c.ask("", http.MethodGet, "/nl/ping", nil); got.StatusCode != http.StatusOK || body != "OK\n" {
		t.Errorf("ping: got %d %q, want OK", got.StatusCode, body)
	}
	asJSON := func(r *http.Request) { r.Header.Set("Accept", "application/json") }
	if got, _ := c.ask("", http.MethodGet, "/nl/monitor", nil, asJSON); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody: got %d, want 401", got.StatusCode)
	}
	got, body := c.ask("reader", http.MethodGet, "/nl/monitor", nil, asJSON)
	var document struct {
		State   string
		Modules []struct {
			Name, Module, State string
			Alive               bool
		}
		Indicators []struct {
			Key                   string
			Current, Max, Warning float64
			State                 string
		}
		Workflows []struct{ Name, State string }
	}
	if err := json.Unmarshal([]byte(body), &document); err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("JSON: got %d, %v: %s", got.StatusCode, err, body)
	}
	wants(t, c.got("/monitoring"), `href="/runs?node=gone"`)
	if document.State != "alert" || len(document.Modules) != 5 || document.Modules[4].State != "missing" || document.Modules[0].Alive || len(document.Workflows) != 1 || document.Workflows[0].Name != "cleanup" {
		t.Errorf("got %+v, want an alert for the missing process and the failed workflow", document)
	}
	seen := map[string]bool{}
	for _, i := range document.Indicators {
		seen[i.Key] = true
		if i.Key == "memory" && (i.Current <= 0 || i.Warning != 0.8*i.Max) {
			t.Errorf("memory: got %+v, want it used, and a warning at 80 %%", i)
		}
	}
	for _, key := range []string{"load1", "memory", "disk", "zombies", "processes", "old_processes", "files", "all_files", "segments", "connections", "transaction", "dead_rows", "xid", "size"} {
		if !seen[key] {
			t.Errorf("indicator %s: got none", key)
		}
	}
	if got, body := c.ask("reader", http.MethodGet, "/monitoring", nil); got.StatusCode != http.StatusOK || !strings.Contains(body, "machine-2") || !strings.Contains(body, "missing") {
		t.Errorf("the page: got %d without the missing process", got.StatusCode)
	}
}

// Levels change exactly at their limits.
func TestIndicatorLevels(t *testing.T) {
	t.Parallel()
	for current, want := range map[float64]string{79.9: "ok", 80: "warning", 89.9: "warning", 90: "alert", 200: "alert"} {
		if got := within("disk", "/", current, 100, views.UnitNone).Level(); got != want {
			t.Errorf("%v of 100: got %s, want %s", current, got, want)
		}
	}
	all, _ := databaseIndicators(db.Vitals{Connections: 95, MaxConnections: 100, DeadShare: 0.3, Size: 1 << 60, SeesAll: true})
	for _, i := range all {
		if want := map[string]string{"connections": "alert", "dead_rows": "warning"}[i.Key]; i.Level() != want && want != "" || i.Key == "size" && i.Level() != "ok" {
			t.Errorf("%s: got %s, want %s", i.Key, i.Level(), want)
		}
	}
}

// A node that is missing is an alert until an administrator says that it is retired, on a page that asks; the trail keeps it.
func TestRetireOnPage(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `INSERT INTO xtk.engine_node (id, name, host, pid, version, modules) VALUES (7, 'gone', 'machine-2', 7, 'test', '{engine,web}')`); err != nil {
		t.Fatal(err)
	}
	const path = "/monitoring/nodes/7/retire"
	if _, body := c.ask("reader", http.MethodGet, "/monitoring", nil); !strings.Contains(body, "missing") || strings.Contains(body, path) {
		t.Error("a reader's page: want the node missing, and no link to retire it")
	}
	if _, body := c.ask("kim", http.MethodGet, "/monitoring", nil); !strings.Contains(body, path) {
		t.Error("an administrator's page: want a link to retire the node")
	}
	if got, body := c.ask("kim", http.MethodGet, path, nil); got.StatusCode != http.StatusOK || !strings.Contains(body, "Is gone retired?") || !strings.Contains(body, "machine-2") {
		t.Errorf("the question: got %d", got.StatusCode)
	}
	if got, _ := c.ask("reader", http.MethodPost, path, nil); got.StatusCode != http.StatusForbidden {
		t.Errorf("a reader: got %d, want 403", got.StatusCode)
	}
	if got, _ := c.ask("kim", http.MethodPost, path, nil); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("retire: got %d, want 303", got.StatusCode)
	}
	if _, body := c.ask("kim", http.MethodGet, "/monitoring", nil); strings.Contains(body, path) || !strings.Contains(body, "gone is retired.") {
		t.Error("the page afterwards: want the message, and the node out of the list")
	}
	if _, body := c.ask("kim", http.MethodGet, "/audit?kind=node", nil); !strings.Contains(body, "Retired") || !strings.Contains(body, "missing") {
		t.Error("the trail: want that the node was retired, from missing")
	}
	if got, _ := c.ask("kim", http.MethodPost, path, nil); got.StatusCode != http.StatusNotFound {
		t.Errorf("a second time: got %d, want 404", got.StatusCode)
	}
	if _, err := c.db.Pool.Exec(t.Context(), `INSERT INTO xtk.engine_node (id, name, host, pid, version, modules, stopped_at) VALUES (8, 'ended', 'h', 8, 'test', '{engine}', now())`); err != nil {
		t.Fatal(err)
	}
	if got, body := c.ask("kim", http.MethodPost, "/monitoring/nodes/8/retire", nil); got.StatusCode != http.StatusConflict || !strings.Contains(body, "has ended in order") {
		t.Errorf("a node that ended in order: got %d, want 409 and why", got.StatusCode)
	}
}

// The console and the redirection ask themselves over their own socket and note that they answer.
func TestListensToItself(t *testing.T) {
	t.Parallel()
	c := bareConsole(t)
	var node int
	if err := c.db.Pool.QueryRow(t.Context(), `INSERT INTO xtk.engine_node (name, host, pid, version) VALUES ('a', 'h', 1, 'v') RETURNING id`).Scan(&node); err != nil {
		t.Fatal(err)
	}
	if err := c.db.UseNode(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ctx, listener) }()
	heard := func() int {
		return c.count(`SELECT count(*) FROM xtk.node_module WHERE module IN ('web', 'redirection')`)
	}
	for deadline := time.Now().Add(time.Minute); heard() < 2 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if got := heard(); got != 2 {
		t.Errorf("signs of life: got %d, want 2", got)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
