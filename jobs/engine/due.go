package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// scheduled is a workflow whose schedule is watched.
type scheduled struct {
	ID                      int64
	Name, State             string
	Built                   bool
	Raw                     []byte
	ZoneName                string
	Next                    *time.Time
	PauseUntil              *time.Time // of a pause that ends by itself
	FreezeUntil             *time.Time // of the freeze that is in force, when it ends by itself
	ValidFrom, ValidTo      *time.Time
	MaxExecutions, Executed int
	Now                     time.Time // the database's
	Schedule                jobs.Schedule
	Zone                    *time.Location
}

// watched reads a workflow w whose schedule counts. Without a zone of its own it has the instance's.
const watched = `
	SELECT w.id, w.internal_name, w.state, w.built, w.schedule,
	       COALESCE(w.timezone, (SELECT o.string_value FROM xtk.option o WHERE o.name = 'WdbcTimeZone'), 'UTC'),
	       w.next_processing, w.pause_until,
	       (SELECT f.until FROM xtk.freeze f WHERE tstzrange(f.since, LEAST(f.until, f.lifted_at)) @> now()),
	       w.valid_from, w.valid_to, COALESCE(w.max_executions, 0), w.execution_count, now()
	FROM xtk.workflow w
	WHERE w.state IN ('started', 'pause_pending', 'paused')`

// collect reads rows of watched and gives each its calendar. A schedule or zone that cannot be read never runs.
func collect(rows pgx.Rows) ([]*scheduled, error) {
	zones := map[string]*time.Location{} // loading one reads a file
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*scheduled, error) {
		w := new(scheduled)
		err := row.Scan(&w.ID, &w.Name, &w.State, &w.Built, &w.Raw, &w.ZoneName, &w.Next, &w.PauseUntil, &w.FreezeUntil,
			&w.ValidFrom, &w.ValidTo, &w.MaxExecutions, &w.Executed, &w.Now)
		if err != nil {
			return w, err
		}
		if w.Schedule, err = jobs.ParseSchedule(w.Raw); err != nil {
			w.Schedule = jobs.Schedule{Kind: "none"}
		}
		if w.Zone = zones[w.ZoneName]; w.Zone == nil {
			if w.Zone, err = time.LoadLocation(w.ZoneName); err != nil {
				w.Zone = time.UTC
			}
			zones[w.ZoneName] = w.Zone
		}
		if w.ValidFrom != nil {
			w.Schedule.Anchor = *w.ValidFrom
		}
		return w, nil
	})
}

// after is the first occurrence after a moment that validity and the number of executions leave; nil: none.
func (w *scheduled) after(at time.Time) *time.Time {
	if w.ValidFrom != nil && at.Before(*w.ValidFrom) {
		at = w.ValidFrom.Add(-time.Nanosecond)
	}
	next := w.Schedule.Next(at, w.Zone)
	if next.IsZero() || w.ValidTo != nil && next.After(*w.ValidTo) || w.MaxExecutions > 0 && w.Executed >= w.MaxExecutions {
		return nil
	}
	return &next
}

// due turns every slot that has come into a row, once, however many processes see it: the workflow's row is locked, the
// slot's row is unique, and the next slot moves on in the same transaction. All that is due at once is answered at once, in
// two questions: one locks and reads all that decides, the other writes what follows and commits it.
func (e *Engine) due(ctx context.Context) error {
	err := e.answerDue(ctx)
	if err != nil {
		e.leave(ctx) // what the connection has begun ends with it
		return fmt.Errorf("answer the due slots: %w", err)
	}
	return nil
}

func (e *Engine) answerDue(ctx context.Context) error {
	var ask, write pgx.Batch
	var all []*scheduled
	var freezes []freeze
	ask.Queue(`BEGIN`)
	ask.Queue(watched + `
		AND w.next_processing <= now()
		ORDER BY w.id
		FOR UPDATE OF w SKIP LOCKED`).Query(func(rows pgx.Rows) (err error) {
		all, err = collect(rows)
		return err
	})
	ask.Queue(freezesSince).Query(func(rows pgx.Rows) (err error) {
		freezes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[freeze])
		return err
	})
	if err := e.ask(ctx, &ask); err != nil {
		return err
	}
	if len(all) > 0 {
		var a answers
		for _, w := range all {
			a.settle(w, w.slots(), freezes)
		}
		a.write(&write)
	}
	write.Queue(`COMMIT`)
	return e.desk.SendBatch(ctx, &write).Close() // not ask: a new connection would not be in the transaction
}

// freeze is a time in which the schedules stand still: from its first moment up to, and without, its end.
type freeze struct {
	Since time.Time
	Until *time.Time // nil: it has no end yet
}

// freezesSince reads the freezes in which a slot that is due may lie.
const freezesSince = `
	SELECT f.since, NULLIF(LEAST(f.until, f.lifted_at), 'infinity')
	FROM xtk.freeze f
	WHERE COALESCE(LEAST(f.until, f.lifted_at), 'infinity') > (
		SELECT min(w.next_processing)
		FROM xtk.workflow w
		WHERE w.state IN ('started', 'pause_pending', 'paused'))`

func frozen(freezes []freeze, moment time.Time) bool {
	return slices.ContainsFunc(freezes, func(f freeze) bool {
		return !moment.Before(f.Since) && (f.Until == nil || moment.Before(*f.Until))
	})
}

// slots lists the occurrences from the next one planned to now.
func (w *scheduled) slots() []time.Time {
	slots := []time.Time{*w.Next}
	for {
		some := w.Schedule.NextN(slots[len(slots)-1], 500, w.Zone)
		for _, slot := range some {
			if slot.After(w.Now) || w.ValidTo != nil && slot.After(*w.ValidTo) {
				return slots
			}
			slots = append(slots, slot)
		}
		if len(some) == 0 {
			return slots
		}
	}
}

// local is a moment as log lines tell it: in the schedule's zone.
func (w *scheduled) local(at time.Time) string {
	return strings.TrimSuffix(at.In(w.Zone).Format("2006-01-02 15:04 MST"), " ")
}

func (e *Engine) inTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, e.config.DB.Pool, fn)
}
