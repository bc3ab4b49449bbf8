package web

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"nightshift/views"
)

// atNoon gives all operators a zone in which it is about noon, so that no day ends while a test looks at its pages.
func (c *console) atNoon() {
	c.exec(`UPDATE xtk.operator SET timezone = $1`, fmt.Sprintf("Etc/GMT%+d", time.Now().UTC().Hour()-12))
}

// runText is the page of a run from its state on, and the whole page.
func (c *console) runText(login, path string) (text, page string) {
	c.t.Helper()
	answer, page := c.ask(login, http.MethodGet, path, nil)
	_, text, found := strings.Cut(page, `id="run-state"`)
	if answer.StatusCode != http.StatusOK || !found {
		c.t.Fatalf("%s for %s: got %s, want the page of a run", path, login, answer.Status)
	}
	return text, page
}

// runThatEnded is run 7 with a step and 70 lines, seen at noon.
func (c *console) runThatEnded() {
	c.atNoon()
	c.exec(`
		INSERT INTO xtk.workflow_task (id, workflow_id, node, backend_pid, status, start_date, completion_date)
		SELECT 7, id, 'n', 1, 'completed', '2024-11-27 03:00Z', '2024-11-27 03:01Z'
		FROM xtk.workflow
		WHERE internal_name = 'cleanup'`)
	c.exec(`
		INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key, status, message, start_date, end_date)
		VALUES (7, 1, 'only', 'completed', 'step 0', '2024-11-27 03:00Z', '2024-11-27 03:01Z')`)
	c.exec(`
		INSERT INTO xtk.workflow_log (task_id, workflow_id, message)
		SELECT 7, workflow_id, 'line <' || i || '>'
		FROM xtk.workflow_task, generate_series(1, 70) i`)
}

// A run that has ended is read and drawn once for all who look at it. What of its page may change is as it is now, and the
// whole page when the run's row changed, something was written, or a minute is over.
func TestEndedRunIsKept(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.runThatEnded()
	first, _ := c.runText("kim", "/runs/7")
	keptPage := func() *runRead {
		t.Helper()
		c.ended.mu.Lock()
		defer c.ended.mu.Unlock()
		for asked, read := range c.ended.pages {
			if asked.query == "" {
				return read
			}
		}
		t.Fatal("got no page that was kept")
		return nil
	}
	said := func() string {
		text, _ := c.runText("kim", "/runs/7")
		return regexp.MustCompile(`step \d`).FindString(text)
	}
	for n, change := range []func(){
		func() { c.exec(`UPDATE xtk.workflow_task SET rows_read = 5 WHERE id = 7`) },
		func() { c.bell.ring(7) },
		func() { c.bell.ring(0) },
		func() { keptPage().at = time.Now().Add(-endedFor) },
	} {
		keptPage().at = time.Now().Add(time.Hour) // so that a slow machine does not matter
		c.exec(`UPDATE xtk.workflow_task_step SET message = 'step ' || $1::int`, n+1)
		if got := said(); got != fmt.Sprint("step ", n) {
			t.Errorf("before change %d: got %q, want the page that was kept", n, got)
		}
		change()
		if got := said(); got != fmt.Sprint("step ", n+1) {
			t.Errorf("after change %d: got %q, want the page read anew", n, got)
		}
	}
	c.exec(`UPDATE xtk.workflow_task_step SET message = 'step 0'`)
	c.bell.ring(7)
	fresh := &console{Server: New(c.config), t: t, tokens: c.tokens}
	for _, path := range []string{"/runs/7", "/runs/7?before=30", "/runs/7?q=5", "/runs/7?level=error", "/runs/7?line=9"} {
		want, _ := fresh.runText("kim", path)
		for range 3 {
			if got, _ := c.runText("kim", path); got != want {
				t.Errorf("%s: got another page than of a server that has kept nothing", path)
			}
		}
		if path == "/runs/7" && want != first {
			t.Error("got another page than the first time")
		}
	}
	for login, want := range map[string]bool{"kim": true, "reader": false} {
		if _, page := c.runText(login, "/runs/7"); strings.Contains(page, "/purge-history") != want {
			t.Errorf("%s: got an order of administrators %t, want %t", login, !want, want)
		}
	}
	c.exec(`UPDATE xtk.operator SET language = 'ko' WHERE login = 'reader'`)
	if korean, _ := c.runText("reader", "/runs/7"); korean == first || !strings.Contains(korean, "로그") {
		t.Error("a reader of Korean got the page of others")
	}
	c.exec(`UPDATE xtk.workflow SET severity = 'critical' WHERE internal_name = 'cleanup'`)
	if text, _ := c.runText("kim", "/runs/7"); !strings.Contains(text, "severity Critical") {
		t.Error("got the severity that the workflow had, want what it has now")
	}
	if answer, _ := c.ask("", http.MethodGet, "/runs/7", nil); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("nobody: got %s, want the way to the sign-in", answer.Status)
	}
	c.exec(`DELETE FROM xtk.workflow_task`)
	if answer, _ := c.ask("kim", http.MethodGet, "/runs/7", nil); answer.StatusCode != http.StatusNotFound {
		t.Errorf("purged: got %s, want 404", answer.Status)
	}
}

