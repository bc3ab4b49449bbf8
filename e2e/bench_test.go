package e2e_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/views/locale"
)

// samples is how often a page is asked for a median.
const samples = 300

// addRuns puts n ended runs into the history, spread over two years and all workflows, and does more to it.
func addRuns(b *testing.B, d *db.DB, n int, more ...string) {
	b.Helper()
	ctx := context.Background()
	conn, err := d.RunSession(ctx, "nightshift bench")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, sql := range append([]string{fmt.Sprintf(`
		INSERT INTO xtk.workflow_task (workflow_id, trigger, status, node, backend_pid, start_date, completion_date, rows_changed)
		SELECT w.id, 'scheduled', (ARRAY['completed', 'completed', 'completed', 'failed', 'stopped'])[1 + i %% 5], 'bench', 1,
		       now() - i * interval '1 minute', now() - i * interval '1 minute' + interval '20 s', i
		  FROM generate_series(1, %d) i
		  JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n FROM xtk.workflow) w ON w.n = i %% 46`, n),
		`VACUUM ANALYZE xtk.workflow_task`}, more...) {
		if _, err := conn.Exec(ctx, sql); err != nil {
			b.Fatal(err)
		}
	}
}

// bare serves one query as an HTML table and nothing else: no session, no rights, no layout. It is the floor.
func bare(b *testing.B, d *db.DB, sql string, args ...any) string {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rows, err := d.Pool.Query(r.Context(), sql, args...)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer rows.Close()
		_, _ = io.WriteString(w, "<!doctype html><title>floor</title><table>")
		for rows.Next() {
			values, err := rows.Values()
			if err != nil {
				return
			}
			_, _ = io.WriteString(w, "<tr>")
			for _, value := range values {
				_, _ = io.WriteString(w, "<td>"+html.EscapeString(fmt.Sprint(value))+"</td>")
			}
			_, _ = io.WriteString(w, "</tr>")
		}
		_, _ = io.WriteString(w, "</table>")
	}))
	b.Cleanup(server.Close)
	return server.URL
}

// crowd is how many operators share the requests of a measurement: each may only make so many at once.
const crowd = 16

// administrators are clients that are signed in, as browsers are: by the form, with a cookie.
func administrators(b *testing.B, d *db.DB, n *node) []*http.Client {
	b.Helper()
	var clients []*http.Client
	for i := range crowd {
		login := "kim" + strconv.Itoa(i)
		account(b, d, login, locale.English, "administrators")
		jar, err := cookiejar.New(nil)
		if err != nil {
			b.Fatal(err)
		}
		client := &http.Client{Jar: jar, Transport: &http.Transport{}}
		form := url.Values{"login": {login}, "password": {password}, "back": {"/about"}}
		request, err := http.NewRequest(http.MethodPost, n.base+"/sign-in", strings.NewReader(form.Encode()))
		if err != nil {
			b.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", n.base)
		answer, err := client.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK || answer.Request.URL.Path != "/about" {
			b.Fatalf("sign in: got %s at %s, want /about", answer.Status, answer.Request.URL)
		}
		clients = append(clients, client)
	}
	return clients
}

// strangers are as many clients without a session, for the floor.
func strangers() []*http.Client {
	clients := make([]*http.Client, crowd)
	for i := range clients {
		clients[i] = &http.Client{Transport: &http.Transport{}}
	}
	return clients
}

// times asks for one page, one request after the other, and returns median and 95th percentile in ms. The first request
// of each client warms its connection up and does not count.
func times(b *testing.B, clients []*http.Client, page string) (p50, p95 float64) {
	b.Helper()
	return timesOf(b, clients, func(int) string { return page })
}

// timesOf is times where each request may be for another page.
func timesOf(b *testing.B, clients []*http.Client, page func(i int) string) (p50, p95 float64) {
	b.Helper()
	var took []time.Duration
	for i := range samples {
		address := page(i)
		begin := time.Now()
		if err := fetch(clients[i%crowd], address); err != nil {
			b.Fatal(err)
		}
		if i >= crowd {
			took = append(took, time.Since(begin))
		}
	}
	return percentiles(took)
}

func percentiles(took []time.Duration) (p50, p95 float64) {
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
	}
	return at(0.5), at(0.95)
}

func fetch(client *http.Client, page string) error {
	answer, err := client.Get(page)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %s", page, answer.Status)
	}
	return nil
}

