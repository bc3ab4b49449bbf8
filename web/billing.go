package web

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
	"nightshift/views/locale"
)

const (
	billingPageSize = 50
	// billingLines is how many lines of a type a report's page shows; the file has all.
	billingLines = 500
)

// billingPage lists the activity reports that were made.
func (s *Server) billingPage(c echo.Context) error {
	before, err := placeParam(c, "before", 64)
	if err != nil {
		return err
	}
	reports, more, err := s.db.BillingReports(c.Request().Context(), before, billingPageSize)
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionBilling, "")
	page.Title = page.T("billing.title")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	view := views.Billing{Page: page}
	for _, report := range reports {
		view.Rows = append(view.Rows, billingRow(page, report))
	}
	if before > 0 {
		view.Paging.Newer = "/billing"
	}
	if more {
		view.Paging.Older = "/billing?" + url.Values{"before": {strconv.FormatInt(reports[len(reports)-1].ID, 10)}}.Encode()
	}
	return s.render(c, http.StatusOK, views.BillingPage(view))
}

// billingRow writes the period in the zone in which the report was made: its days are those.
func billingRow(page views.Page, report db.BillingReport) views.BillingRow {
	there := page
	if zone, err := time.LoadLocation(report.Figures.Zone); err == nil {
		there.Zone = zone
	}
	return views.BillingRow{Name: report.Name, Href: "/billing/" + strconv.FormatInt(report.ID, 10), Manual: report.Kind == "manual",
		From: there.DayYear(report.From), To: there.DayYear(report.To), Actions: report.Figures.Actions,
		Profiles: report.Figures.ActiveProfiles(), SentTo: report.SentTo, SentAt: report.SentAt, Made: report.Created}
}

// billingID reads the number of a report in the address.
func billingID(c echo.Context) (int64, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, db.ErrNotFound
	}
	return id, nil
}

// billingReportPage shows a report by its figures; the text of its mail is never put into a page.
func (s *Server) billingReportPage(c echo.Context) error {
	id, err := billingID(c)
	if err != nil {
		return err
	}
	report, err := s.db.BillingReport(c.Request().Context(), id)
	if err != nil {
		return err
	}
	page := s.page(c, views.SectionBilling, "")
	page.Title = report.Name
	page.Crumbs = []views.Crumb{{Text: page.T("billing.title"), Href: "/billing"}, {Text: report.Name}}
	view := views.BillingReport{Page: page, BillingRow: billingRow(page, report), Customer: report.Figures.Customer,
		Zone: report.Figures.Zone, DatabaseBytes: report.Figures.DatabaseBytes}
	view.CSV = view.Href + "/report.csv"
	for _, p := range report.Figures.Profiles {
		view.BySchema = append(view.BySchema, views.BillingSchema{Schema: p.Schema, Count: p.Count})
	}
	for _, t := range report.Figures.Types {
		view.Groups = append(view.Groups, billingGroup(page, t))
	}
	return s.render(c, http.StatusOK, views.BillingReportPage(view))
}

func billingGroup(page views.Page, t db.BillingType) views.BillingGroup {
	group := views.BillingGroup{Title: messageType(page, t.MessageType), Note: page.N("billing.deliveries", int64(t.Deliveries), t.Aggregated),
		Volume: t.Volume, Messages: t.Messages, Count: t.Count, Hidden: max(0, len(t.Lines)-billingLines)}
	for _, l := range t.Lines[:len(t.Lines)-group.Hidden] {
		label := l.Label
		if l.Small > 0 {
			label = page.N("billing.small", int64(l.Small))
		}
		group.Lines = append(group.Lines, views.BillingLine{Start: l.Start, Label: label, Volume: l.Volume, Average: l.Average,
			Messages: l.Messages, Multiplier: l.Multiplier, Count: l.Count})
	}
	return group
}

// messageType is a type of message in the page's language; its number when it has no name.
func messageType(page views.Page, code int) string {
	if key := "billing.type_" + strconv.Itoa(code); locale.Has(key) {
		return page.T(key)
	}
	return page.T("billing.type", strconv.Itoa(code))
}

// billingCSV sends the file of a report as its mail carries it.
func (s *Server) billingCSV(c echo.Context) error {
	id, err := billingID(c)
	if err != nil {
		return err
	}
	name, file, err := s.db.BillingCSV(c.Request().Context(), id)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	return c.Blob(http.StatusOK, "text/csv; charset=utf-8", []byte(file))
}
