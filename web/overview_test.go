package web

import (
	"net/http"
	"strings"
	"testing"
)

// overview reads the first page as an operator.
func (c *console) overview(login string) string {
	c.t.Helper()
	got, body := c.ask(login, http.MethodGet, "/", nil)
	if got.StatusCode != http.StatusOK {
		c.t.Fatalf("the overview as %s: got %d, want 200", login, got.StatusCode)
	}
	return body
}

// Mails that wait without an account, that failed for good or whose result is unknown call for a person, and only an
// administrator is led to where it is mended.
func TestOverviewTellsOfMail(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	do := func(sql string) {
		t.Helper()
		if _, err := c.db.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	const addAccount, seeUnknown, seeErrors = `href="/accounts/new?type=tech_smtp"`, `href="/mail?state=unknown"`, `href="/mail?state=error"`
	check := func(when, finding, link string) {
		t.Helper()
		for _, login := range []string{"kim", "reader"} {
			body := c.overview(login)
			if (finding != "") != strings.Contains(body, "Needs attention") || !strings.Contains(body, finding) {
				t.Errorf("%s, as %s: want %q", when, login, finding)
			}
			for _, other := range []string{addAccount, seeUnknown, seeErrors} {
				if want := login == "kim" && other == link; strings.Contains(body, other) != want {
					t.Errorf("%s, as %s: link %s: got %v, want %v", when, login, other, !want, want)
				}
			}
		}
	}
	do(`INSERT INTO nms.ext_account (internal_name, label, type, active) VALUES ('letters', 'Letters', 'tech_smtp', true);
	    INSERT INTO nms.notification (effect_key, to_address, subject, body_text) VALUES ('a', 'a@x.example', 's', 't'), ('b', 'b@x.example', 's', 't')`)
	check("an account sends them", "", "")
	do(`UPDATE nms.ext_account SET active = false`)
	check("without an account", "2 messages wait: there is no mail account", addAccount)
	do(`UPDATE nms.notification SET state = 'error' WHERE effect_key = 'a'`)
	check("one failed, one waits", "1 message was not sent", addAccount)
	do(`UPDATE nms.notification SET state = 'unknown' WHERE effect_key = 'b'`)
	check("none waits", "1 message with an unknown result", seeUnknown)
	do(`UPDATE nms.notification SET state = 'error'`)
	check("all failed", "2 messages were not sent", seeErrors)
	do(`UPDATE nms.notification SET state = 'sent'`)
	check("all sent", "", "")
}

// An account with which a workflow failed three times in a row calls for a person: everybody is led to the run that says
// why, administrators to the account as well.
func TestOverviewTellsOfAccounts(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `
		INSERT INTO nms.ext_account (internal_name, label, type) VALUES ('mid1', 'Server <1>', 'mid_sourcing');
		INSERT INTO xtk.workflow_task (id, workflow_id, mode, trigger, status, start_date, completion_date, node, backend_pid)
		SELECT 800 + n, id, 'normal', 'scheduled', 'failed', now() - make_interval(hours => 4 - n), now(), 'n', 1
		FROM xtk.workflow, generate_series(1, 3) n
		WHERE internal_name = 'defaultMidSourcingLog';
		INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key, status, message)
		SELECT 800 + n, 1, 'mid1', 'failed', 'logon answered 401' FROM generate_series(1, 3) n`); err != nil {
		t.Fatal(err)
	}
	for login, link := range map[string]bool{"kim": true, "reader": false} {
		body := c.overview(login)
		for _, text := range []string{"Server &lt;1&gt; failed 3 times in a row", "logon answered 401", `href="/runs/803"`} {
			if !strings.Contains(body, text) {
				t.Errorf("as %s: want %q", login, text)
			}
		}
		if strings.Contains(body, `href="/accounts/mid1"`) != link {
			t.Errorf("as %s: link to the account: want %v", login, link)
		}
	}
}

// TestOverviewNamesWhatIsNext: by its label, in the reader's language.
func TestOverviewNamesWhatIsNext(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `
		UPDATE xtk.workflow SET state = CASE internal_name WHEN 'cleanup' THEN 'started' ELSE 'being_edited' END,
		       next_processing = CASE internal_name WHEN 'cleanup' THEN now() + interval '1 hour' END`); err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string]string{"en": "Next: Database cleanup at ", "ko": "다음: 데이터베이스 정리, "} {
		if _, err := c.db.Pool.Exec(t.Context(), `UPDATE xtk.operator SET language = $1 WHERE login = 'kim'`, lang); err != nil {
			t.Fatal(err)
		}
		if body := c.overview("kim"); !strings.Contains(body, want) {
			t.Errorf("%s: got %s, want %q", lang, body, want)
		}
	}
}

// TestRehearsalIsTold: a simulation in progress is told from a run on every page that shows it, and claims no changes.
func TestRehearsalIsTold(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `
		WITH rehearsal AS (
			INSERT INTO xtk.workflow_task (workflow_id, mode, status, node, backend_pid)
			SELECT id, 'simulation', 'running', 'test', 1
			FROM xtk.workflow
			WHERE internal_name = 'cleanup'
			RETURNING id
		)
		INSERT INTO xtk.workflow_task_effect (task_id, step_order, table_name, deleted)
		SELECT id, 1, 'nms.visitor', 1234
		FROM rehearsal`); err != nil {
		t.Fatal(err)
	}
	for page, want := range map[string]string{"/": "would change 1,234 rows", "/workflows": "simulation, nothing is changed",
		"/workflows/cleanup": "simulation, nothing is changed", "/runs": "simulation, nothing is changed"} {
		if got, body := c.ask("kim", http.MethodGet, page, nil); !strings.Contains(body, want) || strings.Contains(body, "1,234 deleted") {
			t.Errorf("%s: got %d %s, want %q in it and no deleted rows", page, got.StatusCode, body, want)
		}
	}
}