// rate is requests a second with all clients at once.
func rate(b *testing.B, clients []*http.Client, page string) float64 {
	b.Helper()
	const each = 60
	var all sync.WaitGroup
	begin := time.Now()
	for _, client := range clients {
		all.Go(func() {
			for range each {
				if err := fetch(client, page); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return crowd * each / time.Since(begin).Seconds()
}

// report prints figure, floor and ratio of one measurement.
func report(b *testing.B, unit string, figure, floor float64) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(figure, unit)
	b.ReportMetric(floor, "floor-"+unit)
	b.ReportMetric(figure/floor, "x-of-floor-"+unit)
}

func BenchmarkRunList(b *testing.B) {
	for _, runs := range []int{1_000, 1_000_000} {
		b.Run(strconv.Itoa(runs), func(b *testing.B) {
			d := empty(b)
			n := start(b, d.URL())
			clients := administrators(b, d, n)
			addRuns(b, d, runs)
			floor := bare(b, d, `
				SELECT t.id, w.internal_name, t.status, t.mode, t.trigger, t.node, t.start_date, t.completion_date, t.rows_changed
				  FROM xtk.workflow_task t
				  JOIN xtk.workflow w ON w.id = t.workflow_id
				 ORDER BY t.start_date DESC, t.id DESC
				 LIMIT 50`)
			p50, p95 := times(b, clients, n.base+"/runs")
			floor50, _ := times(b, strangers(), floor)
			report(b, "p50-ms", p50, floor50)
			b.ReportMetric(p95, "p95-ms")
			// Each time another place of the list, so that nothing of it was kept.
			deep50, _ := timesOf(b, clients, func(i int) string {
				at := fmt.Sprintf("%d.%d", time.Now().Add(-time.Duration(i*runs/samples)*time.Minute).UnixMicro(), i)
				return n.base + "/runs?before=" + base64.RawURLEncoding.EncodeToString([]byte(at))
			})
			report(b, "deep-p50-ms", deep50, floor50)
			report(b, "requests/s", rate(b, clients, n.base+"/runs"), rate(b, strangers(), floor))
		})
	}
}

// BenchmarkHeatMap measures the map of one day out of 1,000,000 runs, by what ran and by what was sampled, against one
// bare count of that day.
func BenchmarkHeatMap(b *testing.B) {
	d := empty(b)
	n := start(b, d.URL())
	clients := administrators(b, d, n)
	addRuns(b, d, 1_000_000, `
		INSERT INTO xtk.heatmap_sample (task_id, workflow_id, workflow_name, workflow_label, kind, start_date, end_date)
		SELECT t.id, w.id, w.internal_name, w.label, w.kind, t.start_date, t.completion_date
		  FROM xtk.workflow_task t
		  JOIN xtk.workflow w ON w.id = t.workflow_id`, `
		INSERT INTO xtk.heatmap_load (task_id, slot, samples, database_seconds, lock_seconds)
		SELECT id, date_bin('5 minutes', start_date, 'epoch'), 4, 12, id % 2
		  FROM xtk.workflow_task`,
		`VACUUM ANALYZE xtk.heatmap_sample`, `VACUUM ANALYZE xtk.heatmap_load`)
	day := time.Now().UTC().AddDate(0, 0, -200).Format(time.DateOnly)
	floor := bare(b, d, `
		SELECT date_bin('5 minutes', start_date, 'epoch'), count(*)
		  FROM xtk.heatmap_sample
		 WHERE step_order = 0
		   AND start_date >= $1::date
		   AND start_date < $1::date + 1
		 GROUP BY 1
		 ORDER BY 1`, day)
	floor50, _ := times(b, strangers(), floor)
	for _, measure := range []string{"runs", "database"} {
		b.Run(measure, func(b *testing.B) {
			p50, p95 := times(b, clients, n.base+"/heat-map?measure="+measure+"&day="+day)
			report(b, "p50-ms", p50, floor50)
			b.ReportMetric(p95, "p95-ms")
		})
	}
}

// BenchmarkRunPage measures the page of one ended run with its log of 200 lines, which is kept, and the pages of as many runs
// as there are samples, each for the first time, against the 200 lines in a bare table.
func BenchmarkRunPage(b *testing.B) {
	d := empty(b)
	n := start(b, d.URL())
	clients := administrators(b, d, n)
	addRuns(b, d, 1_000)
	id := newestTask(b, d)
	if _, err := d.Pool.Exec(context.Background(), `
		INSERT INTO xtk.workflow_log (workflow_id, task_id, message)
		SELECT workflow_id, id, 'nms.broad_log batch ' || i || ': 5,000 deleted (3.7 s), 305,000 of 402,118'
		  FROM xtk.workflow_task, generate_series(1, 200) i
		 WHERE id > $1`, id-samples); err != nil {
		b.Fatal(err)
	}
	floor := bare(b, d, `
		SELECT id, log_date, level, message
		  FROM xtk.workflow_log
		 WHERE task_id = $1
		 ORDER BY id
		 LIMIT 200`, id)
	p50, p95 := times(b, clients, n.base+"/runs/"+strconv.FormatInt(id, 10))
	floor50, _ := times(b, strangers(), floor)
	report(b, "p50-ms", p50, floor50)
	b.ReportMetric(p95, "p95-ms")
	new50, _ := timesOf(b, clients, func(i int) string { return n.base + "/runs/" + strconv.FormatInt(id-int64(i), 10) })
	report(b, "new-p50-ms", new50, floor50)
}

// BenchmarkRunNow measures from the order to the notice of the run's first log line, against a bare row with a notice
// of its own that another connection answers with a row. The cleanup leaves every session with plans to be made anew,
// because it vacuums and analyses all tables; after the other workflow they hold.
func BenchmarkRunNow(b *testing.B) {
	d := empty(b)
	start(b, d.URL())
	ctx := context.Background()
	listener, err := pgx.Connect(ctx, d.URL())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = listener.Close(ctx) }()
	if _, err := listener.Exec(ctx, "LISTEN nightshift_log; LISTEN nightshift_bench"); err != nil {
		b.Fatal(err)
	}
	for _, workflow := range []string{"aliasCleansing", "cleanup"} {
		started(b, d, workflow)
		b.Run(workflow, func(b *testing.B) {
			var ours, floor []time.Duration
			for range 30 {
				before := newestTask(b, d)
				begin := time.Now()
				order(b, d, workflow, "run")
				ours = append(ours, noticed(b, listener, "nightshift_log", begin))
				awaitTask(b, d, workflow, before, "completed")
				begin = time.Now()
				if _, err := d.Pool.Exec(ctx, `
					WITH due AS (INSERT INTO xtk.workflow_log (workflow_id, message) VALUES (0, 'floor') RETURNING id)
					SELECT pg_notify('nightshift_bench', id::text) FROM due`); err != nil {
					b.Fatal(err)
				}
				floor = append(floor, noticed(b, listener, "nightshift_bench", begin))
			}
			p50, p95 := percentiles(ours)
			floor50, _ := percentiles(floor)
			report(b, "p50-ms", p50, floor50)
			b.ReportMetric(p95, "p95-ms")
		})
	}
}

// noticed waits for a notice on the channel and returns the time since begin; notices of others are dropped.
func noticed(b *testing.B, conn *pgx.Conn, channel string, begin time.Time) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		notice, err := conn.WaitForNotification(ctx)
		if err != nil {
			b.Fatalf("notice on %s: %s", channel, err)
		}
		if notice.Channel == channel {
			return time.Since(begin)
		}
	}
}

