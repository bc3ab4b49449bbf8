package demo

import (
	"context"
	"fmt"
	"time"

	"nightshift/db"
)

const (
	pastNode  = "demo"
	pastBatch = 5000
)

// pastRun is one run to be written, with what is unusual about it.
type pastRun struct {
	workflow     pastWorkflow
	workflowID   int64
	due, started time.Time
	trigger      string
	factor       float64 // how long it took, compared with a usual night
	failedAt     int     // index of the step that failed; 0: none
	warnings     int32
	resumes      int64 // the failed run whose steps are kept
	lost         bool  // its process was lost; a second run repeated it
}

// history gathers the rows of the past.
type history struct {
	*loader
	events, tasks, steps, effects, logs [][]any
	event0, task0, step0, log0          int64
}

// firstIDs: what a database has run already keeps its ids.
func (h *history) firstIDs(ctx context.Context) error {
	return h.tx.QueryRow(ctx, `
		SELECT (SELECT COALESCE(max(id), 0) FROM xtk.workflow_event),
		       (SELECT COALESCE(max(id), 0) FROM xtk.workflow_task),
		       (SELECT COALESCE(max(id), 0) FROM xtk.workflow_task_step),
		       (SELECT COALESCE(max(id), 0) FROM xtk.workflow_log)`).Scan(&h.event0, &h.task0, &h.step0, &h.log0)
}

// event adds what was due. reason is empty for one that ran.
func (h *history) event(r pastRun, status, reason string) int64 {
	id := h.event0 + int64(len(h.events)) + 1
	kind, due := r.trigger, r.due
	var task, processed, why any
	if reason != "" {
		why = reason
	} else {
		task, processed = h.task0+int64(len(h.tasks))+1, r.started
	}
	if kind != "scheduled" && kind != "catch_up" {
		due = r.started
	}
	var losses int16
	if r.lost {
		losses = 1
	}
	h.events = append(h.events, []any{id, r.workflowID, kind, status, why, due, processed, task, losses, due, nil})
	return id
}

// run adds a run with its event, steps, effects and log, and returns its id.
func (h *history) run(r pastRun) int64 {
	event := h.event(r, "processed", "")
	if r.lost {
		first := r
		first.failedAt, first.factor = len(r.workflow.steps)/2, r.factor
		h.execution(first, event, "interrupted")
		r.started, r.lost = r.started.Add(4*time.Minute), false
		h.events[len(h.events)-1][7] = h.task0 + int64(len(h.tasks)) + 1
	}
	status := "completed"
	if r.failedAt > 0 && r.resumes == 0 {
		status = "failed"
	}
	h.events[len(h.events)-1][10] = status
	return h.execution(r, event, status)
}

// execution adds one task with all its rows.
func (h *history) execution(r pastRun, event int64, status string) int64 {
	id := h.task0 + int64(len(h.tasks)) + 1
	at, changed := r.started, int64(0)
	h.log(r, pastLine{task: id, at: at, message: fmt.Sprintf("Run %d begins on %s (%s)", id, pastNode, r.trigger)})
	h.log(r, pastLine{task: id, at: at, message: "run, cut-off " + at.Format("2006-01-02 15:04:05.000 MST")})
	for i, step := range r.workflow.steps {
		if r.resumes > 0 && i < r.failedAt {
			h.step(r, pastStepRow{id, i, "kept", at, at, 0})
			continue
		}
		took := time.Duration(step.seconds / h.size.pace() * r.factor * (0.8 + 0.4*h.rng.Float64()) * float64(time.Second)).Truncate(time.Millisecond)
		rows := int64(float64(step.rows) * float64(h.size.Rows()/50_000) * (0.4 + 1.2*h.rng.Float64()))
		if status != "completed" && i == r.failedAt {
			at = at.Add(took)
			h.step(r, pastStepRow{id, i, status, at.Add(-took), at, 0})
			break
		}
		h.step(r, pastStepRow{id, i, "completed", at, at.Add(took), rows})
		at, changed = at.Add(took), changed+rows
		if rows > 0 {
			h.effect(r, id, i, rows)
			h.log(r, pastLine{id, i + 1, at, "info", fmt.Sprintf("%s: %s rows in %s (%s)", step.table, commas(rows), batches(rows), words(took))})
		}
		h.log(r, pastLine{id, i + 1, at, "info", fmt.Sprintf("%d/%d %s: %s (%s)", i+1, len(r.workflow.steps), step.key, r.outcome(rows), words(took))})
	}
	if r.warnings > 0 {
		h.log(r, pastLine{id, len(r.workflow.steps), at, "warning", "Invented warning: one table was in use and is left for the next run"})
	}
	h.task(r, event, status, at, changed)
	return id
}

