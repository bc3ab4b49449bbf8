package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/jobs/jobtest"
)

// until waits for a query to give true.
func until(t testing.TB, d *db.DB, sql string, args ...any) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		var ok bool
		if err := d.Pool.QueryRow(t.Context(), sql, args...).Scan(&ok); err == nil && ok {
			return
		}
	}
	t.Fatalf("not within a minute: %s", sql)
}

func TestStopKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	d := sample(t, 400)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	session := jobtest.OpenSession(t, d, "nightshift stop")
	defer func() { _ = session.Close(context.Background()) }()
	asleep := fmt.Sprintf(`SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %d AND wait_event = 'PgSleep')`, session.PgConn().PID())
	go func() {
		until(t, d, asleep)
		cancel(jobs.ErrStopped)
	}()
	round := 0
	got := jobtest.Run(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "items", func(ctx context.Context) error {
			for {
				round++
				err := r.Tx(ctx, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, `DELETE FROM nms.item WHERE id BETWEEN $1 AND $2`, round*10-9, round*10)
					if err == nil && round == 3 {
						_, err = tx.Exec(ctx, `SELECT pg_sleep(60)`)
					}
					return err
				})
				if err != nil {
					return err
				}
			}
		})
	}), jobtest.Context(ctx), jobtest.Session(session))
	if got.Status != "stopped" || !errors.Is(got.Outcome.Err, jobs.ErrStopped) {
		t.Fatalf("got %s (%v), want stopped", got.Status, got.Outcome.Err)
	}
	if left := number(t, d, `SELECT count(*) FROM nms.item`); left != 380 {
		t.Errorf("items left: got %d, want 380: two batches kept, the third rolled back", left)
	}
	if e := got.Effects["nms.item"]; e.Deleted != 20 || got.Outcome.RowsChanged != 30 {
		t.Errorf("got %d deleted and %d changed, want 20 items and 10 parts of them", e.Deleted, got.Outcome.RowsChanged)
	}
	if s := got.StepOf(t, "items"); s.Status != "stopped" {
		t.Errorf("step: got %s, want stopped", s.Status)
	}
	held := number(t, d, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = $1 AND classid = $2`, session.PgConn().PID(), db.LockWorkflow)
	if held != 1 {
		t.Errorf("locks after the stop: got %d, want 1, the session keeps its lock", held)
	}
}

func TestLostSessionLeavesTaskRunning(t *testing.T) {
	t.Parallel()
	d := sample(t, 40)
	got := jobtest.Run(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		if _, err := r.Exec(ctx, "first", `DELETE FROM nms.item WHERE id <= 10`); err != nil {
			return err
		}
		return r.Tx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `DELETE FROM nms.item WHERE id <= 20`); err != nil {
				return err
			}
			if _, err := d.Pool.Exec(ctx, `SELECT pg_terminate_backend($1)`, tx.Conn().PgConn().PID()); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `DELETE FROM nms.item WHERE id <= 30`)
			return err
		})
	}), jobtest.Lost())
	if got.Outcome.Status != "lost" || got.Status != "running" {
		t.Errorf("got outcome %s and task %s, want lost and running", got.Outcome.Status, got.Status)
	}
	left := number(t, d, `SELECT count(*) FROM nms.item`)
	if deleted := got.Effects["nms.item"].Deleted; left != 30 || deleted != 10 {
		t.Errorf("got %d left and %d in the ledger, want 30 and 10: the ledger is what was committed", left, deleted)
	}
}

func TestPassingErrorIsRepeated(t *testing.T) {
	t.Parallel()
	d := sample(t, 10)
	attempts := 0
	got := jobtest.Run(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		return r.Tx(ctx, func(tx pgx.Tx) error {
			attempts++
			if _, err := tx.Exec(ctx, `DELETE FROM nms.item WHERE id = 2`); err != nil || attempts == 3 {
				return err
			}
			_, err := tx.Exec(ctx, `DO $$ BEGIN RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END $$`)
			return err
		})
	}))
	if got.Status != "completed" || attempts != 3 || got.Effects["nms.item"].Deleted != 1 || got.Outcome.Warnings != 2 {
		t.Errorf("got %s after %d attempts, %v, %d warnings; want completed after 3, one row, 2 warnings",
			got.Status, attempts, got.Effects, got.Outcome.Warnings)
	}
}

func TestUsingTheSessionTwiceIsRefused(t *testing.T) {
	t.Parallel()
	d := sample(t, 10)
	for name, run := range map[string]func(ctx context.Context, r *jobs.Run) error{
		"a statement inside a scan": func(ctx context.Context, r *jobs.Run) error {
			return r.Query(ctx, func(pgx.Rows) error {
				_, err := r.Exec(ctx, "x", `DELETE FROM nms.item`)
				return err
			}, `SELECT 1`)
		},
		"a transaction inside a transaction": func(ctx context.Context, r *jobs.Run) error {
			return r.Tx(ctx, func(pgx.Tx) error { return r.Tx(ctx, func(pgx.Tx) error { return nil }) })
		},
	} {
		got := jobtest.Run(t, d, workflow(run))
		if got.Status != "failed" || !strings.Contains(got.Message, "in use") {
			t.Errorf("%s: got %s (%s), want failed, in use", name, got.Status, got.Message)
		}
	}
}

func TestQueryInsideTxReadsIt(t *testing.T) {
	t.Parallel()
	d := sample(t, 10)
	left := 0
	run := func(ctx context.Context, r *jobs.Run) error {
		return r.Tx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `DELETE FROM nms.item WHERE id <= 4`); err != nil {
				return err
			}
			return r.Query(ctx, func(row pgx.Rows) error { return row.Scan(&left) }, `SELECT count(*) FROM nms.item`)
		})
	}
	if got := jobtest.Simulate(t, d, workflow(run)); got.Status != "completed" || left != 6 {
		t.Errorf("got %s and %d items, want completed and 6", got.Status, left)
	}
}

func TestFailedStatementDoesNotSpoilSimulation(t *testing.T) {
	t.Parallel()
	d := sample(t, 10)
	got := jobtest.Simulate(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		if err := r.Query(ctx, func(pgx.Rows) error { return nil }, `SELECT 1 FROM nms.missing`); err == nil {
			return errors.New("a missing table was read")
		}
		if _, err := r.Exec(ctx, "missing", `DELETE FROM nms.missing`); err == nil {
			return errors.New("a missing table was written")
		}
		_, err := r.Exec(ctx, "items", `DELETE FROM nms.item`)
		return err
	}))
	if want := fmt.Sprint(map[string]jobtest.Effect{"nms.item": {Deleted: 10}, "nms.part": {Deleted: 5}}); got.Status != "completed" || fmt.Sprint(got.Effects) != want {
		t.Errorf("got %s (%s) %v, want completed with %s", got.Status, got.Message, got.Effects, want)
	}
}

func TestSimulationDoesNotWaitForLocks(t *testing.T) {
	t.Parallel()
	d := sample(t, 100)
	other, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback(context.Background()) }()
	if _, err := other.Exec(t.Context(), `SELECT FROM nms.item WHERE id IN (1, 2) FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	var patience string
	got := jobtest.Simulate(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		if err := r.Tx(ctx, func(tx pgx.Tx) error { return tx.QueryRow(ctx, `SHOW lock_timeout`).Scan(&patience) }); err != nil {
			return err
		}
		if _, err := r.Exec(ctx, "one item", `DELETE FROM nms.item WHERE id = 1`); err != nil {
			return err
		}
		if err := r.Step(ctx, "other", func(ctx context.Context) error {
			return r.Tx(ctx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, `DELETE FROM nms.item WHERE id = 2`)
				return err
			})
		}); err != nil {
			return err
		}
		return oldItems(10).Run(ctx, r)
	}))
	if got.Status != "completed" || got.Outcome.Warnings != 3 || patience != "200ms" {
		t.Errorf("got %s (%s), %d warnings, each after %s, want completed with 3 warnings after 200ms: %q", got.Status, got.Message, got.Outcome.Warnings, patience, got.Log)
	}
	if e := got.Effects["nms.item"]; e.Deleted != 73 {
		t.Errorf("simulated: got %d deleted, want the 73 that nobody locks", e.Deleted)
	}
}

