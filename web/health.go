package web

import (
	"context"
	"crypto/subtle"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"nightshift/db"
)

// healthz says that the process answers.
func (s *Server) healthz(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// readyz says whether the process can work: PostgreSQL answers within two seconds.
func (s *Server) readyz(c echo.Context) error {
	ctx, done := context.WithTimeout(c.Request().Context(), 2*time.Second)
	defer done()
	if err := s.db.Pool.Ping(ctx); err != nil {
		traceOf(c.Request().Context()).err = err
		return c.String(http.StatusServiceUnavailable, "PostgreSQL does not answer\n")
	}
	return c.String(http.StatusOK, "ready\n")
}

// redirectionTest is the line that Campaign's monitoring asks for. Strangers learn no version from it.
func (s *Server) redirectionTest(c echo.Context) error {
	type redir struct {
		XMLName xml.Name `xml:"redir"`
		Status  string   `xml:"status,attr"`
		Date    string   `xml:"date,attr"`
		Build   string   `xml:"build,attr"`
		Host    string   `xml:"host,attr"`
	}
	line, err := xml.Marshal(redir{Status: "OK", Date: time.Now().UTC().Format("2006-01-02 15:04:05.000Z"), Build: "-", Host: c.Request().Host})
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "application/xml; charset=utf-8", append(line, '\n'))
}

// measures are what the console itself counts; the engine's figures are read from the database when asked for.
type measures struct {
	requests *prometheus.HistogramVec
}

func (m measures) observe(route, method string, status int, took time.Duration) {
	if !routed(method) {
		method = "other" // a visitor may think up any number of them
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

// measure makes the registry of /metrics.
func (s *Server) measure() {
	s.metrics = prometheus.NewRegistry()
	s.measures.requests = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "nightshift_http_request_seconds", Help: "Requests by method, route and status.",
		Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 5},
	}, []string{"method", "route", "status"})
	s.metrics.MustRegister(s.measures.requests, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), figures{s.db})
	s.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "nightshift_engine_hindered",
		Help: "1 while something keeps the engine of this node from its work, such as a full disk."}, func() float64 {
		if s.hindered(nil).Cause != "" {
			return 1
		}
		return 0
	}))
	if log := s.config.RawLog; log != nil {
		for name, count := range map[string]func() int64{
			"redirection_lines_written_total": func() int64 { written, _, _ := log.Counts(); return written },
			"redirection_lines_dropped_total": func() int64 { _, dropped, _ := log.Counts(); return dropped },
			"redirection_files_purged_total":  func() int64 { _, _, purged := log.Counts(); return purged },
		} {
			s.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "nightshift_" + name,
				Help: "The redirection's raw log, since the start."}, func() float64 { return float64(count()) }))
		}
	}
}

// showMetrics answers a collector with the token, or an administrator.
func (s *Server) showMetrics(c echo.Context) error {
	if o := s.visit(c).Operator; o == nil || !o.Has(db.Administration) {
		given, _ := strings.CutPrefix(c.Request().Header.Get("Authorization"), "Bearer ")
		token := s.config.MetricsToken
		if token == "" || subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
			if o == nil {
				return &problem{status: http.StatusUnauthorized, key: "error.metrics"}
			}
			return s.refuse(c, route{method: c.Request().Method, right: db.Administration})
		}
	}
	promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}).ServeHTTP(c.Response(), c.Request())
	return nil
}

// figures collects what the database knows: workflows by state, runs by how they ended, what waits.
type figures struct{ db *db.DB }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("nightshift_"+name, help, labels, nil)
}

// Describe names no figure ahead: what there is depends on the database.
func (f figures) Describe(chan<- *prometheus.Desc) {}

// Collect reads the figures. When the database does not answer there are none, and nightshift_up is 0.
func (f figures) Collect(to chan<- prometheus.Metric) {
	ctx, done := context.WithTimeout(context.Background(), 3*time.Second)
	defer done()
	read, err := f.db.Figures(ctx)
	up := 1.0
	if err != nil {
		up = 0
	}
	to <- prometheus.MustNewConstMetric(describe("up", "Whether the database answered."), prometheus.GaugeValue, up)
	for _, figure := range read {
		desc := describe(figure.Name, figure.Help)
		if figure.Label != "" {
			to <- prometheus.MustNewConstMetric(describe(figure.Name, figure.Help, figure.Label), prometheus.GaugeValue, figure.Value, figure.LabelValue)
			continue
		}
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, figure.Value)
	}
}
