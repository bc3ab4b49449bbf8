package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Drift is one way in which a run differs from comparable runs. Numbers are seconds of a duration, else rows changed.
type Drift struct {
	ID         int64 // of the alarm; 0: judged just now
	WorkflowID int64
	TaskID     int64  // the run that showed it, of an alarm the first one
	Cause      string // slower, faster, more or fewer
	Measured   float64
	// Bound is the limit that was passed, the others are the band of the comparable runs and how many they are.
	Bound, P10, Median, P90 float64
	Runs                    int
	Weekday                 int  // 1 Monday to 7 Sunday: compared with runs of that day; 0: of any
	Busy                    bool // compared with runs that changed rows, because most have nothing to do
	Opened                  time.Time
	Closed                  *time.Time // nil: open
	ClosedBy                int64      // the run that was as usual again
	// Who knows of the alarm, since when and why; Acknowledged is nil while nobody has said so.
	Acknowledged *time.Time
	KnownBy, Why string
}

// Shown reports whether a completed run was not as usual in the way of the alarm: it opened it, or ended while it was open.
func (d Drift) Shown(workflow, task int64, ended time.Time) bool {
	during := ended.After(d.Opened) && task != d.ClosedBy && (d.Closed == nil || ended.Before(*d.Closed))
	return d.WorkflowID == workflow && (task == d.TaskID || during)
}

// Comparison is a run beside its comparable runs: what is usual, and in which ways the run is beyond it.
type Comparison struct {
	Runs   int // 0: fewer than eight, nothing is usual yet
	Took   Usual
	Drifts []Drift
}

// A run is compared with the newest 30 runs of its workflow before it that completed: no rehearsals, and none that went
// on where a failed one had ended. Of the last 240, those count that
//   - changed rows, where most runs find nothing to do and this one did, or is still on;
//   - else were due on the same day of the week, in the zone of the schedule;
//   - else all;
//
// the first of these of which there are eight. Fewer than eight in all: nothing is usual.
//
// The tenth and the ninetieth of a hundred of their durations and rows are a band that one run in five leaves. So the
// limits lie beyond it, as far again in proportion as the band is broad and a quarter more: by the factor
// (p90 / p10) ^ 1.25, at least 1.1 and at most 4, and by 5 s or 50 rows at least.
const driftJudged = `
	judged AS (
		SELECT u.id AS task_id, u.workflow_id, u.status, u.at, side.cause, m.measured, side.bound,
		       m.band[1] AS p10, m.band[2] AS median, m.band[3] AS p90, u.runs,
		       CASE u.kind WHEN 'weekday' THEN u.weekday END AS weekday, u.kind = 'busy' AS busy,
		       CASE WHEN side.above THEN m.measured > side.bound ELSE u.status = 'completed' AND m.measured < side.bound END AS beyond
		FROM (
			SELECT run.id, run.workflow_id, run.status, run.at, run.weekday, run.seconds, run.rows, usual.*
			FROM run
			CROSS JOIN LATERAL (
				WITH recent AS (
					SELECT t.id, t.start_date, t.rows_changed, extract(epoch FROM t.completion_date - t.start_date)::float8 AS seconds,
					       extract(isodow FROM COALESCE(t.due_at, t.start_date) AT TIME ZONE run.zone) = run.weekday AS same_day
					FROM xtk.workflow_task t
					WHERE t.workflow_id = run.workflow_id AND t.status = 'completed' AND t.mode = 'normal' AND t.resumes_task_id IS NULL
					  AND (t.start_date, t.id) < (run.start_date, run.id)
					ORDER BY t.start_date DESC, t.id DESC
					LIMIT 240
				), chosen AS (
					SELECT CASE WHEN (run.status = 'running' OR run.rows > 0)
					                 AND count(*) FILTER (WHERE rows_changed > 0) BETWEEN 8 AND count(*) / 2 THEN 'busy'
					            WHEN count(*) FILTER (WHERE same_day) >= 8 THEN 'weekday'
					            ELSE 'any' END AS kind
					FROM recent
				), comparable AS (
					SELECT r.seconds, r.rows_changed::float8 AS rows, c.kind
					FROM recent r
					JOIN chosen c ON c.kind = 'any' OR c.kind = 'busy' AND r.rows_changed > 0 OR c.kind = 'weekday' AND r.same_day
					ORDER BY r.start_date DESC, r.id DESC
					LIMIT 30
				)
				SELECT count(*)::int AS runs, min(kind) AS kind,
				       percentile_cont(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY seconds) AS took,
				       percentile_cont(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY rows) AS changed
				FROM comparable
				HAVING count(*) >= 8) usual) u
		CROSS JOIN LATERAL (VALUES
			('slower', 'faster', u.seconds, u.took, 5.0::float8),
			('more', 'fewer', u.rows, u.changed, 50)) m (higher, lower, measured, band, floor)
		CROSS JOIN LATERAL (
			SELECT LEAST(GREATEST(COALESCE(power(m.band[3] / NULLIF(m.band[1], 0), 1.25), 4), 1.1), 4) AS factor) f
		CROSS JOIN LATERAL (VALUES
			(m.higher, true, GREATEST(m.band[3] * f.factor, m.band[3] + m.floor)),
			(m.lower, false, LEAST(m.band[1] / f.factor, m.band[1] - m.floor))) side (cause, above, bound)
	)`

