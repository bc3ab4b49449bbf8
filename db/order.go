package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// NOTIFY channels between the console and those who work. Payloads say whose rows to read, never what is in them.
const (
	ChannelWork = "nightshift_work" // work or an order came: id of the workflow, or a Due
	ChannelLog  = "nightshift_log"  // log lines came: id of the run
	ChannelStop = "nightshift_stop" // a run is to be stopped: id of the run
	// ChannelOutbox says that there is something to send, or somebody to send it through.
	ChannelOutbox = "nightshift_outbox"
)

// Self signs what the engine orders without a person.
const Self = "nightshift"

// OrderArgs is what an order carries besides its verb.
type OrderArgs struct {
	// Reason is shown wherever the pause or stop is.
	Reason string `json:"reason,omitempty"`
	// Until ends a pause by itself; zero: until somebody starts the workflow.
	Until time.Time `json:"until,omitzero"`
	// Params are the run's own parameters (RunNow, Simulate, Wakeup).
	Params map[string]string `json:"params,omitempty"`
	// From and FromFailed are the state the order was given in; the order fills them.
	From       string `json:"from,omitempty"`
	FromFailed bool   `json:"from_failed,omitempty"`
}

// Due is what ChannelWork tells of a run that an order has made due: enough for an engine to know, before it asks, whether
// the run may begin there.
type Due struct {
	Workflow int64  `json:"workflow"`
	Name     string `json:"name"`
	Affinity string `json:"affinity"`
}

// orderedWorkflow is the row that an order locks.
type orderedWorkflow struct {
	ID          int64
	Name, Kind  string
	Situation   Situation
	Affinity    string
	RunningTask int64
	KillPolicy  string
	Waits       bool // the same order waits already
}

// Order takes an operator's order: the job, the pending state, the audit row and the log line become true together,
// then the engines are woken. It is a *MissingRight when the operator may not order (audited as refused), a *Refusal
// when the workflow's state does not take the order or the same order waits already (logged on the workflow, no job),
// ErrNotFound for an unknown workflow. UnconditionalStop is applied here, before it returns, and so are RunNow, Simulate
// and Wakeup, which only make a run due; the engines apply the others.
func (d *DB) Order(ctx context.Context, actor Actor, workflowID int64, command Command, args OrderArgs) error {
	var refused error
	var killed orderedWorkflow
	err := d.Pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) (err error) {
		if killed, refused, err = d.order(ctx, conn, Given{actor, workflowID, command, args}, true); err != nil {
			_, _ = conn.Exec(ctx, `ROLLBACK`) // else the pool closes the connection
		}
		return err
	})
	switch {
	case isUniqueViolation(err, "workflow_job_open"):
		return &Refusal{Command: command, Key: refusedRequested, State: "pending"}
	case err != nil:
		return fmt.Errorf("order %s to workflow %d: %w", command, workflowID, err)
	case refused != nil:
		return refused
	}
	return d.killSession(ctx, killed)
}

// OrderWithin is Order inside a transaction of the caller, who commits it also when the order is refused: the refusal
// has left its traces. It does not reach for the session of a run that an unconditional stop ends.
func (d *DB) OrderWithin(ctx context.Context, tx pgx.Tx, given Given) error {
	_, refused, err := d.order(ctx, tx, given, false)
	if err != nil {
		return fmt.Errorf("order %s to workflow %d: %w", given.Command, given.WorkflowID, err)
	}
	return refused
}

// Given is an order and who gives it to which workflow.
type Given struct {
	Actor      Actor
	WorkflowID int64
	Command    Command
	Args       OrderArgs
}

// asker is a transaction, or a connection that has none.
type asker interface {
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
}

// order judges an order and writes it, in two questions: one locks and reads all that decides, the other writes all that
// follows. A whole one has its own transaction, which begins with the first and is committed with the second. It returns
// the workflow when the order ended it at once, and a refusal apart from the errors that take everything back.
func (d *DB) order(ctx context.Context, conn asker, given Given, whole bool) (killed orderedWorkflow, refused, err error) {
	var ask, write pgx.Batch
	if whole {
		ask.Queue(`BEGIN`)
	}
	w, end, err := lockOrdered(ctx, conn, &ask, given)
	if err != nil {
		return killed, nil, err
	}
	if refused, err = d.answerOrder(&write, w, end, given); err != nil {
		return killed, nil, err
	}
	if whole {
		write.Queue(`COMMIT`)
	}
	if err := conn.SendBatch(ctx, &write).Close(); err != nil {
		return killed, nil, fmt.Errorf("queue: %w", err)
	}
	if refused == nil && given.Command == UnconditionalStop {
		killed = w
	}
	return killed, refused, nil
}

