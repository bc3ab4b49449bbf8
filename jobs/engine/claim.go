package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
)

// lockClaim orders the claims of all processes, so that the ceiling on simultaneous runs is exact.
const lockClaim = 73010010

// candidate is an event that could run here.
type candidate struct {
	Event, Workflow int64
	Name, Mode      string
}

// skip answers events that will not run: those that came while another run of their workflow is in progress, while it is
// paused, or after it was stopped. A rehearsal in progress holds nothing up but itself: what is due waits for its end.
func (e *Engine) skip(ctx context.Context) error {
	return e.inTx(ctx, func(tx pgx.Tx) error {
		// Signals carry work that must not be lost: they wait for the run in progress and for the end of a pause. So does
		// what was due before the pause, such as the event of a run whose process was lost.
		rows, err := tx.Query(ctx, `
			UPDATE xtk.workflow_event e
			SET status = CASE verdict.reason WHEN 'stopped' THEN 'cancelled' ELSE 'skipped' END, reason = verdict.reason
			FROM (
				SELECT p.id, w.internal_name,
				       CASE WHEN w.state IN ('finished', 'being_edited', 'stop_pending') AND p.kind <> 'manual' THEN 'stopped'
				            WHEN w.state = 'stop_pending' THEN 'stopped'
				            WHEN w.state IN ('paused', 'pause_pending') AND p.kind <> 'signal' AND p.scheduled_at >= w.paused_at THEN 'paused'
				            WHEN t.id IS NOT NULL AND p.kind <> 'signal' THEN 'already_running'
				            WHEN p.kind = 'scheduled' AND xtk.frozen(p.scheduled_at) THEN 'freeze' END AS reason,
				       t.id AS task_id, t.start_date
				FROM xtk.workflow_event p
				JOIN xtk.workflow w ON w.id = p.workflow_id
				LEFT JOIN xtk.workflow_task t ON t.workflow_id = w.id AND t.status = 'running' AND t.mode = 'normal'
				WHERE p.status = 'pending' AND p.mode = 'normal'
				FOR UPDATE OF p SKIP LOCKED) verdict
			WHERE e.id = verdict.id AND verdict.reason IS NOT NULL
			RETURNING e.workflow_id, e.scheduled_at, e.reason, COALESCE(verdict.task_id, 0)`)
		if err != nil {
			return fmt.Errorf("skip: %w", err)
		}
		type skipped struct {
			Workflow int64
			At       time.Time
			Reason   string
			Task     int64
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[skipped])
		if err != nil {
			return fmt.Errorf("skip: %w", err)
		}
		for _, s := range all {
			line := "Not run, due " + s.At.UTC().Format("2006-01-02 15:04:05 MST") + ": the workflow is paused"
			switch s.Reason {
			case "already_running":
				line = fmt.Sprintf("Not run, due %s: run %d is still in progress, parallel execution is not allowed",
					s.At.UTC().Format("2006-01-02 15:04:05 MST"), s.Task)
			case "stopped", db.ReasonFreeze:
				continue
			}
			if err := db.LogWorkflow(ctx, tx, s.Workflow, 0, "warning", line); err != nil {
				return err
			}
		}
		return nil
	})
}

