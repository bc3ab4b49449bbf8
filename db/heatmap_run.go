package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// HeatWorkflow is a workflow with executions on a day.
type HeatWorkflow struct {
	Name, Label, Kind string
	Runs              int64
	Latest            time.Time // the latest moment that a sample of it knows of
}

// HeatWorkflows lists the workflows of which an execution of the day passes the filter, by name.
func (d *DB) HeatWorkflows(ctx context.Context, day HeatDay, filter HeatFilter) ([]HeatWorkflow, error) {
	all, err := serially(ctx, d, pgx.RowToStructByPos[HeatWorkflow], `
		WITH run AS (`+heatRuns+`)
		SELECT workflow_name, max(workflow_label), max(kind), count(*), max(ended)
		FROM run
		GROUP BY workflow_name
		ORDER BY workflow_name`, filter.args(day)...)
	if err != nil {
		return nil, fmt.Errorf("workflows of the heat map of %s: %w", day.From.Format(time.DateOnly), err)
	}
	return all, nil
}

// HeatActivity is a step of an execution, Seconds long; nil: still at work.
type HeatActivity struct {
	Name    string   `json:"name"`
	Seconds *float64 `json:"seconds"`
}

// HeatRun is an execution at work in a cell.
type HeatRun struct {
	TaskID            int64
	Workflow          string
	Label, Kind       string
	Start, End        time.Time // End is now while it runs
	Running           bool
	Rows              int64
	Activities        []HeatActivity
	Database, Locks   *float64 // seconds of its samples; nil: it has none
	WorkflowID, Total int64    // Total is how many executions the cell has, of which at most 200 are listed
}

// HeatRuns lists the executions at work in some five minutes of a day, longest first, with their activities.
func (d *DB) HeatRuns(ctx context.Context, day HeatDay, filter HeatFilter, slots []time.Time) ([]HeatRun, error) {
	all, err := serially(ctx, d, pgx.RowToStructByPos[HeatRun], `
		WITH run AS (`+heatRuns+`)
		SELECT r.task_id, r.workflow_name, r.workflow_label, r.kind, r.start_date, r.ended, r.open, r.rows_changed,
		       a.activities, l.database_seconds, l.lock_seconds, r.workflow_id, count(*) OVER ()
		FROM run r
		CROSS JOIN LATERAL (
			SELECT COALESCE(json_agg(json_build_object('name', s.activity, 'seconds', extract(epoch FROM s.end_date - s.start_date))
			                         ORDER BY s.step_order), '[]') AS activities
			FROM xtk.heatmap_sample s
			WHERE s.task_id = r.task_id
			  AND s.step_order > 0) a
		CROSS JOIN LATERAL (
			SELECT sum(database_seconds) AS database_seconds, sum(lock_seconds) AS lock_seconds
			FROM xtk.heatmap_load
			WHERE task_id = r.task_id) l
		WHERE EXISTS (SELECT FROM unnest($6::bigint[]) AS n (number) WHERE n.number BETWEEN r.first AND r.last)
		ORDER BY r.ended - r.start_date DESC, r.task_id
		LIMIT 200`, append(filter.args(day), numbers(slots))...)
	if err != nil {
		return nil, fmt.Errorf("executions of the heat map: %w", err)
	}
	return all, nil
}

// HeatPlan is a started workflow of which more executions are expected, or one that is at work.
type HeatPlan struct {
	ID                    int64
	Workflow, Label, Kind string
	Schedule              []byte     // the JSON of xtk.workflow.schedule
	Zone                  string     // of its schedule; empty: the instance's
	Next                  *time.Time // its next slot; nil: none
	Usual                 time.Duration
	Rows                  int64      // rows that it usually changes
	Database              float64    // seconds that it is usually in a statement
	Since                 *time.Time // it has been at work since; nil: it is not
}

// HeatPlans lists what the schedules will run, with the median duration, rows and database time of the last 30
// completed executions; one that was too short to be sampled took none.
func (d *DB) HeatPlans(ctx context.Context) ([]HeatPlan, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT w.id, w.internal_name, w.label, w.kind, w.schedule, COALESCE(w.timezone, ''), w.next_processing,
		       make_interval(secs => COALESCE(usual.seconds, 0)), COALESCE(usual.changed, 0)::bigint,
		       COALESCE(usual.database, 0), at_work.start_date
		FROM xtk.workflow w
		LEFT JOIN LATERAL (
			SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM last.completion_date - last.start_date)::float8) AS seconds,
			       percentile_cont(0.5) WITHIN GROUP (ORDER BY last.rows_changed) AS changed,
			       percentile_cont(0.5) WITHIN GROUP (ORDER BY COALESCE(last.database,
			           CASE WHEN last.completion_date - last.start_date < $1::interval THEN 0 END)) AS database
			FROM (SELECT t.start_date, t.completion_date, t.rows_changed,
			             (SELECT sum(l.database_seconds) FROM xtk.heatmap_load l WHERE l.task_id = t.id) AS database
			      FROM xtk.workflow_task t
			      WHERE t.workflow_id = w.id
			        AND t.status = 'completed'
			        AND t.mode = 'normal'
			      ORDER BY t.start_date DESC, t.id DESC
			      LIMIT 30) last
		) usual ON true
		LEFT JOIN xtk.workflow_task at_work ON at_work.workflow_id = w.id AND at_work.status = 'running' AND at_work.mode = 'normal'
		WHERE w.state = 'started' AND w.next_processing IS NOT NULL
		   OR at_work.id IS NOT NULL
		ORDER BY w.internal_name`, unseen)
	if err == nil {
		var all []HeatPlan
		if all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[HeatPlan]); err == nil {
			return all, nil
		}
	}
	return nil, fmt.Errorf("what the schedules expect: %w", err)
}
