package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// A heat map has a cell for each five minutes of the 24 hours of a clock.
const (
	HeatSlot  = 5 * time.Minute
	HeatCells = 24 * int(time.Hour/HeatSlot)
)

// HeatDay is a local day cut into its five minutes of real time, each with the cell of the clock that it belongs to. On
// the day with 25 hours two slots share a cell, on the day with 23 an hour of cells has none.
type HeatDay struct {
	From, To time.Time // [From, To)
	Slots    []time.Time
	Cells    []int // of the slots: hour × 12 + minute / 5
}

// NewHeatDay cuts the day of a date, as the clocks of a zone show it. It goes through the real five minutes and asks each
// for its date, so it needs no rule for days that begin at one o'clock.
func NewHeatDay(year int, month time.Month, day int, zone *time.Location) HeatDay {
	date := time.Date(year, month, day, 12, 0, 0, 0, zone)
	var d HeatDay
	for at := date.Add(-14 * time.Hour).Truncate(HeatSlot); at.Before(date.Add(15 * time.Hour)); at = at.Add(HeatSlot) {
		local := at.In(zone)
		if local.YearDay() == date.YearDay() && local.Year() == date.Year() {
			d.Slots = append(d.Slots, at)
			d.Cells = append(d.Cells, local.Hour()*12+local.Minute()/5)
		}
	}
	d.From, d.To = d.Slots[0], d.Slots[len(d.Slots)-1].Add(HeatSlot)
	return d
}

// Of lists the beginnings of the real five minutes of a cell: one, two on the longest day, none in an hour left out.
func (d HeatDay) Of(cell int) []time.Time {
	var slots []time.Time
	for i, c := range d.Cells {
		if c == cell {
			slots = append(slots, d.Slots[i])
		}
	}
	return slots
}

// HeatFilter says which executions count.
type HeatFilter struct {
	Minimum time.Duration // shorter ones do not
	Kind    string        // technical or campaign; empty: both
	Names   []string      // workflows; nil: all
}

// HeatCell is what a cell of the map shows.
type HeatCell struct {
	Runs int64 // executions at work at some moment of it
	Rows int64 // rows that they changed, each execution's spread evenly over its five minutes
}

// heatRuns are the collected executions that touch a span of time ($1, $2) and pass a filter ($3 to $5), with the
// numbers of their first and last five minutes, counted from 1970. One that ends as a slot begins does not touch it; one
// that is running counts up to now.
const heatRuns = `
	SELECT s.task_id, s.workflow_id, s.workflow_name, s.workflow_label, s.kind, s.start_date, e.ended,
	       s.end_date IS NULL AND t.status = 'running' AS open, COALESCE(t.rows_changed, 0) AS rows_changed, n.first, n.last
	FROM xtk.heatmap_sample s
	LEFT JOIN xtk.workflow_task t ON t.id = s.task_id
	CROSS JOIN LATERAL (
		SELECT GREATEST(s.start_date, COALESCE(s.end_date, t.completion_date, CASE WHEN t.status = 'running' THEN now() END)) AS ended) e
	CROSS JOIN LATERAL (
		SELECT floor(extract(epoch FROM s.start_date)::float8 / 300)::bigint AS first,
		       GREATEST(floor(extract(epoch FROM s.start_date)::float8 / 300), ceil(extract(epoch FROM e.ended)::float8 / 300) - 1)::bigint AS last) n
	WHERE s.step_order = 0
	  AND tstzrange(s.start_date, s.end_date, '[]') && tstzrange($1, $2)
	  AND e.ended - s.start_date >= $3::interval
	  AND ($4 = '' OR s.kind = $4)
	  AND ($5::text[] IS NULL OR s.workflow_name = ANY ($5))`

// serially asks one question of the heat map without parallel workers, which take longer to start than it takes.
func serially[T any](ctx context.Context, d *DB, collect pgx.RowToFunc[T], sql string, args ...any) (all []T, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL max_parallel_workers_per_gather = 0`); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, collect)
		return err
	})
	return all, err
}

func (f HeatFilter) args(day HeatDay) []any {
	return []any{day.From, day.To, f.Minimum, f.Kind, f.Names}
}

func numbers(slots []time.Time) []int64 {
	all := make([]int64, len(slots))
	for i, at := range slots {
		all[i] = at.Unix() / int64(HeatSlot/time.Second)
	}
	return all
}

// HeatMap counts, in one query, what ran in each cell of a day. An execution counts in every cell that it touches,
// however short it is, and once in a cell that the clock showed twice.
func (d *DB) HeatMap(ctx context.Context, day HeatDay, filter HeatFilter) ([HeatCells]HeatCell, error) {
	var cells [HeatCells]HeatCell
	slots := numbers(day.Slots)
	type counted struct {
		Cell       int
		Runs, Rows int64
	}
	all, err := serially(ctx, d, pgx.RowToStructByPos[counted], `
		WITH run AS (`+heatRuns+`)
		SELECT n.cell, count(DISTINCT r.task_id), round(sum(r.rows_changed::float8 / (r.last - r.first + 1)))::bigint
		FROM run r
		CROSS JOIN LATERAL generate_series(GREATEST(r.first, $6::bigint), LEAST(r.last, $7::bigint)) AS slot (number)
		JOIN unnest($8::bigint[], $9::int[]) AS n (number, cell) USING (number)
		GROUP BY n.cell`, append(filter.args(day), slots[0], slots[len(slots)-1], slots, day.Cells)...)
	if err != nil {
		return cells, fmt.Errorf("heat map of %s: %w", day.From.Format(time.DateOnly), err)
	}
	for _, one := range all {
		cells[one.Cell] = HeatCell{Runs: one.Runs, Rows: one.Rows}
	}
	return cells, nil
}
