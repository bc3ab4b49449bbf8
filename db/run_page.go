package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Run is one run with all that its page shows but the log.
type Run struct {
	RunRow
	Build         string
	BackendPID    int
	CutOff        time.Time
	Args, Options map[string]string
	ErrorDetail   string
	CancelAt      *time.Time
	Losses        int // processes lost while they ran the same event
	State         string
	Failed        bool
	Severity      string
	StepList      []RunStep
	Effects       []RunEffect
	Usual         Usual
	Compared      Comparison

	// What its workflow is in now, beside State and Failed: its next slot, the oldest order not applied yet, whether a run
	// is on, and its newest ended run that was no rehearsal.
	Built     bool
	NextSlot  *time.Time
	OrderBy   string
	OrderAt   *time.Time
	Busy      bool
	LastEnded int64

	Version uint32 // of the run's row, see RunAgain
}

// Situation is what decides which orders the run's workflow takes now, see Command.Judge.
func (r Run) Situation() Situation {
	return Situation{State: r.State, Failed: r.Failed, Built: r.Built, Running: r.Busy}
}

// Usual is what comparable runs took: the last thirty of the workflow that completed in the same mode.
type Usual struct {
	P10, P50, P90 time.Duration
	Runs          int
}

// RunStep is one step of a run. Status is running, completed, failed, stopped, interrupted or kept; empty for a step
// that comparable runs have and this one has not begun.
type RunStep struct {
	Order                             int
	Key, Label, Status, Message, Unit string
	Start, End                        *time.Time
	RowsRead, RowsChanged             int64
	Done                              int64
	Total                             *int64 // nil: unknown
	Batches                           int
	Detail                            []byte // JSON: the facts of a simulation's plan
	Usual                             Usual  // not of a run that completed
}

// RunEffect is what one step of a run did to one table, or in a simulation would do.
type RunEffect struct {
	Step                       int
	Table                      string
	Inserted, Updated, Deleted int64
	Dropped                    int
	Estimated                  bool
}

// RunWithLog reads one run and then, in the same round trip, a stretch of its log: of a run that is over, no line comes
// later. Lines beyond CountCap are counted in another one. The filter's TaskID is that id; ErrNotFound when there is no
// run of it.
func (d *DB) RunWithLog(ctx context.Context, id int64, f LogFilter) (Run, Journal, error) {
	var r Run
	var journal Journal
	var capped bool
	batch := &pgx.Batch{}
	queueRun(batch, id, &r)
	f.TaskID = id
	f.queue(batch, &journal)
	if f.Count {
		f.queueCount(batch, &journal.Count, &capped)
	}
	err := d.Pool.SendBatch(ctx, batch).Close()
	if err == nil && capped {
		journal.Count, err = d.CountLog(ctx, f)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return r, journal, fmt.Errorf("run %d: %w", id, err)
	}
	return r, journal, nil
}

// RunAgain renews in a run that had ended when it was read what its workflow is in now, and reports whether the run's row
// is as it was read. With it are its steps, its effects and its log, but for what a process that has lost the run still
// writes, which is announced on ChannelLog, and for lines that were purged. ErrNotFound when the run itself was purged.
func (d *DB) RunAgain(ctx context.Context, r *Run) (same bool, err error) {
	var version uint32
	err = d.Pool.QueryRow(ctx, `
		SELECT t.xmin, w.internal_name, w.label, COALESCE(w.package, ''), `+aroundColumns+`
		FROM xtk.workflow_task t`+aroundJoins+`
		WHERE t.id = $1`, r.ID).
		Scan(append([]any{&version, &r.Workflow, &r.Label, &r.Package}, r.around()...)...)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return false, fmt.Errorf("run %d: %w", r.ID, err)
	}
	return version == r.Version, nil
}

// aroundColumns read what the workflow of a task t is in now, by aroundJoins.
const (
	aroundColumns = `
		       w.state, w.failed, w.severity, w.built, w.next_processing, COALESCE(j.operator_login, ''), j.created,
		       EXISTS (SELECT FROM xtk.workflow_task b WHERE b.workflow_id = t.workflow_id AND b.status = 'running'),
		       COALESCE((SELECT l.id FROM xtk.workflow_task l
		                 WHERE l.workflow_id = t.workflow_id AND l.status <> 'running' AND l.mode = 'normal'
		                 ORDER BY l.start_date DESC, l.id DESC LIMIT 1), 0)`
	aroundJoins = `
		JOIN xtk.workflow w ON w.id = t.workflow_id
		LEFT JOIN LATERAL (
			SELECT o.operator_login, o.created
			FROM xtk.workflow_job o
			WHERE o.workflow_id = w.id AND o.applied_at IS NULL
			ORDER BY o.created
			LIMIT 1) j ON true`
)

// around are the targets of aroundColumns.
func (r *Run) around() []any {
	return []any{&r.State, &r.Failed, &r.Severity, &r.Built, &r.NextSlot, &r.OrderBy, &r.OrderAt, &r.Busy, &r.LastEnded}
}