// task adds the row of the run itself, and its last line.
func (h *history) task(r pastRun, event int64, status string, end time.Time, changed int64) {
	id := h.task0 + int64(len(h.tasks)) + 1
	begun := 0
	for begun < len(h.steps) && h.steps[len(h.steps)-1-begun][1] == id {
		begun++
	}
	done := begun
	if status != "completed" {
		done-- // the one that it ended in
	}
	var code, step, message, resumes, by any
	switch status {
	case "failed":
		code, step, message = "55P03", r.workflow.steps[r.failedAt].key, "canceling statement due to lock timeout"
		h.log(r, pastLine{id, r.failedAt + 1, end, "error", fmt.Sprintf("Step %s failed: canceling statement due to lock timeout (55P03)", step)})
	case "interrupted":
		message = "The session of this run was lost with its process on " + pastNode
		h.log(r, pastLine{task: id, at: end, level: "error", message: "The session of this run was lost with its process on " + pastNode})
	default:
		h.log(r, pastLine{task: id, at: end, message: fmt.Sprintf("done in %s: %s", words(end.Sub(r.started)), r.outcome(changed))})
	}
	if r.resumes > 0 {
		resumes, by = r.resumes, "admin"
	}
	h.tasks = append(h.tasks, []any{id, r.workflowID, event, r.trigger, status, pastNode, int32(4000 + id%20000), pastNode, by, r.due, r.started, end, r.started,
		resumes, int64(0), changed, int32(begun), int32(done), r.warnings, code, step, message, r.result()})
}

// pastStepRow is one execution of a step.
type pastStepRow struct {
	task     int64
	index    int
	status   string
	from, to time.Time
	rows     int64
}

func (h *history) step(r pastRun, s pastStepRow) {
	id, key := h.step0+int64(len(h.steps))+1, r.workflow.steps[s.index].key
	var message any
	if s.status == "completed" {
		message = r.outcome(s.rows)
	}
	h.steps = append(h.steps, []any{id, s.task, int32(s.index + 1), key, key, s.status, s.from, s.to, s.rows, s.rows, s.rows, "rows",
		int32((s.rows + pastBatch - 1) / pastBatch), message})
}

// outcome says in words what was changed.
func (r pastRun) outcome(rows int64) string {
	if rows == 0 {
		return "nothing to do"
	}
	return commas(rows) + " " + r.workflow.verb
}

// result marks the run as invented, and names its steps as every run does.
func (r pastRun) result() map[string]any {
	keys := make([]string, len(r.workflow.steps))
	for i, step := range r.workflow.steps {
		keys[i] = step.key
	}
	return map[string]any{"invented": true, "steps": keys}
}

// batches writes how many batches so many rows took.
func batches(rows int64) string {
	if rows <= pastBatch {
		return "1 batch"
	}
	return commas((rows+pastBatch-1)/pastBatch) + " batches"
}

