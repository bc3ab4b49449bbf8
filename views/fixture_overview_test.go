package views

import "time"

func overviewOf(page Page) Overview {
	page.Title, page.Section, page.Path, page.Refresh = "Overview", SectionOverview, "/", 5*time.Second
	page.Crumbs = []Crumb{{"Overview", ""}}
	now := page.Now
	o := Overview{
		Page: page, Total: 46, Places: 20, Mail: MailNeed{Waiting: 3, Errors: 2, Since: now.Add(-3 * time.Hour), NoAccount: true},
		Attention: []Attention{
			{"webAnalyticsGetWebEvents", "Recovery of web events", Failed, now.Add(-16 * time.Minute), "Adobe IMS refused the token at step 1 of 4: `invalid_client`.", "Web events are complete up to 03:00 only.", 8846, []Order{OrderStart}, ""},
			{"defaultMidSourcingLog", "Mid-sourcing (delivery logs)", Late, now.Add(-17 * time.Minute), "Due 04:00, not begun: it asks for affinity `mid`, and no node that is up declares it.", "", 0, nil, ""},
			{"billing", "Billing", Paused, now.Add(-9 * 24 * time.Hour), "Paused on 20 Jul by Claire Moreau, until resumed: “customer id changes with the contract”.", "Notice 2 of 4 on Monday 05:00.", 0, []Order{OrderStart}, "Moreau"},
		},
		Running: []RunningRow{
			{8841, "cleanup", "Database cleanup", 14, 26, "delivery_logs", "1,128,904 rows deleted", 1052 * time.Second, 1540 * time.Second, .65},
			{8842, "mcSynch_exec_eu1", "Message Center exec_eu1", 5, 10, "delivery logs", "61,480 rows read", 1050 * time.Second, 570 * time.Second, .5},
		},
		Looks: []Look{
			{Workflow: "forecasting", Label: "Forecasting", Run: 8830, Drifts: []Drift{driftOf(8830, now.Add(-3*time.Hour)), fewerOf(8830, now.Add(-3*time.Hour))}},
			{Workflow: "cleanup", Label: "Database cleanup", Run: 8841, Running: true, Drifts: []Drift{moreOf(8841, now.Add(-5*time.Minute))}},
		},
		Accounts: []AccountTrouble{{"defaultEmailMid", "Mid-sourcing server", []string{"Mid-sourcing (delivery counters)", "Mid-sourcing (delivery logs)"}, 3, 8840,
			now.Add(-2 * time.Hour), "/api/v1/logon answered 401"}},
		Frequent: []string{"operationMgt", "deliveryMgt", "budgetMgt"},
		Night: Night{Since: now.Add(-10 * time.Hour), Due: 214, Rows: []NightRow{
			{207, Finished, "on_time", "median start 0.3 s after due"}, {2, Finished, "late", "by 41 s and 2 m 10 s"}, {2, Skipped, "skipped", "already running"},
			{1, Failed, "failed", "webAnalyticsGetWebEvents 04:00"}, {0, Missed, "missed", ""},
		}},
	}
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, page.Zone)
	at := func(h, m int) []time.Time {
		return []time.Time{day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute)}
	}
	o.Ahead = []Ahead{
		{"webAnalyticsFindConverted", "", at(4, 30), 7 * time.Minute, false}, {"cleanupPrivacyRequests", "", at(5, 30), 2 * time.Minute, false},
		{"mobileAppOptOutMgt", "", append(append(at(7, 0), at(13, 0)...), at(19, 0)...), 6 * time.Minute, false},
		{"forecasting", "", at(25, 0), 21 * time.Minute, false}, {"aliasCleansing", "", at(27, 0), time.Minute, false}, {"cleanup", "", at(28, 0), 26 * time.Minute, true},
	}
	var tracking, export []time.Time
	for h := 5; h < 29; h++ {
		tracking, export = append(tracking, at(h, 0)...), append(export, at(h, 15)...)
	}
	o.Ahead = append(o.Ahead, Ahead{"tracking", "", tracking, 3 * time.Minute, false}, Ahead{"offerMgt", "", tracking, 2 * time.Second, false}, Ahead{"exportSharedAudience", "", export, 3 * time.Minute, false})
	for i, ahead := range o.Ahead {
		o.Ahead[i].Label = o.T("workflow." + ahead.Workflow + ".label")
	}
	return o
}