// candidates lists what could run here now: highest severity first, then priority, then what has waited longest. While an
// exclusive run is in progress there is nothing, and what must run exclusively waits until nothing else runs. During a
// freeze there is only what a person ordered, and rehearsals.
const candidates = `
	SELECT e.id, w.id, w.internal_name, e.mode
	FROM xtk.workflow_event e
	JOIN xtk.workflow w ON w.id = e.workflow_id
	WHERE e.status = 'pending' AND e.not_before <= now()
	  AND (e.operator_login <> '` + self + `' OR e.mode = 'simulation' OR NOT xtk.frozen(now()))
	  AND w.built AND w.internal_name = ANY($1)
	  AND (w.affinity = '' AND $2 OR w.affinity = ANY($3))
	  AND (w.state = 'started' OR e.mode = 'simulation' AND w.state IN ('being_edited', 'finished', 'paused')
	       OR e.kind = 'manual' AND w.state IN ('being_edited', 'finished'))
	  AND NOT EXISTS (SELECT FROM xtk.workflow_task t WHERE t.workflow_id = w.id AND t.status = 'running')
	  AND NOT EXISTS (SELECT FROM xtk.workflow_task t JOIN xtk.workflow x ON x.id = t.workflow_id
	                  WHERE t.status = 'running' AND x.exclusive)
	  AND (NOT w.exclusive OR NOT EXISTS (SELECT FROM xtk.workflow_task t WHERE t.status = 'running'))
	  AND (w.exclusive OR NOT EXISTS (
	           SELECT FROM xtk.workflow_event o JOIN xtk.workflow x ON x.id = o.workflow_id
	           WHERE o.status = 'pending' AND o.not_before <= now() AND x.exclusive AND x.state = 'started' AND x.built
	             AND (o.operator_login <> '` + self + `' OR NOT xtk.frozen(now()))
	             AND (x.affinity = '' AND $2 OR x.affinity = ANY($3))))
	ORDER BY array_position(ARRAY['critical', 'production', 'normal'], w.severity), w.priority DESC,
	         e.kind <> 'resume', e.scheduled_at, e.id
	LIMIT 50`

// claim begins as many runs as there is work and room for.
func (e *Engine) claim(ctx context.Context) error {
	node := e.nodeNow()
	if node.ID == 0 {
		return nil // not registered yet: a run needs the name of its node
	}
	var all []candidate
	var full bool // a first look at the ceiling, before a session is spent on a claim
	var batch pgx.Batch
	batch.Queue(candidates, e.names, node.TakesUnassigned, node.Affinities).Query(func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[candidate])
		return err
	})
	batch.Queue(ceiling).QueryRow(func(row pgx.Row) error { return row.Scan(&full) })
	if err := e.config.DB.Pool.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	if full {
		return nil
	}
	var failed []error
	taken := map[int64]bool{}
	for _, c := range all {
		if taken[c.Workflow] {
			continue // skip answers the second event of a workflow
		}
		began, wait, err := e.claimOne(ctx, c, node)
		if err != nil {
			failed = append(failed, fmt.Errorf("claim of %s: %w", c.Name, err))
		}
		if wait || ctx.Err() != nil {
			break
		}
		taken[c.Workflow] = began
	}
	return errors.Join(failed...)
}

// claimOne gets the run a session with the workflow's lock and makes the run. began is false when another process was
// faster or an old session still holds the lock; wait is true when the ceiling is reached.
func (e *Engine) claimOne(ctx context.Context, c candidate, node db.Node) (began, wait bool, err error) {
	session, free, err := e.spares.take(ctx, c.Workflow)
	if err != nil {
		return false, false, err
	}
	if !free {
		return false, false, letGo(ctx, session)
	}
	x, wait, err := e.makeRun(ctx, session, c, node)
	if err != nil || x == nil {
		return false, wait, errors.Join(err, letGo(ctx, session))
	}
	e.begin(ctx, x)
	return true, false, nil
}

// letGo frees a session's locks before it closes it: a server may take a while to notice that a client is gone, and
// whoever claims next should not find the lock of a run that has ended.
func letGo(ctx context.Context, session *pgx.Conn) error {
	end, done := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer done()
	var err error
	if !session.IsClosed() {
		_, err = session.Exec(end, freeSession)
	}
	return errors.Join(err, session.Close(end))
}

