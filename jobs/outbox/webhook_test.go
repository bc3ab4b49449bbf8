package outbox

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"nightshift/db"
	"nightshift/jobs/external/webhook"
)

// chat is an endpoint that keeps what it took.
type chat struct {
	mu      sync.Mutex
	answer  int
	bodies  []string
	badSign int
}

func (c *chat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Header.Get("Nightshift-Signature") != "v1="+webhook.Sign("s3cret", r.Header.Get("Nightshift-Timestamp"), body) {
		c.badSign++
	}
	w.Header().Set("Retry-After", "7200")
	w.WriteHeader(c.answer)
	if c.answer/100 == 2 {
		c.bodies = append(c.bodies, r.Header.Get("Nightshift-Delivery")+" "+string(body))
	}
}

func (c *chat) say(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = status
}

func (c *chat) took() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.bodies...)
}

// hook makes a webhook that leads to the endpoint, and messages for it.
func (o office) hook(c *chat, private string, messages ...string) {
	o.Helper()
	server := httptest.NewTLSServer(c)
	o.Cleanup(server.Close)
	administrator := db.Actor{ID: 901, Login: "kim", Rights: []string{db.Administration}}
	edit := db.AccountEdit{Name: "chat", Type: db.AccountWebhook, Server: server.URL + "/hook", Secret: "s3cret", Active: true, Params: map[string]string{
		"private": private, "authority": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))}}
	if err := o.d.SaveAccount(o.Context(), administrator, edit, true); err != nil {
		o.Fatal(err)
	}
	for _, m := range messages {
		o.exec(`
			INSERT INTO nms.notification (effect_key, channel, account_id, workflow_name, to_address, subject, body_text)
			SELECT $1, 'webhook', id, 'cleanup', label, 'A notice', '{"text": "' || $1 || '"}' FROM nms.ext_account WHERE internal_name = 'chat'`, m)
	}
}

// A message is signed and taken once; one that the endpoint cannot take now waits as long as it asks, with all behind it.
func TestWebhook(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := &chat{answer: http.StatusServiceUnavailable}
	o.hook(c, "true", "one", "two")
	o.start()
	o.until("pending pending", states)
	o.until("1 1", `SELECT string_agg(attempts::text, ' ' ORDER BY id) FROM nms.notification`)
	o.until("true", `SELECT next_try_at > now() + interval '110 minutes' AND last_error = 'HTTP 503' FROM nms.notification WHERE id = 1`)
	o.until("true", `SELECT next_try_at < now() + interval '2 minutes' FROM nms.notification WHERE id = 2`)
	o.until("HTTP 503", `SELECT last_error FROM nms.ext_account WHERE internal_name = 'chat'`)
	c.say(http.StatusNoContent)
	// A test that goes well sends at once what waits.
	a, err := o.d.AccountByName(t.Context(), "chat")
	if err != nil {
		t.Fatal(err)
	}
	if err := New(Config{DB: o.d}).Try(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := o.d.TestedAccount(t.Context(), db.Actor{Login: "kim"}, a, nil); err != nil {
		t.Fatal(err)
	}
	o.until("sent sent", states)
	got := c.took()
	if len(got) != 3 || !strings.HasPrefix(got[0], "test:chat:") || got[1]+got[2] != `one {"text": "one"}two {"text": "two"}` && got[1]+got[2] != `two {"text": "two"}one {"text": "one"}` {
		t.Errorf("got %q, want a test and both messages", got)
	}
	if c.badSign != 0 {
		t.Errorf("got %d messages with a wrong signature", c.badSign)
	}
	o.until("true", `SELECT bool_and(answer LIKE 'HTTP 204 in %') FROM nms.notification`)
}

// An address of our own network, which the account does not allow, is given up at once and said.
func TestWebhookInside(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := &chat{answer: http.StatusOK}
	o.hook(c, "", "one")
	o.start()
	o.until("error", states)
	o.until("private", `SELECT last_error_kind FROM nms.ext_account WHERE internal_name = 'chat'`)
	if len(c.took()) != 0 {
		t.Error("the endpoint got the message, want none")
	}
	o.until("1", `SELECT count(*) FROM xtk.workflow_log WHERE level = 'warning' AND message LIKE '%was not sent: %the address is one of our own network'`)
}

// A message that a lost process was sending is unknown, and the next ones go on.
func TestWebhookCrash(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	c := &chat{answer: http.StatusOK}
	o.hook(c, "true", "one", "two")
	o.exec(`UPDATE nms.notification SET state = 'sending', attempts = 1 WHERE effect_key = 'one'`)
	o.start()
	o.until("unknown sent", states)
	if got := c.took(); len(got) != 1 || !strings.HasPrefix(got[0], "two") {
		t.Errorf("got %q, want the second message only", got)
	}
}
