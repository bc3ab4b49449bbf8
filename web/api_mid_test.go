package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"nightshift/db"
)

// carry gives the console a delivery of an instance with messages that changed a while ago.
func (i *instance) carry(emitterID int64, label string) db.Submitted {
	i.t.Helper()
	var one db.Submitted
	i.want(http.StatusCreated, "POST /api/v1/mid/deliveries", map[string]any{"emitter_id": emitterID, "label": label}, &one)
	return one
}

type message struct {
	RemoteID int64  `json:"remote_id"`
	Address  string `json:"address"`
}

func messages(from, n int) map[string][]message {
	var all []message
	for id := from; id < from+n; id++ {
		all = append(all, message{int64(id), fmt.Sprintf("a%d@example.com", id)})
	}
	return map[string][]message{"messages": all}
}

// age lets all that is carried have changed so many seconds ago.
func (c *console) age(seconds int) {
	c.t.Helper()
	c.run(`UPDATE nms.delivery SET last_modified = now() - make_interval(secs => $1) WHERE emitter_account_id IS NOT NULL`, seconds)
	c.run(`UPDATE nms.broad_log_mid SET last_modified = now() - make_interval(secs => $1)`, seconds)
}

// The way of a delivery: submitted, filled part by part, started, paused, resumed, stopped, deleted; each call again
// changes nothing.
func TestSubmitDelivery(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	i := c.newInstance("mid")
	one := i.carry(42, "Summer")
	var again db.Submitted
	i.want(http.StatusOK, "POST /api/v1/mid/deliveries", map[string]any{"emitter_id": 42, "label": "Autumn", "priority": 1, "content": map[string]string{"subject": "Hello"}}, &again)
	if again != one || c.count(`SELECT count(*) FROM nms.delivery WHERE id = $1 AND label = 'Autumn' AND content->>'subject' = 'Hello' AND folder_id IS NOT NULL`, one.ID) != 1 {
		t.Errorf("submitted again: got %+v, want %+v with the new label", again, one)
	}
	path := fmt.Sprintf(" /api/v1/mid/deliveries/%d/", one.ID)
	i.want(http.StatusConflict, "POST"+path+"start", nil, nil)
	for range 2 {
		var part partAnswer
		i.want(http.StatusOK, "POST"+path+"parts", messages(1, 300), &part)
		i.want(http.StatusOK, "POST"+path+"parts", messages(201, 200), &part)
		if part.ToDeliver != 400 {
			t.Errorf("parts: got %+v, want 400 to deliver", part)
		}
	}
	if n := c.count(`SELECT count(*) FROM nms.broad_log_mid WHERE delivery_id = $1 AND emitter_account_id IS NOT NULL`, one.ID); n != 400 || c.count(`SELECT sum(rcp_count) FROM nms.delivery_part`) != 400 {
		t.Errorf("got %d messages, want 400 in parts of 400 altogether", n)
	}
	for _, order := range []struct{ verb, before, after string }{
		{"start", "", "start_pending"}, {"pause", "", "paused"}, {"start", "", "recovery_pending"}, {"pause", "in_progress", "pause_requested"},
		{"start", "", "in_progress"}, {"stop", "", "stopped"},
	} {
		if order.before != "" {
			c.run(`UPDATE nms.delivery SET state = $2 WHERE id = $1`, one.ID, order.before)
		}
		for range 2 {
			var got db.Submitted
			if i.want(http.StatusOK, "POST"+path+order.verb, nil, &got); got.State != order.after {
				t.Errorf("%s: got %s, want %s", order.verb, got.State, order.after)
			}
		}
	}
	i.want(http.StatusConflict, "POST"+path+"start", nil, nil)
	i.want(http.StatusConflict, "POST"+path+"parts", messages(900, 1), nil)
	if n := c.count(`SELECT count(*) FROM xtk.audit WHERE entity_type = 'delivery' AND operator_login = 'mid'`); n != 6 {
		t.Errorf("got %d lines of the audit trail, want one for each order that changed something: 6", n)
	}
	for _, want := range []int64{1, 0} {
		var got cleanupAnswer
		ids := map[string][]int64{"emitter_ids": {42, 42, 43}, "remote_ids": {one.ID, one.ID + 1, one.ID}}
		if i.want(http.StatusOK, "POST /api/v1/mid/deliveries/cleanup", ids, &got); got.Deleted != want {
			t.Errorf("cleanup: got %d deleted, want %d", got.Deleted, want)
		}
	}
	i.want(http.StatusNotFound, "POST"+path+"start", nil, nil)
	i.want(http.StatusConflict, "POST /api/v1/mid/deliveries", map[string]any{"emitter_id": 42, "label": "Summer"}, nil)
}

