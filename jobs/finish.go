package jobs

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
)

// finish writes how the run ended. Whatever keeps it from that leaves the task running, to be taken over.
func (r *Run) finish(ctx context.Context, consequences func(context.Context, pgx.Tx, Outcome) error, o Outcome, took time.Duration) Outcome {
	end, done := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer done()
	err := r.writeOutcome(end, consequences, o, took)
	// A cancel request that was under way when its statement ended may hit this transaction instead.
	if sqlState(err) == queryCanceled || passing(err) {
		err = r.writeOutcome(end, consequences, o, took)
	}
	if err == nil {
		return o
	}
	o.Status, o.Err = "lost", fmt.Errorf("final state of run %d: %w", r.task.id, err)
	o.Message = redact(o.Err.Error())
	return o
}

// writeOutcome writes what is left of the journal, the final state with its counts, the last line and the consequences.
func (r *Run) writeOutcome(ctx context.Context, consequences func(context.Context, pgx.Tx, Outcome) error, o Outcome, took time.Duration) error {
	return pgx.BeginFunc(ctx, r.session, func(tx pgx.Tx) error {
		// The workflow's row is locked first, as whoever gives it an order does: no deadlock between the two.
		if _, err := tx.Exec(ctx, `SELECT FROM xtk.workflow WHERE id = $1 FOR UPDATE`, r.task.workflowID); err != nil {
			return fmt.Errorf("lock the workflow: %w", err)
		}
		batch, taken := r.journal.pack(math.MaxInt)
		if batch == nil {
			batch = &pgx.Batch{}
		}
		committed := false
		defer func() {
			if !committed {
				taken.putBack(r.journal)
			}
		}()
		if r.Simulated() {
			r.queueEffects(batch)
		}
		queueLines(batch, r.task, []line{r.lastLine(o, took)})
		queueState(batch, r.task.id, o)
		batch.Queue(`SELECT pg_notify('nightshift_log', $1::bigint::text)`, r.task.id)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		if consequences != nil {
			if err := consequences(ctx, tx, o); err != nil {
				return fmt.Errorf("consequences: %w", err)
			}
		}
		committed = true
		return nil
	})
}

// lastLine sums the run up: "done in 3 m 12 s: 84,112 deleted, 4 tables dropped".
func (r *Run) lastLine(o Outcome, took time.Duration) line {
	sum := map[string]change{}
	n := 0
	for _, tables := range r.journal.effects {
		for _, c := range tables {
			n++
			sum[fmt.Sprint(n)] = c
		}
	}
	l := line{at: time.Now().Add(r.journal.offset), level: "info"}
	switch o.Status {
	case "completed":
		word := "done"
		if r.Simulated() {
			word = "simulated"
		}
		l.message = fmt.Sprintf("%s in %s: %s", word, duration(took), r.would()+summary(sum))
		if o.Warnings > 0 {
			l.message += ", " + counted(int64(o.Warnings), "warning")
		}
	case "stopped":
		l.level, l.message = "warning", fmt.Sprintf("stopped after %s: %s", duration(took), summary(sum))
	default:
		l.level, l.message = "error", fmt.Sprintf("failed after %s: %s", duration(took), o.Message)
	}
	l.message = cut(plain(redact(l.message)), lineLimit)
	return l
}

// queueEffects writes the ledger of a simulation, which was rolled back with everything else.
func (r *Run) queueEffects(batch *pgx.Batch) {
	for order, tables := range r.journal.effects {
		for _, c := range tables {
			batch.Queue(`
				INSERT INTO xtk.workflow_task_effect
				       (task_id, step_order, table_name, inserted, updated, deleted, dropped, estimated)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
				r.task.id, order, c.table, c.inserted, c.updated, c.deleted, c.dropped, c.estimated)
		}
	}
}

// A task that is still running gets its final state. The moment it ended is the database's, the sums of its steps and of
// its ledger are made there from what was written before.
func queueState(batch *pgx.Batch, id int64, o Outcome) {
	batch.Queue(`
		UPDATE xtk.workflow_task
		SET status = $2,
		    completion_date = clock_timestamp(),
		    rows_read = $3,
		    warnings = $4,
		    error_code = nullif($5, ''),
		    error_step = nullif($6, ''),
		    error_message = nullif($7, ''),
		    error_detail = nullif($8, '')
		WHERE id = $1`,
		id, o.Status, o.RowsRead, o.Warnings, o.Code, o.Step, o.Message, o.Detail)
}