// answerOrder queues what an order leaves: all that it does, or the traces of its refusal.
func (d *DB) answerOrder(batch *pgx.Batch, w orderedWorkflow, end auditEnd, given Given) (refused, err error) {
	actor, command, args := given.Actor, given.Command, given.Args
	if refused = requiredFor(w.Kind, actor); refused != nil {
		return refused, d.queueAudit(batch, end, orderEntry(actor, w, command, args, refused))
	}
	if refusal := judgeQueued(w, command); refusal != nil {
		QueueLine(batch, w.ID, 0, "warning",
			fmt.Sprintf("%s by %s refused: the workflow is %s", command.AuditName(), actor.Login, w.Situation.State))
		return refusal, nil
	}
	if err := d.queueAudit(batch, end, orderEntry(actor, w, command, args, nil)); err != nil {
		return nil, err
	}
	args.From, args.FromFailed = w.Situation.State, w.Situation.Failed
	return nil, queueOrder(batch, actor, w, command, args)
}

// requiredFor says which right an order needs: technical workflows are the administrators'.
func requiredFor(kind string, actor Actor) error {
	if kind == "technical" {
		return actor.Require(Administration)
	}
	return actor.Require(WorkflowRight)
}

// lockOrdered reads the workflow with all that judges an order, locked until the order is queued, and waits for its turn to
// write the audit trail. What is read behind a lock are statements of their own: they see what was committed while the
// lock was waited for.
func lockOrdered(ctx context.Context, conn asker, batch *pgx.Batch, given Given) (w orderedWorkflow, end auditEnd, err error) {
	w.ID = given.WorkflowID
	batch.Queue(`
		SELECT internal_name, kind, state, failed, built, affinity
		FROM xtk.workflow
		WHERE id = $1
		FOR UPDATE`, w.ID).QueryRow(func(row pgx.Row) error {
		return row.Scan(&w.Name, &w.Kind, &w.Situation.State, &w.Situation.Failed, &w.Situation.Built, &w.Affinity)
	})
	batch.Queue(`
		SELECT COALESCE((SELECT id FROM xtk.workflow_task WHERE workflow_id = $1 AND status = 'running'), 0),
		       COALESCE((SELECT COALESCE(long_value::text, string_value)
		                 FROM xtk.option WHERE name = 'WdbcKillSessionPolicy'), '0'),
		       EXISTS (SELECT FROM xtk.workflow_job WHERE workflow_id = $1 AND command = $2 AND applied_at IS NULL)
		       OR $2 IN ('run', 'simulate', 'wakeup') AND EXISTS (
		              SELECT FROM xtk.workflow_event
		              WHERE workflow_id = $1 AND status = 'pending' AND kind = 'manual' AND operator_login <> $3
		                AND mode = CASE $2 WHEN 'simulate' THEN 'simulation' ELSE 'normal' END)`,
		w.ID, given.Command, Self).QueryRow(func(row pgx.Row) error { return row.Scan(&w.RunningTask, &w.KillPolicy, &w.Waits) })
	end.ask(batch, auditSwitches["workflow"])
	err = conn.SendBatch(ctx, batch).Close()
	w.Situation.Running = w.RunningTask != 0
	if errors.Is(err, pgx.ErrNoRows) {
		return w, end, ErrNotFound
	}
	if err != nil {
		return w, end, fmt.Errorf("lock the workflow: %w", err)
	}
	return w, end, nil
}

// judgeQueued refuses what the state does not take, and an order that waits already.
func judgeQueued(w orderedWorkflow, command Command) *Refusal {
	if refusal := command.Judge(w.Situation); refusal != nil || !w.Waits {
		return refusal
	}
	return &Refusal{Command: command, Key: refusedRequested, State: w.Situation.State}
}

// queueOrder writes the accepted order and all its traces but the audit's.
func queueOrder(batch *pgx.Batch, actor Actor, w orderedWorkflow, command Command, args OrderArgs) error {
	packed, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	line := command.AuditName() + " requested by " + actor.Login
	if command == UnconditionalStop {
		line = "Stopped unconditionally by " + actor.Login
		queueStopNow(batch, w, actor.Login)
	}
	if args.Reason != "" {
		line += ": " + args.Reason
	}
	QueueLine(batch, w.ID, 0, "info", line)
	makesDue := QueueDue(batch, w.ID, actor, command, args)
	batch.Queue(`
		INSERT INTO xtk.workflow_job (workflow_id, command, args, operator_id, operator_login, affinity, applied_at, outcome)
		VALUES ($1, $2, $3, NULLIF($4, 0), $5, $6, CASE WHEN $7 THEN now() END, CASE WHEN $7 THEN 'applied' END)`,
		w.ID, command, packed, actor.ID, actor.Login, w.Affinity, makesDue || command == UnconditionalStop)
	if pending := command.pending(w.Situation); pending != "" {
		batch.Queue(`
			UPDATE xtk.workflow
			SET state = $2, failed = false, state_since = now(), state_by = $3
			WHERE id = $1`, w.ID, pending, actor.Login)
	}
	if !makesDue {
		QueueNotice(batch, ChannelWork, w.ID)
		return nil
	}
	due, err := json.Marshal(Due{w.ID, w.Name, w.Affinity})
	if err != nil {
		return fmt.Errorf("notice: %w", err)
	}
	batch.Queue(ringChannel, ChannelWork, string(due))
	return nil
}

