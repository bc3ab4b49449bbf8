package delivery_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/jobs/external/deliverability"
	"nightshift/jobs/jobtest"
)

// atRoute answers the requests of one route in the service's place.
func atRoute(route string, answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method+" "+r.URL.Path != route {
			return false
		}
		answer(w, r)
		return true
	}
}

func refuses(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://169.254.169.254/latest/meta-data")
		w.WriteHeader(code)
	}
}

func saysJSON(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(text))
	}
}

// halfOf breaks the connection in the middle of an answer.
func halfOf(w http.ResponseWriter, _ *http.Request) {
	line, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_, _ = line.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"version\":\"v2\","))
		_ = line.Close()
	}
}

// accountProblem is the kind of the problem of an account that fails.
const accountProblem = `SELECT last_error_kind FROM nms.ext_account WHERE last_error_at > COALESCE(last_ok, '-infinity') AND last_error NOT LIKE '%canary%'`

// Whatever the service does, the last good rules stay, and the run says why.
func TestTheLastGoodRulesStay(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t)
	refreshes(t, d)
	const token, rules = "POST /v1/token", "GET /v1/rules"
	for name, c := range map[string]struct {
		route  string
		answer http.HandlerFunc
		reason string
		calls  int    // of the route
		kind   string // of the account's problem
	}{
		"unknown account": {token, refuses(401), "/v1/token answered 401", 1, "logon"},
		"token of HTML":   {token, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "instead of JSON", 1, "other"},
		"no token":        {token, saysJSON("{}"), "answer: no token", 1, "other"},
		"service down":    {token, refuses(503), "/v1/token answered 503", 4, "other"},
		"denied":          {rules, refuses(403), "/v1/rules answered 403", 1, "logon"},
		"moved inside":    {rules, refuses(307), "/v1/rules answered 307, a redirect, which is not followed", 1, "other"},
		"broken":          {rules, refuses(500), "/v1/rules answered 500", 4, "other"},
		"not a document":  {rules, saysJSON(`{"version": `), "unexpected end of JSON", 1, "other"},
		"half a document": {rules, saysJSON(`{"version": "v2", "mx_rules": [], "inbound_rules": []}`), "no domain_rules", 1, "other"},
		"half an answer":  {rules, halfOf, "unexpected EOF", 4, "other"},
		"no generic rule": {rules, saysJSON(`{"version": "v2", "mx_rules": [], "inbound_rules": [], "domain_rules": [], "suppression": {"addresses": [], "domains": []}}`), "no MX rule", 1, "other"},
		"more than 20 MB": {rules, saysJSON(strings.Repeat(" ", 21<<20)), "more than 20 MB", 1, "other"},
		"busy for ever": {rules, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(429)
		}, "answered 429 and asks to wait 24h", 1, "other"},
	} {
		calls := 0
		fake.Misbehave = atRoute(c.route, func(w http.ResponseWriter, r *http.Request) { calls++; c.answer(w, r) })
		got := fails(t, d, c.reason)
		if calls != c.calls {
			t.Errorf("%s: got %d calls, want %d", name, calls, c.calls)
		}
		want(t, d, [2]string{accountProblem, c.kind})
		do(t, d, `UPDATE nms.ext_account SET last_error_at = NULL, last_error_kind = NULL`)
		if text := strings.Join(got.Log, "\n") + got.Message; strings.Contains(text, "canary") {
			t.Errorf("%s: got the secret in\n%s", name, text)
		}
	}
	fake.Misbehave = nil
	do(t, d, `UPDATE nms.ext_account SET params = '{}'`)
	fails(t, d, "certificate signed by unknown authority")
	want(t, d, [2]string{accountProblem, "certificate"})
	do(t, d, `UPDATE nms.ext_account SET server = 'https://127.0.0.1:1'`)
	fails(t, d, "connection refused")
	want(t, d, [2]string{accountProblem, "refused"})
}

