package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/jobtest"
)

// workflow makes a workflow of a function, for one test.
func workflow(run func(ctx context.Context, r *jobs.Run) error) jobs.Workflow {
	return jobs.Workflow{Name: "sample", Run: run}
}

// sample adds tables that the tests' workflows change: nms.item, with nms.part that goes with its item.
func sample(t testing.TB, items int) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	execute(t, d, `
		CREATE TABLE nms.item (id bigint PRIMARY KEY, name text NOT NULL DEFAULT '', seen timestamptz NOT NULL);
		CREATE TABLE nms.part (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item_id bigint NOT NULL REFERENCES nms.item ON DELETE CASCADE);
		CREATE INDEX ON nms.part (item_id)`)
	execute(t, d, `
		INSERT INTO nms.item (id, seen)
		SELECT n, now() - CASE WHEN n % 4 = 0 THEN interval '1 day' ELSE interval '90 days' END
		FROM generate_series(1, $1::bigint) n`, items)
	execute(t, d, `INSERT INTO nms.part (item_id) SELECT id FROM nms.item WHERE id % 2 = 0`)
	return d
}

func execute(t testing.TB, d *db.DB, sql string, args ...any) {
	t.Helper()
	if _, err := d.Pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", strings.TrimSpace(sql), err)
	}
}

func number(t testing.TB, d *db.DB, sql string, args ...any) (n int64) {
	t.Helper()
	if err := d.Pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", strings.TrimSpace(sql), err)
	}
	return n
}

// oldItems purges the items not seen for 30 days.
func oldItems(batch int) jobs.Workflow {
	return workflow(func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "items", func(ctx context.Context) error {
			_, err := r.Purge(ctx, "items not seen for 30 days", jobs.Purge{
				Table: "nms.item", Where: "t.seen < $1", Args: []any{r.Now().AddDate(0, 0, -30)}, Age: "seen", Batch: batch})
			return err
		})
	})
}

func TestPurgeWithCascade(t *testing.T) {
	t.Parallel()
	d := sample(t, 1000)
	got := jobtest.Run(t, d, oldItems(100))
	if got.Status != "completed" {
		t.Fatalf("status: got %s (%s), want completed", got.Status, got.Message)
	}
	if left := number(t, d, `SELECT count(*) FROM nms.item`); left != 250 {
		t.Errorf("items left: got %d, want the 250 seen yesterday", left)
	}
	for table, want := range map[string]int64{"nms.item": 750, "nms.part": 250} {
		if got := got.Effects[table].Deleted; got != want {
			t.Errorf("ledger of %s: got %d deleted, want %d", table, got, want)
		}
	}
	s := got.StepOf(t, "items")
	if s.RowsChanged != 1000 || s.Done != 750 || s.Total != 750 || s.Batches != 8 {
		t.Errorf("step: got %+v, want 1000 rows changed, 750 of 750 in 8 batches", s)
	}
}

func TestSimulationLeavesNoTrace(t *testing.T) {
	t.Parallel()
	d := sample(t, 1000)
	before := jobtest.Digest(t, d)
	plan := jobtest.Simulate(t, d, oldItems(100))
	if after := jobtest.Digest(t, d); after != before {
		t.Error("a simulation changed business tables")
	}
	real := jobtest.Run(t, d, oldItems(100))
	if fmt.Sprint(plan.Effects) != fmt.Sprint(real.Effects) {
		t.Errorf("simulated: got %v, want what the run did: %v", plan.Effects, real.Effects)
	}
	if fmt.Sprint(plan.Steps) != fmt.Sprint(real.Steps) {
		t.Errorf("steps of the simulation: got %v, want those of the run: %v", plan.Steps, real.Steps)
	}
}

func TestRolledBackPartIsNotCounted(t *testing.T) {
	t.Parallel()
	d := sample(t, 100)
	w := workflow(func(ctx context.Context, r *jobs.Run) error {
		return r.Tx(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `UPDATE nms.item SET name = 'kept' WHERE id <= 10`); err != nil {
				return err
			}
			outer, err := tx.Begin(ctx)
			if err != nil {
				return err
			}
			if _, err := outer.Exec(ctx, `DELETE FROM nms.item WHERE id <= 20`); err != nil {
				return err
			}
			inner, err := outer.Begin(ctx)
			if err != nil {
				return err
			}
			if _, err := inner.Exec(ctx, `DELETE FROM nms.item WHERE id <= 50`); err != nil {
				return err
			}
			if err := inner.Rollback(ctx); err != nil {
				return err
			}
			if _, err := outer.Exec(ctx, `DELETE FROM nms.item WHERE id <= 22`); err != nil {
				return err
			}
			if err := outer.Rollback(ctx); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `DELETE FROM nms.item WHERE id = 99`)
			return err
		})
	})
	got := jobtest.Run(t, d, w)
	want := map[string]jobtest.Effect{"nms.item": {Updated: 10, Deleted: 1}}
	if got.Status != "completed" || fmt.Sprint(got.Effects) != fmt.Sprint(want) {
		t.Errorf("got %s %s %v, want completed and %v", got.Status, got.Message, got.Effects, want)
	}
}

func TestPanicFails(t *testing.T) {
	t.Parallel()
	d := sample(t, 10)
	got := jobtest.Run(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "items", func(ctx context.Context) error {
			return r.Tx(ctx, func(tx pgx.Tx) error {
				_, _ = tx.Exec(ctx, `DELETE FROM nms.item`)
				panic("divided by zero, password=hunter2")
			})
		})
	}))
	if got.Status != "failed" || got.Outcome.Code != "panic" || got.Outcome.Step != "items" {
		t.Errorf("got %s %s in %q, want failed, panic in step items", got.Status, got.Outcome.Code, got.Outcome.Step)
	}
	if !strings.Contains(got.Outcome.Detail, "run_test.go") {
		t.Errorf("detail: got %q, want the stack with the line of the workflow", got.Outcome.Detail)
	}
	if all := fmt.Sprint(got); strings.Contains(all, "hunter2") {
		t.Errorf("a password is told: %s", all)
	}
	if left := number(t, d, `SELECT count(*) FROM nms.item`); left != 10 || len(got.Effects) != 0 {
		t.Errorf("got %d items and effects %v, want all 10 and none", left, got.Effects)
	}
}
