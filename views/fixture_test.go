package views

import (
	"math/rand/v2"
	"testing"
	"time"

	"nightshift/views/locale"
)

// night is 04:17:32 on a night in Paris.
func night(t *testing.T, lang locale.Lang, theme Theme) Page {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 7, 29, 4, 17, 32, 0, zone)
	return Page{
		Lang: lang, Theme: theme, Now: now, Zone: zone, Title: "Workflows", Section: SectionWorkflows, Path: "/workflows",
		Instance: "mkt-prod", Operator: &Operator{Login: "kim", Name: "Kim Minji", Right: "Administration", Admin: true},
		Nodes: 2, TickAge: 400 * time.Millisecond, Needs: 3, Tape: tapeOf(now), Version: "0.1.0",
	}
}

func tapeOf(now time.Time) Tape {
	var marks []TapeMark
	add := func(name string, at time.Time, lasts, every time.Duration) {
		state := Finished
		switch {
		case at.After(now):
			state = Due
		case at.Add(lasts).After(now):
			state = Running
		}
		marks = append(marks, TapeMark{name, at, lasts, every, state})
	}
	start := now.Truncate(time.Hour).Add(-13 * time.Hour)
	for h := range 26 {
		at := start.Add(time.Duration(h) * time.Hour)
		add("tracking", at, 3*time.Minute, time.Hour)
		add("offerMgt", at, 2*time.Second, time.Hour)
		add("mcSynch_exec_eu1", at, 9*time.Minute, time.Hour)
		add("exportSharedAudience", at.Add(15*time.Minute), 3*time.Minute, time.Hour)
	}
	day := now.Truncate(24 * time.Hour)
	for name, hm := range map[string][2]int{"forecasting": {1, 21}, "reportingAggregates": {2, 10}, "aliasCleansing": {3, 1}, "cleanup": {4, 26}, "agg": {6, 14}} {
		add(name, day.Add(time.Duration(hm[0]-2)*time.Hour), time.Duration(hm[1])*time.Minute, 24*time.Hour)
		add(name, day.Add(time.Duration(hm[0]+22)*time.Hour), time.Duration(hm[1])*time.Minute, 24*time.Hour)
	}
	marks = append(marks, TapeMark{"webAnalyticsGetWebEvents", now.Add(-32 * time.Minute), 0, time.Hour, Failed},
		TapeMark{"defaultMidSourcingLog", now.Add(-12 * time.Minute), 0, time.Hour, Late})
	return Tape{Marks: marks}
}

func sparkOf(seed uint64, odd map[int]State) []SparkBar {
	random := rand.New(rand.NewPCG(seed, 1))
	bars := make([]SparkBar, 60)
	for i := range bars {
		bars[i] = SparkBar{time.Duration(70+random.IntN(30)) * time.Second, Finished}
		if state, ok := odd[i]; ok {
			bars[i].State = state
		}
	}
	return bars
}

var calmOrders = []Order{OrderRun, OrderSimulate, OrderPause, OrderStop, OrderRestart, OrderPurgeHistory}