// driftRun are the runs to judge, by a condition over the task t. What a run that is on has changed is in its ledger.
func driftRun(which string) string {
	return `
	WITH run AS (
		SELECT r.*, extract(isodow FROM r.due AT TIME ZONE r.zone)::int AS weekday
		FROM (SELECT t.id, t.workflow_id, t.start_date, t.status, COALESCE(t.due_at, t.start_date) AS due,
		             COALESCE(t.completion_date, clock_timestamp()) AS at,
		             extract(epoch FROM COALESCE(t.completion_date, clock_timestamp()) - t.start_date)::float8 AS seconds,
		             CASE t.status WHEN 'running' THEN (
		                 SELECT COALESCE(sum(e.inserted + e.updated + e.deleted), 0)
		                 FROM xtk.workflow_task_effect e
		                 WHERE e.task_id = t.id) ELSE t.rows_changed END::float8 AS rows,
		             xtk.known_zone(COALESCE(w.timezone, (SELECT o.string_value FROM xtk.option o WHERE o.name = 'WdbcTimeZone'), 'UTC')) AS zone
		      FROM xtk.workflow_task t
		      JOIN xtk.workflow w ON w.id = t.workflow_id
		      WHERE ` + which + ` AND t.mode = 'normal' AND t.resumes_task_id IS NULL) r
	),` + driftJudged
}

const driftColumns = `workflow_id, task_id, cause, measured, bound, p10, median, p90, runs, COALESCE(weekday, 0), busy`

func (d *Drift) fields() []any {
	return []any{&d.WorkflowID, &d.TaskID, &d.Cause, &d.Measured, &d.Bound, &d.P10, &d.Median, &d.P90, &d.Runs, &d.Weekday, &d.Busy}
}

// JudgeDrift compares a run, in a transaction that has locked the row of its workflow. While it is on it can open an
// alarm of slower or more; when it completed, of all four, and it closes those in whose way it is as usual again. A run
// that ended otherwise opens and closes nothing. The alarms that were opened are returned; there is one open of a cause.
func JudgeDrift(ctx context.Context, tx pgx.Tx, task int64) ([]Drift, error) {
	rows, err := tx.Query(ctx, driftRun(`t.id = $1`)+`, known AS (
		UPDATE xtk.workflow_drift d
		SET measured = CASE WHEN d.task_id = j.task_id THEN j.measured ELSE d.measured END,
		    closed_at = CASE WHEN j.status = 'completed' AND NOT j.beyond THEN j.at END,
		    closed_task_id = CASE WHEN j.status = 'completed' AND NOT j.beyond THEN j.task_id END
		FROM judged j
		WHERE d.workflow_id = j.workflow_id AND d.cause = j.cause AND d.closed_at IS NULL
		  AND (d.task_id = j.task_id OR j.status = 'completed' AND NOT j.beyond)
	)
	INSERT INTO xtk.workflow_drift (workflow_id, task_id, cause, opened_at, measured, bound, p10, median, p90, runs, weekday, busy)
	SELECT j.workflow_id, j.task_id, j.cause, j.at, j.measured, j.bound, j.p10, j.median, j.p90, j.runs, j.weekday, j.busy
	FROM judged j
	WHERE j.beyond
	  AND j.status IN ('running', 'completed')
	  AND NOT EXISTS (
		SELECT FROM xtk.workflow_drift d
		WHERE d.workflow_id = j.workflow_id AND d.cause = j.cause AND d.closed_at IS NULL)
	ORDER BY j.cause DESC
	RETURNING id, opened_at, `+driftColumns, task)
	if err != nil {
		return nil, fmt.Errorf("compare run %d: %w", task, err)
	}
	opened, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d Drift, err error) {
		err = row.Scan(append([]any{&d.ID, &d.Opened}, d.fields()...)...)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("compare run %d: %w", task, err)
	}
	return opened, nil
}

// DriftingRun is a run to compare: one that is on and has passed a limit of which its workflow has no open alarm, or one
// that has just completed.
type DriftingRun struct{ TaskID, WorkflowID int64 }

// DriftingRuns judges those of some runs that are on, in one statement. Most of the time there is none to be told of, and
// before the smallest limits are passed nothing is compared.
func (d *DB) DriftingRuns(ctx context.Context, tasks []int64) ([]DriftingRun, error) {
	rows, err := d.Pool.Query(ctx, driftRun(`t.id = ANY($1) AND t.status = 'running' AND (t.start_date < now() - interval '5 seconds' OR EXISTS (
		SELECT FROM xtk.workflow_task_effect e
		WHERE e.task_id = t.id))`)+`
	SELECT DISTINCT j.task_id, j.workflow_id
	FROM judged j
	WHERE j.beyond
	  AND NOT EXISTS (
		SELECT FROM xtk.workflow_drift d
		WHERE d.workflow_id = j.workflow_id AND d.cause = j.cause AND d.closed_at IS NULL)
	ORDER BY j.task_id`, tasks)
	if err != nil {
		return nil, fmt.Errorf("compare the runs that are on: %w", err)
	}
	drifting, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DriftingRun])
	if err != nil {
		return nil, fmt.Errorf("compare the runs that are on: %w", err)
	}
	return drifting, nil
}
