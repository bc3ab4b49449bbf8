package views

import (
	"strings"
	"time"
)

// cleanupSteps are the steps of a cleanup that stands at step 14: key, words, rows, seconds.
const cleanupSteps = `lists|2 lists and their 11,204 links|11206|0.6
deliveries|14 deliveries with everything they carry|318406|221
expired_deliveries|4 finished, 12,004 pending logs cancelled|18|2.1
mirror_pages|mirror pages of 9 deliveries|1982|6
delivery_work_tables|7 tables dropped|-1|1.4
rejects|import rejects older than 180 d|412|0.4
workflow_instances|logs, tasks and events past their history|61220|41
workflow_logins|nothing to do|0|0.2
group_work_tables|2 tables dropped|-1|0.3
visitors|not seen for 30 d|18340|9
quarantine|1,204 back to valid, then 3,115 deleted|3115|12
subscriptions|marked deleted|87|1.1
tracking_logs|older than 365 d|402118|302
delivery_logs||312000|455
email_error_stat|||6
email_error|||2
mx_domain|||1
propositions|||24
simulation_tables|||0.5
audit|||4
push_quarantine|||2
statistics|||366
app_subscriptions|||5
sessions|||1
events|||3
reactions|||1`

func seconds(text string) time.Duration {
	d, err := time.ParseDuration(text + "s")
	if err != nil {
		return 0
	}
	return d
}

func whole(text string) int64 {
	var n int64
	for _, digit := range text {
		n = n*10 + int64(digit-'0')
	}
	return n
}

func runOf(page Page) Run {
	page.Title, page.Section, page.Live = "Database cleanup 8841", SectionRuns, true
	page.Crumbs = []Crumb{{"Workflows", "/workflows"}, {"Delivery", "/workflows?q=package:delivery"}, {"cleanup", "/workflows/cleanup"}, {"8841", ""}}
	page.Tape.Own = "cleanup"
	begun := page.Now.Add(-1052 * time.Second)
	run := Run{
		Page: page, ID: 8841, Workflow: "cleanup", Label: "Database cleanup", Package: "Delivery", State: Running, Trigger: "scheduled",
		Node: "node-2", Severity: "production", Due: begun.Add(-200 * time.Millisecond), Begun: begun, CutOff: begun.Add(14 * time.Millisecond),
		Backend: 41277, Build: "1.4.3", UsualTook: 1540 * time.Second, UsualFrom: 24 * time.Minute, UsualTo: 27 * time.Minute, RowsChanged: 1128904,
		Dropped: 9, Can: []Order{OrderStop, OrderPause, OrderUnconditionalStop, OrderPurgeHistory},
		Options: []ReadOption{{"NmsCleanup_BroadLogPurgeDelay", "180", "days"}, {"NmsCleanup_TrackingLogPurgeDelay", "365", "days"}},
	}
	at := begun
	for i, line := range strings.Split(cleanupSteps, "\n") {
		part := strings.Split(line, "|")
		step := Step{Number: i + 1, Key: part[0], Said: part[1], State: Finished, Took: seconds(part[3]), Begun: at, Counted: part[2] != "-1"}
		switch {
		case i == 13:
			step.State, step.Done, step.Total, step.Batches, step.Rows = Running, 312000, 391212, 63, 312000
		case i > 13:
			step.State, step.Usual, step.Took, step.Begun = ToCome, seconds(part[3]), 0, time.Time{}
		case step.Counted:
			step.Rows = whole(part[2])
		}
		at = at.Add(step.Took)
		run.Steps = append(run.Steps, step)
	}
	run.Effects = append(run.Effects, []Effect{
		{"nms.broad_log", 526880, 12004, 0, 0, false}, {"nms.tracking_log", 463322, 0, 0, 0, false}, {"xtk.workflow_log", 54806, 0, 0, 0, false},
		{"nms.exclude_log", 22310, 0, 0, 0, false}, {"nms.mirror_page_search", 8923, 0, 0, 0, false}, {"nms.address", 3115, 1204, 0, 0, false}, {"nms.job_log", 41, 0, 23, 0, false},
	}...)
	run.Log = logOf(run, begun)
	run.Drifts = []Drift{moreOf(8841, page.Now.Add(-5*time.Minute))}
	return run
}

func logOf(run Run, begun time.Time) Log {
	log := Log{Run: run.ID, Total: 1318, Warnings: 2, Earlier: 1302, EarlierAt: "/runs/8841?before=9000#log", Following: run.State == Running}
	for i, message := range []string{
		"nms.tracking_log batch 61: 5,000 deleted (3.7 s), 305,000 of 402,118", "13/26 tracking_logs: 402,118 deleted (5 m 02 s)",
		"NmsCleanup_BroadLogPurgeDelay is 180 d: rows last modified before 2026-01-30 04:00:00+01", "nms.broad_log: 391,212 rows counted (3.7 s), batches of 5,000",
		"nms.broad_log batch 22: 212 rows locked by another session, left for the next batch", "<script>alert(1)</script> & a name with \"quotes\"",
		"nms.broad_log batch 63: 2,000 of 5,000 deleted, 312,000 of 391,212",
	} {
		level := "info"
		if i == 4 {
			level = "warning"
		}
		log.Lines = append(log.Lines, LogLine{int64(9000 + i), begun.Add(time.Duration(521+i*60)*time.Second + 530*time.Millisecond), 13 + min(i/2, 1), level, message})
	}
	return log
}

func failedOf(page Page) Run {
	run := runOf(page)
	run.Now = run.Begun.Add(4*time.Hour + 40*time.Minute)
	run.Live = false
	run.State, run.Ended, run.WorkflowPaused = Failed, run.Begun.Add(852*time.Second), true
	run.Next = run.Begun.Add(24 * time.Hour)
	run.Failure = &Failure{"SQLSTATE 55P03", "delivery_logs", "canceling statement due to lock timeout", "DELETE FROM nms.broad_log WHERE id IN (\n  SELECT id FROM nms.broad_log WHERE last_modified < $1\n  ORDER BY id LIMIT 5000 FOR UPDATE SKIP LOCKED)"}
	run.Can = []Order{OrderStart, OrderRestart, OrderStop, OrderPurgeHistory}
	for i := range run.Steps {
		switch {
		case i == 13:
			run.Steps[i].State, run.Steps[i].Took, run.Steps[i].Said, run.Steps[i].Counted = Failed, 255*time.Second, "lock timeout on nms.broad_log", true
		case i > 13:
			run.Steps[i].State = NotRun
		}
	}
	run.Log.Lines = append(run.Log.Lines, LogLine{9100, run.Ended, 14, "error", "ERROR: canceling statement due to lock timeout (SQLSTATE 55P03)"})
	run.Log.Errors = 1
	return run
}