// makeRun writes the run while the session holds the workflow's lock: whoever has the lock and finds the event still
// pending has it alone. No execution and no error: not this time; wait is true when the ceiling was in its way.
//
// It is one transaction in one question. The workflow's row is locked first, as everywhere: whoever gives it an order now
// is waited for. Then it waits for its turn among the processes that claim, so that no two of them count the same room.
// The pool's sessions know these statements already, a new one would take its time.
func (e *Engine) makeRun(ctx context.Context, session *pgx.Conn, c candidate, node db.Node) (x *execution, wait bool, err error) {
	x = &execution{event: c.Event, workflowID: c.Workflow, mode: c.Mode, workflow: e.workflows[c.Name], session: session}
	var batch pgx.Batch
	batch.Queue(`SELECT FROM xtk.workflow WHERE id = $1 FOR NO KEY UPDATE`, c.Workflow)
	batch.Queue(`SELECT pg_advisory_xact_lock($1)`, lockClaim)
	batch.Queue(ceiling).QueryRow(func(row pgx.Row) error { return row.Scan(&wait) })
	batch.Queue(insertRun, pgx.StrictNamedArgs{"node": node.Name, "build": node.Version, "event": c.Event,
		"pid": int(session.PgConn().PID())}).QueryRow(func(row pgx.Row) error { return ignoreNone(row.Scan(&x.task)) })
	if err := e.config.DB.Pool.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, false, fmt.Errorf("write the run: %w", err)
	}
	if x.task == 0 {
		return nil, wait, nil
	}
	return x, false, nil
}

// ceiling compares the runs of all nodes with XtkWorkflow_ConcurrencyLimit, where a limit that is no number counts as 20.
const ceiling = `
	SELECT (SELECT count(*) FROM xtk.workflow_task WHERE status = 'running') >= COALESCE(
	           (SELECT CASE WHEN COALESCE(o.long_value::text, o.string_value) ~ '^ *[1-9][0-9]{0,5} *$'
	                        THEN COALESCE(o.long_value::text, o.string_value)::int END
	            FROM xtk.option o WHERE o.name = 'XtkWorkflow_ConcurrencyLimit'), 20)`

// insertRun takes the event, if it still stands as the candidate did and there is room, writes the run that executes it
// with its first line, and rings for whoever waits to see it.
const insertRun = `
	WITH taken AS (
		SELECT e.id, e.workflow_id, e.mode, e.kind, e.operator_id, e.operator_login, e.scheduled_at, e.payload
		FROM xtk.workflow_event e
		JOIN xtk.workflow w ON w.id = e.workflow_id
		WHERE e.id = @event AND e.status = 'pending' AND NOT (` + ceiling + `)
		  AND (e.operator_login <> '` + self + `' OR e.mode = 'simulation' OR NOT xtk.frozen(now()))
		  AND (w.state = 'started' OR e.mode = 'simulation' AND w.state IN ('being_edited', 'finished', 'paused')
		       OR e.kind = 'manual' AND w.state IN ('being_edited', 'finished'))
		FOR UPDATE OF e
	), run AS (
		INSERT INTO xtk.workflow_task (workflow_id, event_id, mode, trigger, node, backend_pid, build, started_by_id, started_by,
		                               due_at, start_date, cut_off, resumes_task_id, args)
		SELECT t.workflow_id, t.id, t.mode, t.kind, @node, @pid, @build, t.operator_id, t.operator_login,
		       t.scheduled_at, clock_timestamp(), clock_timestamp(), (t.payload ->> 'task')::bigint,
		       CASE jsonb_typeof(t.payload -> 'args') WHEN 'object' THEN t.payload -> 'args' ELSE '{}' END
		FROM taken t
		RETURNING id, workflow_id, trigger
	), marked AS (
		UPDATE xtk.workflow_event e
		SET status = 'processing', processing_date = clock_timestamp(), task_id = run.id
		FROM run
		WHERE e.id = @event
	), said AS (
		INSERT INTO xtk.workflow_log (workflow_id, task_id, message, log_date)
		SELECT run.workflow_id, run.id, 'Run ' || run.id || ' begins on ' || @node || ' (' || run.trigger || ')', clock_timestamp()
		FROM run
	)
	SELECT run.id
	FROM run
	CROSS JOIN LATERAL pg_notify('` + db.ChannelLog + `', run.id::text)`

// ignoreNone takes a missing row for "not this time".
func ignoreNone(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}
