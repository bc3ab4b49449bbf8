package engine

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// singly is how many missed slots get a row each; more become one row with their number.
const singly = 24

// answer is what becomes of slots: rows of one kind, status and reason.
type answer struct{ kind, status, reason string }

// slotRow is a slot with its answer, or many of a workflow, up to a moment, with one.
type slotRow struct {
	workflow    int64
	at          time.Time
	occurrences int
	to          *time.Time
	answer
}

// answers are what a look at the due slots has decided, to be written together.
type answers struct {
	rows  []slotRow
	moved []*scheduled // with the next slot to be
	lines []logLine
}

// logLine is a line of a workflow's journal.
type logLine struct {
	workflow       int64
	level, message string
}

// settle answers the slots of a workflow that have come and moves it on to its next one.
func (a *answers) settle(w *scheduled, slots []time.Time, freezes []freeze) {
	next := w.after(slots[len(slots)-1])
	switch {
	case w.State != db.Started:
		slots, next = w.duringPause(slots, next)
		a.add(w, slots, answer{"scheduled", "skipped", "paused"})
	case !w.Built:
		a.add(w, slots, answer{"scheduled", "skipped", "not_configured"})
	default:
		a.answer(w, slots, freezes)
	}
	w.Next = next
	a.moved = append(a.moved, w)
	if next == nil {
		a.lines = append(a.lines, logLine{w.ID, "info", "The schedule has ended: there is no next run"})
	}
}

// duringPause are the slots before the end of the pause, and the first one that is not. What comes from the end on is
// left to the workflow that is started again, however late its pause is ended.
func (w *scheduled) duringPause(slots []time.Time, next *time.Time) ([]time.Time, *time.Time) {
	for i, slot := range slots {
		if w.PauseUntil != nil && !slot.Before(*w.PauseUntil) {
			return slots[:i], &slots[i]
		}
	}
	return slots, next
}

// answer lets the slots of a workflow that works become runs, except for those of a freeze.
func (a *answers) answer(w *scheduled, all []time.Time, freezes []freeze) {
	var slots, skipped []time.Time
	for _, slot := range all {
		if frozen(freezes, slot) {
			skipped = append(skipped, slot)
		} else {
			slots = append(slots, slot)
		}
	}
	a.add(w, skipped, answer{"scheduled", "skipped", db.ReasonFreeze})
	switch {
	case len(slots) == 0:
	case len(slots) == 1 && w.Now.Sub(slots[0]) <= db.Lateness:
		a.add(w, slots, answer{"scheduled", "pending", ""})
	default:
		a.catchUp(w, slots)
	}
}

// catchUp answers slots that came while no process was up: the last one runs now, once, unless the schedule's time range
// forbids it; the others are written down as missed.
func (a *answers) catchUp(w *scheduled, slots []time.Time) {
	count, last := len(slots), slots[len(slots)-1]
	onTime := w.Now.Sub(last) <= db.Lateness
	missed, says := slots[:count-1], "one run catches up"
	if onTime || w.Schedule.CatchUpAllowed(w.Now, w.Zone) {
		a.add(w, slots[count-1:], answer{"catch_up", "pending", ""})
	} else {
		missed, says = slots, "not caught up outside the allowed time range "+w.Schedule.WindowFrom+"–"+w.Schedule.WindowTo
	}
	a.add(w, missed, answer{"scheduled", "missed", "service_down"})
	if onTime {
		count--
	}
	a.lines = append(a.lines, logLine{w.ID, "warning", fmt.Sprintf("%d occurrence(s) missed while no process was up, the first due %s: %s",
		count, w.local(slots[0]), says)})
}

// add gives each slot a row with its answer; very many that were not run become one row a month with their number.
func (a *answers) add(w *scheduled, slots []time.Time, answer answer) {
	if len(slots) <= singly {
		for _, slot := range slots {
			a.rows = append(a.rows, slotRow{workflow: w.ID, at: slot, occurrences: 1, answer: answer})
		}
		return
	}
	for len(slots) > 0 {
		month := slots[0].In(w.Zone).Format("2006-01")
		n := 1
		for n < len(slots) && slots[n].In(w.Zone).Format("2006-01") == month {
			n++
		}
		a.rows = append(a.rows, slotRow{w.ID, slots[0], n, &slots[n-1], answer})
		slots = slots[n:]
	}
}

// write has a batch put all answers into the tables and ring for what may now begin.
func (a *answers) write(batch *pgx.Batch) {
	a.queueRows(batch)
	var ids []int64
	var next []*time.Time
	for _, w := range a.moved {
		ids, next = append(ids, w.ID), append(next, w.Next)
	}
	batch.Queue(`
		UPDATE xtk.workflow w
		SET next_processing = moved.next
		FROM unnest($1::bigint[], $2::timestamptz[]) AS moved (id, next)
		WHERE w.id = moved.id`, ids, next)
	for _, l := range a.lines {
		db.QueueLine(batch, l.workflow, 0, l.level, l.message)
	}
	db.QueueNotice(batch, db.ChannelWork, 0)
}

func (a *answers) queueRows(batch *pgx.Batch) {
	var workflows []int64
	var kinds, statuses, reasons []string
	var at []time.Time
	var occurrences []int
	var to []*time.Time
	for _, r := range a.rows {
		workflows, at, occurrences, to = append(workflows, r.workflow), append(at, r.at), append(occurrences, r.occurrences), append(to, r.to)
		kinds, statuses, reasons = append(kinds, r.kind), append(statuses, r.status), append(reasons, r.reason)
	}
	batch.Queue(`
		INSERT INTO xtk.workflow_event (workflow_id, kind, status, reason, scheduled_at, occurrences, scheduled_to)
		SELECT slot.workflow_id, slot.kind, slot.status, NULLIF(slot.reason, ''), slot.at, slot.occurrences, slot.until
		FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::int[], $7::timestamptz[])
		     AS slot (workflow_id, kind, status, reason, at, occurrences, until)
		ON CONFLICT DO NOTHING`, workflows, kinds, statuses, reasons, at, occurrences, to)
}
