package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
)

// lockClaim orders the claims of all processes, so that the ceiling on simultaneous runs is exact.
const lockClaim = 73010010

// candidate is an event that could run here.
type candidate struct {
	Event, Workflow int64
	Name, Mode      string
	Exclusive       bool
}

// openings are the events that could run here, the first ones first, and for how many more runs there is room.
type openings struct {
	all  []candidate
	room int
}

// candidates lists what could run here now: highest severity first, then priority, then what has waited longest. While an
// exclusive run is in progress there is nothing, and what must run exclusively waits until nothing else runs. During a
// freeze there is only what a person ordered, and rehearsals.
const candidates = `
	SELECT e.id, w.id, w.internal_name, e.mode, w.exclusive
	FROM xtk.workflow_event e
	JOIN xtk.workflow w ON w.id = e.workflow_id
	WHERE e.status = 'pending' AND e.not_before <= now()
	  AND (e.operator_login <> '` + db.Self + `' OR e.mode = 'simulation' OR NOT xtk.frozen(now()))
	  AND w.built AND w.internal_name = ANY(@names)
	  AND (w.affinity = '' AND @unassigned OR w.affinity = ANY(@affinities))
	  AND (w.state = 'started' OR e.mode = 'simulation' AND w.state IN ('being_edited', 'finished', 'paused')
	       OR e.kind = 'manual' AND w.state IN ('being_edited', 'finished'))
	  AND NOT EXISTS (SELECT FROM xtk.workflow_task t WHERE t.workflow_id = w.id AND t.status = 'running')
	  AND NOT EXISTS (SELECT FROM xtk.workflow_task t JOIN xtk.workflow x ON x.id = t.workflow_id
	                  WHERE t.status = 'running' AND x.exclusive)
	  AND (NOT w.exclusive OR NOT EXISTS (SELECT FROM xtk.workflow_task t WHERE t.status = 'running'))
	  AND (w.exclusive OR NOT EXISTS (
	           SELECT FROM xtk.workflow_event o JOIN xtk.workflow x ON x.id = o.workflow_id
	           WHERE o.status = 'pending' AND o.not_before <= now() AND x.exclusive AND x.state = 'started' AND x.built
	             AND (o.operator_login <> '` + db.Self + `' OR NOT xtk.frozen(now()))
	             AND (x.affinity = '' AND @unassigned OR x.affinity = ANY(@affinities))))
	ORDER BY array_position(ARRAY['critical', 'production', 'normal'], w.severity), w.priority DESC,
	         e.kind <> 'resume', e.scheduled_at, e.id
	LIMIT 50`

// ask has a batch find what could run here.
func (o *openings) ask(batch *pgx.Batch, names []string, node db.Node) {
	here := pgx.StrictNamedArgs{"names": names, "unassigned": node.TakesUnassigned, "affinities": node.Affinities}
	batch.Queue(candidates, here).Query(func(rows pgx.Rows) (err error) {
		o.all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[candidate])
		return err
	})
	batch.Queue(room).QueryRow(func(row pgx.Row) error { return row.Scan(&o.room) })
}

// openings asks for what could run here now.
func (e *Engine) openings(ctx context.Context) (found openings, err error) {
	var batch pgx.Batch
	found.ask(&batch, e.names, e.nodeNow())
	if err := e.ask(ctx, &batch); err != nil {
		return found, fmt.Errorf("what could run: %w", err)
	}
	return found, nil
}

// pick chooses what is to begin: one event of a workflow (skip answers the others), no more than there is room for, and
// what must run alone, alone.
func (o openings) pick() (picked []candidate) {
	taken := map[int64]bool{}
	for _, c := range o.all {
		if len(picked) >= o.room || len(picked) > 0 && c.Exclusive {
			break
		}
		if !taken[c.Workflow] {
			taken[c.Workflow] = true
			picked = append(picked, c)
		}
		if c.Exclusive {
			break
		}
	}
	return picked
}

// claim begins as many runs as there is work and room for: at once those for which a session waits, then one by one. It
// returns how many have begun.
func (e *Engine) claim(ctx context.Context, found openings) (begun int, err error) {
	node := e.nodeNow()
	if node.ID == 0 {
		return 0, nil // not registered yet: a run needs the name of its node
	}
	var failed []error
	for picked := found.pick(); len(picked) > 0 && ctx.Err() == nil; {
		n := min(len(picked), max(1, len(e.spares.ready)))
		some, err := e.claimSome(ctx, picked[:n], node)
		begun += some
		failed = append(failed, err)
		picked = picked[n:]
	}
	return begun, errors.Join(failed...)
}

// claimSome gets each run a session with its workflow's lock and makes the runs. It goes without those that another
// process was faster with, those whose lock an old session still holds, and those whose session cannot be opened.
func (e *Engine) claimSome(ctx context.Context, some []candidate, node db.Node) (begun int, err error) {
	sessions, failed := make([]*pgx.Conn, len(some)), make([]error, len(some)+1)
	var locked []*execution
	var mu sync.Mutex
	var taking sync.WaitGroup
	for i, c := range some {
		taking.Go(func() {
			session, run, err := e.spares.take(ctx, c.Workflow, c.Name)
			if err != nil {
				failed[i] = fmt.Errorf("session for %s: %w", c.Name, err)
				return
			}
			sessions[i] = session
			if run != 0 {
				mu.Lock()
				defer mu.Unlock()
				locked = append(locked, &execution{run: run, event: c.Event, workflowID: c.Workflow, mode: c.Mode,
					workflow: e.workflows[c.Name], session: session})
			}
		})
	}
	taking.Wait()
	begun, failed[len(some)] = e.makeRuns(ctx, locked, insertRuns, argsOf(locked, node))
	working := map[*pgx.Conn]bool{}
	for _, x := range locked {
		working[x.session] = x.task.ID() != 0
	}
	for _, session := range sessions {
		if session != nil && !working[session] {
			failed = append(failed, e.spares.giveBack(ctx, session))
		}
	}
	e.spares.refill(ctx)
	return begun, errors.Join(failed...)
}