func TestSubmissionsRefused(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	i := c.newInstance("mid")
	one := i.carry(1, "a")
	for _, in := range []any{nil, "x", map[string]any{"emitter_id": 0, "label": "a"}, map[string]any{"emitter_id": 2}, map[string]any{"emitter_id": 2, "label": strings.Repeat("a", 201)},
		map[string]any{"emitter_id": 2, "label": "a", "message_type": 121}, map[string]any{"emitter_id": 2, "label": "a", "validity": "0001-01-01T00:00:00Z"},
		map[string]any{"emitter_id": 2, "label": "a", "validity": "yesterday"}, map[string]any{"emitter_id": 1e300, "label": "a"}} {
		i.want(http.StatusBadRequest, "POST /api/v1/mid/deliveries", in, nil)
	}
	if w := i.send(http.MethodPost, "/api/v1/mid/deliveries", []byte(`{"emitter_id": 2, "label": "a", "content": {"n": 1e999999, "s": "\ud800"}}`)); w.Code != http.StatusBadRequest {
		t.Errorf("a number that no database holds: got %d %s, want 400", w.Code, w.Body)
	}
	path := fmt.Sprintf("POST /api/v1/mid/deliveries/%d/parts", one.ID)
	for _, in := range []any{nil, messages(1, 0), messages(1, messagesAtMost+1), messages(0, 1), map[string]any{"messages": []message{{1, ""}}}, map[string]any{"messages": "x"}} {
		i.want(http.StatusBadRequest, path, in, nil)
	}
	for _, id := range []string{"0", "-1", "x", "99999", "9223372036854775808"} {
		i.want(http.StatusNotFound, "POST /api/v1/mid/deliveries/"+id+"/stop", nil, nil)
	}
	for _, in := range []any{nil, map[string]any{"emitter_ids": []int{}}, map[string]any{"emitter_ids": []int{1, 2}, "remote_ids": []int{1}}} {
		i.want(http.StatusBadRequest, "POST /api/v1/mid/deliveries/cleanup", in, nil)
	}
	for _, q := range []string{"deliveries?modified_since=x", "deliveries?limit=0", "deliveries?limit=1001", "deliveries?after_id=-1", "broad-logs", "broad-logs?start_date=0000-01-01T00:00:00Z",
		"broad-logs?start_date=2026-01-02T00:00:00Z&end_date=2026-01-01T00:00:00Z", "broad-logs?start_date=2026-01-01T00:00:00Z&log_count=50001",
		"broad-log-msgs?md5=x", "broad-log-msgs?md5=" + strings.Repeat("a", 33), "addresses?since=2026-13-01T00:00:00Z", "addresses?since=2026-01-01%2000:00:00Z"} {
		i.want(http.StatusBadRequest, "GET /api/v1/mid/"+q, nil, nil)
	}
}

// So many calls at a time prepare deliveries, and no more.
func TestPrepareFlow(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	i := c.newInstance("mid")
	c.prepared.Add(3)
	if got := i.want(http.StatusTooManyRequests, "POST /api/v1/mid/deliveries", map[string]any{"emitter_id": 1, "label": "a"}, nil); got.Header.Get("Retry-After") != "1" {
		t.Errorf("got Retry-After %q, want 1", got.Header.Get("Retry-After"))
	}
	c.run(`INSERT INTO xtk.option (name, data_type, long_value) VALUES ('NmsMidSourcing_PrepareFlow', 'long', 4)`)
	i.carry(1, "a")
	if n := c.prepared.Load(); n != 3 {
		t.Errorf("afterwards: got %d calls counted, want 3", n)
	}
}

