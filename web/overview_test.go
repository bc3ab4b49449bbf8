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
