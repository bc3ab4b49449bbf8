package views

import "time"

func pauseOf(page Page) Dialog {
	page.Title, page.Tape.Own = "Pause Tracking?", "tracking"
	d := Dialog{Page: page, Order: OrderPause, Workflow: "tracking", Label: "Tracking", State: Started, Severity: "production", Reason: "Redirection servers move, CHG-20418", Until: "1h", Skips: 4, Version: 1}
	for i := range 6 {
		d.Slots = append(d.Slots, page.Now.Truncate(time.Hour).Add(time.Duration(i+1)*time.Hour))
	}
	d.End = d.Slots[4]
	d.Slots = d.Slots[:5]
	for i, table := range []string{"nms.tracking_log", "nms.delivery", "nms.proposition"} {
		stale := Stale{Table: table, UpTo: page.Now.Add(-hour), From: d.Slots[0]}
		if i < 2 {
			stale.Reader, stale.At = "reportingAggregates", d.Slots[1+i]
		}
		d.Stale = append(d.Stale, stale)
	}
	return d
}

func lastOf(page Page) Dialog {
	page.Tape.Own = "cleanup"
	return Dialog{Page: page, Order: OrderUnconditionalStop, Workflow: "cleanup", Label: "Database cleanup", State: StopPending, Severity: "normal", Run: 8841, Version: 1}
}

func scheduleOf(page Page) ScheduleForm {
	page.Title, page.Crumbs = "Schedule", []Crumb{{"Workflows", "/workflows"}, {"Database cleanup", "/workflows/cleanup"}, {"Schedule", ""}}
	form := ScheduleForm{
		Page: page, Workflow: "cleanup", Label: "Database cleanup", Version: 3, Kind: "cron", Cron: "0 25 * * *", Words: "Every day at 04:00",
		Zones: []Option{{"", "of the instance"}, {"Europe/Paris", "Europe/Paris"}}, Errors: map[string]string{"cron": "Hour 25 does not exist. Hours run from 0 to 23."},
		Warnings: []string{"It runs more often than every 15 minutes."},
	}
	for i := range 10 {
		form.Next = append(form.Next, page.Now.Truncate(24*time.Hour).AddDate(0, 0, i+1).Add(2*time.Hour))
	}
	return form
}

func propertiesOf(page Page) PropertiesForm {
	page.Title, page.Crumbs = "Properties", []Crumb{{"Workflows", "/workflows"}, {"Database cleanup", "/workflows/cleanup"}, {"Properties", ""}}
	return PropertiesForm{
		Page: page, Workflow: "cleanup", Label: "Database cleanup", Version: 3, GroupNames: []string{"Who is told", "Errors"},
		Groups: [][]Field{
			{{Name: "severity", Label: "Severity", Value: "production", Options: []Option{{"normal", "Normal"}, {"production", "Production"}}}, {Name: "history_days", Label: "History, days", Value: "30", Help: "0: never deleted", Error: "Days run from 0 to 36,500."}},
			{{Name: "log_sql", Label: "SQL in the journal", Type: "checkbox", Value: "on"}},
		},
	}
}
