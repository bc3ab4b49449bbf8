package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// WorkflowRow is a workflow as lists show it, with what it does now and what it did last.
type WorkflowRow struct {
	ID                        int64
	Name, Label, Package      string
	Description               string
	Built                     bool
	InstanceTypes             []string
	State                     string
	Failed                    bool
	StateSince                time.Time
	StateBy                   string
	Severity                  string
	Priority                  int
	Affinity                  string
	Schedule                  []byte // JSON, for jobs.ParseSchedule
	Zone                      string // of the schedule; empty: the instance's
	Next, Processed           *time.Time
	PausedAt, PauseUntil      *time.Time
	PauseReason               string
	PauseNotices              int
	ConsecutiveErrors         int
	MaxSeconds                int // of a run, warning only; 0: none
	Version                   int
	Running                   *RunBrief // the run in progress, of any mode
	Last                      *RunBrief // the newest ended run that was not a rehearsal
	Usual                     time.Duration
	Order, OrderBy            string // the oldest order not applied yet
	OrderAt                   *time.Time
	Waiting                   *time.Time // since when something is due and has not begun; in a freeze it waits by intent
	Spark                     []SparkRun // the last 60 runs and slots not run, oldest first
	Drifts                    []Drift    // open alarms, the oldest first
	Supervisors               int64      // the group that is told of a failure; 0: none
	Reads, Writes             []string
	Exclusive                 bool
	HistoryDays               int
	OnError                   string
	ErrorLimit                int
	ValidFrom, ValidTo        *time.Time
	MaxExecutions             int // 0: unlimited
	ExecutionCount            int
	LastModified              time.Time
	LogSQL, KeepResult        bool
	Watchdog                  bool
	ErrorTemplate             string
	CreatedByID, ModifiedByID int64
}

// RunBrief is a run in one line.
type RunBrief struct {
	ID                                      int64
	Mode, Status, Message                   string
	Start                                   time.Time
	End                                     *time.Time
	RowsChanged, Inserted, Updated, Deleted int64
	Warnings                                int
	// Step is the newest step begun, Steps how many there are so far.
	StepOrder int
	Step      string
}

// SparkRun is one bar: a run, or a slot that was not run (skipped, missed; no task, no seconds).
type SparkRun struct {
	TaskID  int64
	At      time.Time
	Seconds float64
	Status  string
}

// Workflows lists the technical workflows by package and label, in two round trips whatever their number. Those of
// campaigns have their own life and are read one by one.
func (d *DB) Workflows(ctx context.Context) ([]WorkflowRow, error) {
	return d.workflows(ctx, 0, "")
}

// Workflow reads one workflow; ErrNotFound when there is none of this id.
func (d *DB) Workflow(ctx context.Context, id int64) (WorkflowRow, error) {
	return one(d.workflows(ctx, id, ""))
}

// WorkflowByName reads one workflow by its internal name; ErrNotFound when there is none.
func (d *DB) WorkflowByName(ctx context.Context, name string) (WorkflowRow, error) {
	return one(d.workflows(ctx, 0, name))
}

