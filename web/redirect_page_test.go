package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"nightshift/db"
)

// signed is the path of a link that this instance wrote, below the redirection or of the page behind it.
func (r *redirector) signed(broadLog, delivery, url int64) (link, page string) {
	r.t.Helper()
	link, err := r.db.LinkPath(db.MessageLink{BroadLog: broadLog, Delivery: delivery, URL: url})
	if err != nil {
		r.t.Fatal(err)
	}
	return link, strings.Replace(link, "/r/", letterPaths[url], 1)
}

func (r *redirector) post(path, body string, change ...func(*http.Request)) (*http.Response, string) {
	return r.do(http.MethodPost, path, strings.NewReader(body), append([]func(*http.Request){func(q *http.Request) {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}}, change...)...)
}

// people got messages: Kim as a recipient, Lee by a service, Ann as a visitor, one who is no recipient any more.
func newPeople(t *testing.T) *redirector {
	t.Helper()
	r := newRedirection(t)
	r.run(`INSERT INTO nms.recipient (id, email, language) VALUES (1, 'kim@example.com', 'ko'), (2, 'lee@example.com', NULL), (3, 'ann@example.com', 'en')`)
	r.run(`INSERT INTO nms.visitor (id, origin, external_id, recipient_id, email) VALUES (1, 0, 'v1', 3, 'ann@example.com')`)
	r.run(`INSERT INTO nms.broad_log (id, delivery_id, recipient_id, address, status) VALUES
		(11, 100, 1, 'kim@example.com', 'sent'), (12, 101, 2, 'lee@example.com', 'sent'), (14, 100, 999, 'gone@example.com', 'sent'),
		(15, 102, 1, '+821012345678', 'sent'), (16, 102, NULL, '+821099995678', 'sent'), (17, 100, NULL, NULL, 'sent')`)
	r.run(`INSERT INTO nms.broad_log_visitor (id, delivery_id, visitor_id, status) VALUES (13, 100, 1, 'sent')`)
	r.run(`INSERT INTO nms.subscription (service_id, recipient_id) VALUES (5, 2), (5, 1)`)
	r.run(`INSERT INTO nms.address (address, type, status) VALUES ('gone@example.com', 'email', 'with_errors')`)
	return r
}

// wishes are what was recorded, as one text.
func (r *redirector) wishes() (text string) {
	r.t.Helper()
	err := r.db.Pool.QueryRow(r.t.Context(), `
		SELECT concat_ws(' ',
			(SELECT string_agg(id || ':' || black_list || black_list_email || black_list_mobile, ' ' ORDER BY id) FROM nms.recipient WHERE black_list OR black_list_email OR black_list_mobile),
			(SELECT string_agg('sub ' || service_id || '/' || recipient_id, ' ' ORDER BY recipient_id) FROM nms.subscription),
			(SELECT string_agg('histo ' || service_id || '/' || recipient_id || '/' || action, ' ') FROM nms.sub_histo),
			(SELECT string_agg(address || ' ' || type || ' ' || status, ' ' ORDER BY address) FROM nms.address))`).Scan(&text)
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

// An opt-out is asked for on a page in the person's language, recorded on the press of a button where the data model says,
// and pressing twice is pressing once.
func TestOptOut(t *testing.T) {
	t.Parallel()
	const before = "sub 5/1 sub 5/2 gone@example.com email with_errors"
	for broadLog, one := range map[int64]struct {
		delivery                 int64
		question, answer, wishes string
	}{
		11: {100, "k…@example.com 주소로", "수신 거부 완료", "1:falsetruefalse " + before},
		12: {101, "Unsubscribe from “Weekly &lt;news&gt;”?", "You are unsubscribed", "sub 5/1 histo 5/2/0 gone@example.com email with_errors"},
		13: {100, "will go to a…@example.com", "You will receive no more", "3:falsetruefalse " + before},
		14: {100, "will go to g…@example.com", "You will receive no more", "sub 5/1 sub 5/2 gone@example.com email denylisted"},
		15: {102, "…678", "수신 거부 완료", "1:falsefalsetrue " + before},
		16: {102, "will go to …678", "You will receive no more", "sub 5/1 sub 5/2 +821099995678 mobile denylisted gone@example.com email with_errors"},
	} {
		t.Run(fmt.Sprint(broadLog), func(t *testing.T) {
			t.Parallel()
			r := newPeople(t)
			link, page := r.signed(broadLog, one.delivery, db.OptOutURL)
			got, _ := r.get(link)
			if got.StatusCode != http.StatusFound || got.Header.Get("Location") != page {
				t.Fatalf("got %d to %q, want the page %q", got.StatusCode, got.Header.Get("Location"), page)
			}
			got, body := r.get(page)
			if got.StatusCode != http.StatusOK || !strings.Contains(body, one.question) || strings.Contains(body, "@example.com@") || r.wishes() != before {
				t.Fatalf("got %d %s with %q, want the question %q and nothing changed", got.StatusCode, body, r.wishes(), one.question)
			}
			for range 2 {
				if got, body := r.post(page, ""); got.StatusCode != http.StatusOK || !strings.Contains(body, one.answer) || strings.Contains(body, "<form") {
					t.Errorf("got %d %s, want %q", got.StatusCode, body, one.answer)
				}
			}
			if r.wishes() != one.wishes {
				t.Errorf("got %q, want %q", r.wishes(), one.wishes)
			}
			lines := r.lines()
			if len(lines) != 1 || lines[0].URL != db.OptOutURL || lines[0].BroadLog != broadLog {
				t.Errorf("got %+v, want one hit of the opt-out URL", lines)
			}
		})
	}
}

// Only a link that this instance wrote opts somebody out: not one for somebody else, not another site, not a guess.
func TestOptOutRefused(t *testing.T) {
	t.Parallel()
	r := newPeople(t)
	before := r.wishes()
	_, page := r.signed(11, 100, db.OptOutURL)
	_, mirror := r.signed(11, 100, db.MirrorURL)
	_, other := r.signed(12, 101, db.OptOutURL)
	signature := url.Values{"s": {mirror[strings.Index(mirror, "&s=")+3:]}}.Encode()
	for what, path := range map[string]string{
		"no signature": strings.Split(page, "&")[0], "another's": strings.Split(page, "&")[0] + other[strings.Index(other, "&"):],
		"the mirror page's": strings.Split(page, "&")[0] + "&" + signature, "another message": strings.Replace(page, "hb,", "hc,", 1),
		"as text": strings.Replace(page, "id=h", "id=t", 1), "no message": "/r/opt-out",
	} {
		if got, _ := r.post(path, ""); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", what, got.StatusCode)
		}
	}
	if got, _ := r.post(page, "", func(q *http.Request) { q.Header.Set("Origin", "https://evil.example") }); got.StatusCode != http.StatusForbidden {
		t.Errorf("another site: got %d, want 403", got.StatusCode)
	}
	for _, broadLog := range []int64{17, 999} { // no address, no message
		_, page := r.signed(broadLog, 100, db.OptOutURL)
		if got, _ := r.post(page, ""); got.StatusCode != http.StatusNotFound {
			t.Errorf("message %d: got %d, want 404", broadLog, got.StatusCode)
		}
	}
	if r.wishes() != before {
		t.Errorf("got %q, want nothing changed", r.wishes())
	}
	// A mail program by itself, RFC 8058: no cookie, no origin, one field.
	if got, _ := r.post(page, "List-Unsubscribe=One-Click"); got.StatusCode != http.StatusOK || r.wishes() == before {
		t.Errorf("one click: got %d, %q, want it recorded", got.StatusCode, r.wishes())
	}
	r.db.Pool.Close()
	if got, body := r.post(page, ""); got.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, "no more") {
		t.Errorf("without PostgreSQL: got %d %s, want 503 and no promise", got.StatusCode, body)
	}
}

