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

// months adds nms.visit, partitioned by month: two months that have ended, of which the second keeps one row that was
// seen again, this month with old and new rows, and a default partition.
func months(t testing.TB) *db.DB {
	t.Helper()
	d := sample(t, 100)
	execute(t, d, `
		CREATE TABLE nms.visit (id bigint GENERATED ALWAYS AS IDENTITY, created timestamptz NOT NULL, seen timestamptz NOT NULL,
			PRIMARY KEY (id, created)) PARTITION BY RANGE (created);
		CREATE TABLE nms.visit_a PARTITION OF nms.visit FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
		CREATE TABLE nms.visit_b PARTITION OF nms.visit FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
		CREATE TABLE nms.visit_c PARTITION OF nms.visit FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
		CREATE TABLE nms.visit_d PARTITION OF nms.visit FOR VALUES FROM ('2024-04-01') TO ('2100-01-01');
		CREATE TABLE nms.visit_default PARTITION OF nms.visit DEFAULT`)
	execute(t, d, `
		INSERT INTO nms.visit (created, seen)
		SELECT day, CASE WHEN n = 7 AND month = 'b' THEN now() ELSE day END
		FROM (VALUES ('a', timestamptz '2024-01-10'), ('b', '2024-02-10'), ('d', '2024-05-10'), ('e', '2023-05-10')) AS m (month, day),
		     generate_series(1, 30) n`)
	execute(t, d, `INSERT INTO nms.visit (created, seen) SELECT now(), now() FROM generate_series(1, 5)`)
	return d
}

func oldVisits(ctx context.Context, r *jobs.Run) error { return visitsBy("t.seen < $1")(ctx, r) }

// visitsBy purges the visits that match a rule.
func visitsBy(where string) func(context.Context, *jobs.Run) error {
	return func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "visits", func(ctx context.Context) error {
			_, err := r.Purge(ctx, "visits not seen for 30 days", jobs.Purge{Table: "nms.visit", Where: where,
				Args: []any{r.Now().AddDate(0, 0, -30)}, Age: "seen", Batch: 10, Partitions: true})
			return err
		})
	}
}

func TestOutlivedPartitionIsDropped(t *testing.T) {
	t.Parallel()
	d := months(t)
	before := jobtest.Digest(t, d)
	plan := jobtest.Simulate(t, d, workflow(oldVisits))
	if jobtest.Digest(t, d) != before {
		t.Error("a simulation changed business tables")
	}
	got := jobtest.Run(t, d, workflow(oldVisits))
	if got.Status != "completed" {
		t.Fatalf("got %s (%s), want completed", got.Status, got.Message)
	}
	want := jobtest.Effect{Deleted: 119, Dropped: 1}
	if got.Effects["nms.visit"] != want || plan.Effects["nms.visit"] != want {
		t.Errorf("got %v, simulated %v, want %v: the first month dropped, the others emptied", got.Effects, plan.Effects, want)
	}
	parts := number(t, d, `SELECT count(*) FROM pg_inherits WHERE inhparent = 'nms.visit'::regclass`)
	if rows := number(t, d, `SELECT count(*) FROM nms.visit`); parts != 4 || rows != 6 {
		t.Errorf("got %d partitions with %d rows, want 4 (the empty and the default one stay) with 6", parts, rows)
	}
}

// A partition stands when one row survives, though its youngest row does not, and though that row has no age.
func TestPartitionOfOneSurvivorStands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ setup, where string }{
		{`UPDATE nms.visit_a SET seen = '2024-01-05' WHERE id = (SELECT min(id) FROM nms.visit_a)`, "t.seen < $1 AND t.seen <> '2024-01-05'"},
		{`ALTER TABLE nms.visit ALTER seen DROP NOT NULL; UPDATE nms.visit_a SET seen = NULL WHERE id = (SELECT min(id) FROM nms.visit_a)`, "t.seen < $1"},
	} {
		d := months(t)
		execute(t, d, c.setup)
		plan := jobtest.Simulate(t, d, workflow(visitsBy(c.where)))
		got := jobtest.Run(t, d, workflow(visitsBy(c.where)))
		want := jobtest.Effect{Deleted: 118}
		if got.Status != "completed" || got.Effects["nms.visit"] != want || plan.Effects["nms.visit"] != want {
			t.Errorf("%s: got %s (%s) and %v, simulated %v, want completed and %v: no partition dropped",
				c.where, got.Status, got.Message, got.Effects["nms.visit"], plan.Effects["nms.visit"], want)
		}
	}
}

func TestPartitionInUseIsEmptiedInBatches(t *testing.T) {
	t.Parallel()
	d := months(t)
	reader, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Rollback(context.Background()) }()
	if _, err := reader.Exec(t.Context(), `SELECT count(*) FROM nms.visit`); err != nil {
		t.Fatal(err)
	}
	got := jobtest.Run(t, d, workflow(oldVisits))
	if want := (jobtest.Effect{Deleted: 119}); got.Status != "completed" || got.Effects["nms.visit"] != want {
		t.Errorf("got %s (%s) %v, want completed with %v", got.Status, got.Message, got.Effects, want)
	}
}