// Two instances on one server see nothing of each other, nor does either see what lies outside its folder.
func TestInstancesApart(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	a, b := c.newInstance("mid"), c.newInstance("other")
	one, two := a.carry(1, "of mid"), b.carry(1, "of other")
	for _, i := range []*instance{a, b} {
		own := map[*instance]db.Submitted{a: one, b: two}[i]
		i.want(http.StatusOK, fmt.Sprintf("POST /api/v1/mid/deliveries/%d/parts", own.ID), messages(1, 3), nil)
	}
	c.run(`INSERT INTO nms.address (address, status, delivery_id) VALUES ('x@a', 'quarantine', $1), ('x@b', 'quarantine', $2), ('x@c', 'quarantine', NULL)`, one.ID, two.ID)
	c.run(`UPDATE nms.address SET last_modified = now() - interval '1 hour'`)
	c.age(60)
	seen := func(i *instance) string {
		t.Helper()
		var d db.MidDeliveryPage
		var l db.LogPage
		var m midAddressesAnswer
		i.want(http.StatusOK, "GET /api/v1/mid/deliveries", nil, &d)
		i.want(http.StatusOK, "GET /api/v1/mid/broad-logs?start_date=2000-01-01T00:00:00Z", nil, &l)
		i.want(http.StatusOK, "GET /api/v1/mid/addresses", nil, &m)
		var ids []int64
		for _, one := range d.Deliveries {
			ids = append(ids, one.ID)
		}
		return fmt.Sprint(ids, len(l.Logs), len(m.Addresses))
	}
	if got, want := seen(a), fmt.Sprintf("[%d] 3 1", one.ID); got != want {
		t.Errorf("mid sees %s, want %s", got, want)
	}
	if got, want := seen(b), fmt.Sprintf("[%d] 3 1", two.ID); got != want {
		t.Errorf("other sees %s, want %s", got, want)
	}
	for _, call := range []string{"start", "stop", "pause", "parts"} {
		a.want(http.StatusNotFound, fmt.Sprintf("POST /api/v1/mid/deliveries/%d/%s", two.ID, call), messages(1, 1), nil)
	}
	a.want(http.StatusOK, "POST /api/v1/mid/deliveries/cleanup", map[string][]int64{"emitter_ids": {1}, "remote_ids": {two.ID}}, nil)
	if n := c.count(`SELECT count(*) FROM nms.delivery WHERE delete_status <> 'no'`); n != 0 {
		t.Errorf("got %d deliveries deleted by another instance, want none", n)
	}
	c.run(`UPDATE nms.delivery SET folder_id = (SELECT id FROM xtk.folder WHERE internal_name = 'midSourcing'), last_modified = last_modified WHERE id = $1`, two.ID)
	if got := seen(b); got != "[] 0 0" {
		t.Errorf("moved out of the folder: got %s, want nothing", got)
	}
}

// The list of deliveries goes on where it stopped: every change once, in its order, whatever the size of a page.
func TestDeliveryPages(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	i := c.newInstance("mid")
	for id := range int64(7) {
		i.carry(id+1, "d")
	}
	c.run(`UPDATE nms.delivery SET last_modified = date_trunc('second', now()) - interval '1 hour' + make_interval(secs => (emitter_delivery_id / 3) / 1e6), sent = 5,
		recipient_open = 3 WHERE emitter_account_id IS NOT NULL`)
	var seen []int64
	for at := ""; ; {
		var page db.MidDeliveryPage
		i.want(http.StatusOK, "GET /api/v1/mid/deliveries?limit=2"+at, nil, &page)
		for _, one := range page.Deliveries {
			seen = append(seen, one.EmitterID)
			if one.Sent != 5 {
				t.Errorf("got %d sent, want 5", one.Sent)
			}
		}
		if len(page.Deliveries) < 2 {
			break
		}
		last := page.Deliveries[1]
		at = fmt.Sprintf("&modified_since=%s&after_id=%d", url.QueryEscape(last.LastModified.Format(time.RFC3339Nano)), last.ID)
	}
	if got := fmt.Sprint(seen); got != "[1 2 3 4 5 6 7]" {
		t.Errorf("got %s, want each once in order", got)
	}
}

// logs asks for one page of logs.
func (i *instance) logs(start time.Time, more string) db.LogPage {
	i.t.Helper()
	var page db.LogPage
	i.want(http.StatusOK, "GET /api/v1/mid/broad-logs?start_date="+start.UTC().Format("2006-01-02T15:04:05.000000Z")+more, nil, &page)
	if !page.Next.After(start) {
		i.t.Errorf("got next_date %s, want it after %s", page.Next, start)
	}
	return page
}

// withLogs is an instance with so many messages, all changed in the second that began at the moment returned.
func withLogs(t *testing.T, n int) (*instance, time.Time) {
	t.Helper()
	c := newConsole(t)
	i := c.newInstance("mid")
	one := i.carry(42, "d")
	i.want(http.StatusOK, fmt.Sprintf("POST /api/v1/mid/deliveries/%d/parts", one.ID), messages(1, n), nil)
	second := time.Now().Add(-time.Hour).Truncate(time.Second)
	c.run(`UPDATE nms.broad_log_mid SET last_modified = $1::timestamptz + make_interval(secs => remote_id / 1e6)`, second)
	return i, second
}

