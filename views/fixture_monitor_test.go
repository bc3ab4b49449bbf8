package views

import "time"

func monitoringOf(page Page) Monitoring {
	page.Title, page.Section, page.Crumbs = "Monitoring", SectionMonitoring, []Crumb{{"Monitoring", ""}}
	const giga = 1 << 30
	return Monitoring{
		Page: page, Build: "0.1.0", Host: "console-1", Postgres: "15.13", Database: "nightshift", FailedDeliveries: 2, OpenDeliveries: 14, LastSent: page.Now.Add(-3 * time.Minute),
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
		all = append(all, Module{Name: name, State: states[i], Started: now.Add(-50 * hour), Seen: now.Add(-4 * time.Second), Account: "smtp"})
	}
	return all
}

func retireOf(page Page) Retire {
	page.Title = "Is node-3 retired?"
	return Retire{Page: page, Node: monitoringOf(page).Nodes[1]}
}
