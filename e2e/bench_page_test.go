package e2e_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/playwright-community/playwright-go"

	"nightshift/db"
)

// loaded is what a browser fetched for one page. Bytes are those of the wire, heads included; what its cache gave is none.
type loaded struct {
	bytes, requests int
	foreign         []string // other hosts that were asked
	visible         time.Duration
}

// load opens a page in a browser and waits until the selector is seen.
func load(b *testing.B, session playwright.BrowserContext, address, selector string) loaded {
	b.Helper()
	page, err := session.NewPage()
	if err != nil {
		b.Fatal(err)
	}
	wire, err := session.NewCDPSession(page)
	if err == nil {
		_, err = wire.Send("Network.enable", nil)
	}
	if err != nil {
		b.Fatal(err)
	}
	home, err := url.Parse(address)
	if err != nil {
		b.Fatal(err)
	}
	var got loaded
	var mu sync.Mutex
	wire.On("Network.responseReceived", func(event map[string]any) {
		mu.Lock()
		defer mu.Unlock()
		answer, _ := event["response"].(map[string]any)
		if from, err := url.Parse(answer["url"].(string)); err == nil && from.Scheme != "data" && from.Host != home.Host {
			got.foreign = append(got.foreign, from.Host)
		}
	})
	wire.On("Network.loadingFinished", func(event map[string]any) {
		mu.Lock()
		defer mu.Unlock()
		if bytes, _ := event["encodedDataLength"].(float64); bytes > 0 {
			got.bytes += int(bytes)
			got.requests++
		}
	})
	begin := time.Now()
	if _, err := page.Goto(address, playwright.PageGotoOptions{WaitUntil: playwright.WaitUntilStateCommit}); err != nil {
		b.Fatal(err)
	}
	if err := page.Locator(selector).First().WaitFor(); err != nil {
		b.Fatal(err)
	}
	visible := time.Since(begin)
	if err := page.WaitForLoadState(playwright.PageWaitForLoadStateOptions{State: playwright.LoadStateNetworkidle}); err != nil {
		b.Fatal(err)
	}
	if err := page.Close(); err != nil {
		b.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	got.visible = visible
	return got
}

// BenchmarkBrowser measures the list of runs in a real browser: what it fetches with an empty cache and the second time, and
// when the first row is seen, against the bare page.
func BenchmarkBrowser(b *testing.B) {
	d := empty(b)
	n := start(b, d.URL())
	client := administrators(b, d, n)[0]
	addRuns(b, d, 1_000)
	floor := bare(b, d, `
		SELECT t.id, w.internal_name, t.status, t.start_date, t.completion_date, t.rows_changed
		  FROM xtk.workflow_task t
		  JOIN xtk.workflow w ON w.id = t.workflow_id
		 ORDER BY t.start_date DESC, t.id DESC
		 LIMIT 50`)
	var cold, warm loaded
	var ours, theirs []time.Duration
	for range 9 {
		session, err := browser(b).NewContext()
		if err != nil {
			b.Fatal(err)
		}
		if err := session.AddCookies(cookiesOf(b, client, n.base)); err != nil {
			b.Fatal(err)
		}
		theirs = append(theirs, load(b, session, floor, "table tr").visible)
		cold = load(b, session, n.base+"/runs", "#runs tbody tr")
		warm = load(b, session, n.base+"/runs", "#runs tbody tr")
		ours = append(ours, cold.visible)
		if err := session.Close(); err != nil {
			b.Fatal(err)
		}
	}
	if foreign := slices.Concat(cold.foreign, warm.foreign); len(foreign) > 0 {
		b.Errorf("the page asks %s, want no other host", strings.Join(foreign, ", "))
	}
	visible, _ := percentiles(ours)
	bareVisible, _ := percentiles(theirs)
	report(b, "visible-ms", visible, bareVisible)
	b.ReportMetric(float64(cold.bytes)/1024, "cold-KB")
	b.ReportMetric(float64(cold.requests), "cold-requests")
	b.ReportMetric(float64(warm.bytes)/1024, "warm-KB")
	b.ReportMetric(float64(warm.requests), "warm-requests")
}

// cookiesOf are the cookies that a client has from a site.
func cookiesOf(b *testing.B, client *http.Client, site string) []playwright.OptionalCookie {
	b.Helper()
	address, err := url.Parse(site)
	if err != nil {
		b.Fatal(err)
	}
	var cookies []playwright.OptionalCookie
	for _, cookie := range client.Jar.Cookies(address) {
		cookies = append(cookies, playwright.OptionalCookie{Name: cookie.Name, Value: cookie.Value, URL: playwright.String(site)})
	}
	return cookies
}

// BenchmarkLogPage measures a page amid the log of 2,000,000 lines of one run, its counts beside it, against a page of the
// same table by its primary key.
func BenchmarkLogPage(b *testing.B) {
	d := empty(b)
	addRuns(b, d, 1)
	id := newestTask(b, d)
	ctx := context.Background()
	conn, err := d.RunSession(ctx, "nightshift bench")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, sql := range []string{`
		INSERT INTO xtk.workflow_log (workflow_id, task_id, level, message)
		SELECT workflow_id, id, CASE WHEN i % 100000 = 0 THEN 'warning' ELSE 'info' END, 'nms.broad_log batch ' || i || ': 5,000 deleted'
		  FROM xtk.workflow_task, generate_series(1, 2000000) i
		 WHERE id = ` + "$1", `VACUUM ANALYZE xtk.workflow_log`} {
		args := []any{id}[:strings.Count(sql, "$1")]
		if _, err := conn.Exec(ctx, sql, args...); err != nil {
			b.Fatal(err)
		}
	}
	const middle = 1_000_000
	measure := func(ask func() error) float64 {
		var took []time.Duration
		for range samples {
			begin := time.Now()
			if err := ask(); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(begin))
		}
		p50, _ := percentiles(took)
		return p50
	}
	floor := measure(func() error {
		rows, err := d.Pool.Query(ctx, `
			SELECT id, COALESCE(task_id, 0), log_date, level, COALESCE(step_order, 0), COALESCE(step_key, ''), message
			  FROM xtk.workflow_log
			 WHERE id < $1
			 ORDER BY id DESC
			 LIMIT 61`, middle)
		if err != nil {
			return err
		}
		_, err = pgx.CollectRows(rows, pgx.RowToStructByPos[db.LogLine])
		return err
	})
	report(b, "page-ms", measure(func() error {
		_, _, err := d.Log(ctx, db.LogFilter{TaskID: id, Before: middle, Limit: 60})
		return err
	}), floor)
	b.ReportMetric(measure(func() error {
		_, _, err := d.Log(ctx, db.LogFilter{TaskID: id, Before: middle, Levels: []string{"warning"}, Limit: 60})
		return err
	}), "warnings-ms")
	b.ReportMetric(measure(func() error {
		_, err := d.CountLog(ctx, db.LogFilter{TaskID: id})
		return err
	}), "count-ms")
}
