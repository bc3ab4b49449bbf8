package views

import "time"

func simulationOf(page Page) Simulation {
	page.Title, page.Tape.Own = "What cleanup would do", "cleanup"
	page.Crumbs = []Crumb{{"Workflows", "/workflows"}, {"Delivery", ""}, {"cleanup", "/workflows/cleanup"}, {"Simulation 8788", ""}}
	now := page.Now
	day := 24 * time.Hour
	return Simulation{
		Page: page, ID: 8788, Workflow: "cleanup", Label: "Database cleanup", State: Simulated, By: "Kim Minji", Begun: now.Add(-5 * time.Minute), Ended: now.Add(-144 * time.Second),
		CutOff: now.Add(-5 * time.Minute), Rows: 1242575, Tables: 38, Dropped: 9, Bytes: 2_800_000_000,
		Unusual: []Rich{"**deliveries** takes 14 deliveries, usually 3 – 6."},
		Steps: []PlanStep{
			{Number: 1, Key: "lists", Tables: []string{"nms.group", "nms.rcp_grp_rel"}, Rule: "deleted or expired", Rows: 11206, Usual: []int64{900, 2000, 9000, 12000, 15000}, Bytes: 1_200_000, Oldest: now.Add(-400 * day), Newest: now.Add(-day), Limit: now, Follows: "2 lists disappear"},
			{Number: 2, Key: "deliveries", Tables: []string{"nms.delivery", "a", "b", "c"}, Rule: "deleted more than 7 d ago", Option: "RecycledDelivery = 7 d", Rows: 318406, Usual: []int64{9000, 60000, 90000, 150000, 190000}, Bytes: 212 << 20, Oldest: now.Add(-700 * day), Newest: now.Add(-8 * day), Limit: now.Add(-7 * day)},
			{Number: 5, Key: "delivery_work_tables", Tables: []string{"wkdlv_*"}, Rule: "owner ended or gone", Dropped: 7, Bytes: 418 << 20},
			{Number: 8, Key: "workflow_logins"},
			{Number: 13, Key: "tracking_logs", Tables: []string{"nms.tracking_log"}, Rule: "log date", Option: "TrackingLog = 365 d", Rows: 402118, Estimated: true, Bytes: 611 << 20, Oldest: now.Add(-395 * day), Newest: now.Add(-366 * day), Limit: now.Add(-365 * day)},
		},
		Options: []ReadOption{{"NmsCleanup_BroadLogPurgeDelay", "180", "days"}}, Log: Log{Total: 64}, Can: []Order{OrderRun},
	}
}

func runsOf(page Page) Runs {
	page.Title, page.Section, page.Path = "Runs", SectionRuns, "/runs"
	page.Crumbs = []Crumb{{"Runs", ""}}
	return Runs{Page: page, Rows: rowsOf(page.Now.Add(-24 * time.Hour)), Count: "10,000+", Names: []Option{{"cleanup", "Database cleanup"}}, Paging: Paging{Older: "/runs?before=x"}}
}
