package web

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/views"
)

const (
	calendarDays = 30
	calendarRows = 200
)

// showCalendar shows the deliveries of the next weeks and what the rules leave of them. It names nobody.
func (s *Server) showCalendar(c echo.Context) error {
	page := s.page(c, views.SectionCalendar, "")
	deliveries, capacities, err := s.db.Calendar(c.Request().Context(), page.Now, page.Now.Add(calendarDays*24*time.Hour), calendarRows+1)
	if err != nil {
		return err
	}
	page.Title = page.T("calendar.title")
	page.Crumbs = []views.Crumb{{Text: page.Title}}
	view := views.Calendar{Page: page, Days: calendarDays}
	if len(deliveries) > calendarRows {
		deliveries, view.More = deliveries[:calendarRows], calendarRows
	}
	for _, d := range deliveries {
		row := views.CalendarRow{Label: d.Label, Channel: messageType(page, d.MessageType), Contact: d.Contact, Prepared: d.Prepared,
			Waiting: !d.Prepared && d.Forecast.IsZero(), ToSend: d.Target - d.Excluded, Excluded: d.Excluded}
		for _, rule := range d.Rules {
			row.Rules = append(row.Rules, views.CalendarRule{Rule: rule.Rule, Count: rule.Count})
		}
		if d.Forecast.After(view.Forecast) {
			view.Forecast = d.Forecast
		}
		view.Rows = append(view.Rows, row)
	}
	for _, one := range capacities {
		view.Capacities = append(view.Capacities, views.CalendarCapacity{Rule: one.Rule, Lines: one.Lines, Full: one.Full,
			Quantity: int64(one.Quantity), Used: int64(one.Used)})
	}
	return s.render(c, http.StatusOK, views.CalendarPage(view))
}
