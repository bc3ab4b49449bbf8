package web

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs/redirlog"
)

// redirector is a console with its redirection on a socket, a raw log, and a delivery 100 that was sent.
type redirector struct {
	*console
	server *httptest.Server
	dir    string
	marks  int64
}

func newRedirection(t *testing.T) *redirector {
	t.Helper()
	r := &redirector{console: bareConsole(t), dir: t.TempDir()}
	raw, err := redirlog.Open(r.dir, redirlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.config.RawLog = raw
	r.server = httptest.NewServer(r)
	t.Cleanup(func() {
		r.server.Close()
		if err := raw.Close(); err != nil {
			t.Error(err)
		}
	})
	r.run(`INSERT INTO nms.service (id, internal_name, label) VALUES (5, 'news', 'Weekly <news>')`)
	r.run(`INSERT INTO nms.delivery (id, internal_name, label, state, message_type, service_id)
		VALUES (100, 'DM100', 'Spring', 'finished', 0, NULL), (101, 'DM101', 'News', 'finished', 0, 5), (102, 'DM102', 'Text', 'finished', 1, NULL)`)
	r.run(`INSERT INTO nms.tracking_url (id, delivery_id, type, source, tag_id) VALUES
		(2000, 100, 1, 'https://shop.example/spring?utm=1', 'm1'), (2001, 101, 1, 'https://shop.example/news', 'm2'),
		(2002, 100, 1, 'https://shop.example/<%=escapeUrl(recipient.city)%>/hi?name=<%= escapeUrl(recipient.lastName) %>&x=1', NULL),
		(2003, 100, 1, 'https://<%=recipient.host%>/', NULL), (2004, 100, 1, 'javascript:alert(1)', NULL), (2005, 100, 3, '', NULL),
		(2006, 100, 1, 'https://shop.example/봄 세일', NULL),
		(3000, 0, 4, 'https://shop.example/', 'home'), (3001, 0, 5, NULL, 'sale')`)
	return r
}

// get asks over HTTP, following no redirect.
func (r *redirector) get(path string, change ...func(*http.Request)) (*http.Response, string) {
	return r.do(http.MethodGet, path, nil, change...)
}

func (r *redirector) do(method, path string, body io.Reader, change ...func(*http.Request)) (*http.Response, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Host = host
	for _, one := range change {
		one(request)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer, string(text)
}

// lines are the lines of the raw log that were written before a last one, which the test writes itself.
func (r *redirector) lines() []redirlog.Line {
	r.t.Helper()
	r.marks++
	r.config.RawLog.Write(redirlog.Line{Flag: "end", URL: r.marks, Date: time.Now()})
	var found []redirlog.Line
	for deadline := time.Now().Add(time.Minute); ; {
		raw, _, err := redirlog.Read(r.dir, 0, 10_000)
		if err != nil {
			r.t.Fatal(err)
		}
		found = found[:0]
		for _, bytes := range raw {
			line, err := redirlog.Parse(bytes)
			if err != nil {
				r.t.Fatalf("%q: %v", bytes, err)
			}
			found = append(found, line)
		}
		if n := len(found); n > 0 && found[n-1].Flag == "end" && found[n-1].URL == r.marks {
			return slices.DeleteFunc(found, func(l redirlog.Line) bool { return l.Flag == "end" })
		}
		if time.Now().After(deadline) {
			r.t.Fatal("the raw log does not get its lines")
		}
		time.Sleep(time.Millisecond)
	}
}

func hitLink(broadLog, delivery, url int64) string {
	return "/r/?id=" + db.MessageLink{BroadLog: broadLog, Delivery: delivery, URL: url}.String()
}

func TestFollowLink(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	got, _ := r.get(hitLink(0x787bc0, 100, 2000), func(q *http.Request) { q.Header.Set("User-Agent", "Mozilla/5.0\u00a0한 (X11)") })
	if got.StatusCode != http.StatusFound || got.Header.Get("Location") != "https://shop.example/spring?utm=1" {
		t.Fatalf("got %d to %q, want 302 to the stored target", got.StatusCode, got.Header.Get("Location"))
	}
	if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("got %v, want no-store and no-referrer", got.Header)
	}
	cookies := map[string]*http.Cookie{}
	for _, cookie := range got.Cookies() {
		cookies[cookie.Name] = cookie
	}
	names := slices.Sorted(maps.Keys(cookies))
	if !slices.Equal(names, []string{"id", "uuid230"}) {
		t.Fatalf("got the cookies %v, want id and uuid230 and no session of the console", names)
	}
	if id, uuid := cookies["id"], cookies["uuid230"]; id.Value != "787bc0-64" || id.MaxAge != 0 || uuid.MaxAge < 10_000_000 || !uuid.HttpOnly || uuid.Path != "/r/" {
		t.Errorf("got %v and %v, want the message for the session, and the person for long", id, uuid)
	}
	lines := r.lines()
	if len(lines) != 1 {
		t.Fatalf("got %d lines, want 1", len(lines))
	}
	l := lines[0]
	want := redirlog.Line{ID: l.ID, Date: l.Date, BroadLog: 0x787bc0, Delivery: 100, URL: 2000, Flag: "h", UUID: cookies["uuid230"].Value,
		Agent: "Mozilla/5.0\u00a0한 (X11)", Address: "127.0.0.1"}
	if l != want || time.Since(l.Date).Abs() > time.Minute {
		t.Errorf("got %+v, want %+v", l, want)
	}
	// The browser shows its cookie: it stays the same person. Text links count like those of the HTML.
	for _, shown := range []string{l.UUID, "not_one", strings.Repeat("x", 49)} {
		again, _ := r.get("/r/?id=t"+strings.TrimPrefix(hitLink(5, 100, 2000), "/r/?id=h"), func(q *http.Request) {
			q.AddCookie(&http.Cookie{Name: "uuid230", Value: shown})
		})
		_, renewed := cookieNamed(again, "uuid230")
		if again.StatusCode != http.StatusFound || renewed != (shown != l.UUID) {
			t.Errorf("uuid230=%s: got %d, renewed %v", shown, again.StatusCode, renewed)
		}
	}
	if lines := r.lines(); len(lines) != 4 || lines[1].UUID != l.UUID || lines[2].UUID == l.UUID {
		t.Errorf("got %d lines, want 4, the second of the same person, the third of another", len(lines))
	}
}

func cookieNamed(r *http.Response, name string) (*http.Cookie, bool) {
	all := r.Cookies()
	if i := slices.IndexFunc(all, func(c *http.Cookie) bool { return c.Name == name }); i >= 0 {
		return all[i], true
	}
	return nil, false
}

// Values go encoded into the places of the stored target, and nowhere else.
func TestLinkValues(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	for query, want := range map[string]string{
		"&p1=Seoul&p2=Kim":                 "https://shop.example/Seoul/hi?name=Kim&x=1",
		"&p1=a%2Fb%3Fc%23d&p2=a%26x%3D2":   "https://shop.example/a%2Fb%3Fc%23d/hi?name=a%26x%3D2&x=1",
		"&p2=%EA%B9%80%20%22&p1=%EB%B4%84": "https://shop.example/%EB%B4%84/hi?name=%EA%B9%80+%22&x=1",
		"&p1=http%3A%2F%2Fevil&p2=%2F%2F":  "https://shop.example/http:%2F%2Fevil/hi?name=%2F%2F&x=1",
		"&p1=a%0d%0aSet-Cookie:x&p2=":      "https://shop.example/a%0D%0ASet-Cookie:x/hi?name=&x=1",
		"":                                 "https://shop.example//hi?name=&x=1",
		"&p1=x&p2=y&p3=z&fbclid=abc":       "https://shop.example/x/hi?name=y&x=1",
		"&p1=..&p2=x":                      "",
		"&p1=%2E&p2=x":                     "",
	} {
		got, _ := r.get(hitLink(1, 100, 2002) + query)
		if got.Header.Get("Location") != want || (want == "") != (got.StatusCode == http.StatusNotFound) {
			t.Errorf("%s: got %d to %q, want %q", query, got.StatusCode, got.Header.Get("Location"), want)
		}
	}
	if got, _ := r.get(hitLink(1, 100, 2006)); got.Header.Get("Location") != "https://shop.example/%EB%B4%84%20%EC%84%B8%EC%9D%BC" {
		t.Errorf("a source that is not ASCII: got %q, want it encoded", got.Header.Get("Location"))
	}
}

// A link that is unknown or was changed leads nowhere and leaves no line: acceptance check 12.
func TestTamperedLinks(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	good := hitLink(1, 100, 2000)
	for _, path := range []string{
		"/r/", "/r/?id=", "/r/?id=h1,64", "/r/?id=x1,64,7d0", "/r/?id=1,64,7d0", "/r/?id=h1,64,7d0,1", "/r/?id=h-1,64,7d0", "/r/?id=h1,+64,7d0", "/r/?id=h1,%2B64,7d0",
		"/r/?id=h1,64,zz", "/r/?id=h1,64,ffffffffffffffff", "/r/?id=h1,64,", "/r/?ID=h1,64,7d0", "/r/?url=http://evil.example",
		hitLink(1, 100, 2001), hitLink(1, 101, 2000), hitLink(1, 0, 2000), hitLink(1, 999, 2000), hitLink(1, 100, 999999), // not together
		hitLink(1, 999, 1), hitLink(1, 0, 1), hitLink(1, 100, 3), hitLink(1, 100, 4), hitLink(1, 100, 5), hitLink(1, 0, 3000), // reserved
		hitLink(1, 100, 2003), hitLink(1, 100, 2003) + "&p1=evil.example", hitLink(1, 100, 2004), hitLink(1, 100, 2005), // targets that are none
		good + "&url=http://evil.example", good + "&url=evil.example", good + "&to=//evil.example", good + "&u=https%3A%2F%2Fevil.example", good + `&u=\\evil`,
		good + "&id=h1,64,7d0",
		hitLink(1, 100, 2), hitLink(1, 100, 6), hitLink(1, 100, 6) + "&s=AAAAAAAAAAAAAAAAAAAA", // not signed
		"/r/mirror?id=h1,64,6", "/r/opt-out?id=h1,64,2&s=x", "/r/1?tagid=unknown", "/r/1", "/r/1?tagid=m1", "/r/1?tagid=%00", "/r/1?tagid=" + strings.Repeat("x", 101),
	} {
		got, body := r.get(path)
		if got.StatusCode != http.StatusNotFound || got.Header.Get("Location") != "" || len(got.Cookies()) > 0 {
			t.Errorf("%s: got %d to %q with %v, want 404, no redirect, no cookie", path, got.StatusCode, got.Header.Get("Location"), got.Cookies())
		}
		if !strings.Contains(body, "This link leads nowhere") || strings.Contains(body, "evil") || strings.Contains(body, "Nightshift") {
			t.Errorf("%s: got %s, want a page for people that repeats nothing", path, body)
		}
	}
	if lines := r.lines(); len(lines) != 0 {
		t.Errorf("got %d lines, want none: %+v", len(lines), lines[0])
	}
	if got, body := r.get("/r/?id=nothing", func(q *http.Request) { q.Header.Set("Accept-Language", "ko-KR") }); !strings.Contains(body, "연결되지 않는 링크") {
		t.Errorf("in Korean: got %d %s", got.StatusCode, body)
	}
	for path, want := range map[string]int{good + "&x=" + strings.Repeat("y", hitQuery): 414, "/r/a/b": 404} {
		if got, _ := r.get(path); got.StatusCode != want || got.Header.Get("Location") != "" {
			t.Errorf("%.40s…: got %d, want %d", path, got.StatusCode, want)
		}
	}
	if got, _ := r.do(http.MethodPost, "/r/", nil); got.StatusCode != http.StatusNotFound {
		t.Errorf("POST: got %d, want 404", got.StatusCode)
	}
}

func TestOpenImage(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	got, body := r.get(hitLink(7, 100, 1))
	if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "image/gif" || got.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(body, "GIF89a\x01\x00\x01\x00") {
		t.Errorf("got %d %v, want a GIF of one dot that is not stored", got.StatusCode, got.Header)
	}
	if _, session := cookieNamed(got, "id"); session {
		t.Error("an open begins no session: who sees an image has clicked nothing")
	}
	if lines := r.lines(); len(lines) != 1 || lines[0].URL != 1 || lines[0].BroadLog != 7 || lines[0].UUID == "" {
		t.Errorf("got %+v, want one open", lines)
	}
}

// HEAD and prefetches are no clicks: they leave no line. A prefetch is refused, so that the click comes to us.
func TestWhatIsNoClick(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	got, _ := r.do(http.MethodHead, hitLink(1, 100, 2000), nil)
	if got.StatusCode != http.StatusFound || got.Header.Get("Location") == "" || len(got.Cookies()) > 0 {
		t.Errorf("HEAD: got %d %v, want the answer of GET without cookies", got.StatusCode, got.Header)
	}
	for name, value := range map[string]string{"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch", "X-Purpose": "preview", "X-Moz": "prefetch"} {
		got, _ := r.get(hitLink(1, 100, 2000), func(q *http.Request) { q.Header.Set(name, value) })
		if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Location") != "" || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d to %q, want 503 that is not stored", name, got.StatusCode, got.Header.Get("Location"))
		}
	}
	if lines := r.lines(); len(lines) != 0 {
		t.Errorf("got %d lines, want none", len(lines))
	}
}