// The mirror page is the message as it was stored, and nothing in it can run, submit, or be one with the console.
func TestMirrorPage(t *testing.T) {
	t.Parallel()
	r := newPeople(t)
	const stored = `<html><body onload="alert(1)"><script>alert(document.cookie)</script>안녕 Kim<form action="//evil"></form></body></html>`
	r.run(`INSERT INTO nms.mirror_page_info (id, delivery_id, data) VALUES (1, 100, convert_to($1, 'UTF8')), (2, 101, 'x')`, stored)
	r.run(`INSERT INTO nms.mirror_page_search (message_id, delivery_id, mirror_page_info_id) VALUES (11, 100, 1), (12, 100, 2)`)
	link, page := r.signed(11, 100, db.MirrorURL)
	if got, _ := r.get(link); got.StatusCode != http.StatusFound || got.Header.Get("Location") != page {
		t.Fatalf("got %d to %q, want the page %q", got.StatusCode, got.Header.Get("Location"), page)
	}
	got, body := r.get(page)
	policy := got.Header.Get("Content-Security-Policy")
	if got.StatusCode != http.StatusOK || body != stored || got.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("got %d %s, want the stored page", got.StatusCode, body)
	}
	for _, want := range []string{"sandbox ", "default-src 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("got the policy %q, want %s", policy, want)
		}
	}
	if strings.Contains(policy, "allow-scripts") || strings.Contains(policy, "allow-same-origin") || strings.Contains(policy, "script-src") || len(got.Cookies()) > 0 ||
		got.Header.Get("X-Content-Type-Options") != "nosniff" || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %v, want no script, no origin, no cookie, nothing stored", got.Header)
	}
	for _, broadLog := range []int64{12, 14} { // a page of another delivery, none
		_, page := r.signed(broadLog, 100, db.MirrorURL)
		if got, body := r.get(page); got.StatusCode != http.StatusNotFound || !strings.Contains(body, "This message is no longer here") {
			t.Errorf("message %d: got %d %s, want 404 that says why", broadLog, got.StatusCode, body)
		}
	}
	if got, _ := r.get(strings.Split(page, "&")[0]); got.StatusCode != http.StatusNotFound {
		t.Errorf("without a signature: got %d, want 404: ids can be guessed", got.StatusCode)
	}
	if lines := r.lines(); len(lines) != 1 || lines[0].URL != db.MirrorURL {
		t.Errorf("got %+v, want one hit of the mirror page", lines)
	}
}