// However the end of a run falls upon the drawing of its page: the page and what the page asks for behind it have each line
// once, and who comes later gets all of them.
func TestRunEndsWhileItsPageIsDrawn(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	lines := regexp.MustCompile(`id="L(\d+)"`)
	after := regexp.MustCompile(`data-after="(\d+)"`)
	for id := range 12 {
		c.exec(`
			INSERT INTO xtk.workflow_task (id, workflow_id, node, backend_pid)
			SELECT $1, id, 'n', 1
			FROM xtk.workflow
			WHERE internal_name = 'cleanup'`, id+1)
		c.exec(`
			INSERT INTO xtk.workflow_log (task_id, workflow_id, message)
			SELECT t.id, t.workflow_id, 'line ' || i
			FROM xtk.workflow_task t, generate_series(1, 3) i
			WHERE t.id = $1`, id+1)
		path, ended := fmt.Sprint("/runs/", id+1), make(chan error)
		go func() {
			_, err := c.db.Pool.Exec(t.Context(), `
				WITH ended AS (
					UPDATE xtk.workflow_task
					SET status = 'completed', completion_date = now()
					WHERE id = $1
					RETURNING id, workflow_id)
				INSERT INTO xtk.workflow_log (task_id, workflow_id, message)
				SELECT id, workflow_id, 'the end'
				FROM ended`, id+1)
			ended <- err
		}()
		_, page := c.runText("kim", path)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		read := func(markup string) {
			for _, line := range lines.FindAllStringSubmatch(markup, -1) {
				seen[line[1]]++
			}
		}
		read(page)
		if last := after.FindStringSubmatch(page); last != nil {
			_, rest := c.ask("kim", http.MethodGet, path+"/live?after="+last[1], nil)
			if !strings.Contains(rest, "data-done") {
				t.Errorf("the run has ended: got no end of its live page")
			}
			read(rest)
		}
		for line, times := range seen {
			if times != 1 {
				t.Errorf("line %s: got it %d times, want once", line, times)
			}
		}
		if len(seen) != 4 {
			t.Errorf("got %d lines, want 4", len(seen))
		}
		for range 3 {
			if _, page := c.runText("kim", path); len(lines.FindAllString(page, -1)) != 4 || strings.Contains(page, "data-live") {
				t.Errorf("afterwards: got %d lines, live %t, want all 4 and an end", len(lines.FindAllString(page, -1)), strings.Contains(page, "data-live"))
			}
		}
	}
}

// What is kept of ended runs stays within its bounds, and nothing that was dropped listens to the bell.
func TestEndedRunsHaveBounds(t *testing.T) {
	t.Parallel()
	e, b := &endedRuns{pages: map[runPageAsked]*runRead{}}, newBell(nil, slog.New(slog.DiscardHandler))
	keep := func(id int64, page views.Run) {
		t.Helper()
		read := &runRead{shown: page, at: time.Now()}
		read.shown.Drawn = new(views.Drawings)
		read.rings, read.leave = b.subscribe(id)
		e.keep(runPageAsked{id: id}, read)
		if err := views.RunPage(read.shown).Render(t.Context(), io.Discard); err != nil {
			t.Fatal(err)
		}
		if len(e.pages) > endedAtMost || len(b.readers) != len(e.pages) || e.find(runPageAsked{id: id}) != read {
			t.Fatalf("run %d: got %d pages kept and %d that listen, want as many, %d at most, and its own", id, len(e.pages), len(b.readers), endedAtMost)
		}
	}
	small := views.Run{Page: views.Page{Zone: time.UTC}, State: views.Finished}
	for id := range int64(endedAtMost + 5) {
		keep(id, small)
	}
	keep(4, small)
	large := small
	large.Log.Lines = []views.LogLine{{Message: strings.Repeat("x", endedBytes)}}
	keep(1000, large)
	if keep(1001, small); len(e.pages) != 1 {
		t.Errorf("beyond the bytes: got %d pages, want the new one alone", len(e.pages))
	}
}
