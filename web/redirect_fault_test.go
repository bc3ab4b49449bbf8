package web

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// While PostgreSQL hangs or is gone, links that were fetched go on working with their lines; what memory does not know is
// answered within a second, and not with "does not exist".
func TestRedirectionWithoutPostgreSQL(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	if err := r.targets.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.run(`INSERT INTO nms.tracking_url (id, delivery_id, type, source) VALUES (2100, 100, 1, 'https://shop.example/new')`)
	if got, _ := r.get("/r/1?tagid=home"); got.StatusCode != http.StatusOK {
		t.Fatalf("a tag: got %d, want 200", got.StatusCode)
	}
	check := func(what string) {
		t.Helper()
		for path, want := range map[string]int{hitLink(1, 100, 2000): 302, hitLink(1, 100, 1): 200, hitLink(1, 102, 1): 200, "/r/1?tagid=home": 200, hitLink(1, 100, 2100): 503,
			hitLink(1, 7777, 1): 503, "/r/1?tagid=sale": 503} {
			began := time.Now()
			got, body := r.get(path)
			if got.StatusCode != want || time.Since(began) > 1800*time.Millisecond {
				t.Errorf("%s, %s: got %d after %s, want %d before the wait for a lock ends", what, path, got.StatusCode, time.Since(began), want)
			}
			if want == http.StatusServiceUnavailable && (got.Header.Get("Retry-After") == "" || !strings.Contains(body, "Not available for a moment")) {
				t.Errorf("%s, %s: got %s, want when to try again", what, path, body)
			}
		}
	}
	hang, err := r.db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hang.Exec(t.Context(), `LOCK TABLE nms.tracking_url, nms.delivery IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	check("hanging")
	if err := hang.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.get(hitLink(1, 100, 2100)); got.StatusCode != http.StatusFound {
		t.Errorf("back again: got %d, want 302: a failed look-up is not remembered", got.StatusCode)
	}
	r.targets.urls.Invalidate(urlKey{100, 2100})
	r.db.Pool.Close()
	check("gone")
	if lines := r.lines(); len(lines) != 10 {
		t.Errorf("got %d lines, want 10", len(lines))
	}
}

// A URL that was changed or purged after it was fetched is noticed beside an answer, and while it cannot be read it stays.
func TestURLsAreReadAgain(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	if err := r.targets.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	until := func(what string, ok func(*http.Response) bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			r.targets.urls.SetRefreshableAfter(urlKey{100, 2000}, time.Nanosecond)
			got, _ := r.get(hitLink(1, 100, 2000))
			if ok(got) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: got %d to %q", what, got.StatusCode, got.Header.Get("Location"))
			}
		}
	}
	r.run(`UPDATE nms.tracking_url SET source = 'https://shop.example/summer' WHERE id = 2000`)
	until("changed", func(got *http.Response) bool { return got.Header.Get("Location") == "https://shop.example/summer" })
	r.run(`DELETE FROM nms.tracking_url WHERE id = 2000`)
	until("purged", func(got *http.Response) bool { return got.StatusCode == http.StatusNotFound })
}

// New URLs come into memory by themselves, by their ids.
func TestURLsAreFetched(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	if err := r.targets.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.run(`INSERT INTO nms.delivery (id, internal_name, label) VALUES (200, 'DM200', 'New')`)
	r.run(`INSERT INTO nms.tracking_url (id, delivery_id, type, source) VALUES (9000, 200, 1, 'https://shop.example/')`)
	if r.targets.known(urlKey{200, 9000}) {
		t.Fatal("a URL is known before it was fetched")
	}
	if err := r.targets.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, key := range []urlKey{{100, 2000}, {200, 9000}, {200, 0}} {
		if !r.targets.known(key) {
			t.Errorf("%v: want it known", key)
		}
	}
}

// Who guesses ids is refused before the database is asked, and links that are known go on working for him meanwhile.
func TestGuessing(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	if err := r.targets.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	r.hits.now = func() time.Time { return at }
	refused := 0
	for i := range missesAtOnce + 50 {
		if got, _ := r.get(hitLink(1, 100, int64(500_000+i))); got.StatusCode == http.StatusTooManyRequests && got.Header.Get("Retry-After") != "" {
			refused++
		}
	}
	if refused != 50 {
		t.Errorf("got %d refused, want 50", refused)
	}
	if got, _ := r.get(hitLink(1, 100, 2000)); got.StatusCode != http.StatusFound {
		t.Errorf("a known link: got %d, want 302", got.StatusCode)
	}
	for range hitsAtOnce {
		r.hits.spend("127.0.0.1", hitsPerSecond, hitsAtOnce)
	}
	if got, _ := r.get(hitLink(1, 100, 2000)); got.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a flood: got %d, want 429", got.StatusCode)
	}
}

// The redirection answers to its own names, the console only to its own.
func TestRedirectionHost(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	ask := func(name, path string) int {
		got, _ := r.get(path, func(q *http.Request) { q.Host = name })
		return got.StatusCode
	}
	const link = "/r/?id=h1,64,7d0"
	if got := ask("t.example.com", link); got != http.StatusMisdirectedRequest {
		t.Errorf("before it has the name: got %d, want 421", got)
	}
	r.run(`INSERT INTO xtk.option (name, string_value) VALUES ('NmsTracking_ServerUrl', 'http://T.example.com'), ('NmsTracking_SecureServerUrl', 'https://s.example.com/')`)
	if err := r.targets.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		host, path string
		want       int
	}{{"t.example.com", link, 302}, {"S.example.com:8443", link, 302}, {host, link, 302}, {"evil.example", link, 421}, {"t.example.com", "/sign-in", 421},
		{"t.example.com", "/", 421}, {"t.example.com", "/api/v1/openapi.yaml", 200}, {"evil.example", "/api/v1/openapi.yaml", 421}, {"t.example.com", "/static/none", 404}, {"evil.example", "/r/test", 200}} {
		if got := ask(one.host, one.path); got != one.want {
			t.Errorf("%s%s: got %d, want %d", one.host, one.path, got, one.want)
		}
	}
}

// Many browsers at once leave as many lines, each with an id of its own.
func TestManyHits(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for j := range 100 {
				if got, _ := r.get(hitLink(int64(i*100+j), 100, 2000)); got.StatusCode != http.StatusFound {
					t.Errorf("got %d, want 302", got.StatusCode)
				}
			}
		})
	}
	wait.Wait()
	seen := map[string]bool{}
	for _, line := range r.lines() {
		seen[fmt.Sprint(line.BroadLog)] = true
	}
	if len(seen) != 800 {
		t.Errorf("got %d messages, want 800", len(seen))
	}
}
