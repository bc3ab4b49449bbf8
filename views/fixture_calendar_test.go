package views

import "time"

func calendarOf(page Page) Calendar {
	page.Section, page.Path, page.Title = SectionCalendar, "/calendar", page.T("calendar.title")
	page.Crumbs = []Crumb{{page.Title, ""}}
	at := func(days int) time.Time {
		return time.Date(page.Now.Year(), page.Now.Month(), page.Now.Day()+days, 10, 0, 0, 0, page.Zone)
	}
	email, phone, fatigue := page.T("billing.type_0"), page.T("billing.type_2"), "Max 3 e-mails in 2 weeks"
	return Calendar{Page: page, Days: 30, Forecast: page.Now.Add(-3 * time.Hour), Rows: []CalendarRow{
		{Label: "Weekly newsletter 1 주간 뉴스레터", Channel: email, Contact: at(2), Prepared: true, ToSend: 812_400, Excluded: 120, Rules: []CalendarRule{{fatigue, 120}}},
		{Label: "Service calls", Channel: phone, Contact: at(3), ToSend: 240, Excluded: 60, Rules: []CalendarRule{{"Call centre", 60}}},
		{Label: "Offer of the week 2", Channel: email, Contact: at(11), Excluded: 8120, Rules: []CalendarRule{{fatigue, 8100}, {"Denylisted addresses", 20}}},
		{Label: "Members' sale 회원 할인", Channel: email, Contact: at(24), Waiting: true}},
		Capacities: []CalendarCapacity{{"Call centre", 176, 12, 1056, 72}}}
}