func argsOf(all []*execution, node db.Node) pgx.StrictNamedArgs {
	events, runs, pids := []int64{}, []int64{}, []int32{}
	for _, x := range all {
		events, runs, pids = append(events, x.event), append(runs, x.run), append(pids, x.pid())
	}
	return pgx.StrictNamedArgs{"events": events, "runs": runs, "pids": pids, "node": node.Name, "build": node.Version}
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

// makeRuns writes the runs while their sessions hold their workflows' locks, and lets them work: whoever has the lock and
// finds the event still pending has it alone. It returns how many have begun; the others do not begin this time.
//
// It is one transaction in one question, which waits for its turn among the processes that claim, so that no two of them
// count the same room, and for nothing else: a workflow that somebody gives an order to at this moment is left to the
// next round, for which that order rings.
func (e *Engine) makeRuns(ctx context.Context, all []*execution, insert string, args pgx.StrictNamedArgs) (begun int, err error) {
	if len(all) == 0 {
		return 0, nil
	}
	runs, byRun := []int64{}, map[int64]*execution{}
	for _, x := range all {
		runs, byRun[x.run] = append(runs, x.run), x
	}
	var batch pgx.Batch
	var tasks []jobs.Task
	batch.Queue(`SELECT pg_advisory_xact_lock($1)`, lockClaim)
	batch.Queue(insert, args)
	jobs.QueueTasks(&batch, runs, func(t jobs.Task) { tasks = append(tasks, t) })
	if err := e.ask(ctx, &batch); err != nil {
		return 0, fmt.Errorf("write the runs: %w", err) // nothing is written
	}
	for _, t := range tasks {
		x := byRun[t.ID()]
		x.task, x.event, x.mode = t, t.Event(), t.Mode()
		e.begin(ctx, x)
	}
	return len(tasks), nil
}

// room is for how many runs more there is room over all nodes: XtkWorkflow_ConcurrencyLimit, where one that is no number
// counts as 20, less those in progress.
const room = `
	SELECT COALESCE((SELECT CASE WHEN COALESCE(o.long_value::text, o.string_value) ~ '^ *[1-9][0-9]{0,5} *$'
	                             THEN COALESCE(o.long_value::text, o.string_value)::int END
	                 FROM xtk.option o WHERE o.name = 'XtkWorkflow_ConcurrencyLimit'), 20)
	       - (SELECT count(*) FROM xtk.workflow_task WHERE status = 'running')::int`

// insertRuns takes events for which sessions have the locks.
const insertRuns = `
	WITH asked AS (
		SELECT *
		FROM unnest(@events::bigint[], @runs::bigint[], @pids::int[]) WITH ORDINALITY AS a (event, run, pid, n)
	), ` + insertAsked

// insertAsked takes the events that are asked for, if they still stand as the candidates did and there is room, writes the
// runs that execute them with their first lines, and rings for whoever waits to see them.
const insertAsked = `
	taken AS (
		SELECT e.id, e.workflow_id, e.mode, e.kind, e.operator_id, e.operator_login, e.scheduled_at, e.payload, asked.run, asked.pid
		FROM asked
		JOIN xtk.workflow_event e ON e.id = asked.event
		JOIN xtk.workflow w ON w.id = e.workflow_id
		WHERE e.status = 'pending'
		  AND (e.operator_login <> '` + db.Self + `' OR e.mode = 'simulation' OR NOT xtk.frozen(now()))
		  AND (w.state = 'started' OR e.mode = 'simulation' AND w.state IN ('being_edited', 'finished', 'paused')
		       OR e.kind = 'manual' AND w.state IN ('being_edited', 'finished'))
		  AND NOT EXISTS (SELECT FROM xtk.workflow_task t JOIN xtk.workflow x ON x.id = t.workflow_id
		                  WHERE t.status = 'running' AND (x.exclusive OR w.exclusive))
		ORDER BY asked.n
		LIMIT GREATEST((` + room + `), 0)
		FOR NO KEY UPDATE OF w SKIP LOCKED
		FOR UPDATE OF e SKIP LOCKED
	), run AS (
		INSERT INTO xtk.workflow_task (id, workflow_id, event_id, mode, trigger, node, backend_pid, build, started_by_id, started_by,
		                               due_at, start_date, cut_off, resumes_task_id, args)
		SELECT t.run, t.workflow_id, t.id, t.mode, t.kind, @node, t.pid, @build, t.operator_id, t.operator_login,
		       t.scheduled_at, clock_timestamp(), clock_timestamp(), (t.payload ->> 'task')::bigint,
		       CASE jsonb_typeof(t.payload -> 'args') WHEN 'object' THEN t.payload -> 'args' ELSE '{}' END
		FROM taken t
		RETURNING id, event_id, workflow_id, trigger
	), marked AS (
		UPDATE xtk.workflow_event e
		SET status = 'processing', processing_date = clock_timestamp(), task_id = run.id
		FROM run
		WHERE e.id = run.event_id
	), said AS (
		INSERT INTO xtk.workflow_log (workflow_id, task_id, message, log_date)
		SELECT run.workflow_id, run.id, 'Run ' || run.id || ' begins on ' || @node || ' (' || run.trigger || ')', clock_timestamp()
		FROM run
	)
	SELECT pg_notify('` + db.ChannelLog + `', run.id::text)
	FROM run`

// ignoreNone takes a missing row for "not this time".
func ignoreNone(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}
