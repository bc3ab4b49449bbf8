package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
)

// nearly is how far ahead of a slot an alarm may ring for the rest to be waited out.
const nearly = 5 * time.Second

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
func collect(rows pgx.Rows) ([]scheduled, error) {
	zones := map[string]*time.Location{} // loading one reads a file
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (scheduled, error) {
		var w scheduled
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
func (w scheduled) after(at time.Time) *time.Time {
	if w.ValidFrom != nil && at.Before(*w.ValidFrom) {
		at = w.ValidFrom.Add(-time.Nanosecond)
	}
	next := w.Schedule.Next(at, w.Zone)
	if next.IsZero() || w.ValidTo != nil && next.After(*w.ValidTo) || w.MaxExecutions > 0 && w.Executed >= w.MaxExecutions {
		return nil
	}
	return &next
}

// plan gives each watched workflow that has no next slot one, sets the alarms, and waits out what nearly comes: a slot,
// the end of a pause or of a freeze. Sessions are made ready for the runs that soon begin, as far as there is room for them.
func (e *Engine) plan(ctx context.Context, room int) error {
	rows, err := e.config.DB.Pool.Query(ctx, watched)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	all, err := collect(rows)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	var unplanned []scheduled
	for i, w := range all {
		if w.Next == nil {
			if all[i].Next = w.after(w.Now); all[i].Next != nil {
				unplanned = append(unplanned, all[i])
			}
		}
	}
	if err := e.planNext(ctx, unplanned); err != nil {
		return err
	}
	soonest, runs := nearly, 0
	for _, w := range all {
		for _, comes := range []*time.Time{w.Next, w.PauseUntil, w.FreezeUntil} {
			if comes != nil && comes.After(w.Now) {
				soonest = min(soonest, comes.Sub(w.Now))
			}
		}
	}
	for _, w := range all {
		if w.State == db.Started && w.Next != nil && w.Next.Before(w.Now.Add(spareAhead)) {
			runs++
		}
	}
	e.spares.expect(ctx, min(runs, room))
	if soonest < nearly {
		e.clock.again(soonest)
	}
	return e.clock.set(all)
}

// planNext writes the next slots of workflows, unless somebody did so first or has given one another schedule.
func (e *Engine) planNext(ctx context.Context, all []scheduled) error {
	if len(all) == 0 {
		return nil
	}
	var ids []int64
	var next []time.Time
	var states, schedules, lines []string
	for _, w := range all {
		ids, next, states = append(ids, w.ID), append(next, *w.Next), append(states, w.State)
		schedules, lines = append(schedules, string(w.Raw)), append(lines, "Next run: "+w.local(*w.Next))
	}
	if _, err := e.config.DB.Pool.Exec(ctx, `
		WITH unplanned AS (
			SELECT w.id, plan.next, plan.line
			FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[])
			     AS plan (id, next, state, schedule, line)
			JOIN xtk.workflow w USING (id)
			WHERE w.next_processing IS NULL AND w.state = plan.state AND w.schedule = plan.schedule::jsonb
			ORDER BY w.id
			FOR NO KEY UPDATE OF w SKIP LOCKED
		), planned AS (
			UPDATE xtk.workflow w
			SET next_processing = unplanned.next
			FROM unplanned
			WHERE w.id = unplanned.id
			RETURNING w.id
		)
		INSERT INTO xtk.workflow_log (workflow_id, message, log_date)
		SELECT unplanned.id, left(unplanned.line, 512), clock_timestamp()
		FROM planned
		JOIN unplanned USING (id)`, ids, next, states, schedules, lines); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return nil
}

// due turns every slot that has come into a row, once, however many processes see it: the workflow's row is locked, the
// slot's row is unique, and the next slot moves on in the same transaction. All that is due at once is answered at once.
func (e *Engine) due(ctx context.Context) error {
	return e.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, watched+`
			AND w.next_processing <= now()
			ORDER BY w.id
			FOR UPDATE OF w SKIP LOCKED`)
		if err != nil {
			return fmt.Errorf("what is due: %w", err)
		}
		all, err := collect(rows)
		if err != nil {
			return fmt.Errorf("what is due: %w", err)
		}
		if len(all) == 0 {
			return nil
		}
		come := make([][]time.Time, len(all))
		for i, w := range all {
			come[i] = w.slots()
		}
		frozen, err := frozenOf(ctx, tx, slices.Concat(come...))
		if err != nil {
			return err
		}
		var a answers
		for i, w := range all {
			a.settle(w, come[i], frozen)
		}
		if err := a.write(ctx, tx); err != nil {
			return fmt.Errorf("answer the due slots: %w", err)
		}
		return nil
	})
}

// frozenOf tells which of some moments lie in a freeze, by their microseconds.
func frozenOf(ctx context.Context, tx pgx.Tx, moments []time.Time) (map[int64]bool, error) {
	rows, err := tx.Query(ctx, `
		SELECT moment
		FROM unnest($1::timestamptz[]) moment
		WHERE xtk.frozen(moment)`, moments)
	if err != nil {
		return nil, fmt.Errorf("freezes: %w", err)
	}
	frozen := map[int64]bool{}
	var moment time.Time
	if _, err := pgx.ForEachRow(rows, []any{&moment}, func() error { frozen[moment.UnixMicro()] = true; return nil }); err != nil {
		return nil, fmt.Errorf("freezes: %w", err)
	}
	return frozen, nil
}

// slots lists the occurrences from the next one planned to now.
func (w scheduled) slots() []time.Time {
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
func (w scheduled) local(at time.Time) string {
	return strings.TrimSuffix(at.In(w.Zone).Format("2006-01-02 15:04 MST"), " ")
}

func (e *Engine) inTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, e.config.DB.Pool, fn)
}