// A second is given whole, and once.
func TestLogsOfOneSecond(t *testing.T) {
	t.Parallel()
	i, second := withLogs(t, 60)
	page := i.logs(second, "&log_count=50")
	if len(page.Logs) != 60 || !page.Next.Equal(second.Add(time.Second)) || page.Left != 60 {
		t.Errorf("got %d logs, next %s, %d left; want 60, the next second, 60", len(page.Logs), page.Next, page.Left)
	}
	if page := i.logs(page.Next.Time, "&log_count=50"); len(page.Logs) != 0 {
		t.Errorf("the next page: got %d logs, want none", len(page.Logs))
	}
	i.run(`UPDATE nms.broad_log_mid SET last_modified = $1::timestamptz + make_interval(secs => remote_id)`, second)
	seen := 0
	for at := second; at.Before(time.Now().Add(-time.Minute)); {
		page := i.logs(at, "&log_count=7")
		seen, at = seen+len(page.Logs), page.Next.Time
	}
	if seen != 60 {
		t.Errorf("page by page: got %d logs, want 60", seen)
	}
	if page := i.logs(second, "&end_date="+second.Add(30*time.Second).UTC().Format(time.RFC3339Nano)); len(page.Logs) != 29 || !page.Next.Equal(second.Add(30*time.Second)) {
		t.Errorf("with an end: got %d logs, next %s; want 29 and the end", len(page.Logs), page.Next)
	}
}

// A row whose transaction is still open is neither given nor passed over.
func TestLogsBeingWritten(t *testing.T) {
	t.Parallel()
	i, second := withLogs(t, 2)
	tx, err := i.db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	var begun time.Time
	if err := tx.QueryRow(t.Context(), `UPDATE nms.broad_log_mid SET status = 'sent' WHERE remote_id = 1 RETURNING last_modified`).Scan(&begun); err != nil {
		t.Fatal(err)
	}
	// Others write and commit after it began.
	i.run(`UPDATE nms.broad_log_mid SET status = 'failed' WHERE remote_id = 2`)
	// The last second is never given. When begun is older than that, it alone decides up to where the logs are.
	i.run(`SELECT pg_sleep(GREATEST(0, extract(epoch FROM $1::timestamptz - clock_timestamp())))`, begun.Add(time.Second))
	page := i.logs(second, "")
	if len(page.Logs) != 1 || page.Next.After(begun) {
		t.Errorf("got %d logs, next %s; want the old state of one and nothing after %s", len(page.Logs), page.Next, begun)
	}
	got := i.want(http.StatusConflict, "GET /api/v1/mid/broad-logs?start_date="+page.Next.UTC().Format(time.RFC3339Nano), nil, nil)
	if got.Header.Get("Retry-After") != "1" {
		t.Errorf("got Retry-After %q, want 1", got.Header.Get("Retry-After"))
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	i.run(`UPDATE nms.broad_log_mid SET last_modified = last_modified - interval '10 seconds' WHERE status <> 'pending'`)
	if page := i.logs(page.Next.Add(-10*time.Second), ""); len(page.Logs) != 2 {
		t.Errorf("after the commit: got %d logs, want both", len(page.Logs))
	}
}

// Events are told by the caller's clock.
func TestEventDates(t *testing.T) {
	t.Parallel()
	i, second := withLogs(t, 1)
	i.run(`UPDATE nms.broad_log_mid SET event_date = $1, last_modified = $1`, second)
	for behind, want := range map[time.Duration]time.Duration{180 * time.Second: -180 * time.Second, -time.Hour: time.Hour, 0: 0} {
		clock := time.Now().Add(-behind).UTC().Format(time.RFC3339Nano)
		page := i.logs(second, "&emitter_date="+url.QueryEscape(clock))
		if got := page.Logs[0].EventDate.Sub(second); got != want {
			t.Errorf("a caller %s behind: got the event shifted by %s, want %s", behind, got, want)
		}
	}
}

// Texts of errors are found by checksum, or by what changed.
func TestErrorTexts(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	i := c.newInstance("mid")
	c.run(`INSERT INTO nms.broad_log_msg (md5, text_normalized, first_text, failure_type, failure_reason, last_modified)
		VALUES (md5('t'), 't', 'secret@example.com', 'hard', 1, now() - interval '1 hour')`)
	c.run(`UPDATE nms.broad_log_msg SET last_modified = now() - interval '1 day' WHERE md5 <> md5('t')`)
	for _, q := range []string{"md5=e358efa489f58062f10dd7316b65649e," + strings.Repeat("0", 32), "since=" + url.QueryEscape(time.Now().Add(-2*time.Hour).Format(time.RFC3339Nano))} {
		var got midMessagesAnswer
		i.want(http.StatusOK, "GET /api/v1/mid/broad-log-msgs?"+q, nil, &got)
		if len(got.Messages) != 1 || got.Messages[0].Text != "t" || got.Messages[0].FailureReason != 1 {
			t.Errorf("%s: got %+v, want the one text", q, got.Messages)
		}
	}
}
