package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// driftPast gives cleanup thirty nights of a minute and 5,000 rows, and a last one that took ten and changed nothing.
const driftPast = `
	UPDATE xtk.workflow SET state = 'started', next_processing = now() + interval '1 day' WHERE internal_name = 'cleanup';
	WITH due AS (
		INSERT INTO xtk.workflow_event (workflow_id, status, scheduled_at, processing_date, outcome)
		SELECT w.id, 'processed', now() - i * interval '1 day', now() - i * interval '1 day', 'completed'
		FROM xtk.workflow w, generate_series(1, 31) i
		WHERE w.internal_name = 'cleanup'
		RETURNING id, workflow_id, scheduled_at
	), task AS (
		INSERT INTO xtk.workflow_task (workflow_id, event_id, status, node, backend_pid, start_date, completion_date, rows_changed)
		SELECT d.workflow_id, d.id, 'completed', 'test', 1, d.scheduled_at,
		       d.scheduled_at + CASE WHEN d.scheduled_at > now() - interval '25 hours' THEN interval '10 minutes' ELSE interval '1 minute' END,
		       CASE WHEN d.scheduled_at > now() - interval '25 hours' THEN 0 ELSE 5000 END
		FROM due d
		ORDER BY d.scheduled_at
		RETURNING id, event_id
	)
	SELECT FROM task`