func TestLedgerEqualsTriggers(t *testing.T) {
	t.Parallel()
	d := months(t)
	counters := jobtest.Count(t, d)
	got := jobtest.Run(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		if err := oldItems(20).Run(ctx, r); err != nil {
			return err
		}
		if err := oldVisits(ctx, r); err != nil {
			return err
		}
		return r.Step(ctx, "others", func(ctx context.Context) error {
			if _, err := r.Batches(ctx, "items renamed", `
				UPDATE nms.item SET name = 'x' WHERE id IN (SELECT id FROM nms.item WHERE name = '' ORDER BY id LIMIT 7)`); err != nil {
				return err
			}
			return r.Tx(ctx, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, `INSERT INTO nms.visit (created, seen) SELECT now(), now() FROM generate_series(1, 3)`); err != nil {
					return err
				}
				failed := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, `DELETE FROM nms.visit`)
					return errors.Join(err, errors.New("taken back"))
				})
				if failed == nil {
					return errors.New("nothing was taken back")
				}
				_, err := tx.Exec(ctx, `DELETE FROM nms.part WHERE item_id = 4`)
				return err
			})
		})
	}))
	if got.Status != "completed" {
		t.Fatalf("got %s (%s), want completed", got.Status, got.Message)
	}
	counters.Check(t, got)
}

// What a deferred constraint trigger does at the commit is the run's doing too.
func TestDeferredTriggerCounts(t *testing.T) {
	t.Parallel()
	d := sample(t, 10)
	execute(t, d, `
		CREATE FUNCTION nms.rename() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			UPDATE nms.item SET name = 'less' WHERE id = OLD.item_id;
			RETURN NULL;
		END $$;
		CREATE CONSTRAINT TRIGGER late AFTER DELETE ON nms.part DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION nms.rename()`)
	got := jobtest.Run(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		_, err := r.Exec(ctx, "parts", `DELETE FROM nms.part`)
		return err
	}))
	if want := (jobtest.Effect{Updated: 5}); got.Effects["nms.item"] != want {
		t.Errorf("got %v, want %v for nms.item", got.Effects, want)
	}
}

func TestRowLimitOfSimulation(t *testing.T) {
	t.Parallel()
	d := sample(t, 100)
	execute(t, d, `INSERT INTO xtk.option (name, data_type, long_value) VALUES ('XtkSimulation_RowLimit', 'long', 50)
		ON CONFLICT (name) DO UPDATE SET data_type = 'long', long_value = 50`)
	got := jobtest.Simulate(t, d, oldItems(10))
	s := got.StepOf(t, "items")
	if e := got.Effects["nms.item"]; !s.Estimated || e.Deleted != 75 || s.Batches != 0 {
		t.Errorf("got %+v in %d batches, estimated %t; want 75 counted, none rehearsed, estimated", e, s.Batches, s.Estimated)
	}
}

func TestDropTable(t *testing.T) {
	t.Parallel()
	d := sample(t, 1)
	execute(t, d, `CREATE TABLE nms.wkdlv_1_1 (id int); CREATE TABLE nms.wkdlv_2_1 (id int);
		CREATE VIEW nms.wkdlv_3_1 AS SELECT 1 AS one; CREATE VIEW nms.seen AS SELECT * FROM nms.wkdlv_2_1`)
	names := []string{"wkdlv_1_1", "wkdlv_2_1", "wkdlv_3_1", "wkdlv_4_1"}
	drop := workflow(func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "tables", func(ctx context.Context) error {
			for _, name := range names {
				dropped, err := r.DropTable(ctx, "nms", name)
				if err != nil || dropped != (name == "wkdlv_1_1") {
					return fmt.Errorf("%s: dropped %t, error %w", name, dropped, err)
				}
			}
			return nil
		})
	})
	before := jobtest.Digest(t, d)
	plan := jobtest.Simulate(t, d, drop)
	if jobtest.Digest(t, d) != before {
		t.Error("a simulation dropped a table")
	}
	got := jobtest.Run(t, d, drop)
	want := map[string]jobtest.Effect{"nms.wkdlv_1_1": {Dropped: 1}}
	if got.Status != "completed" || fmt.Sprint(got.Effects) != fmt.Sprint(want) || fmt.Sprint(plan.Effects) != fmt.Sprint(want) {
		t.Errorf("got %s (%s) %v, simulated %v, want completed and %v", got.Status, got.Message, got.Effects, plan.Effects, want)
	}
	if got.Outcome.Warnings != 2 {
		t.Errorf("got %d warnings, want 2: a view, and a table that a view reads: %q", got.Outcome.Warnings, got.Log)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	d := sample(t, 1)
	for name, value := range map[string]string{"Zero": "0", "Negative": "-5", "Word": "a week", "Day": " 86400 ", "Ages": "1e30", "NotANumber": "NaN"} {
		execute(t, d, `INSERT INTO xtk.option (name, string_value) VALUES ($1, $2)`, name, value)
	}
	day := 24 * time.Hour
	got := map[string]time.Duration{}
	run := jobtest.Run(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
		for _, name := range []string{"Zero", "Negative", "Word", "Day", "Ages", "Missing", "NotANumber"} {
			if delay, ok, err := r.Delay(ctx, name, 30*day); err != nil {
				return err
			} else if ok {
				got[name] = delay
			}
		}
		return nil
	}))
	want := map[string]time.Duration{"Day": day, "Ages": 36500 * day, "Missing": 30 * day}
	if fmt.Sprint(got) != fmt.Sprint(want) || run.Outcome.Warnings != 4 {
		t.Errorf("got %v and %d warnings, want %v and 4", got, run.Outcome.Warnings, want)
	}
	if line := "warning Zero is 0: task skipped"; !strings.Contains(strings.Join(run.Log, "\n"), line) {
		t.Errorf("log: got %q, want %q", run.Log, line)
	}
	// A default counts as read, too: whoever sets the option later changes what the plan of this run said.
	if kept := number(t, d, `SELECT count(*) FROM xtk.workflow_task, jsonb_object_keys(options) WHERE id = $1`, run.TaskID); kept != 7 {
		t.Errorf("options kept with the run: got %d, want 7", kept)
	}
}
