package views

import "time"

func frozenPage(page Page) Page {
	page.Frozen = Frozen{On: true, By: "kim", Reason: "Release 1.4.3, CHG-20418", Since: page.Now.Add(-40 * time.Minute), Until: page.Now.Add(2 * time.Hour)}
	return page
}

func freezeOf(page Page) FreezeForm {
	page.Title = "Freeze"
	form := FreezeForm{Page: page, Reason: "Release 1.4.3, CHG-20418", Until: "tomorrow", End: page.Now.Add(4 * time.Hour), Runs: 2, More: 9, Slots: 214, Errors: map[string]string{}}
	for i, name := range []string{"billing", "cleanup", "aliasCleansing", "tracking"} {
		form.Touched = append(form.Touched, FreezeTouch{name, name, 1 + i*i, page.Now.Add(time.Hour), page.Now.Add(time.Duration(30-i*7) * 24 * time.Hour)})
	}
	return form
}

func statementOf(page Page) Statement {
	page.Title, page.Section, page.Crumbs = "Due slots", SectionStatement, []Crumb{{"Due slots", ""}}
	st := Statement{Page: page, Base: "/statement", Month: time.Date(2026, 6, 1, 0, 0, 0, 0, page.Zone), Reasons: []string{"already_running", "paused", "freeze", "not_configured"}}
	for _, row := range []StatementRow{
		{Workflow: "cleanup", Label: "Database cleanup", Due: 30, Ran: 26, Late: 1, Failed: 1, Missed: 1, Skipped: 1, Reasons: map[string]int{"freeze": 1}},
		{Workflow: "tracking", Label: "Tracking", Due: 720, Ran: 712, CaughtUp: 1, Skipped: 7, Reasons: map[string]int{"already_running": 2, "paused": 4, "freeze": 1}},
		{Workflow: "aliasCleansing", Label: "Alias cleansing", Due: 30, Ran: 30},
	} {
		st.Rows, st.Total = append(st.Rows, row), st.Total.Plus(row)
	}
	return st
}
