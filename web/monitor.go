package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
	"nightshift/views/locale"
)

var ownPID = os.Getpid()

// ping says that the console and its database answer, as Campaign's monitoring asks for it.
func (s *Server) ping(c echo.Context) error {
	ctx, done := context.WithTimeout(c.Request().Context(), 2*time.Second)
	defer done()
	if err := s.db.Pool.Ping(ctx); err != nil {
		traceOf(c.Request().Context()).err = err
		return c.String(http.StatusServiceUnavailable, "ERROR\n")
	}
	return c.String(http.StatusOK, "OK\n")
}

// showMonitoring shows the state of the instance, as a page or, to who asks for JSON, as a document.
func (s *Server) showMonitoring(c echo.Context) error {
	page := s.page(c, views.SectionMonitoring, "")
	view, err := s.monitoring(c.Request().Context(), page)
	if err != nil {
		return err
	}
	if wantsJSON(c.Request()) {
		return c.JSON(http.StatusOK, monitorDocument(view))
	}
	return s.render(c, http.StatusOK, views.MonitoringPage(view))
}

// PrintMonitoring writes the same for a terminal, in English and in the zone of the instance, or as JSON.
func (s *Server) PrintMonitoring(ctx context.Context, out io.Writer, asJSON bool) error {
	now, err := s.night.now(ctx)
	if err != nil {
		return err
	}
	page := views.Page{Lang: locale.English, Now: time.Now(), Zone: s.zone(), Instance: now.Instance}
	page.Frozen = frozenOf(now.Freeze, page.Now)
	view, err := s.monitoring(ctx, page)
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(monitorDocument(view))
	}
	return view.Text(out)
}

// monitoring reads what is watched: processes, machine, PostgreSQL, workflows and deliveries.
func (s *Server) monitoring(ctx context.Context, page views.Page) (views.Monitoring, error) {
	page.Title = page.T("rail.monitoring")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	page.Refresh, page.Updated = 30*time.Second, true
	view := views.Monitoring{Page: page, Build: s.config.Build}
	view.Host, _ = os.Hostname()
	var err error
	if view.Nodes, err = s.watchedNodes(ctx); err != nil {
		return view, err
	}
	vitals, err := s.db.Vitals(ctx)
	if err != nil {
		return view, err
	}
	view.Postgres, view.Database = vitals.Postgres, vitals.Database
	view.OfHost, view.OfDatabase = hostIndicators(ctx), databaseIndicators(vitals)
	view.Probed, view.OfOperator = s.probes.dir != "", s.probes.read(ctx)
	view.FailedDeliveries, view.OpenDeliveries, view.LastSent = vitals.FailedDeliveries, vitals.OpenDeliveries, moment(vitals.LastSent)
	all, err := s.db.Workflows(ctx)
	if err != nil {
		return view, err
	}
	for _, w := range all {
		if trouble, ok := s.monitored(page, w); ok {
			view.Workflows = append(view.Workflows, trouble)
		}
	}
	return view, nil
}

// monitored says what is the matter with a workflow: it needs a person, or its run exceeds its longest duration.
func (s *Server) monitored(page views.Page, w db.WorkflowRow) (views.Watched, bool) {
	state := workflowState(w, s.instanceType(), page.Now)
	watched := views.Watched{Workflow: w.Name, Label: labelOf(page.Lang, w.Name, w.Label), State: state, Since: w.StateSince,
		Why: stateReason(page, w, state)}
	if state == views.Late {
		watched.Since = moment(w.Waiting)
	}
	if w.Running != nil && w.MaxSeconds > 0 {
		longest := time.Duration(w.MaxSeconds) * time.Second
		if took := page.Now.Sub(w.Running.Start); took > longest {
			watched.Since, watched.Why = w.Running.Start, page.T("monitor.too_long", page.Took(took), page.Took(longest))
			return watched, true
		}
	}
	return watched, state.Calls()
}

// known is a moment of a document; null when there is none.
func known(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.UTC()
}

// monitorDocument is the JSON of the page; its names are an interface and stay.
func monitorDocument(view views.Monitoring) map[string]any {
	indicators := []map[string]any{}
	for _, i := range view.Indicators() {
		indicators = append(indicators, map[string]any{"key": i.Key, "name": i.Name, "current": i.Current, "max": i.Max,
			"warning": i.Warning, "alert": i.Alert, "unit": i.Unit, "state": i.Level(), "file": i.File, "reason": i.Why(view.Page)})
	}
	modules := []map[string]any{}
	for _, n := range view.Nodes {
		for _, m := range n.Modules {
			modules = append(modules, map[string]any{"name": n.Name, "module": m.Name, "state": m.State, "host": n.Host, "pid": n.PID,
				"version": n.Version, "started": known(m.Started), "seen": known(m.Seen), "alive": !n.Missing, "runs": n.Running})
		}
	}
	workflows := []map[string]any{}
	for _, w := range view.Workflows {
		workflows = append(workflows, map[string]any{"name": w.Workflow, "state": w.State, "since": w.Since.UTC(), "reason": w.Why})
	}
	document := map[string]any{"state": view.Level(), "at": view.Now.UTC(), "instance": view.Instance, "build": view.Build, "host": view.Host,
		"postgresql": view.Postgres, "frozen": view.Frozen.On, "modules": modules, "indicators": indicators, "workflows": workflows,
		"deliveries": map[string]any{"failed": view.FailedDeliveries, "in_progress": view.OpenDeliveries}}
	return document
}
