package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Slot is one thing that was due, with its answer: it ran (TaskID), it waits, or it was not run and why.
type Slot struct {
	ID, WorkflowID int64
	Workflow       string
	Kind, Mode     string
	Status         string // pending, processing, processed, skipped, missed, cancelled
	Reason         string // already_running, paused, freeze, not_configured, stopped, service_down
	Occurrences    int    // more than one: a row for many slots, from Due to To
	Due            time.Time
	To             *time.Time
	TaskID         int64
	TaskStatus     string
	Began          *time.Time
	Losses         int
	OrderedBy      string
	FrozenBy       string // who froze the instance and why, of a slot that a freeze skipped
}

// Late reports a slot that began, or still waits, more than Lateness after it was due.
func (s Slot) Late(now time.Time) bool {
	if s.Began != nil {
		now = *s.Began
	}
	return (s.Status == "pending" || s.Began != nil) && now.Sub(s.Due) > Lateness
}

// SlotFilter chooses slots; empty fields narrow nothing. Before is the due time and id of the last slot shown.
type SlotFilter struct {
	WorkflowID int64
	From, To   time.Time
	NotRun     bool // only slots of the schedule that did not run to their end
	Before     *RunCursor
	Limit      int
}

// Slots lists what was due, the newest first, and says whether there is more.
func (d *DB) Slots(ctx context.Context, f SlotFilter) ([]Slot, bool, error) {
	before := f.Before
	if before == nil {
		before = &RunCursor{Start: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	}
	rows, err := d.Pool.Query(ctx, `
		SELECT e.id, e.workflow_id, w.internal_name, e.kind, e.mode, e.status, COALESCE(e.reason, ''), e.occurrences,
		       e.scheduled_at, e.scheduled_to, COALESCE(t.id, 0), COALESCE(t.status, ''), t.start_date, e.losses,
		       COALESCE(e.operator_login, ''), COALESCE(f.by_login || ': ' || f.reason, '')
		FROM xtk.workflow_event e
		JOIN xtk.workflow w ON w.id = e.workflow_id
		LEFT JOIN xtk.workflow_task t ON t.id = e.task_id
		LEFT JOIN xtk.freeze f ON e.reason = 'freeze' AND tstzrange(f.since, LEAST(f.until, f.lifted_at)) @> e.scheduled_at
		WHERE (@workflow = 0 OR e.workflow_id = @workflow)
		  AND (@from::timestamptz IS NULL OR e.scheduled_at >= @from)
		  AND (@to::timestamptz IS NULL OR e.scheduled_at < @to)
		  AND (NOT @not_run OR e.slot AND e.answer NOT IN ('ran', 'ran_late', 'caught_up', 'running', 'waiting'))
		  AND (e.scheduled_at, e.id) < (@start, @id)
		ORDER BY e.scheduled_at DESC, e.id DESC
		LIMIT @limit`, pgx.StrictNamedArgs{"workflow": f.WorkflowID, "from": orNull(f.From), "to": orNull(f.To),
		"not_run": f.NotRun, "start": before.Start, "id": before.ID, "limit": f.Limit + 1})
	if err != nil {
		return nil, false, fmt.Errorf("due slots: %w", err)
	}
	slots, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Slot])
	if err != nil {
		return nil, false, fmt.Errorf("due slots: %w", err)
	}
	if len(slots) > f.Limit {
		return slots[:f.Limit], true, nil
	}
	return slots, false, nil
}

// Account is the answer to everything that the schedules made due in a period. Due is the sum of the others.
type Account struct {
	Due, Ran, RanLate, CaughtUp, Failed, Stopped, Skipped, Missed, Cancelled, Running, Waiting int
}

// add counts n slots with an answer, as the column of that name has it.
func (a *Account) add(answer string, n int) {
	a.Due += n
	switch answer {
	case "ran_late":
		a.RanLate += n
	case "caught_up":
		a.CaughtUp += n
	case "failed", "interrupted":
		a.Failed += n
	case "stopped":
		a.Stopped += n
	case "skipped":
		a.Skipped += n
	case "missed":
		a.Missed += n
	case "cancelled":
		a.Cancelled += n
	case "running":
		a.Running += n
	case "waiting":
		a.Waiting += n
	default:
		a.Ran += n
	}
}

// SlotAccount counts the slots of a period by their answer, of one workflow or of all (0). Orders and signals are not slots.
func (d *DB) SlotAccount(ctx context.Context, workflowID int64, from, to time.Time) (Account, error) {
	var a Account
	rows, err := d.Pool.Query(ctx, `
		SELECT e.answer, sum(e.occurrences)
		FROM xtk.workflow_event e
		WHERE ($1 = 0 OR e.workflow_id = $1)
		  AND e.slot
		  AND e.scheduled_at >= $2 AND e.scheduled_at < $3
		GROUP BY e.answer`, workflowID, from, to)
	if err != nil {
		return a, fmt.Errorf("account of the due slots: %w", err)
	}
	var answer string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&answer, &n}, func() error { a.add(answer, n); return nil }); err != nil {
		return a, fmt.Errorf("account of the due slots: %w", err)
	}
	return a, nil
}
