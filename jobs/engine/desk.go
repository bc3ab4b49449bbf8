package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// ask sends a batch on the connection that the working goroutine has for itself. It has planned once and for all what is
// asked at every bell; a session of the pool, which anybody may have used or which is new, would plan it while an order waits.
func (e *Engine) ask(ctx context.Context, batch *pgx.Batch) error {
	if e.desk == nil || e.desk.IsClosed() {
		config := e.config.DB.Pool.Config().ConnConfig
		config.RuntimeParams["application_name"] = "nightshift engine " + e.config.Node
		config.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
		desk, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		e.desk = desk
		if err := e.rehearse(ctx); err != nil {
			return fmt.Errorf("rehearse a claim: %w", err)
		}
	}
	return e.desk.SendBatch(ctx, batch).Close()
}

// rehearse has the connection plan the claims, by claiming nothing.
func (e *Engine) rehearse(ctx context.Context) error {
	var batch pgx.Batch
	batch.Queue(insertRuns, argsOf(nil, e.nodeNow()))
	batch.Queue(insertFirst, e.firstArgs(&execution{}, e.nodeNow()))
	jobs.QueueTasks(&batch, []int64{}, func(jobs.Task) {})
	return e.desk.SendBatch(ctx, &batch).Close()
}

// leave closes the connection.
func (e *Engine) leave(ctx context.Context) {
	if e.desk == nil {
		return
	}
	end, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer done()
	_ = e.desk.Close(end)
}