func TestLockedRowsAreLeftAndTold(t *testing.T) {
	t.Parallel()
	d := sample(t, 100)
	other, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Rollback(context.Background()) }()
	if _, err := other.Exec(t.Context(), `SELECT FROM nms.item WHERE id IN (1, 3) FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	got := jobtest.Run(t, d, oldItems(10))
	if got.Status != "completed" || got.Effects["nms.item"].Deleted != 73 {
		t.Errorf("got %s, %v, want completed with 73 deleted", got.Status, got.Effects)
	}
	if want := "warning nms.item: 2 rows locked by another session, left for the next run"; !strings.Contains(strings.Join(got.Log, "\n"), want) {
		t.Errorf("log: got %q, want the line %q", got.Log, want)
	}
}

func TestSimulationGivesWay(t *testing.T) {
	t.Parallel()
	d := sample(t, 10)
	held := make(chan struct{})
	updated := make(chan error, 1)
	go func() {
		<-held
		_, err := d.Pool.Exec(context.WithoutCancel(t.Context()), `SET lock_timeout = '30s'; UPDATE nms.item SET name = 'real work' WHERE id = 1`)
		updated <- err
	}()
	got := jobtest.Simulate(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		if _, err := r.Exec(ctx, "items", `DELETE FROM nms.item`); err != nil {
			return err
		}
		close(held)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Minute):
			return errors.New("nobody ended the simulation")
		}
	}))
	if err := <-updated; err != nil {
		t.Errorf("real work: got %v, want it done", err)
	}
	if got.Status != "stopped" || !strings.Contains(got.Message, "real work waited") {
		t.Errorf("got %s (%s), want stopped, since real work waited", got.Status, got.Message)
	}
}
