package web

import (
	"net/http"
	"strings"
	"testing"
)

// TestFailingAccountIsShownWhereItIs: an account for which a workflow fails again and again says so on its own page, in the
// list and on the page of that workflow, and not on another's.
func TestFailingAccountIsShownWhereItIs(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `
		WITH account AS (
			INSERT INTO nms.ext_account (internal_name, label, type) VALUES ('mid1', 'First server', 'mid_sourcing'), ('mid2', 'Second server', 'mid_sourcing')
		), run AS (
			INSERT INTO xtk.workflow_task (workflow_id, status, start_date, completion_date, node, backend_pid)
			SELECT w.id, 'failed', now() - i * interval '1 hour', now() - i * interval '1 hour', 'n', 1
			FROM xtk.workflow w, generate_series(1, 3) i
			WHERE w.internal_name = 'defaultMidSourcingDlv'
			RETURNING id)
		INSERT INTO xtk.workflow_task_step (task_id, step_order, step_key, status, message)
		SELECT id, 1, 'mid1', 'failed', 'no route to host' FROM run
		UNION ALL
		SELECT id, 2, 'mid2', 'completed', '' FROM run`); err != nil {
		t.Fatal(err)
	}
	for _, page := range []struct {
		login, path string
		says        bool
		leads       string // where else than to the run
	}{
		{"kim", "/accounts/mid1", true, ""}, {"kim", "/accounts/mid2", false, ""}, {"kim", "/accounts", true, " does not work"},
		{"kim", "/workflows/defaultMidSourcingDlv", true, `href="/accounts/mid1"`}, {"reader", "/workflows/defaultMidSourcingDlv", true, ""},
		{"kim", "/workflows/defaultMidSourcingLog", false, ""},
	} {
		answer, body := c.ask(page.login, http.MethodGet, page.path, nil)
		if says := strings.Contains(body, "3 times in a row") && strings.Contains(body, "no route to host"); answer.StatusCode != http.StatusOK || says != page.says {
			t.Errorf("%s for %s: %d, says that the account fails: %t, want %t", page.path, page.login, answer.StatusCode, says, page.says)
		}
		if !strings.Contains(body, page.leads) {
			t.Errorf("%s for %s: got no %q", page.path, page.login, page.leads)
		}
		if page.login == "reader" && strings.Contains(body, `href="/accounts/mid1"`) {
			t.Errorf("%s leads %s where only administrators may go", page.path, page.login)
		}
	}
}

// TestMailOfAFreshInstance: where there was never a message, the page does not say that all are sent.
func TestMailOfAFreshInstance(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if body := c.got("/mail"); strings.Contains(body, "All mail is sent") || !strings.Contains(body, "No mail yet") {
		t.Error("a fresh instance: got another title than that there is no mail yet")
	}
	if _, err := c.db.Pool.Exec(t.Context(), `
		INSERT INTO nms.notification (effect_key, channel, to_address, subject, body_text, state, sent_at) VALUES ('k', 'mail', 'a@example.com', 's', 'b', 'sent', now())`); err != nil {
		t.Fatal(err)
	}
	if body := c.got("/mail"); !strings.Contains(body, "All mail is sent") {
		t.Error("with a message that was sent: got another title than that all mail is sent")
	}
}
