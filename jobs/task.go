package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// task is what the row of a run says when it begins.
type task struct {
	id, workflowID int64
	name           string
	simulated      bool
	logSQL         bool
	cutOff         time.Time
	resumes        *int64
	args           map[string]string
	origin         Origin
	// kept holds the steps that the failed run being resumed had completed, with what they told.
	kept map[string]string
}

// Origin says what made a run due. A run that resumes a failed one has the origin of that one, and a run that repeats
// one whose process was lost the same origin again.
type Origin struct {
	Trigger string    // scheduled, catch_up, manual or signal
	Event   int64     // the row of xtk.workflow_event; 0: none
	Due     time.Time // when it was due; zero: nobody said
}

// Origin says what made the run due, for a workflow that does one thing per due slot.
func (r *Run) Origin() Origin { return r.task.origin }

// Task is the row of a run in progress as it was when the run began.
type Task struct {
	row    task
	offset time.Duration // how far the database's clock is ahead of ours
}

// ID is the number of the run.
func (t Task) ID() int64 { return t.row.id }

// Event is the event that the run executes; 0: none.
func (t Task) Event() int64 { return t.row.origin.Event }

// Mode is normal or simulation.
func (t Task) Mode() string {
	if t.row.simulated {
		return "simulation"
	}
	return "normal"
}

// QueueTasks has a batch read the rows of runs, and gives those that are in progress.
func QueueTasks(batch *pgx.Batch, ids []int64, give func(Task)) {
	batch.Queue(`
		SELECT t.id, t.workflow_id, w.internal_name, t.mode = 'simulation', w.log_sql, t.cut_off, t.resumes_task_id, t.args,
		       t.trigger, coalesce(t.event_id, 0), t.due_at, clock_timestamp()
		FROM xtk.workflow_task t
		JOIN xtk.workflow w ON w.id = t.workflow_id
		WHERE t.id = ANY($1)
		  AND t.status = 'running'`, ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			t, err := scanTask(rows)
			if err != nil {
				return err
			}
			give(t)
		}
		return rows.Err()
	})
}

func scanTask(row pgx.Rows) (Task, error) {
	t := task{kept: map[string]string{}}
	var now time.Time
	var due *time.Time
	args := map[string]any{}
	if err := row.Scan(&t.id, &t.workflowID, &t.name, &t.simulated, &t.logSQL, &t.cutOff, &t.resumes, &args,
		&t.origin.Trigger, &t.origin.Event, &due, &now); err != nil {
		return Task{}, err
	}
	t.args = make(map[string]string, len(args))
	for name, value := range args {
		t.args[name] = fmt.Sprint(value)
	}
	if due != nil {
		t.origin.Due = *due
	}
	return Task{t, time.Until(now)}, nil
}

// readResumed reads what a run takes over from the failed ones that it resumes: the origin of the first of them, and the
// steps that the last one has completed or kept. One that resumes none has read all.
func (t *task) readResumed(ctx context.Context, session *pgx.Conn) error {
	if t.resumes == nil {
		return nil
	}
	var due *time.Time
	err := session.QueryRow(ctx, `
		WITH RECURSIVE resumed AS (
			SELECT id, resumes_task_id, trigger, event_id, due_at
			FROM xtk.workflow_task
			WHERE id = $1
			UNION
			SELECT t.id, t.resumes_task_id, t.trigger, t.event_id, t.due_at
			FROM resumed r
			JOIN xtk.workflow_task t ON t.id = r.resumes_task_id
		)
		SELECT trigger, coalesce(event_id, 0), due_at
		FROM resumed
		ORDER BY id
		LIMIT 1`, t.id).Scan(&t.origin.Trigger, &t.origin.Event, &due)
	if err != nil {
		return err
	}
	if t.origin.Due = (time.Time{}); due != nil {
		t.origin.Due = *due
	}
	return each(ctx, session, func(row pgx.Rows) error {
		var key, message string
		if err := row.Scan(&key, &message); err != nil {
			return err
		}
		t.kept[key] = message
		return nil
	}, `
		SELECT step_key, coalesce(message, '')
		FROM xtk.workflow_task_step
		WHERE task_id = $1
		  AND status IN ('completed', 'kept')`, *t.resumes)
}
