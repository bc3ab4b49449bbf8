package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/views"
)

// An operator without a right reads the state of the instance, as a page and as JSON; nobody else does, but for the ping.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `
		INSERT INTO xtk.engine_node (name, host, pid, version) VALUES ('gone', 'machine-2', 7, 'test');
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
			Name  string
			Alive bool
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
	if document.State != "alert" || len(document.Modules) != 1 || document.Modules[0].Alive || len(document.Workflows) != 1 || document.Workflows[0].Name != "cleanup" {
		t.Errorf("got %+v, want an alert for the missing process and the failed workflow", document)
	}
	seen := map[string]bool{}
	for _, i := range document.Indicators {
		seen[i.Key] = true
		if i.Key == "memory" && (i.Current <= 0 || i.Warning != 0.8*i.Max) {
			t.Errorf("memory: got %+v, want it used, and a warning at 80 %%", i)
		}
	}
	for _, key := range []string{"load1", "memory", "disk", "zombies", "processes", "files", "connections", "transaction", "dead_rows", "xid", "size"} {
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
	for _, i := range databaseIndicators(db.Vitals{Connections: 95, MaxConnections: 100, DeadShare: 0.3, Size: 1 << 60}) {
		if want := map[string]string{"connections": "alert", "dead_rows": "warning"}[i.Key]; i.Level() != want && want != "" || i.Key == "size" && i.Level() != "ok" {
			t.Errorf("%s: got %s, want %s", i.Key, i.Level(), want)
		}
	}
}
