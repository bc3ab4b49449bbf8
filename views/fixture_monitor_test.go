package views

import "time"

func monitoringOf(page Page) Monitoring {
	page.Title, page.Section, page.Crumbs = "Monitoring", SectionMonitoring, []Crumb{{"Monitoring", ""}}
	const giga = 1 << 30
	return Monitoring{
		Page: page, Build: "0.1.0", Host: "console-1", Postgres: "15.13", Database: "nightshift", FailedDeliveries: 2, OpenDeliveries: 14,
		LastFailed: []SentDelivery{{ID: 4711, Label: "Autumn news, part two", Failed: true, At: page.Now.Add(-40 * time.Minute), Sent: 1204, Errors: 88, Why: "The mail server refused the sender."}},
		LastSent:   []SentDelivery{{ID: 4712, Label: "Welcome", At: page.Now.Add(-3 * time.Minute), Sent: 120455, Errors: 12}, {ID: 4709, Label: "가을 소식", At: page.Now.Add(-9 * hour), Sent: 8000}},
		Probed:     true, OfOperator: []Indicator{{Key: "custom", Name: "Files to import", Current: 120, Warning: 100, Alert: 500, Unit: "files", File: "imports"}, {Key: "custom", Name: "licence", File: "licence", Trouble: "probe_timeout", TroubleArgs: []any{10}}},
		HostGaps: []Gap{{Key: "swap"}, {"cores_piped", []any{"/usr/lib/systemd/systemd-coredump"}}}, DatabaseGaps: []Gap{{Key: "lag"}},
		Routine: []RoutineRow{{"cleanup", "Database cleanup", RoutineOK, "ended well Wed 29 Jul 04:00 CEST, took 17 m 02 s as usual; on 7 of the last 7 days"}, {"tracking", "Tracking", RoutineWarning, "in 24 h: 20 ended well, 4 failed, 0 missed"}, {"", "Campaign processes", RoutineOff, "none is started on this instance"}},
		Nodes: []Node{
			{ID: 1, Name: "node-1", Host: "console-1", Version: "0.1.0", PID: 811, Running: 3, Seen: page.Now, Modules: modulesOf(page.Now, "up", "up", "up", "failing", "off")},
			{ID: 2, Name: "node-3", Host: "console-3", Version: "0.1.0", PID: 4711, Seen: page.Now.Add(-25 * time.Minute), Missing: true, Modules: modulesOf(page.Now, "missing", "missing", "missing", "missing", "missing")}},
		OfHost: []Indicator{{Key: "load1", Current: 2.31, Max: 4, Warning: 3.2, Alert: 3.6}, {Key: "memory", Current: 12 * giga, Max: 31 * giga, Warning: 25 * giga, Alert: 28 * giga, Unit: UnitBytes},
			{Key: "disk", Name: "/var/lib", Current: 84 * giga, Max: 100 * giga, Warning: 80 * giga, Alert: 90 * giga, Unit: UnitBytes}, {Key: "zombies", Max: 2, Warning: 2, Alert: 3}},
		OfDatabase: []Indicator{{Key: "connections", Current: 42, Max: 100, Warning: 80, Alert: 90}, {Key: "transaction", Current: 5200, Warning: 3600, Alert: 14400, Unit: UnitSeconds},
			{Key: "dead_rows", Name: "nms.broad_log_2026_07", Current: 11, Max: 100, Warning: 20, Alert: 50, Unit: UnitShare}},
		Workflows: []Watched{{"billing", "Billing", "customer id changes with the contract", Paused, page.Now.Add(-200 * hour)}},
	}
}

func modulesOf(now time.Time, states ...string) (all []Module) {
	for i, name := range []string{"engine", "web", "redirection", "mail", "webhook"} {
		all = append(all, Module{Name: name, Node: "night-1", State: states[i], Started: now.Add(-50 * hour), Seen: now.Add(-4 * time.Second), Account: "smtp"})
	}
	return all
}

func retireOf(page Page) Retire {
	page.Title = "Is node-3 retired?"
	return Retire{Page: page, Node: monitoringOf(page).Nodes[1]}
}
