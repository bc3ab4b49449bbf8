package demo

import (
	"context"
	"fmt"
	"time"
)

// pastStep is a step of a workflow as its runs show it: how long it takes compared with the others, and which table it
// changes, by how many rows a run of the small size. The rows are what a first run really finds in the demo, so that a
// rehearsal of it is within the usual.
type pastStep struct {
	key, table string
	seconds    float64
	rows       int64
}

// pastWorkflow is a workflow that gets a past: when it is due (UTC) and what a run of it does.
type pastWorkflow struct {
	name    string
	hour    int
	weekday time.Weekday
	weekly  bool
	verb    string
	steps   []pastStep
	mishaps map[int]mishap // by how many slots ago
}

// mishap is what was not as usual at one slot.
type mishap int

const (
	asUsual mishap = iota
	failedThenResumed
	failed
	skippedPaused
	skippedRunning
	serviceDown // the process was not up at the slot, nor at the next one
	caughtUp
	withWarning
	lostThenRepeated
	slow
)

var pastWorkflows = []pastWorkflow{
	{
		name: "cleanup", hour: 4, verb: "deleted",
		steps: []pastStep{
			{"lists", "nms.rcp_grp_rel", 1, 600}, {"deliveries", "nms.broad_log", 30, 350}, {"expired_deliveries", "nms.delivery_part", 4, 115},
			{"mirror_pages", "nms.mirror_page_info", 5, 28}, {"delivery_work_tables", "", 1, 0}, {"rejects", "xtk.reject", 2, 175},
			{"workflow_instances", "xtk.workflow_log", 6, 700}, {"workflow_logins", "", 0.1, 0}, {"group_work_tables", "", 0.2, 0},
			{"visitors", "nms.visitor", 4, 290}, {"quarantine", "nms.address", 3, 900}, {"subscriptions", "nms.subscription", 1, 48},
			{"tracking_logs", "nms.tracking_log", 40, 610}, {"delivery_logs", "nms.broad_log", 60, 4500}, {"email_error_stat", "nms.email_error_stat", 2, 300},
			{"email_error", "nms.email_error", 0.4, 78}, {"mx_domain", "nms.mx_domain", 0.4, 78}, {"propositions", "nms.proposition", 8, 670},
			{"simulation_tables", "", 0.1, 0}, {"audit", "", 0.2, 0}, {"push_quarantine", "nms.address", 0.4, 255}, {"statistics", "", 80, 0},
			{"app_subscriptions", "nms.app_subscription_rcp", 1, 58}, {"sessions", "xtk.session_info", 0.1, 9}, {"events", "nms.rt_event", 3, 230},
			{"reactions", "nms.rema_match", 0.5, 100}, {"housekeeping", "xtk.login_attempt", 0.4, 92},
		},
		mishaps: map[int]mishap{0: slow, 3: withWarning, 6: caughtUp, 7: serviceDown, 11: failedThenResumed, 16: lostThenRepeated, 20: skippedPaused,
			21: skippedPaused, 22: skippedPaused, 27: slow, 34: failed, 45: caughtUp, 46: serviceDown, 52: failedThenResumed},
	},
	{
		name: "aliasCleansing", hour: 3, verb: "updated",
		steps:   []pastStep{{"company", "nms.recipient", 9, 6}, {"origin", "nms.recipient", 3, 0}},
		mishaps: map[int]mishap{2: withWarning, 6: caughtUp, 7: serviceDown, 9: failed, 14: skippedRunning, 31: withWarning, 45: caughtUp, 46: serviceDown},
	},
	{
		name: "cleanupPausedWorkflows", hour: 5, weekday: time.Monday, weekly: true, verb: "updated",
		steps:   []pastStep{{"paused_workflows", "xtk.workflow", 0.4, 0}},
		mishaps: map[int]mishap{2: withWarning},
	},
}

// slots are the moments at which the workflow was due in the past days, the newest first.
func (w pastWorkflow) slots(now time.Time, days int) []time.Time {
	slot := time.Date(now.Year(), now.Month(), now.Day(), w.hour, 0, 0, 0, time.UTC)
	var all []time.Time
	for ; now.Sub(slot) < time.Duration(days)*day; slot = slot.AddDate(0, 0, -1) {
		// Two hours at least, so that the longest run is over.
		if now.Sub(slot) >= 2*hour && (!w.weekly || slot.Weekday() == w.weekday) {
			all = append(all, slot)
		}
	}
	return all
}