// queueRun reads one run with its workflow's situation, its steps, its effects and how it stands beside others.
func queueRun(batch *pgx.Batch, id int64, r *Run) {
	batch.Queue(`
		SELECT t.xmin, `+runColumns+`, t.build, t.backend_pid, t.cut_off, t.args, t.options, COALESCE(t.error_detail, ''),
		       t.cancel_requested_at, COALESCE(e.losses, 0), `+aroundColumns+`,
		       COALESCE(usual.p10, 0), COALESCE(usual.p50, 0), COALESCE(usual.p90, 0), COALESCE(usual.runs, 0)
		FROM xtk.workflow_task t`+aroundJoins+`
		LEFT JOIN xtk.workflow_event e ON e.id = t.event_id
		LEFT JOIN LATERAL (
			SELECT count(*) AS runs,
			       percentile_cont(0.1) WITHIN GROUP (ORDER BY c.seconds) AS p10,
			       percentile_cont(0.5) WITHIN GROUP (ORDER BY c.seconds) AS p50,
			       percentile_cont(0.9) WITHIN GROUP (ORDER BY c.seconds) AS p90
			FROM (SELECT extract(epoch FROM p.completion_date - p.start_date) AS seconds
			      FROM xtk.workflow_task p
			      WHERE p.workflow_id = t.workflow_id AND p.mode = t.mode AND p.status = 'completed'
			        AND (p.start_date, p.id) < (t.start_date, t.id)
			      ORDER BY p.start_date DESC, p.id DESC
			      LIMIT 30) c) usual ON true
		WHERE t.id = $1`, id).QueryRow(func(row pgx.Row) error {
		var p10, p50, p90 float64
		err := row.Scan(slices.Concat([]any{&r.Version}, r.fields(), []any{&r.Build, &r.BackendPID, &r.CutOff, &r.Args, &r.Options,
			&r.ErrorDetail, &r.CancelAt, &r.Losses}, r.around(), []any{&p10, &p50, &p90, &r.Usual.Runs})...)
		r.Usual.P10, r.Usual.P50, r.Usual.P90 = seconds(p10), seconds(p50), seconds(p90)
		return err
	})
	queueSteps(batch, id, &r.StepList)
	queueEffects(batch, id, &r.Effects)
	queueComparison(batch, id, &r.Compared)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// queueSteps reads the steps begun, and after them those that the run has announced, or when it announced none, those
// that the newest comparable run had, each with its usual durations. Of a run that completed nobody asks what they usually
// take: its steps have taken what they took.
func queueSteps(batch *pgx.Batch, id int64, into *[]RunStep) {
	batch.Queue(`
		WITH run AS (
			SELECT id, workflow_id, mode, status, start_date, result FROM xtk.workflow_task WHERE id = $1
		), announced AS (
			SELECT a.step_key, a.step_order
			FROM run
			CROSS JOIN LATERAL jsonb_array_elements_text(run.result -> 'steps') WITH ORDINALITY a (step_key, step_order)
		), comparable AS (
			SELECT p.id
			FROM run
			CROSS JOIN LATERAL (
				SELECT t.id, t.start_date
				FROM xtk.workflow_task t
				WHERE t.workflow_id = run.workflow_id AND t.mode = run.mode AND t.status = 'completed'
				  AND (t.start_date, t.id) < (run.start_date, run.id)
				ORDER BY t.start_date DESC, t.id DESC
				LIMIT 30) p
			WHERE run.status <> 'completed'
		), usual AS (
			SELECT s.step_key, count(*) AS runs, max(s.step_order) AS step_order, max(s.label) AS label,
			       bool_or(s.task_id = (SELECT max(id) FROM comparable)) AS recent,
			       percentile_cont(ARRAY[0.1, 0.5, 0.9])
			           WITHIN GROUP (ORDER BY extract(epoch FROM s.end_date - s.start_date)::float8) AS seconds
			FROM xtk.workflow_task_step s
			JOIN comparable c ON c.id = s.task_id
			WHERE s.status = 'completed'
			GROUP BY s.step_key
		)
		SELECT COALESCE(s.step_order, a.step_order, u.step_order)::int, COALESCE(s.step_key, a.step_key, u.step_key),
		       COALESCE(s.label, u.label, ''),
		       COALESCE(s.status, ''), COALESCE(s.message, ''), COALESCE(s.progress_unit, ''), s.start_date, s.end_date,
		       COALESCE(s.rows_read, 0), COALESCE(s.rows_changed, 0), COALESCE(s.progress_done, 0), s.progress_total,
		       COALESCE(s.batches, 0), COALESCE(s.detail, '{}'), u.seconds, COALESCE(u.runs, 0)
		FROM (SELECT * FROM xtk.workflow_task_step WHERE task_id = $1) s
		FULL JOIN announced a ON a.step_key = s.step_key
		FULL JOIN usual u ON u.step_key = COALESCE(s.step_key, a.step_key)
		WHERE s.id IS NOT NULL
		   OR (SELECT status FROM run) <> 'completed'
		      AND (a.step_key IS NOT NULL OR u.recent AND NOT EXISTS (SELECT FROM announced))
		ORDER BY 1, 2`, id).Query(func(rows pgx.Rows) error {
		steps, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (RunStep, error) {
			var s RunStep
			var usual []float64
			err := row.Scan(&s.Order, &s.Key, &s.Label, &s.Status, &s.Message, &s.Unit, &s.Start, &s.End,
				&s.RowsRead, &s.RowsChanged, &s.Done, &s.Total, &s.Batches, &s.Detail, &usual, &s.Usual.Runs)
			if len(usual) == 3 {
				s.Usual.P10, s.Usual.P50, s.Usual.P90 = seconds(usual[0]), seconds(usual[1]), seconds(usual[2])
			}
			return s, err
		})
		*into = steps
		return err
	})
}

// queueEffects reads the ledger by step and table.
func queueEffects(batch *pgx.Batch, id int64, into *[]RunEffect) {
	batch.Queue(`
		SELECT step_order, table_name, inserted, updated, deleted, dropped, estimated
		FROM xtk.workflow_task_effect
		WHERE task_id = $1
		ORDER BY step_order, deleted + updated + inserted DESC, table_name`, id).Query(func(rows pgx.Rows) error {
		effects, err := pgx.CollectRows(rows, pgx.RowToStructByPos[RunEffect])
		*into = effects
		return err
	})
}
