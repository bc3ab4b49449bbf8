package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
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
				            WHEN t.id IS NOT NULL AND p.kind <> 'signal' THEN 'already_running' END AS reason,
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
			case "stopped":
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
// exclusive run is in progress there is nothing, and what must run exclusively waits until nothing else runs.
const candidates = `
	SELECT e.id, w.id, w.internal_name, e.mode
	FROM xtk.workflow_event e
	JOIN xtk.workflow w ON w.id = e.workflow_id
	WHERE e.status = 'pending' AND e.not_before <= now()
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
	rows, err := e.config.DB.Pool.Query(ctx, candidates, e.names, node.TakesUnassigned, node.Affinities)
	if err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[candidate])
	if err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	if len(all) == 0 {
		return nil
	}
	if wait, err := full(ctx, e.config.DB.Pool); err != nil || wait {
		return err
	}
	var failed []error
	taken := map[int64]bool{}
	for _, c := range all {
		if taken[c.Workflow] {
			e.ring() // the second event of a workflow is answered in the next round
			continue
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

// claimOne opens the run's session, takes the workflow's lock on it and makes the run. began is false when another
// process was faster or an old session still holds the lock; wait is true when the ceiling is reached.
func (e *Engine) claimOne(ctx context.Context, c candidate, node db.Node) (began, wait bool, err error) {
	session, err := e.config.DB.RunSession(ctx, "nightshift "+c.Name)
	if err != nil {
		return false, false, err
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
		_, err = session.Exec(end, `SELECT pg_advisory_unlock_all()`)
	}
	return errors.Join(err, session.Close(end))
}

// makeRun writes the run while holding the workflow's lock: whoever has the lock and finds the event still pending has
// it alone. No execution and no error: not this time.
func (e *Engine) makeRun(ctx context.Context, session *pgx.Conn, c candidate, node db.Node) (x *execution, wait bool, err error) {
	var free bool
	if err := session.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, $2)`, db.LockWorkflow, c.Workflow).Scan(&free); err != nil || !free {
		return nil, false, err
	}
	err = pgx.BeginFunc(ctx, session, func(tx pgx.Tx) error {
		// The workflow's row first, as everywhere: whoever gives it an order now is waited for.
		if _, err := tx.Exec(ctx, `SELECT FROM xtk.workflow WHERE id = $1 FOR NO KEY UPDATE`, c.Workflow); err != nil {
			return fmt.Errorf("lock the workflow: %w", err)
		}
		if wait, err = ceilingReached(ctx, tx); err != nil || wait {
			return err
		}
		x, err = insertRun(ctx, tx, c, node)
		return err
	})
	if err != nil || x == nil {
		return nil, wait, err
	}
	x.workflow, x.session = e.workflows[c.Name], session
	return x, false, nil
}

// ceilingReached counts exactly: it holds the claim lock to the end of the transaction, so no two processes count the
// same room.
func ceilingReached(ctx context.Context, tx pgx.Tx) (bool, error) {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockClaim); err != nil {
		return false, fmt.Errorf("wait for the turn: %w", err)
	}
	return full(ctx, tx)
}

// full compares the runs of all nodes with XtkWorkflow_ConcurrencyLimit.
func full(ctx context.Context, q interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}) (bool, error) {
	var running int
	var limit string
	err := q.QueryRow(ctx, `
		SELECT (SELECT count(*) FROM xtk.workflow_task WHERE status = 'running'),
		       COALESCE((SELECT COALESCE(o.long_value::text, o.string_value)
		                 FROM xtk.option o WHERE o.name = 'XtkWorkflow_ConcurrencyLimit'), '20')`).Scan(&running, &limit)
	if err != nil {
		return false, fmt.Errorf("ceiling: %w", err)
	}
	ceiling, err := strconv.Atoi(strings.TrimSpace(limit))
	if err != nil || ceiling < 1 {
		ceiling = 20
	}
	return running >= ceiling, nil
}

// insertRun takes the event, if it still stands as the candidate did, and writes the run that executes it.
func insertRun(ctx context.Context, tx pgx.Tx, c candidate, node db.Node) (*execution, error) {
	x := &execution{event: c.Event, workflowID: c.Workflow, mode: c.Mode}
	var payload []byte
	err := tx.QueryRow(ctx, `
		UPDATE xtk.workflow_event e
		SET status = 'processing', processing_date = clock_timestamp()
		FROM xtk.workflow w
		WHERE e.id = $1 AND e.status = 'pending' AND w.id = e.workflow_id
		  AND (w.state = 'started' OR e.mode = 'simulation' AND w.state IN ('being_edited', 'finished', 'paused')
		       OR e.kind = 'manual' AND w.state IN ('being_edited', 'finished'))
		RETURNING e.kind, e.payload`, c.Event).Scan(&x.trigger, &payload)
	if err != nil {
		return nil, ignoreNone(err)
	}
	var parameters struct {
		Args map[string]string `json:"args"`
		Task *int64            `json:"task"`
	}
	if err := json.Unmarshal(payload, &parameters); err != nil {
		return nil, fmt.Errorf("payload of event %d: %w", c.Event, err)
	}
	if parameters.Args == nil {
		parameters.Args = map[string]string{}
	}
	// The session is named after the run, for whoever looks at the server.
	err = tx.QueryRow(ctx, `
		WITH run AS (
			INSERT INTO xtk.workflow_task (workflow_id, event_id, mode, trigger, node, backend_pid, build, started_by_id, started_by,
			                               due_at, start_date, cut_off, resumes_task_id, args)
			SELECT e.workflow_id, e.id, e.mode, e.kind, @node, pg_backend_pid(), @build, e.operator_id, e.operator_login,
			       e.scheduled_at, clock_timestamp(), clock_timestamp(), @resumes, @args
			FROM xtk.workflow_event e
			WHERE e.id = @event
			RETURNING id
		), marked AS (
			UPDATE xtk.workflow_event SET task_id = (SELECT id FROM run) WHERE id = @event
		)
		SELECT id, set_config('application_name', left('nightshift ' || @name || ' #' || id, 63), false)
		FROM run`, pgx.StrictNamedArgs{"node": node.Name, "build": node.Version, "resumes": parameters.Task,
		"args": parameters.Args, "event": c.Event, "name": c.Name}).Scan(&x.task, nil)
	if err != nil {
		return nil, fmt.Errorf("write the run: %w", err)
	}
	return x, db.LogWorkflow(ctx, tx, c.Workflow, x.task, "info", fmt.Sprintf("Run %d begins on %s (%s)", x.task, node.Name, x.trigger))
}

// ignoreNone takes a missing row for "not this time".
func ignoreNone(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}
