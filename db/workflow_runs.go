package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// addRuns gives workflows their run in progress, their last run, their last sixty bars and their open alarms: three
// statements in one round trip.
func (d *DB) addRuns(ctx context.Context, workflows []WorkflowRow) error {
	place := make(map[int64]*WorkflowRow, len(workflows))
	ids := make([]int64, len(workflows))
	for i := range workflows {
		place[workflows[i].ID], ids[i] = &workflows[i], workflows[i].ID
	}
	batch := &pgx.Batch{}
	queueBriefs(batch, ids, place)
	queueSparks(batch, ids, place)
	queueOpenDrifts(batch, ids, place)
	if err := d.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("runs of the workflows: %w", err)
	}
	return nil
}

// queueBriefs reads, per workflow, the run in progress and the newest ended run that was no rehearsal.
func queueBriefs(batch *pgx.Batch, ids []int64, place map[int64]*WorkflowRow) {
	batch.Queue(`
		SELECT t.workflow_id, t.id, t.mode, t.status, COALESCE(t.error_message, ''), t.start_date, t.completion_date,
		       t.rows_changed, t.warnings, COALESCE(step.step_order, 0), COALESCE(step.step_key, ''),
		       COALESCE(effect.inserted, 0), COALESCE(effect.updated, 0), COALESCE(effect.deleted, 0)
		FROM unnest($1::bigint[]) AS w (id)
		CROSS JOIN LATERAL (
			(SELECT r.* FROM xtk.workflow_task r WHERE r.workflow_id = w.id AND r.status = 'running')
			UNION ALL
			(SELECT r.* FROM xtk.workflow_task r
			 WHERE r.workflow_id = w.id AND r.status <> 'running' AND r.mode = 'normal'
			 ORDER BY r.start_date DESC, r.id DESC
			 LIMIT 1)) t
		LEFT JOIN LATERAL (
			SELECT s.step_order, s.step_key
			FROM xtk.workflow_task_step s
			WHERE s.task_id = t.id AND s.start_date IS NOT NULL
			ORDER BY s.step_order DESC
			LIMIT 1) step ON true
		LEFT JOIN LATERAL (
			SELECT sum(e.inserted)::bigint AS inserted, sum(e.updated)::bigint AS updated, sum(e.deleted)::bigint AS deleted
			FROM xtk.workflow_task_effect e
			WHERE e.task_id = t.id) effect ON true`, ids).Query(func(rows pgx.Rows) error {
		var workflow int64
		var b RunBrief
		_, err := pgx.ForEachRow(rows, []any{&workflow, &b.ID, &b.Mode, &b.Status, &b.Message, &b.Start, &b.End,
			&b.RowsChanged, &b.Warnings, &b.StepOrder, &b.Step, &b.Inserted, &b.Updated, &b.Deleted}, func() error {
			brief := b
			if brief.Status == "running" {
				place[workflow].Running = &brief
			} else {
				place[workflow].Last = &brief
			}
			return nil
		})
		return err
	})
}

// queueSparks reads, per workflow, the last sixty runs and slots that were not run, oldest first.
func queueSparks(batch *pgx.Batch, ids []int64, place map[int64]*WorkflowRow) {
	batch.Queue(`
		SELECT w.id, array_agg(bar.task_id ORDER BY bar.at), array_agg(bar.at ORDER BY bar.at),
		       array_agg(bar.seconds ORDER BY bar.at), array_agg(bar.status ORDER BY bar.at)
		FROM unnest($1::bigint[]) AS w (id)
		CROSS JOIN LATERAL (
			SELECT u.task_id, u.at, u.seconds, u.status
			FROM (
				(SELECT t.id AS task_id, t.start_date AS at, t.status,
				        extract(epoch FROM COALESCE(t.completion_date, now()) - t.start_date)::float8 AS seconds
				 FROM xtk.workflow_task t
				 WHERE t.workflow_id = w.id AND t.mode = 'normal'
				 ORDER BY t.start_date DESC, t.id DESC
				 LIMIT 60)
				UNION ALL
				(SELECT 0, e.scheduled_at, e.status, 0
				 FROM xtk.workflow_event e
				 WHERE e.workflow_id = w.id AND e.status IN ('skipped', 'missed') AND e.mode = 'normal'
				 ORDER BY e.scheduled_at DESC
				 LIMIT 60)) u
			ORDER BY u.at DESC
			LIMIT 60) bar
		GROUP BY w.id`, ids).Query(func(rows pgx.Rows) error {
		var workflow int64
		var tasks []int64
		var at []time.Time
		var seconds []float64
		var status []string
		_, err := pgx.ForEachRow(rows, []any{&workflow, &tasks, &at, &seconds, &status}, func() error {
			spark := make([]SparkRun, len(tasks))
			for i := range tasks {
				spark[i] = SparkRun{TaskID: tasks[i], At: at[i], Seconds: seconds[i], Status: status[i]}
			}
			place[workflow].Spark = spark
			return nil
		})
		return err
	})
}