func workflowsOf(page Page) Workflows {
	now := page.Now
	row := func(name, label string, ago time.Duration, schedule string, next time.Duration, took time.Duration, rows int64) WorkflowRow {
		return WorkflowRow{
			Name: name, Label: label, State: Started, Since: now.Add(-90 * 24 * time.Hour), Schedule: schedule, Next: now.Add(next),
			Spark: sparkOf(uint64(len(name)*7+len(label)), nil), Last: LastRun{8700, now.Add(-ago), took, rows, "deleted"}, Can: calmOrders,
		}
	}
	billing := row("billing", "Billing", 9*24*time.Hour, "25th at 01:00", 0, 192*time.Second, 1)
	billing.State, billing.Since, billing.By, billing.Next, billing.Can = Paused, now.Add(-9*24*time.Hour), "Moreau", time.Time{}, []Order{OrderStart, OrderStop, OrderRestart}
	billing.NextNote = "25 Jul 01:00 skipped"
	cleanup := row("cleanup", "Database cleanup", 24*time.Hour, "Daily at 04:00", 24*time.Hour-17*time.Minute, 1551*time.Second, 1182077)
	cleanup.State, cleanup.Since, cleanup.Run, cleanup.Step, cleanup.Steps = Running, now.Add(-1052*time.Second), 8841, 14, 26
	cleanup.Spark = sparkOf(3, map[int]State{24: Missed, 55: Failed, 40: Skipped, 59: Running})
	cleanup.Drifts = []Drift{moreOf(8841, now.Add(-5*time.Minute))}
	midlog := row("defaultMidSourcingLog", "Mid-sourcing (delivery logs)", time.Hour, "Hourly", -17*time.Minute, 244*time.Second, 61903)
	midlog.State, midlog.Since, midlog.Reason = Late, now.Add(-17*time.Minute), "no node has affinity mid"
	web := row("webAnalyticsGetWebEvents", "Recovery of web events", 16*time.Minute, "Hourly, on signal", 0, 102*time.Second, 40118)
	web.State, web.Since, web.Run, web.Reason, web.Next, web.NextNote = Failed, now.Add(-16*time.Minute), 8846, "step 1 of 4: invalid_client", time.Time{}, "none while failed"
	web.Can = []Order{OrderStart, OrderRestart, OrderStop}
	supplier := row("supplierMgt", "Jobs on service providers", 5*time.Minute, "Every 5 min", 0, 3*time.Second, 1)
	supplier.State, supplier.Since, supplier.By = StopPending, now.Add(-3*time.Second), "kim"
	absent := func(name, label string) WorkflowRow {
		return WorkflowRow{Name: name, Label: label, State: NotBuilt, Schedule: "Daily at 05:30"}
	}
	return Workflows{
		Page: page, Total: 46, Counts: map[View]int{ViewAll: 46, ViewNeeds: 3, ViewRunning: 1, ViewStarted: 24, ViewPaused: 1, ViewFailed: 1, ViewLate: 1, ViewPending: 1, ViewNotHere: 8},
		Packages: []Package{
			{"delivery", "Delivery", []WorkflowRow{
				row("aliasCleansing", "Alias cleansing", 76*time.Minute, "Daily at 03:00", 22*time.Hour+42*time.Minute, 48*time.Second, 391), billing, cleanup,
				row("forecasting", "Forecasting", 3*time.Hour, "Daily at 01:00", 20*time.Hour+42*time.Minute, 21*time.Minute, 184220)}},
			{"midsourcing", "Transfer to Mid-sourcing", []WorkflowRow{midlog}},
			{"campaign", "Marketing campaigns (Campaign)", []WorkflowRow{supplier}},
			{"webanalytics", "Web Analytics connectors", []WorkflowRow{web}},
			{"privacy", "Privacy Data Protection Regulation", []WorkflowRow{absent("collectPrivacyRequests", "Collection of privacy requests"), absent("cleanupPrivacyRequests", "Cleanup of privacy requests")}},
			{"social", "Social networks (Social Marketing)", []WorkflowRow{absent("publishTwitter", "Publication on Twitter")}},
		},
	}
}

func signInOf(page Page) SignIn {
	page.Operator = nil
	return SignIn{Page: page, Login: "kim", Idle: 30 * time.Minute, Trouble: "This name and password do not match. 3 attempts left, then 15 minutes’ rest for this address."}
}

func setUpOf(page Page) SetUp {
	page.Operator = nil
	return SetUp{
		Page: page, Token: "t", Database: "A private PostgreSQL 15.13 runs in the data folder.", Tables: 164, Workflows: 46, EndsIn: 52 * time.Minute,
		Fields: SetUpFields{
			Instance: Field{Name: "instance", Label: "Name of this instance", Value: "mkt-prod"},
			Kind:     Field{Name: "kind", Label: "Kind", Options: []Option{{"marketing", "marketing"}}},
			Zone:     Field{Name: "zone", Label: "Time zone of the schedules", Options: []Option{{"Europe/Paris", "Europe/Paris, now 22:04 CEST"}}, Help: "cleanup at 04:00 means 04:00 here. Next clock change: 25 Oct."},
			Login:    Field{Name: "login", Label: "Operator", Value: "admin"}, Email: Field{Name: "email", Label: "E-mail", Type: "email"},
			Password: Field{Name: "password", Label: "Password", Type: "password", Help: "At least 12 characters, not the operator’s name."},
		},
	}
}