// next is the first slot that gets no past: the engine's own.
func (w pastWorkflow) next(now time.Time) time.Time {
	slot := time.Date(now.Year(), now.Month(), now.Day(), w.hour, 0, 0, 0, time.UTC)
	for now.Sub(slot) >= 2*hour || w.weekly && slot.Weekday() != w.weekday {
		slot = slot.AddDate(0, 0, 1)
	}
	return slot
}

// loadPast invents the runs of the workflows that this version has code for, and starts them.
func loadPast(ctx context.Context, l *loader) error {
	if err := l.campaigns(ctx); err != nil {
		return err
	}
	h := &history{loader: l}
	if err := h.firstIDs(ctx); err != nil {
		return err
	}
	for _, w := range pastWorkflows {
		id, ok, err := l.withoutPast(ctx, w.name)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		slots := w.slots(l.now, l.plan.pastDays)
		for i := len(slots) - 1; i >= 0; i-- {
			h.slot(w, id, slots[i], w.mishaps[i])
		}
		if err := l.start(ctx, w, id); err != nil {
			return err
		}
	}
	return h.write(ctx)
}

// withoutPast finds a workflow that is built, still being edited, and has never been due.
func (l *loader) withoutPast(ctx context.Context, name string) (id int64, ok bool, err error) {
	rows, err := l.tx.Query(ctx, `
		SELECT w.id
		FROM xtk.workflow w
		WHERE w.internal_name = $1
		  AND w.built
		  AND w.state = 'being_edited'
		  AND NOT EXISTS (SELECT FROM xtk.workflow_event e WHERE e.workflow_id = w.id)`, name)
	if err != nil {
		return 0, false, err
	}
	for rows.Next() {
		if err := rows.Scan(&id); err != nil {
			return 0, false, err
		}
		ok = true
	}
	return id, ok, rows.Err()
}

// start puts a workflow in the state that its past leads to.
func (l *loader) start(ctx context.Context, w pastWorkflow, id int64) error {
	return l.exec(ctx, `
		UPDATE xtk.workflow
		SET state = 'started',
		    state_since = $2,
		    state_by = 'admin',
		    next_processing = $3,
		    last_processed = $4,
		    execution_count = $5
		WHERE id = $1`,
		id, l.ago(time.Duration(l.plan.pastDays)*day), w.next(l.now), w.slots(l.now, 14)[0], len(w.slots(l.now, l.plan.pastDays)))
}

// slot writes what became of one slot.
func (h *history) slot(w pastWorkflow, workflow int64, at time.Time, m mishap) {
	run := pastRun{workflow: w, workflowID: workflow, due: at, started: at.Add(800 * time.Millisecond), trigger: "scheduled", factor: 0.7 + 0.6*h.rng.Float64()}
	switch m {
	case skippedPaused:
		h.event(run, "skipped", "paused")
	case skippedRunning:
		h.event(run, "skipped", "already_running")
	case serviceDown:
		h.event(run, "missed", "service_down")
	case caughtUp:
		run.trigger, run.started = "catch_up", at.Add(47*time.Minute)
		h.run(run)
	case failed, failedThenResumed:
		run.failedAt = max(1, len(w.steps)-14)
		broken := h.run(run)
		if m == failedThenResumed {
			run.trigger, run.started, run.resumes = "resume", at.Add(4*hour+12*time.Minute), broken
			h.run(run)
		}
	case lostThenRepeated:
		run.lost = true
		h.run(run)
	case slow:
		run.factor = 4
		h.run(run)
	case withWarning:
		run.warnings = 1
		h.run(run)
	default:
		h.run(run)
	}
}

// last is the start of the newest run of cleanup that did everything, which cleanup itself keeps as an option.
func (h *history) last(ctx context.Context) error {
	return h.exec(ctx, `
		INSERT INTO xtk.option (name, data_type, timestamp_value)
		SELECT 'NmsCleanup_LastCleanup', 'timestamp', max(t.start_date)
		FROM xtk.workflow_task t
		JOIN xtk.workflow w ON w.id = t.workflow_id
		WHERE w.internal_name = 'cleanup'
		  AND t.status = 'completed'
		HAVING max(t.start_date) IS NOT NULL
		ON CONFLICT (name) DO NOTHING`)
}

// words writes a duration as the log does: 3 m 12 s.
func words(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d m %02d s", int(d.Minutes()), int(d.Seconds())%60)
}