// QueueDue writes the event that RunNow, Simulate and Wakeup are, and reports whether the order is one of these. Wakeup
// brings forward what waits for its time, else makes one run due; the schedule does not move.
func QueueDue(batch *pgx.Batch, workflowID int64, actor Actor, command Command, args OrderArgs) bool {
	if command != RunNow && command != Simulate && command != Wakeup {
		return false
	}
	if command == Wakeup {
		batch.Queue(`
			WITH woken AS (
				UPDATE xtk.workflow_event
				SET not_before = '-infinity'
				WHERE workflow_id = $1 AND status = 'pending' AND not_before > now()
				RETURNING id)
			INSERT INTO xtk.workflow_event (workflow_id, kind, payload, scheduled_at, operator_id, operator_login)
			SELECT $1, 'manual', jsonb_build_object('args', COALESCE($2::jsonb, 'null')), clock_timestamp(), NULLIF($3, 0), $4
			WHERE NOT EXISTS (SELECT FROM woken)`, workflowID, args.Params, actor.ID, actor.Login)
		return true
	}
	batch.Queue(`
		INSERT INTO xtk.workflow_event (workflow_id, kind, mode, payload, scheduled_at, operator_id, operator_login)
		VALUES ($1, 'manual', CASE $2 WHEN 'simulate' THEN 'simulation' ELSE 'normal' END,
		        jsonb_build_object('args', COALESCE($3::jsonb, 'null')), clock_timestamp(), NULLIF($4, 0), $5)`,
		workflowID, command, args.Params, actor.ID, actor.Login)
	return true
}

func orderEntry(actor Actor, w orderedWorkflow, command Command, args OrderArgs, refused error) AuditEntry {
	detail := map[string]any{"before": map[string]any{"state": w.Situation.State, "failed": w.Situation.Failed}}
	after := command.pending(w.Situation)
	switch {
	case refused != nil:
		detail["refused"] = refused.Error()
	case command == UnconditionalStop && w.Situation.State != BeingEdited:
		after = Finished
	}
	if refused == nil && after != "" {
		detail["after"] = map[string]any{"state": after, "failed": false}
	}
	if args.Reason != "" {
		detail["reason"] = args.Reason
	}
	if len(args.Params) > 0 {
		detail["params"] = args.Params
	}
	return AuditEntry{EntityType: "workflow", Entity: w.Name, Action: command.AuditName(), Actor: actor, Allowed: refused == nil, Detail: detail}
}

const (
	insertLine = `
		INSERT INTO xtk.workflow_log (workflow_id, task_id, level, message, log_date)
		VALUES ($1, NULLIF($2::bigint, 0), $3, $4, clock_timestamp())`
	ringChannel = `SELECT pg_notify($1, $2)`
)

// LogWorkflow writes a line of the journal that belongs to a workflow and, when taskID is not 0, to one of its runs.
// level is info, warning or error; more than 512 characters are cut.
func LogWorkflow(ctx context.Context, tx pgx.Tx, workflowID, taskID int64, level, message string) error {
	if _, err := tx.Exec(ctx, insertLine, workflowID, taskID, level, cutLine(message)); err != nil {
		return fmt.Errorf("log line of workflow %d: %w", workflowID, err)
	}
	return nil
}

// QueueLine is LogWorkflow as a part of a batch.
func QueueLine(batch *pgx.Batch, workflowID, taskID int64, level, message string) {
	batch.Queue(insertLine, workflowID, taskID, level, cutLine(message))
}

func cutLine(message string) string {
	if runes := []rune(message); len(runes) > 512 {
		return string(runes[:511]) + "…"
	}
	return message
}

// Notify rings a channel with an id when the transaction commits.
func Notify(ctx context.Context, tx pgx.Tx, channel string, id int64) error {
	if _, err := tx.Exec(ctx, ringChannel, channel, strconv.FormatInt(id, 10)); err != nil {
		return fmt.Errorf("notify %s: %w", channel, err)
	}
	return nil
}

// QueueNotice is Notify as a part of a batch.
func QueueNotice(batch *pgx.Batch, channel string, id int64) {
	batch.Queue(ringChannel, channel, strconv.FormatInt(id, 10))
}

func isUniqueViolation(err error, constraint string) bool { return violates(err, "23505", constraint) }

func isExclusion(err error, constraint string) bool { return violates(err, "23P01", constraint) }

func violates(err error, code, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code && pg.ConstraintName == constraint
}