// BenchmarkStart measures from the start of the process to ready on a migrated database, against the start of a process
// that only prints its version; then the memory of the idle process, and what 1,000 schedules more of it take.
func BenchmarkStart(b *testing.B) {
	d := empty(b)
	start(b, d.URL()).stop()
	path, err := binary()
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	if err := exec.Command(path, "version").Run(); err != nil {
		b.Fatal(err)
	}
	floor := time.Since(begin)
	begin = time.Now()
	n := start(b, d.URL())
	report(b, "ready-ms", float64(time.Since(begin).Milliseconds()), float64(floor.Microseconds())/1000)
	idle := resident(b, n)
	b.ReportMetric(idle, "idle-MB")
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/(1<<20), "binary-MB")
	n.stop()
	if _, err := d.Pool.Exec(context.Background(), `
		INSERT INTO xtk.workflow (internal_name, label, built, state, schedule)
		SELECT 'scheduled' || n, 'scheduled', true, 'started', jsonb_build_object('kind', 'cron', 'cron', n % 60 || ' 3 * * 0')
		FROM generate_series(1, 1000) n`); err != nil {
		b.Fatal(err)
	}
	n = start(b, d.URL())
	for planned := false; !planned; {
		<-time.After(10 * time.Millisecond)
		if err := d.Pool.QueryRow(context.Background(), `
			SELECT NOT EXISTS (SELECT FROM xtk.workflow WHERE label = 'scheduled' AND next_processing IS NULL)`).Scan(&planned); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(resident(b, n)-idle, "MB/1000-schedules")
}

// resident is the memory of the process that no file backs, in MB, once it has been idle for 2 s.
func resident(b *testing.B, n *node) float64 {
	b.Helper()
	<-time.After(2 * time.Second)
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.process.Process.Pid))
	if err != nil {
		b.Skipf("no /proc on this machine: %s", err)
	}
	for line := range strings.Lines(string(raw)) {
		if value, found := strings.CutPrefix(line, "RssAnon:"); found {
			kb, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1024
		}
	}
	b.Fatal("no RssAnon in /proc")
	return 0
}
