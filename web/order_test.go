package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// An order becomes a row and leads back with a message; given twice, or from a state that does not take it, it is refused with the reason.
func TestOrders(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	give := func(order string, fields url.Values, want int) string {
		t.Helper()
		answer, body := c.ask("kim", http.MethodPost, "/workflows/cleanup/"+order, fields)
		if answer.StatusCode != want {
			t.Errorf("%s: got %s, want %d", order, answer.Status, want)
		}
		return body
	}
	jobs := func() int { return c.count(`SELECT count(*) FROM xtk.workflow_job WHERE applied_at IS NULL`) }
	if body := give("pause", nil, http.StatusConflict); !strings.Contains(body, "never started") || jobs() != 0 {
		t.Errorf("pause of what was never started: got %d orders, want none and the reason", jobs())
	}
	give("start", nil, http.StatusSeeOther)
	if _, body := c.ask("kim", http.MethodGet, "/workflows/cleanup", nil); !strings.Contains(body, "Start of Database cleanup") {
		t.Error("the page after the order does not say that it was taken")
	}
	give("start", nil, http.StatusConflict)
	if jobs() != 1 {
		t.Errorf("got %d orders, want 1", jobs())
	}
	if got := c.count(`SELECT count(*) FROM xtk.audit WHERE entity = 'cleanup' AND action = 'Start' AND operator_login = 'kim'`); got != 1 {
		t.Errorf("audit: got %d entries of the start, want 1", got)
	}
	give("dance", nil, http.StatusNotFound)
}

// A pause of a production workflow wants a reason, and an end that lies ahead; what was typed stays.
func TestPauseAsksForAReason(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `
		UPDATE xtk.workflow SET state = 'started', severity = 'production' WHERE internal_name = 'cleanup'`); err != nil {
		t.Fatal(err)
	}
	pause := func(fields url.Values) (int, string) {
		answer, body := c.ask("kim", http.MethodPost, "/workflows/cleanup/pause", fields)
		return answer.StatusCode, body
	}
	if status, _ := pause(url.Values{}); status != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: got %d, want 422", status)
	}
	status, body := pause(url.Values{"reason": {"the migration <CHG-7>"}, "until": {"at"}, "until_at": {"2001-01-01T08:00"}})
	if status != http.StatusUnprocessableEntity || !strings.Contains(body, `value="the migration &lt;CHG-7&gt;"`) {
		t.Errorf("until the past: got %d, want 422 and the reason still in its field", status)
	}
	if status, _ := pause(url.Values{"reason": {"the migration"}, "until": {"1h"}}); status != http.StatusSeeOther {
		t.Errorf("with both: got %d, want 303", status)
	}
	if got := c.count(`SELECT count(*) FROM xtk.workflow_job
	                   WHERE command = 'pause' AND args ->> 'reason' = 'the migration' AND (args ->> 'until')::timestamptz > now()`); got != 1 {
		t.Errorf("got %d orders with reason and end, want 1", got)
	}
}

// A schedule is shown before it is saved, refused with the field's reason, and not saved over somebody else's edit.
func TestScheduleForm(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	save := func(do, cron, version string) (int, string) {
		answer, body := c.ask("kim", http.MethodPost, "/workflows/cleanup/schedule",
			url.Values{"kind": {"cron"}, "cron": {cron}, "version": {version}, "do": {do}})
		return answer.StatusCode, body
	}
	stored := func() int {
		return c.count(`SELECT count(*) FROM xtk.workflow WHERE schedule ->> 'cron' = '31 5 * * *'`)
	}
	if status, body := save("preview", "31 5 * * *", "1"); status != http.StatusOK || !strings.Contains(body, "Daily at 05:31") || stored() != 0 {
		t.Errorf("preview: got %d and %d saved, want 200, the words, and nothing saved", status, stored())
	}
	if status, body := save("save", "0 25 * * *", "1"); status != http.StatusUnprocessableEntity || !strings.Contains(body, "Hour 25 does not exist") {
		t.Errorf("hour 25: got %d, want 422 and why", status)
	}
	if status, _ := save("save", "31 5 * * *", "1"); status != http.StatusSeeOther || stored() != 1 {
		t.Errorf("save: got %d and %d saved, want 303 and 1", status, stored())
	}
	if status, _ := save("save", "0 6 * * *", "1"); status != http.StatusConflict || stored() != 1 {
		t.Errorf("an old version: got %d, want 409 and nothing changed", status)
	}
}

// What a search names that does not exist is refused by name; what it finds is found by label, name, table and state.
func TestWorkflowSearch(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for query, want := range map[string][]string{
		"alias":                      {"aliasCleansing"},
		"writes:nms.broad_log_mid":   {"cleanup"},
		"state:edited paused":        {"cleanupPausedWorkflows"},
		"state:not_built tokens MID": nil,
	} {
		answer, body := c.ask("kim", http.MethodGet, "/workflows?q="+url.QueryEscape(query), nil)
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%q: got %s, want 200", query, answer.Status)
		}
		for _, name := range want {
			if !strings.Contains(body, `href="/workflows/`+name+`"`) {
				t.Errorf("%q: %s is not in the list", query, name)
			}
		}
	}
	for _, wrong := range []string{"q=colour:red", "q=state:happy", "view=sideways"} {
		if answer, body := c.ask("kim", http.MethodGet, "/workflows?"+wrong, nil); answer.StatusCode != http.StatusBadRequest || !strings.Contains(body, "does not exist") {
			t.Errorf("%s: got %s, want 400 and the filter's name", wrong, answer.Status)
		}
	}
}
