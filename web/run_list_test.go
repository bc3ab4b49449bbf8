package web

import (
	"net/http"
	"strings"
	"testing"
)

// Each filter narrows the list, the pages lead on and back without a gap, and what does not exist is refused by name.
func TestRunList(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `
		INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, status, mode, warnings, start_date, completion_date)
		SELECT (SELECT id FROM xtk.workflow WHERE internal_name = 'cleanup'), 'n', 1,
		       CASE WHEN n % 40 = 0 THEN 'failed' ELSE 'completed' END, CASE WHEN n % 60 = 0 THEN 'simulation' ELSE 'normal' END,
		       CASE WHEN n % 30 = 0 THEN 2 ELSE 0 END, now() - n * interval '1 hour', now() - n * interval '1 hour' + interval '1 minute'
		FROM generate_series(1, 120) n`); err != nil {
		t.Fatal(err)
	}
	rows := func(address string) (int, string) {
		t.Helper()
		answer, body := c.ask("kim", http.MethodGet, address, nil)
		if answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: got %s, want 200", address, answer.Status)
		}
		return strings.Count(body, `href="/runs/`), body
	}
	for address, want := range map[string]int{
		"/runs": 50, "/runs?state=failed": 3, "/runs?mode=simulation": 2, "/runs?warnings=on": 4, "/runs?workflow=cleanup&state=failed": 3,
		"/runs?workflow=aliasCleansing": 0,
	} {
		if got, _ := rows(address); got != want {
			t.Errorf("%s: got %d runs, want %d", address, got, want)
		}
	}
	seen, address := 0, "/runs"
	for range 3 {
		n, body := rows(address)
		seen += n
		_, after, more := strings.Cut(body, `rel="next" href="`)
		if !more {
			break
		}
		address = strings.ReplaceAll(after[:strings.Index(after, `"`)], "&amp;", "&")
	}
	if seen != 120 {
		t.Errorf("page by page: got %d runs, want all 120", seen)
	}
	for _, wrong := range []string{"state=happy", "mode=dry", "workflow=nobody", "from=yesterday", "to=2026-13-40", "before=%00", "after=eHg"} {
		if answer, _ := c.ask("kim", http.MethodGet, "/runs?"+wrong, nil); answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: got %s, want 400", wrong, answer.Status)
		}
	}
}
