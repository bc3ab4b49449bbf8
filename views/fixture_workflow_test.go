package views

import (
	"math/rand/v2"
	"time"
)

func workflowOf(page Page) Workflow {
	page.Title, page.Live = "Database cleanup", false
	page.Crumbs = []Crumb{{"Workflows", "/workflows"}, {"Delivery", ""}}
	page.Tape.Own = "cleanup"
	slot := time.Date(2026, 7, 28, 4, 0, 0, 0, page.Zone)
	page.Now = slot.Add(17*time.Hour + 40*time.Minute)
	w := Workflow{
		Page: page, Name: "cleanup", Label: "Database cleanup", Package: "Delivery", State: Started, Severity: "production",
		Purpose: "Deletes obsolete data, drops orphan work tables and recomputes the statistics of the database.",
		Next:    slot.Add(24 * time.Hour), Last: LastRun{8790, slot, 1551 * time.Second, 1182077, "deleted"}, RunsTotal: "1,204",
		Schedule: ScheduleFacts{
			Words: "Every day at 04:00", Cron: "0 4 * * *", Zone: "Europe/Paris",
			Notes: []string{"If Nightshift is down at 04:00, one run when it is up again."},
		},
		Properties: []Fact{{"Severity", "Production", false}, {"Supervisors", "Workflow supervisors (4)", false}, {"On error", "Stop the process", false}, {"History", "30 days", false}},
		Reads:      []string{"nms.delivery", "xtk.option"}, Writes: []string{"nms.broad_log", "nms.tracking_log", "xtk.workflow_log"},
		Can: []Order{OrderSimulate, OrderRun, OrderPause, OrderStop, OrderRestart, OrderPurgeHistory, OrderWakeup}, CanEdit: true,
	}
	for i := range 10 {
		w.Schedule.Next = append(w.Schedule.Next, slot.AddDate(0, 0, i+1))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		s := RecorderSlot{At: slot.AddDate(0, 0, i-59), State: Finished, Took: time.Duration(1400+random.IntN(260)) * time.Second, Rows: int64(1100000 + random.IntN(220000)), Run: int64(8000 + i)}
		switch i {
		case 24:
			s = RecorderSlot{At: s.At, State: Missed}
		case 40:
			s = RecorderSlot{At: s.At, State: Skipped}
		case 18:
			s.State = Late
		case 56:
			s.State, s.Took, s.Rows = Failed, 852*time.Second, 790144
		case 57:
			s.Took, s.Rows, s.Causes = 2208*time.Second, 2020316, []string{"slower", "more"}
		}
		w.Recorder.Slots = append(w.Recorder.Slots, s)
	}
	w.Recorder.Took, w.Recorder.Rows = Band{1420, 1540, 1700}, Band{1120000, 1210000, 1310000}
	w.Recorder.Changes = []Note{{slot.AddDate(0, 0, -35).Add(-time.Hour), "node-1 and node-2 down"}, {slot.AddDate(0, 0, -8).Add(-time.Hour), "build 1.4.3"}}
	w.Drifts = []Drift{moreOf(8790, slot), fewerOf(8789, slot)}
	w.Drifts[0].Known, w.Drifts[0].By, w.Drifts[0].Why = slot.Add(4*time.Hour), "Moreau", "the backlog of last week, CHG-20418"
	w.Accounts = []AccountTrouble{{Name: "midFrance", Label: "Mid-sourcing France", Runs: 3, Run: 8788, Message: "dial tcp 10.20.0.7:443: i/o timeout"}}
	w.Runs = rowsOf(slot)
	w.Slots = []Slot{
		{At: slot.AddDate(0, 0, 1), State: Due, Kind: "scheduled"}, {At: slot, State: Finished, Kind: "scheduled", Lag: 200 * time.Millisecond, Run: 8790},
		{At: slot.AddDate(0, 0, -3), State: Late, Kind: "scheduled", Lag: 41 * time.Second, Run: 8621}, {At: slot.AddDate(0, 0, -19), State: Skipped, Why: "paused"},
		{At: slot.AddDate(0, 0, -35), To: slot.AddDate(0, 0, -33), Count: 3, State: Missed, Why: "service_down"},
	}
	w.Changes = []Change{{slot.AddDate(0, 0, -8), "Moreau", "Modified", "history 60 d", "history 30 d", false}, {slot.AddDate(0, 0, -9), "Hugo Petit", "Pause", "", "refused: needs Administration", true}}
	return w
}

func rowsOf(slot time.Time) []RunRow {
	row := func(id int64, days int, state State, took time.Duration, rows int64, note string) RunRow {
		return RunRow{ID: id, Workflow: "cleanup", Label: "Database cleanup", State: state, Begun: slot.AddDate(0, 0, -days), Took: took, Trigger: "scheduled", Rows: rows, StepsDone: 26, Steps: 26, Note: note}
	}
	rows := []RunRow{
		row(8790, 0, Finished, 1551*time.Second, 1182077, ""), row(8731, 1, Finished, 1622*time.Second, 1344912, ""),
		row(8621, 3, Failed, 852*time.Second, 790144, "lock timeout, step 14"), row(8614, 4, Finished, 156*time.Second, 0, "would delete 1,431,006"),
		row(8501, 5, Stopped, 44*time.Second, 11206, "by kim"), row(8443, 6, Interrupted, 44*time.Second, 11206, "process lost"),
	}
	rows[3].Simulated, rows[3].By = true, "Lee Dohyun"
	rows[2].StepsDone = 13
	return rows
}