func TestWebTag(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	clicked := func(q *http.Request) { q.AddCookie(&http.Cookie{Name: "id", Value: "787bc0-64"}) }
	for i, one := range []struct {
		query  string
		change func(*http.Request)
		want   redirlog.Line
	}{
		{"tagid=sale&amount=12.50&article=3", clicked, redirlog.Line{BroadLog: 0x787bc0, Delivery: 100, URL: 3001, Params: "amount=12.50&article=3"}},
		{"tagid=home", func(*http.Request) {}, redirlog.Line{URL: 3000}},
		{"tagid=home&jobid=65", func(*http.Request) {}, redirlog.Line{Delivery: 0x65, URL: 3000}},
		{"tagid=home&jobid=65", clicked, redirlog.Line{BroadLog: 0x787bc0, Delivery: 100, URL: 3000}},
		{"tagid=home&rcpid=@email%3Djo%2Bx@example.com", clicked, redirlog.Line{Delivery: 100, URL: 3000, Params: "rcpid=%40email%3Djo%2Bx%40example.com"}},
		{"tagid=home&article=2&amount=9&zone=b&color=a" + strings.Repeat("b", 70) + "&a=1", nil,
			redirlog.Line{URL: 3000, Params: "amount=9&article=2&a=1&zone=b"}},
		{"tagid=home&jobid=-5", func(q *http.Request) { q.AddCookie(&http.Cookie{Name: "id", Value: "zz-1"}) }, redirlog.Line{URL: 3000}},
	} {
		if one.change == nil {
			one.change = func(*http.Request) {}
		}
		got, _ := r.get("/r/8467.gif?"+one.query, one.change)
		if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "image/gif" || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %v, want an image", one.query, got.StatusCode, got.Header)
		}
		lines := r.lines()
		l := lines[len(lines)-1]
		one.want.ID, one.want.Date, one.want.UUID, one.want.Agent, one.want.Address, one.want.Flag = l.ID, l.Date, l.UUID, l.Agent, l.Address, "t"
		if len(lines) != i+1 || l != one.want || l.UUID == "" {
			t.Errorf("%s: got %+v, want %+v", one.query, l, one.want)
		}
	}
}

// Web tags stand on other sites: over TLS their cookies are sent there too.
func TestCookiesOverTLS(t *testing.T) {
	t.Parallel()
	r := newRedirection(t)
	r.config.URL = &url.URL{Scheme: "https", Host: host}
	got, _ := r.get(hitLink(1, 100, 2000))
	for _, cookie := range got.Cookies() {
		if !cookie.Secure || cookie.SameSite != http.SameSiteNoneMode {
			t.Errorf("%s: got %v, want Secure and SameSite=None", cookie.Name, cookie)
		}
	}
	if len(got.Cookies()) != 2 || got.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("got %v, want two cookies and strict transport", got.Header)
	}
}
