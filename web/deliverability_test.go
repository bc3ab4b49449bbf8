package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const bouncesOfTheTest = `
	INSERT INTO nms.broad_log_msg (id, md5, text_normalized, first_text, qualif_status, failure_type, failure_reason, hit_count, rule_id, origin)
	SELECT v.id, v.id::text, v.text, NULL, v.status, v.kind, v.reason, v.hits, (SELECT id FROM nms.mail_rule WHERE rule_order = v.rule), v.origin
	FROM (VALUES (201, 'user <b>unknown</b>', 'to_qualify', 'hard', 1, 12, 10, 'local'), (202, 'strange', 'to_qualify', 'undefined', 0, 100000, 0, 'local'),
		(203, 'over quota', 'keep', 'soft', 5, 7, 20, 'service')) AS v (id, text, status, kind, reason, hits, rule, origin)`

// sees asks for a page and checks that it has texts, and lacks those that begin with a minus.
func (c *console) sees(path, wanted string) {
	c.t.Helper()
	got, body := c.ask("kim", http.MethodGet, path, nil)
	for want := range strings.SplitSeq(wanted, "|") {
		text, lacks := strings.CutPrefix(want, "-")
		if got.StatusCode != http.StatusOK || strings.Contains(body, text) == lacks {
			c.t.Errorf("%s: got %d and %q there: %t", path, got.StatusCode, text, lacks)
		}
	}
}

func TestDeliverabilityPage(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.sees("/deliverability", "Rules as installed · no bounce text waits for a decision|No text waits.|as installed|Deliverability monitoring is not installed")
	c.run(bouncesOfTheTest)
	c.run(`UPDATE nms.rule_set SET version = '2026-07-24.3', synchronised_at = now() WHERE kind <> 'mx'`)
	c.run(`UPDATE nms.rule_set SET mode = 'custom' WHERE kind = 'mx'`)
	c.sees("/deliverability", "Rules of 2026-07-24.3 · 2 bounce texts wait for a decision|fetched once|Custom: not synchronised|user &lt;b&gt;unknown|by the rule 5\\.1\\.1|no rule fits|100,000|-over quota")
	c.sees("/deliverability?status=keep", "over quota|decided by the deliverability service|-strange")
	c.sees("/deliverability?after=100000.202", "unknown|-strange")
	c.sees("/deliverability?host=mx.example.com", "mx.example.com|10 connections at most|10,000 messages per hour, 833 in each 5 minutes")
	c.sees("/deliverability?host=a+b", "at most 255 characters")
	for _, bad := range []string{"status=x", "after=1", "after=x.1", "after=1.-1"} {
		if got, _ := c.ask("kim", http.MethodGet, "/deliverability?"+bad, nil); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", bad, got.StatusCode)
		}
	}
	if got, _ := c.ask("kim", http.MethodPost, "/deliverability/monitoring", url.Values{}); got.StatusCode != http.StatusSeeOther {
		t.Errorf("install: got %d, want 303", got.StatusCode)
	}
	c.sees("/deliverability", "up to date|-Install deliverability monitoring")
	c.run(`UPDATE nms.rule_set SET synchronised_at = now() - interval '49 hours' WHERE kind = 'inbound'`)
	c.sees("/deliverability", "not refreshed for two nights")
	c.run(`INSERT INTO xtk.workflow_task (workflow_id, status, node, backend_pid, completion_date) SELECT id, 'completed', 'n', 1, now() FROM xtk.workflow WHERE internal_name = 'deliverabilityUpdate'`)
	c.sees("/deliverability", "-not refreshed for two nights")
}

func TestDecideOnABounce(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.run(bouncesOfTheTest)
	c.sees("/deliverability/texts/201", "user &lt;b&gt;unknown|To qualify|Nobody has decided on it yet.")
	decide := func(id, seen, status, reason string) (int, string) {
		got, body := c.ask("kim", http.MethodPost, "/deliverability/texts/"+id, url.Values{"seen": {seen}, "status": {status}, "type": {"hard"}, "reason": {reason}})
		return got.StatusCode, body
	}
	if code, _ := decide("201", "to_qualify", "keep", "1"); code != http.StatusSeeOther {
		t.Errorf("decide: got %d, want 303", code)
	}
	c.sees("/deliverability?status=keep", "user &lt;b&gt;unknown|decided here")
	c.sees("/deliverability/texts/201", "decision To qualify|Keep|kim")
	if code, body := decide("201", "to_qualify", "ignore", "1"); code != http.StatusConflict || !strings.Contains(body, "Somebody else has decided") {
		t.Errorf("decided by somebody else: got %d, want 409 and why", code)
	}
	if code, body := decide("202", "to_qualify", "keep", "13"); code != http.StatusUnprocessableEntity || !strings.Contains(body, "Choose one of the reasons.") {
		t.Errorf("no such reason: got %d, want 422 and why", code)
	}
	for _, id := range []string{"1", "x", "99"} { // the built-in text is nobody's to decide
		if code, _ := decide(id, "ignore", "keep", "1"); code != http.StatusNotFound {
			t.Errorf("text %s: got %d, want 404", id, code)
		}
	}
}
