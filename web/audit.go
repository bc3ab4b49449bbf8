package web

import (
	"context"
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

const (
	auditPageSize = 50
	auditCSVRows  = 100_000
	chainFresh    = 5 * time.Minute
)

// auditKinds are the kinds of objects in the trail.
const auditKinds = "workflow delivery offer option operator group account message node session key route"

// auditFilter reads the filter of the address; what it does not know is refused.
func auditFilter(query url.Values, zone *time.Location) (db.AuditFilter, error) {
	f := db.AuditFilter{Search: strings.TrimSpace(query.Get("q")), Operator: query.Get("operator"), EntityType: query.Get("kind"),
		Entity: query.Get("entity"), Limit: auditPageSize}
	if len(f.Search) > 100 || len(f.Operator) > 100 || len(f.Entity) > 200 {
		return f, badInput("q")
	}
	if f.EntityType != "" && !oneOf(f.EntityType, strings.Fields(auditKinds)...) {
		return f, badInput("kind")
	}
	if !oneOf(query.Get("refused"), "", "yes") {
		return f, badInput("refused")
	}
	f.Refused = query.Get("refused") == "yes"
	var err error
	if f.From, err = day(query.Get("from"), zone); err != nil {
		return f, badInput("from")
	}
	if f.To, err = day(query.Get("to"), zone); err != nil {
		return f, badInput("to")
	}
	if !f.To.IsZero() {
		f.To = f.To.AddDate(0, 0, 1)
	}
	if text := query.Get("before"); text != "" {
		if f.Before, err = strconv.ParseInt(text, 10, 64); err != nil || f.Before < 1 {
			return f, badInput("before")
		}
	}
	return f, nil
}

// day reads a date as the beginning of that day; empty is no date.
func day(text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.ParseInLocation(time.DateOnly, text, zone)
	if err == nil && (at.Year() < 1970 || at.Year() > 9999) {
		return at, badInput("day")
	}
	return at, err
}

func (s *Server) auditPage(c echo.Context) error {
	ctx, query := c.Request().Context(), c.QueryParams()
	filter, err := auditFilter(query, s.plainPage(c).Zone)
	if err != nil {
		return err
	}
	rows, more, err := s.db.AuditRows(ctx, filter)
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionAudit, "")
	page.Title = page.T("audit.title")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	view := views.Audit{Page: page, Days: auditDays(page, rows), Search: filter.Search}
	if view.Refusals, err = s.db.AuditRefusals(ctx, page.Now.AddDate(0, 0, -7)); err != nil {
		return err
	}
	kept, err := s.db.Option(ctx, "XtkCleanup_AuditTrailPurgeDelay")
	if err != nil {
		return err
	}
	if seconds, err := strconv.Atoi(kept); err == nil {
		kept = strconv.Itoa(seconds / 86400)
	}
	view.KeptDays = kept
	if view.Chain, err = s.chain.now(ctx, s.db); err != nil {
		return err
	}
	if err := s.auditFields(c, &view, query); err != nil {
		return err
	}
	view.Paging = auditPaging(query, rows, more)
	query.Del("before")
	view.CSV = "/audit.csv?" + query.Encode()
	return s.render(c, http.StatusOK, views.AuditPage(view))
}

// auditPaging leads to older entries, and back to the newest.
func auditPaging(query url.Values, rows []db.AuditRow, more bool) views.Paging {
	var paging views.Paging
	first := url.Values{}
	for name, values := range query {
		if name != "before" {
			first[name] = values
		}
	}
	if query.Get("before") != "" {
		paging.Newer = "/audit?" + first.Encode()
	}
	if more {
		first.Set("before", strconv.FormatInt(rows[len(rows)-1].Seq, 10))
		paging.Older = "/audit?" + first.Encode()
	}
	return paging
}

func (s *Server) auditFields(c echo.Context, view *views.Audit, query url.Values) error {
	operators, err := s.db.Operators(c.Request().Context())
	if err != nil {
		return err
	}
	page := view.Page
	any := views.Option{Text: page.T("audit.any")}
	view.Operator = views.Field{Name: "operator", Label: page.T("audit.by"), Value: query.Get("operator"), Options: []views.Option{any}}
	for _, o := range operators {
		view.Operator.Options = append(view.Operator.Options, views.Option{Value: o.Login, Text: o.Login})
	}
	view.Kind = views.Field{Name: "kind", Label: page.T("audit.kind"), Value: query.Get("kind"), Options: []views.Option{any}}
	for kind := range strings.FieldsSeq(auditKinds) {
		view.Kind.Options = append(view.Kind.Options, views.Option{Value: kind, Text: page.T("audit.kind_" + kind)})
	}
	view.Refused = views.Field{Name: "refused", Label: page.T("audit.result"), Value: query.Get("refused"),
		Options: []views.Option{any, {Value: "yes", Text: page.T("audit.only_refused")}}}
	view.From = views.Field{Name: "from", Label: page.T("audit.from"), Value: query.Get("from")}
	view.To = views.Field{Name: "to", Label: page.T("audit.to"), Value: query.Get("to")}
	for _, values := range query {
		view.Filtered = view.Filtered || strings.Join(values, "") != ""
	}
	return nil
}

func auditDays(page views.Page, rows []db.AuditRow) []views.AuditDay {
	var days []views.AuditDay
	for _, line := range auditLines(page, rows) {
		last := len(days) - 1
		if last < 0 || days[last].Day.In(page.Zone).Format(time.DateOnly) != line.At.In(page.Zone).Format(time.DateOnly) {
			days = append(days, views.AuditDay{Day: line.At})
			last++
		}
		days[last].Lines = append(days[last].Lines, line)
	}
	return days
}

// auditCSV sends the filtered trail as a file: RFC 4180, and no cell that a spreadsheet would take for a formula.
func (s *Server) auditCSV(c echo.Context) error {
	filter, err := auditFilter(c.QueryParams(), s.plainPage(c).Zone)
	if err != nil {
		return err
	}
	filter.Limit = 1000
	header := c.Response().Header()
	header.Set("Content-Type", "text/csv; charset=utf-8")
	header.Set("Content-Disposition", `attachment; filename="audit.csv"`)
	out := csv.NewWriter(c.Response())
	_ = out.Write(strings.Fields("seq time operator action kind object allowed address detail hash"))
	for sent := 0; sent < auditCSVRows; {
		rows, more, err := s.db.AuditRows(c.Request().Context(), filter)
		if err != nil {
			return err
		}
		for _, r := range rows {
			cells := []string{strconv.FormatInt(r.Seq, 10), r.At.UTC().Format(time.RFC3339Nano), r.OperatorLogin, r.Action, r.EntityType, r.Entity,
				strconv.FormatBool(r.Allowed), r.IP, r.Detail, hexText(r.Hash)}
			for i := range cells {
				cells[i] = inert(cells[i])
			}
			_ = out.Write(cells)
		}
		if sent += len(rows); !more {
			break
		}
		filter.Before = rows[len(rows)-1].Seq
	}
	out.Flush()
	return out.Error()
}

// inert keeps a spreadsheet from taking a text for a formula.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\x00", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// chainState keeps the last verification of the trail: it reads every entry, so not for every reader anew.
type chainState struct {
	mu   sync.Mutex
	last views.Chain
}

func (s *chainState) now(ctx context.Context, d *db.DB) (views.Chain, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.last.At) < chainFresh {
		return s.last, nil
	}
	count, bad, err := d.VerifyAudit(ctx)
	if err != nil {
		return s.last, err
	}
	s.last = views.Chain{Count: count, FirstBad: bad, At: time.Now()}
	return s.last, nil
}
