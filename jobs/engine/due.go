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
