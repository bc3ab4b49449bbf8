package web

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db/dbtest"
	"nightshift/jobs/redirlog"
)

// BenchmarkRedirect is a click over HTTP with all that it leaves, beside a bare Echo handler that only redirects. Both are
// asked in turn, one request after the other.
func BenchmarkRedirect(b *testing.B) {
	d := dbtest.New(b)
	raw, err := redirlog.Open(b.TempDir(), redirlog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	s := New(Config{DB: d, URL: &url.URL{Scheme: "http", Host: "127.0.0.1"}, RawLog: raw, Logger: slog.New(slog.DiscardHandler)})
	for _, sql := range []string{`INSERT INTO nms.delivery (id, internal_name, label) SELECT n, 'DM' || n, 'Spring' FROM generate_series(1, 2000) n`,
		`INSERT INTO nms.tracking_url (id, delivery_id, source) SELECT 1000 + n, 1 + n % 2000, 'https://shop.example/' || n FROM generate_series(0, 99999) n`} {
		if _, err := d.Pool.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.targets.fetch(b.Context()); err != nil {
		b.Fatal(err)
	}
	at := time.Now()
	s.hits.now = func() time.Time { at = at.Add(time.Second); return at }
	ours := httptest.NewServer(s)
	e := echo.New()
	e.GET("/r/", func(c echo.Context) error { return c.Redirect(http.StatusFound, "https://shop.example/") })
	floor := httptest.NewServer(e)
	b.Cleanup(func() {
		ours.Close()
		floor.Close()
		if err := raw.Close(); err != nil {
			b.Error(err)
		}
	})
	const samples = 5000
	var took, bare []time.Duration
	for b.Loop() {
		for i := range int64(samples) {
			n := i * 7919 % 100_000
			link := hitLink(i, 1+n%2000, 1000+n)
			took = append(took, clickOn(b, ours.URL+link))
			bare = append(bare, clickOn(b, floor.URL+link))
		}
	}
	written, dropped, _ := raw.Counts()
	slices.Sort(took)
	slices.Sort(bare)
	for name, share := range map[string]int{"p50": 50, "p95": 95} {
		figure, floor := took[len(took)*share/100], bare[len(bare)*share/100]
		b.ReportMetric(float64(figure.Microseconds()), name+"-us")
		b.ReportMetric(float64(floor.Microseconds()), "floor-"+name+"-us")
		b.ReportMetric(figure.Seconds()/floor.Seconds(), name+"-x-of-floor")
	}
	b.ReportMetric(float64(dropped), "dropped")
	b.ReportMetric(0, "ns/op")
	if written+dropped == 0 {
		b.Error("no line was written")
	}
}

// clicker follows no redirect and keeps its connections.
var clicker = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func clickOn(b *testing.B, address string) time.Duration {
	b.Helper()
	began := time.Now()
	answer, err := clicker.Get(address)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	took := time.Since(began)
	if answer.StatusCode != http.StatusFound {
		b.Fatalf("%s: got %d, want 302", address, answer.StatusCode)
	}
	return took
}
