package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

const (
	bouncePageSize = 50
	// bounceCountMost is up to where waiting texts are counted for the title.
	bounceCountMost = 10_000
	// rulesOld is how long ago the service may last have answered: two nights were missed.
	rulesOld = 48 * time.Hour
)

// deliverabilityPage shows the rule sets, the rule for the server asked for, and the texts of bounces of a status.
func (s *Server) deliverabilityPage(c echo.Context) error {
	ctx := c.Request().Context()
	status := orElse(c.QueryParam("status"), "to_qualify")
	if !oneOf(status, strings.Fields(db.BounceStatuses)...) {
		return badInput("status")
	}
	after, err := bounceCursor(c.QueryParam("after"))
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionSending, "")
	page.Title = page.T("rail.deliverability")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	view := views.Deliverability{Page: page, Status: status}
	for choice := range strings.FieldsSeq(db.BounceStatuses) {
		view.Statuses = append(view.Statuses, views.Option{Value: choice, Text: page.T("bounce.status_" + choice)})
	}
	sets, monitored, err := s.db.RuleSets(ctx)
	if err != nil {
		return err
	}
	checked, err := s.db.RulesChecked(ctx)
	if err != nil {
		return err
	}
	view.Monitored = monitored
	for _, set := range sets {
		view.Sets = append(view.Sets, ruleSetRow(page, set, monitored, checked))
		view.Version = max(view.Version, set.Version)
	}
	waiting, err := s.db.BounceWaiting(ctx, bounceCountMost+1)
	if err != nil {
		return err
	}
	view.Waiting, view.Many = int64(min(waiting, bounceCountMost)), waiting > bounceCountMost
	if err := s.findMXRule(c, &view); err != nil {
		return err
	}
	texts, more, err := s.db.BounceTexts(ctx, status, after, bouncePageSize)
	if err != nil {
		return err
	}
	for _, text := range texts {
		view.Texts = append(view.Texts, bounceRow(page, text))
	}
	view.Paging = bouncePaging(status, after, texts, more)
	return s.render(c, http.StatusOK, views.DeliverabilityPage(view))
}

// bounceCursor reads where the list goes on, "hits.id"; empty is its beginning.
func bounceCursor(text string) (after db.BounceCursor, err error) {
	if text == "" {
		return after, nil
	}
	hits, id, _ := strings.Cut(text, ".")
	after.Hits, err = strconv.Atoi(hits)
	if err == nil {
		after.ID, err = strconv.ParseInt(id, 10, 64)
	}
	if err != nil || after.ID < 1 || after.Hits < 0 || after.Hits > 100_000 {
		return after, badInput("after")
	}
	return after, nil
}

func bouncePaging(status string, after db.BounceCursor, texts []db.BounceText, more bool) (paging views.Paging) {
	query := url.Values{"status": {status}}
	if after.ID > 0 {
		paging.Newer = "/deliverability?" + query.Encode() + "#texts"
	}
	if more {
		last := texts[len(texts)-1]
		query.Set("after", strconv.Itoa(last.Hits)+"."+strconv.FormatInt(last.ID, 10))
		paging.Older = "/deliverability?" + query.Encode() + "#texts"
	}
	return paging
}

// ruleSetRow says whether a set is as good as the service's, which was last asked at a moment.
func ruleSetRow(page views.Page, set db.RuleSet, monitored bool, checked time.Time) views.RuleSetRow {
	row := views.RuleSetRow{Name: set.Name, Label: page.T("deliverability.set_" + set.Kind), Version: set.Version, Rules: set.Rules,
		Hidden: set.Kind == "suppression", At: set.Synchronised, Mode: page.T("deliverability.mode_standard")}
	if level, ok := strings.CutPrefix(set.Mode, "level_"); ok {
		row.Mode = page.T("deliverability.mode_level", level)
	}
	switch {
	case set.Mode == "custom":
		row.State, row.Word, row.Mode = views.NotHere, page.T("deliverability.own"), page.T("deliverability.mode_custom")
	case set.Synchronised.IsZero():
		row.State, row.Word = views.Edited, page.T("deliverability.never")
	case !monitored:
		row.State, row.Word = views.Started, page.T("deliverability.once")
	case page.Now.Sub(checked) > rulesOld && page.Now.Sub(set.Synchronised) > rulesOld:
		row.State, row.Word = views.Late, page.T("deliverability.old")
	default:
		row.State, row.Word = views.Started, page.T("deliverability.fresh")
	}
	return row
}

// findMXRule finds the rule for the server that the page is asked for.
func (s *Server) findMXRule(c echo.Context, view *views.Deliverability) error {
	page, host := view.Page, strings.TrimSpace(c.QueryParam("host"))
	view.Host = views.Field{Name: "host", Label: page.T("mx.host"), Value: host, Mono: true, Placeholder: "alt1.gmail-smtp-in.l.google.com"}
	if host == "" {
		return nil
	}
	if len(host) > 255 || strings.ContainsAny(host, " \t\r\n") || !readable(host) {
		view.Host.Error = page.T("mx.host_invalid")
		return nil
	}
	rules, err := s.db.MXRules(c.Request().Context())
	if err != nil {
		return err
	}
	view.Ruled.Host = host
	if rule, ok := db.MXRuleFor(rules, host, 0); ok {
		view.Ruled.Mask, view.Ruled.Order, view.Ruled.Limits = rule.Mask, rule.Order, mxLimits(page, rule)
	}
	return nil
}

// mxLimits says in words what a rule allows.
func mxLimits(page views.Page, rule db.MXRule) []string {
	var limits []string
	number := func(n int) string { return views.Number(int64(n)) }
	if rule.Connections >= 0 {
		limits = append(limits, page.T("mx.connections", number(rule.Connections)))
	}
	if rule.MessagesPerConnection >= 0 {
		limits = append(limits, page.T("mx.per_connection", number(rule.MessagesPerConnection)))
	}
	if rule.MessagesPerHour >= 0 {
		limits = append(limits, page.T("mx.per_hour", number(rule.MessagesPerHour), number(rule.Window())))
	}
	switch {
	case len(limits) == 0:
		limits = append(limits, page.T("mx.unlimited"))
	case rule.Shared:
		limits = append(limits, page.T("mx.shared"))
	default:
		limits = append(limits, page.T("mx.each"))
	}
	return append(limits, page.T("mx.tls", rule.TLS))
}

// installMonitoring installs deliverability monitoring.
func (s *Server) installMonitoring(c echo.Context) error {
	if err := s.db.InstallMonitoring(c.Request().Context(), s.actor(c)); err != nil {
		return err
	}
	page := s.plainPage(c)
	return s.done(c, "/deliverability", views.Flash{State: views.Finished, Text: page.R("deliverability.did_install")})
}