// IsStarted reports whether a workflow is started.
func (d *DB) IsStarted(ctx context.Context, name string) (started bool, err error) {
	err = d.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM xtk.workflow WHERE internal_name = $1 AND state = 'started')`, name).Scan(&started)
	if err != nil {
		return false, fmt.Errorf("state of workflow %s: %w", name, err)
	}
	return started, nil
}

func one(rows []WorkflowRow, err error) (WorkflowRow, error) {
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("workflow: %w", ErrNotFound)
	}
	if err != nil {
		return WorkflowRow{}, err
	}
	return rows[0], nil
}

// workflows reads the workflows of an id or a name, all when both are empty.
func (d *DB) workflows(ctx context.Context, id int64, name string) ([]WorkflowRow, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT w.id, w.internal_name, w.label, COALESCE(w.package, ''), COALESCE(w.description, ''), w.built, w.instance_types,
		       w.state, w.failed, w.state_since, COALESCE(w.state_by, ''), w.severity, w.priority, w.affinity,
		       w.schedule, COALESCE(w.timezone, ''), w.next_processing, w.last_processed,
		       w.paused_at, w.pause_until, COALESCE(w.pause_reason, ''), w.pause_notice_count, w.consecutive_errors,
		       COALESCE(w.max_execution_seconds, 0), w.version, COALESCE(w.supervisor_group_id, 0), w.reads, w.writes,
		       w.exclusive, w.history_days, w.on_error, w.error_limit, w.valid_from, w.valid_to, COALESCE(w.max_executions, 0),
		       w.execution_count, w.last_modified, w.log_sql, w.keep_result, w.watchdog,
		       COALESCE(w.error_template, ''), COALESCE(w.created_by_id, 0), COALESCE(w.modified_by_id, 0),
		       COALESCE(usual.seconds, 0), COALESCE(j.command, ''), COALESCE(j.operator_login, ''), j.created, due.since
		FROM xtk.workflow w
		LEFT JOIN LATERAL (
			-- The median of the last thirty runs that ended well.
			SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM r.completion_date - r.start_date)) AS seconds
			FROM (SELECT t.start_date, t.completion_date
			      FROM xtk.workflow_task t
			      WHERE t.workflow_id = w.id AND t.status = 'completed' AND t.mode = 'normal'
			      ORDER BY t.start_date DESC, t.id DESC
			      LIMIT 30) r) usual ON true
		LEFT JOIN LATERAL (
			SELECT o.command, o.operator_login, o.created
			FROM xtk.workflow_job o
			WHERE o.workflow_id = w.id AND o.applied_at IS NULL
			ORDER BY o.created
			LIMIT 1) j ON true
		LEFT JOIN LATERAL (
			SELECT min(e.scheduled_at) AS since
			FROM xtk.workflow_event e
			WHERE e.workflow_id = w.id AND e.status = 'pending' AND e.mode = 'normal' AND NOT xtk.frozen(now())) due ON true
		WHERE (@id = 0 OR w.id = @id) AND (@name = '' OR w.internal_name = @name)
		  AND (@id <> 0 OR @name <> '' OR w.kind = 'technical')
		ORDER BY w.package, w.label, w.id`, pgx.StrictNamedArgs{"id": id, "name": name})
	if err != nil {
		return nil, fmt.Errorf("workflows: %w", err)
	}
	all, err := pgx.CollectRows(rows, scanWorkflow)
	if err != nil {
		return nil, fmt.Errorf("workflows: %w", err)
	}
	return all, d.addRuns(ctx, all)
}

func scanWorkflow(row pgx.CollectableRow) (WorkflowRow, error) {
	var w WorkflowRow
	var usual float64
	err := row.Scan(&w.ID, &w.Name, &w.Label, &w.Package, &w.Description, &w.Built, &w.InstanceTypes,
		&w.State, &w.Failed, &w.StateSince, &w.StateBy, &w.Severity, &w.Priority, &w.Affinity,
		&w.Schedule, &w.Zone, &w.Next, &w.Processed,
		&w.PausedAt, &w.PauseUntil, &w.PauseReason, &w.PauseNotices, &w.ConsecutiveErrors,
		&w.MaxSeconds, &w.Version, &w.Supervisors, &w.Reads, &w.Writes,
		&w.Exclusive, &w.HistoryDays, &w.OnError, &w.ErrorLimit, &w.ValidFrom, &w.ValidTo, &w.MaxExecutions,
		&w.ExecutionCount, &w.LastModified, &w.LogSQL, &w.KeepResult, &w.Watchdog,
		&w.ErrorTemplate, &w.CreatedByID, &w.ModifiedByID,
		&usual, &w.Order, &w.OrderBy, &w.OrderAt, &w.Waiting)
	w.Usual = time.Duration(usual * float64(time.Second))
	return w, err
}

// Situation is what decides which orders the workflow takes now, see Command.Judge.
func (w WorkflowRow) Situation() Situation {
	return Situation{State: w.State, Failed: w.Failed, Built: w.Built, Running: w.Running != nil}
}