// commas writes a number in groups of three digits.
func commas(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// effect adds the ledger's row: deleted rows, or updated ones of a workflow that updates.
func (h *history) effect(r pastRun, task int64, i int, rows int64) {
	updated, deleted := int64(0), rows
	if r.workflow.verb == "updated" {
		updated, deleted = rows, 0
	}
	h.effects = append(h.effects, []any{task, int32(i + 1), r.workflow.steps[i].table, updated, deleted})
}

// pastLine is a line of a log. step counts from 1; 0: a line of the run itself. No level: info.
type pastLine struct {
	task    int64
	step    int
	at      time.Time
	level   string
	message string
}

func (h *history) log(r pastRun, line pastLine) {
	id := h.log0 + int64(len(h.logs)) + 1
	var number, key any
	if line.step > 0 {
		number, key = int32(line.step), r.workflow.steps[line.step-1].key
	}
	if line.level == "" {
		line.level = "info"
	}
	h.logs = append(h.logs, []any{id, r.workflowID, line.task, number, key, line.level, line.message, line.at})
}

// write copies everything that was gathered, and samples of it for the heat map, some older than any history.
func (h *history) write(ctx context.Context) error {
	for _, t := range []struct {
		table, columns string
		rows           [][]any
	}{
		{"xtk.workflow_event", "id workflow_id kind status reason scheduled_at processing_date task_id losses created outcome", h.events},
		{"xtk.workflow_task", `id workflow_id event_id trigger status node backend_pid build started_by due_at start_date completion_date cut_off
			resumes_task_id rows_read rows_changed steps_begun steps_done warnings error_code error_step error_message result`, h.tasks},
		{"xtk.workflow_task_step", `id task_id step_order step_key label status start_date end_date rows_changed
			progress_done progress_total progress_unit batches message`, h.steps},
		{"xtk.workflow_task_effect", "task_id step_order table_name updated deleted", h.effects},
		{"xtk.workflow_log", "id workflow_id task_id step_order step_key level message log_date", h.logs},
	} {
		if err := h.copy(ctx, t.table, t.columns, listed(t.rows)); err != nil {
			return err
		}
	}
	if err := h.samples(ctx); err != nil {
		return err
	}
	if err := h.drifts(ctx); err != nil {
		return err
	}
	return h.last(ctx)
}

// drifts judges the runs one after another, as they would have been when they ended: the last one of cleanup was slow,
// and its alarm is open.
func (h *history) drifts(ctx context.Context) error {
	for i := range h.tasks {
		if _, err := db.JudgeDrift(ctx, h.tx, h.task0+int64(i)+1); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) samples(ctx context.Context) error {
	err := h.exec(ctx, `
		INSERT INTO xtk.heatmap_sample (task_id, workflow_id, workflow_name, workflow_label, kind, start_date, end_date)
		SELECT t.id, w.id, w.internal_name, w.label, w.kind, t.start_date, t.completion_date
		FROM xtk.workflow_task t
		JOIN xtk.workflow w ON w.id = t.workflow_id
		WHERE t.node = $1`, pastNode)
	if err != nil {
		return err
	}
	// What was seen of those runs: each works in the database for a share of its time that is its workflow's, and one in
	// nine five minutes waits for a lock.
	if err := h.exec(ctx, `
		INSERT INTO xtk.heatmap_load (task_id, slot, samples, database_seconds, lock_seconds)
		SELECT t.id, s.slot, ceil(seen.seconds / 5), seen.seconds * (35 + t.workflow_id * 17 % 60) / 100,
		       CASE WHEN (t.id * 7 + s.n) % 9 = 0 THEN seen.seconds * 0.12 ELSE 0 END
		FROM xtk.workflow_task t
		CROSS JOIN LATERAL generate_series(date_bin('5 minutes', t.start_date, 'epoch'), t.completion_date, '5 minutes') WITH ORDINALITY AS s (slot, n)
		CROSS JOIN LATERAL (
			SELECT extract(epoch FROM LEAST(t.completion_date, s.slot + interval '5 minutes') - GREATEST(t.start_date, s.slot)) AS seconds) seen
		WHERE t.node = $1
		  AND seen.seconds >= 5`, pastNode); err != nil {
		return err
	}
	// Orders that were applied on both sides of seven days, for any workflow there is.
	return h.exec(ctx, `
		INSERT INTO xtk.workflow_job (workflow_id, command, operator_login, created, applied_at, outcome)
		SELECT w.id, 'start', 'admin', applied.at, applied.at, 'applied'
		FROM (SELECT min(id) AS id FROM xtk.workflow) w,
			(VALUES ($1::timestamptz), ($2)) AS applied (at)
		WHERE w.id IS NOT NULL`, h.ago(8*day), h.ago(5*day))
}
