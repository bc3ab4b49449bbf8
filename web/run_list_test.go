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
		"/runs?workflow=aliasCleansing": 0, "/runs?node=n": 50, "/runs?node=n&state=failed": 3, "/runs?node=other": 0,
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

// What is kept of the list is for readers of one language and zone, and a ring of the bell has it read anew.
func TestRunListKept(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := c.db.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run := `INSERT INTO xtk.workflow_task (workflow_id, node, backend_pid, status, start_date, completion_date)
		SELECT id, 'n', 1, 'completed', '2026-11-27 03:00Z', '2026-11-27 03:01Z' FROM xtk.workflow WHERE internal_name = 'cleanup'`
	exec(run)
	exec(`UPDATE xtk.operator SET language = 'ko', timezone = 'Asia/Seoul' WHERE login = 'reader'`)
	// 03:00 UTC is noon in Seoul.
	for login, want := range map[string]string{"kim": " 03:00</time>", "worker": " 03:00</time>", "reader": " 12:00</time>"} {
		for range 2 {
			if _, body := c.ask(login, http.MethodGet, "/runs", nil); !strings.Contains(body, want) {
				t.Errorf("the list of %s: got %s, want %q", login, body, want)
			}
		}
	}
	for address, want := range map[string]bool{"/runs?node=yard": true, "/runs": false, "/runs?state=failed&node=yard": true, "/runs?state=failed": false} {
		if _, body := c.ask("kim", http.MethodGet, address, nil); strings.Contains(body, `value="yard"`) != want {
			t.Errorf("%s: got the filter of a node %t, want %t", address, !want, want)
		}
	}
	exec(run)
	c.bell.ring(2)
	if _, body := c.ask("kim", http.MethodGet, "/runs", nil); strings.Count(body, `href="/runs/`) != 2 {
		t.Errorf("a run ended and the bell rang: got %d runs, want 2", strings.Count(body, `href="/runs/`))
	}
}