// A service that asks to wait a moment is waited for; one that asks for longer gets the rest tomorrow.
func TestAServiceThatAsksToWait(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t, kept(1, 1500))
	fake.Decide(decided("new", "hard", 1, "keep", 3))
	asked := 0
	fake.Misbehave = atRoute("GET /v1/rules", func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		saysJSON(`{"version": "v2", "mx_rules": [{"mx_mask": "*", "tls": "default"}], "inbound_rules": [], "domain_rules": [], "suppression": {"addresses": [], "domains": []}}`)(w, nil)
	})
	refreshes(t, d)
	want(t, d, [2]string{version, "v2 v2"}, [2]string{sentUntil, "2026-07-01 text 1500"})
	do(t, d, kept(1501, 3000))
	posts := 0
	fake.Misbehave = atRoute("POST /v1/broad-log-msgs", func(w http.ResponseWriter, r *http.Request) {
		// An answer before the end of the question may reach the client as a broken connection, and it asks again.
		_, _ = io.Copy(io.Discard, r.Body)
		if posts++; posts > 1 {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	fake.Publish("v2", nil)
	got := refreshes(t, d)
	tells(t, got, "warning send 500 qualifications: /v1/broad-log-msgs answered 429 and asks to wait 1h0m0s: the rest waits for the next run")
	want(t, d, [2]string{sentUntil, "2026-07-01 text 2500"})
	if s := step(t, got, "qualifications in"); s.Message != "not asked: the service asks to wait" || posts != 2 {
		t.Errorf("got %q after %d batches, want that it is not asked, after 2", s.Message, posts)
	}
	fake.Misbehave = atRoute("GET /v1/broad-log-msgs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	tells(t, refreshes(t, d), "warning /v1/broad-log-msgs answered 429")
	want(t, d, [2]string{sentUntil, "2026-07-01 text 3000"})
}

// Of a page of decisions that is not right, nothing is taken; what was taken before stays.
func TestPagesThatAreNotRight(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t, `INSERT INTO xtk.option (name, data_type, timestamp_value) VALUES ('Deliverability_LastBroadLogMsgDate', 'timestamp', '2026-07-10 03:00+00')`)
	refreshes(t, d)
	message := func(text, moment string) string {
		m := decided(text, "hard", 1, "keep", 20)
		return fmt.Sprintf(`{"md5": %q, "text_normalized": %q, "failure_type": "hard", "failure_reason": 1, "qualif_status": "keep", "last_modified": %q}`, m.MD5, text, moment)
	}
	soon := time.Now().Add(72 * time.Hour).UTC().Format(time.RFC3339)
	for name, c := range map[string][2]string{
		"not after":    {`{"messages": [` + message("a", "2026-07-10T03:00:00Z") + `]}`, "from before the moment asked for"},
		"one is wrong": {`{"messages": [` + message("a", "2026-07-11T03:00:00Z") + `, {"md5": "x"}]}`, `"x" is no md5`},
		"to come":      {`{"messages": [` + message("a", soon) + `]}`, "which is to come"},
		"no list":      {`{}`, "no list of messages"},
		"a loop":       {`[]`, "cannot unmarshal array"},
	} {
		fake.Misbehave = atRoute("GET /v1/broad-log-msgs", saysJSON(c[0]))
		t.Log(name)
		fails(t, d, c[1])
	}
}

// work gives every step something to do.
func work(t testing.TB) (*db.DB, *deliverability.Fake) {
	d, fake := monitored(t, kept(1, 3), `INSERT INTO nms.mail_rule (rule_set_id, rule_order, pattern, failure_type, failure_reason, origin)
		SELECT id, 60, 'ours', 'hard', 9, 'user' FROM nms.rule_set WHERE internal_name = 'defaultInMail'`,
		`INSERT INTO nms.broad_log_msg (md5, text_normalized) VALUES (md5('user unknown'), 'user unknown'), (md5('theirs'), 'theirs')`)
	fake.Decide(decided("theirs", "soft", 3, "ignore", 3), decided("not seen", "hard", 1, "keep", 4))
	return d, fake
}

func TestRefreshSimulated(t *testing.T) {
	t.Parallel()
	d, fake := work(t)
	before := jobtest.Digest(t, d)
	rehearsed := jobtest.Simulate(t, d, refresh)
	if rehearsed.Status != "completed" || jobtest.Digest(t, d) != before || len(fake.Received()) > 0 {
		t.Fatalf("got %s (%s), other rows, or %d batches sent; want completed and neither", rehearsed.Status, rehearsed.Message, len(fake.Received()))
	}
	tells(t, rehearsed, "would: send 3 qualifications")
	tells(t, rehearsed, "Rules version 2026-07-24.3: MX 3 (2 added, 1 changed, 0 removed), inbound 2 (2 added, 0 changed, 6 removed)")
	counters := jobtest.Count(t, d)
	done := refreshes(t, d)
	counters.Check(t, done)
	sameSteps(t, rehearsed, done)
	for _, s := range done.Steps {
		if said := step(t, rehearsed, s.Key).Message; said != s.Message {
			t.Errorf("step %s: announced %q, done %q", s.Key, said, s.Message)
		}
	}
}

func TestRefreshSurvivesACutAnywhere(t *testing.T) {
	t.Parallel()
	var fake *deliverability.Fake
	setup := func(t testing.TB) *db.DB {
		d, one := work(t)
		fake = one
		return d
	}
	newRule := jobtest.Alike("nms.broad_log_msg.rule_id", `\d+`)
	jobtest.CrashSweep(t, refresh, setup, newRule)
	for _, batch := range fake.Received() {
		if len(batch) != 3 {
			t.Errorf("got %d qualifications sent at a time, want all 3", len(batch))
		}
	}
	jobtest.StopSweep(t, refresh, setup, newRule)
}

// A run that resumes a failed one keeps its steps, and asks anew for what they have learnt.
func TestRefreshResumed(t *testing.T) {
	t.Parallel()
	d, fake := work(t)
	do(t, d, `ALTER TABLE nms.rule_set ADD CONSTRAINT broken CHECK (version IS NULL)`)
	failed := jobtest.Run(t, d, refresh)
	if failed.Status != "failed" || step(t, failed, "replace").Status != "failed" {
		t.Fatalf("got %s (%s), want failed at replace", failed.Status, failed.Message)
	}
	want(t, d, [2]string{inbound, seeded + ", 60 ours f hard 9 user"})
	do(t, d, `ALTER TABLE nms.rule_set DROP CONSTRAINT broken`)
	got := refreshes(t, d, jobtest.Resume(failed.TaskID))
	want(t, d, [2]string{version, "2026-07-24.3 2026-07-24.3"}, [2]string{`SELECT count(*) FROM nms.mx_rule`, "3"})
	if s := step(t, got, "check"); s.Status != "kept" || len(fake.Received()) != 1 {
		t.Errorf("got check %s and %d batches sent, want kept and 1", s.Status, len(fake.Received()))
	}
}

// A stop ends a call that hangs, at once.
func TestRefreshIsStoppedInACall(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t)
	ctx, stop := context.WithCancelCause(t.Context())
	var asked time.Time
	fake.Misbehave = atRoute("GET /v1/rules", func(_ http.ResponseWriter, r *http.Request) {
		asked = time.Now()
		stop(jobs.ErrStopped)
		<-r.Context().Done()
	})
	got := jobtest.Run(t, d, refresh, jobtest.Context(ctx))
	// A call that is not ended gives up after 15 s by itself.
	if took := time.Since(asked); got.Status != "stopped" || took > 12*time.Second {
		t.Errorf("got %s (%s) after %s, want stopped at once", got.Status, got.Message, took)
	}
}
