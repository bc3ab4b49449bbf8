package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// NightMark is one thing of the last hours that the masthead draws: a run, or a slot that was not run in time.
type NightMark struct {
	Workflow string
	Start    time.Time
	End      *time.Time // nil: still running, or not begun
	State    string     // running, completed, failed, stopped, interrupted; late, missed
	Often    bool       // more than one run an hour; drawn only when it is an exception
}

// NightPlan is a started workflow that its schedule will run again.
type NightPlan struct {
	Workflow string
	Schedule []byte        // the JSON of xtk.workflow.schedule
	Zone     string        // of its schedule; empty: the instance's
	Next     time.Time     // its next slot
	Usual    time.Duration // median of its last 30 finished runs; 0: it has none
}

// Night is what every page shows of the instance: the marks since a moment, who is alive, who needs a person.
type Night struct {
	Instance string
	Kind     string // instance type: marketing, mid or execution
	Zone     string // time zone of the instance's schedules
	Now      time.Time
	Marks    []NightMark
	Plans    []NightPlan
	Names    []WorkflowName // of all workflows, by internal name
	Nodes    int            // processes that hold their lock
	Tick     time.Duration  // since the last of them was heard; 0 when none is alive
	Needs    int            // workflows that are failed, paused or late
	Freeze   Freeze         // in force; zero: none
}

// Lateness is how long a due slot may wait before it counts as late.
const Lateness = 2 * time.Minute

// Night reads the masthead's facts in one round trip. A workflow that ran more often than hourly since the moment gives
// only its exceptions; at most 600 marks.
func (d *DB) Night(ctx context.Context, since time.Time) (Night, error) {
	var night Night
	batch := &pgx.Batch{}
	batch.Queue(`
		WITH run AS (
			SELECT w.internal_name, t.start_date, t.completion_date, t.status,
			       count(*) OVER (PARTITION BY t.workflow_id) > extract(epoch FROM now() - $1) / 3600 + 2 AS often
			FROM xtk.workflow_task t
			JOIN xtk.workflow w ON w.id = t.workflow_id
			WHERE t.start_date >= $1 AND t.mode = 'normal'
		)
		SELECT internal_name, start_date, completion_date, status, often
		FROM run
		WHERE NOT often OR status IN ('running', 'failed')
		UNION ALL
		-- What was due and did not run: missed while no process was up, or still waiting for a place.
		SELECT w.internal_name, e.scheduled_at, NULL, CASE e.status WHEN 'missed' THEN 'missed' ELSE 'late' END, false
		FROM xtk.workflow_event e
		JOIN xtk.workflow w ON w.id = e.workflow_id
		WHERE e.scheduled_at >= $1 AND e.mode = 'normal'
		  AND (e.status = 'missed' OR e.status = 'pending' AND e.scheduled_at < now() - $2::interval AND NOT xtk.frozen(now()))
		ORDER BY 2 DESC
		LIMIT 600`, since, Lateness).Query(func(rows pgx.Rows) error {
		marks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[NightMark])
		night.Marks = marks
		return err
	})
	batch.Queue(`
		SELECT w.internal_name, w.schedule, coalesce(w.timezone, ''), w.next_processing, coalesce(usual.seconds, 0)
		FROM xtk.workflow w
		LEFT JOIN LATERAL (
			SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM last.lasted)) AS seconds
			FROM (SELECT t.completion_date - t.start_date AS lasted
			      FROM xtk.workflow_task t
			      WHERE t.workflow_id = w.id AND t.status = 'completed' AND t.mode = 'normal'
			      ORDER BY t.start_date DESC, t.id DESC
			      LIMIT 30) last
		) usual ON true
		WHERE w.state = 'started' AND w.next_processing IS NOT NULL`).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var plan NightPlan
			var seconds float64
			if err := rows.Scan(&plan.Workflow, &plan.Schedule, &plan.Zone, &plan.Next, &seconds); err != nil {
				return err
			}
			plan.Usual = time.Duration(seconds * float64(time.Second))
			night.Plans = append(night.Plans, plan)
		}
		return rows.Err()
	})
	batch.Queue(`
		SELECT now(),
		       coalesce((SELECT string_value FROM xtk.option WHERE name = 'XtkInstanceName'), ''),
		       coalesce((SELECT string_value FROM xtk.option WHERE name = 'XtkInstanceType'), 'marketing'),
		       coalesce((SELECT string_value FROM xtk.option WHERE name = 'WdbcTimeZone'), 'UTC'),
		       (SELECT count(*) FROM xtk.workflow w
		        WHERE w.built AND w.kind = 'technical' AND (w.failed OR w.state = 'paused' OR EXISTS (
		            SELECT FROM xtk.workflow_event e
		            WHERE e.workflow_id = w.id AND e.status = 'pending' AND e.mode = 'normal'
		              AND e.scheduled_at < now() - $1::interval AND NOT xtk.frozen(now()))))`, Lateness).QueryRow(func(row pgx.Row) error {
		return row.Scan(&night.Now, &night.Instance, &night.Kind, &night.Zone, &night.Needs)
	})
	batch.Queue(freezeNow).QueryRow(func(row pgx.Row) error { return scanFreeze(row, &night.Freeze) })
	queueAlive(batch, &night)
	queueNames(batch, &night.Names)
	if err := d.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return Night{}, fmt.Errorf("read the night: %w", err)
	}
	return night, nil
}

// queueAlive counts the processes that are up: alive is who holds the advisory lock of its row.
func queueAlive(batch *pgx.Batch, night *Night) {
	batch.Queue(`
		SELECT count(*), coalesce(extract(epoch FROM now() - max(n.seen_at)), 0)
		FROM xtk.engine_node n
		WHERE EXISTS (
			SELECT FROM pg_locks l
			WHERE l.locktype = 'advisory' AND l.classid = $1 AND l.objid = n.id::oid AND l.objsubid = 2 AND l.granted
			  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))`,
		LockNode).QueryRow(func(row pgx.Row) error {
		var seconds float64
		err := row.Scan(&night.Nodes, &seconds)
		night.Tick = time.Duration(max(seconds, 0) * float64(time.Second))
		return err
	})
}
