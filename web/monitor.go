package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
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
	view.OfHost, view.HostGaps = s.hostIndicators(ctx)
	view.OfDatabase, view.DatabaseGaps = databaseIndicators(vitals)
	if s.instanceType() == "execution" {
		pending, err := s.pendingEvents(ctx, vitals.PendingEvents)
		if err != nil {
			return view, err
		}
		view.OfDatabase = append(view.OfDatabase, pending)
	}
	view.Probed, view.OfOperator = s.probes.dir != "", s.probes.read(ctx)
	view.FailedDeliveries, view.OpenDeliveries = vitals.FailedDeliveries, vitals.OpenDeliveries
	view.LastFailed, view.LastSent = sentDeliveries(vitals.LastFailed), sentDeliveries(vitals.LastSent)
	all, err := s.db.Workflows(ctx)
	if err != nil {
		return view, err
	}
	if view.Routine, err = s.routine(ctx, page, all); err != nil {
		return view, err
	}
	days, err := s.pausePeriod(ctx)
	if err != nil {
		return view, err
	}
	for _, w := range all {
		if trouble, ok := s.monitored(page, w, days); ok {
			view.Workflows = append(view.Workflows, trouble)
		}
	}
	return view, nil
}

// pendingEvents are those that wait for Message Center, with the limits of the options.
func (s *Server) pendingEvents(ctx context.Context, waiting int) (views.Indicator, error) {
	i := views.Indicator{Key: "pending", Current: float64(waiting)}
	for name, limit := range map[string]*float64{"NmsMonitoring_PendingEventsWarning": &i.Warning, "NmsMonitoring_PendingEventsAlert": &i.Alert} {
		text, err := s.db.Option(ctx, name)
		if err != nil {
			return i, err
		}
		*limit, _ = strconv.ParseFloat(text, 64) // no number is no limit
	}
	return i, nil
}

func sentDeliveries(all []db.SentDelivery) (shown []views.SentDelivery) {
	for _, d := range all {
		shown = append(shown, views.SentDelivery{ID: d.ID, Label: d.Label, Failed: d.State == "failed" || d.State == "preparation_failed", At: d.At,
			Sent: d.Sent, Errors: d.Errors, Why: d.Message})
	}
	return shown
}

// monitored says what is the matter with a workflow: it failed or is late, is paused for longer than a number of days, or its
// run exceeds its longest duration.
func (s *Server) monitored(page views.Page, w db.WorkflowRow, days int) (views.Watched, bool) {
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
	if state == views.Paused && w.PausedAt != nil {
		paused, longest := page.Now.Sub(*w.PausedAt), time.Duration(days)*24*time.Hour
		watched.Since, watched.Why = *w.PausedAt, page.T("monitor.paused_long", page.Took(paused), page.Took(longest))
		return watched, paused > longest
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
	routine := []map[string]any{}
	for _, r := range view.Routine {
		routine = append(routine, map[string]any{"workflow": r.Workflow, "state": r.Level, "text": r.Text})
	}
	document := map[string]any{"state": view.Level(), "at": view.Now.UTC(), "instance": view.Instance, "build": view.Build, "host": view.Host,
		"postgresql": view.Postgres, "frozen": view.Frozen.On, "modules": modules, "indicators": indicators, "workflows": workflows,
		"routine": routine, "not_known": view.NotKnown(),
		"deliveries": map[string]any{"failed": view.FailedDeliveries, "in_progress": view.OpenDeliveries,
			"last_failed": deliveryDocuments(view.LastFailed), "last_sent": deliveryDocuments(view.LastSent)}}
	return document
}

func deliveryDocuments(all []views.SentDelivery) []map[string]any {
	documents := []map[string]any{}
	for _, d := range all {
		documents = append(documents, map[string]any{"id": d.ID, "label": d.Label, "at": known(d.At), "sent": d.Sent, "errors": d.Errors, "reason": d.Why})
	}
	return documents
}