// drifting loads that past, and returns the run that opened the alarms.
func (c *console) drifting() (task int64) {
	c.t.Helper()
	err := pgx.BeginFunc(c.t.Context(), c.db.Pool, func(tx pgx.Tx) error {
		for _, sql := range []string{driftPast, `UPDATE xtk.workflow_event e SET task_id = t.id FROM xtk.workflow_task t WHERE t.event_id = e.id`} {
			if _, err := tx.Exec(c.t.Context(), sql); err != nil {
				return err
			}
		}
		if err := tx.QueryRow(c.t.Context(), `SELECT id FROM xtk.workflow_task ORDER BY start_date DESC LIMIT 1`).Scan(&task); err != nil {
			return err
		}
		opened, err := db.JudgeDrift(c.t.Context(), tx, task)
		if err == nil && len(opened) != 2 {
			err = fmt.Errorf("opened %v, want slower and fewer", opened)
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return task
}

// TestDriftIsShown: the pages tell what is not as usual with its arithmetic, in both languages and to whoever may read;
// nobody is called by it.
func TestDriftIsShown(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	run := fmt.Sprintf("/runs/%d", c.drifting())
	spaces := strings.NewReplacer("\u202f", " ", "<strong>", "", "</strong>", "")
	slower := "Slower than usual: 10 m 00 s, usually 1 m 00 s in 30 runs; the limit is 1 m 06 s."
	fewer := "Fewer rows than usual: 0 rows, usually 5,000 rows in 30 runs; the limit is 4,545 rows."
	for _, language := range []string{"en", "ko"} {
		if _, err := c.db.Pool.Exec(t.Context(), `UPDATE xtk.operator SET language = $1 WHERE login IN ('reader', 'kim')`, language); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string][]string{
			"/":                  {"Worth a look", slower, fewer, `href="` + run + `"`, "Nothing needs you."},
			"/workflows":         {"slower, fewer rows than usual", slower},
			"/workflows/cleanup": {slower, fewer, `href="` + run + `"`, "1 not as usual", ", Slower than usual, Fewer rows than usual", `>slower, fewer rows than usual</td>`},
			"/runs":              {`>slower, fewer rows than usual</td>`},
			run:                  {slower, fewer},
		} {
			if language == "ko" {
				want = []string{"평소보다 느림"}
			}
			for _, login := range []string{"reader", "kim"} {
				answer, body := c.ask(login, http.MethodGet, path, nil)
				body = spaces.Replace(body)
				for _, text := range want {
					if answer.StatusCode != http.StatusOK || !strings.Contains(body, text) {
						t.Errorf("%s for %s in %s: %d, got no %q", path, login, language, answer.StatusCode, text)
					}
				}
				if strings.Contains(body, `class="needs"`) {
					t.Errorf("%s: the masthead calls somebody, want it calm", path)
				}
			}
		}
	}
	if night, err := c.db.Night(t.Context(), c.night.known().Now.AddDate(0, 0, -1)); err != nil || night.Needs != 0 {
		t.Errorf("workflows that need somebody: got %d (%v), want 0", night.Needs, err)
	}
}

// TestUsualRunsSayNothing: a run within its limits, a rehearsal and a run that failed have no line.
func TestUsualRunsSayNothing(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.drifting()
	for what, change := range map[string]string{
		"as usual":  `UPDATE xtk.workflow_task SET id = id WHERE id = (SELECT min(id) + 20 FROM xtk.workflow_task) RETURNING id`,
		"failed":    `INSERT INTO xtk.workflow_task (workflow_id, status, node, backend_pid, start_date, completion_date) SELECT id, 'failed', 'test', 1, now() - interval '1 second', now() FROM xtk.workflow WHERE internal_name = 'cleanup' RETURNING id`,
		"rehearsed": `INSERT INTO xtk.workflow_task (workflow_id, mode, status, node, backend_pid, start_date, completion_date) SELECT id, 'simulation', 'completed', 'test', 1, now() - interval '1 hour', now() FROM xtk.workflow WHERE internal_name = 'cleanup' RETURNING id`,
	} {
		answer, body := c.ask("reader", http.MethodGet, fmt.Sprintf("/runs/%d?as=run", c.count(change)), nil)
		if answer.StatusCode != http.StatusOK || strings.Contains(body, "than usual:") {
			t.Errorf("a run that is %s: %d, says that it is not as usual", what, answer.StatusCode)
		}
	}
}

// TestDriftIsAcknowledged: an administrator says that he knows of the alarms. They leave the overview and the list, and stay
// on the workflow's page with his name and reason; alarms that he has not seen are not his.
func TestDriftIsAcknowledged(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.drifting()
	const path = "/workflows/cleanup/acknowledge"
	holds := func(login, path string, want map[string]bool) {
		t.Helper()
		answer, body := c.ask(login, http.MethodGet, path, nil)
		for text, there := range want {
			if answer.StatusCode != http.StatusOK || strings.Contains(body, text) != there {
				t.Errorf("%s for %s: %d, has %q: %t, want %t", path, login, answer.StatusCode, text, !there, there)
			}
		}
	}
	for login, may := range map[string]bool{"kim": true, "reader": false} {
		holds(login, "/", map[string]bool{"Worth a look": true, path: may})
		holds(login, "/workflows/cleanup", map[string]bool{path: may})
	}
	holds("kim", path, map[string]bool{"Slower than usual": true, "Fewer rows than usual": true})
	slower, fewer := c.count(`SELECT id FROM xtk.workflow_drift WHERE cause = 'slower'`), c.count(`SELECT id FROM xtk.workflow_drift WHERE cause = 'fewer'`)
	post := func(want int, values url.Values) {
		t.Helper()
		if answer, _ := c.ask("kim", http.MethodPost, path, values); answer.StatusCode != want {
			t.Errorf("acknowledge %v: got %d, want %d", values, answer.StatusCode, want)
		}
	}
	post(http.StatusUnprocessableEntity, url.Values{"alarm": {fmt.Sprint(slower)}, "reason": {strings.Repeat("x", 201)}})
	post(http.StatusBadRequest, url.Values{"alarm": {"x"}})
	post(http.StatusSeeOther, url.Values{"alarm": {fmt.Sprint(slower)}, "reason": {"the new index"}})
	holds("reader", "/", map[string]bool{"Worth a look": true, "Slower than usual": false, "Fewer rows than usual": true})
	holds("reader", "/workflows/cleanup", map[string]bool{"acknowledged by kim": true, ": the new index": true, "Fewer rows than usual": true})
	holds("kim", path, map[string]bool{"Slower than usual": false, "Fewer rows than usual": true})
	post(http.StatusSeeOther, url.Values{"alarm": {fmt.Sprint(slower), fmt.Sprint(fewer)}})
	holds("reader", "/", map[string]bool{"Worth a look": false})
	holds("reader", "/workflows", map[string]bool{"than usual": false})
	holds("kim", "/workflows/cleanup", map[string]bool{"acknowledged by kim": true, "Slower than usual": true, "Fewer rows than usual": true, path: false})
	holds("kim", "/audit", map[string]bool{"Acknowledged": true, "alarm “fewer rows than usual” open": true})
	if answer, _ := c.ask("kim", http.MethodGet, path, nil); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("nothing left to acknowledge: got %d, want the way to the workflow", answer.StatusCode)
	}
	post(http.StatusSeeOther, url.Values{"alarm": {fmt.Sprint(slower)}})
	if got := c.count(`SELECT count(*) FROM xtk.audit WHERE action = 'Acknowledged' AND allowed`); got != 2 {
		t.Errorf("audit: got %d entries, want 2", got)
	}
}
