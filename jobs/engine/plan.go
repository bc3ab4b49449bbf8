package engine

import (
	"context"
	"fmt"
	"time"
)

// nearly is how far ahead of a slot an alarm may ring for the rest to be waited out.
const nearly = 5 * time.Second

// plan gives each watched workflow that has no next slot one, sets the alarms, and waits out what nearly comes: a slot,
// the end of a pause or of a freeze. Sessions are made ready for the runs that soon begin, as far as there is room for
// them. Where no schedule has changed it reads two rows, however many schedules there are.
func (e *Engine) plan(ctx context.Context, room int) error {
	var schedules string // another text when any of them is another
	if err := e.config.DB.Pool.QueryRow(ctx, `
		SELECT concat(md5(string_agg(concat_ws(' ', w.id, w.schedule, w.timezone, w.valid_from), ',' ORDER BY w.id)),
		              (SELECT o.string_value FROM xtk.option o WHERE o.name = 'WdbcTimeZone'))
		FROM xtk.workflow w
		WHERE w.state IN ('started', 'pause_pending', 'paused')`).Scan(&schedules); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	condition := ` AND w.next_processing IS NULL AND w.schedule ->> 'kind' <> 'none'`
	if schedules != e.alarms {
		condition = ""
	}
	rows, err := e.config.DB.Pool.Query(ctx, watched+condition)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	all, err := collect(rows)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if err := e.planNext(ctx, all); err != nil {
		return err
	}
	if schedules != e.alarms {
		if err := e.clock.set(all); err != nil {
			return err
		}
		e.alarms = schedules
	}
	return e.await(ctx, room)
}

// await has the clock ring for what nearly comes, and sessions made ready for the runs of it.
func (e *Engine) await(ctx context.Context, room int) error {
	var comes *time.Duration
	var runs int
	if err := e.config.DB.Pool.QueryRow(ctx, `
		SELECT LEAST(min(w.next_processing) FILTER (WHERE w.next_processing > now()),
		             min(w.pause_until) FILTER (WHERE w.pause_until > now()),
		             (SELECT f.until FROM xtk.freeze f WHERE tstzrange(f.since, LEAST(f.until, f.lifted_at)) @> now())) - now(),
		       count(*) FILTER (WHERE w.state = 'started' AND w.next_processing < now() + $1)
		FROM xtk.workflow w
		WHERE w.state IN ('started', 'pause_pending', 'paused')`, spareAhead).Scan(&comes, &runs); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	e.spares.expect(ctx, min(runs, room))
	if comes != nil && *comes < nearly {
		e.clock.again(*comes)
	}
	return nil
}

// planNext writes the next slots of workflows that have none, unless somebody did so first or has given one another
// schedule. One whose schedule has ended stays without.
func (e *Engine) planNext(ctx context.Context, all []*scheduled) error {
	var ids []int64
	var next []time.Time
	var states, schedules, lines []string
	for _, w := range all {
		if w.Next != nil {
			continue
		}
		if at := w.after(w.Now); at != nil {
			ids, next, states = append(ids, w.ID), append(next, *at), append(states, w.State)
			schedules, lines = append(schedules, string(w.Raw)), append(lines, "Next run: "+w.local(*at))
		}
	}
	if len(ids) == 0 {
		return nil
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
