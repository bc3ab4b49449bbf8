package jobs_test

import (
	"context"
	"fmt"
	"testing"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/jobs/jobtest"
)

// Keys in a row, with holes, far apart, and up to the end of their type: whatever they are, every row goes, no commit
// takes more than its batch, and the ledger is what triggers count.
func TestPurgeOfAnyKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ kind, keys string }{
		"in a row":             {"bigint", `generate_series(1, 95)`},
		"with a hole":          {"bigint", `(SELECT n FROM generate_series(1, 1095) n WHERE n <= 45 OR n > 1045)`},
		"far apart":            {"integer", `generate_series(7, 665, 7)`},
		"below zero":           {"integer", `generate_series(-47, 47)`},
		"up to the last":       {"smallint", `generate_series(32673, 32767)`},
		"up to the last ever":  {"bigint", `generate_series(9223372036854775713, 9223372036854775807)`},
		"not numbers, in text": {"text", `generate_series(1, 95)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := sample(t, 1)
			execute(t, d, `CREATE TABLE nms.thing (id `+c.kind+` PRIMARY KEY, old boolean NOT NULL);
				CREATE TABLE nms.thing_part (thing_id `+c.kind+` NOT NULL REFERENCES nms.thing ON DELETE CASCADE);
				CREATE TABLE nms.commit_size (rows bigint NOT NULL);
				CREATE FUNCTION nms.weigh() RETURNS trigger LANGUAGE plpgsql AS $$
				BEGIN
					INSERT INTO nms.commit_size SELECT count(*) FROM gone;
					RETURN NULL;
				END $$;
				CREATE TRIGGER weigh AFTER DELETE ON nms.thing REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION nms.weigh();
				INSERT INTO nms.thing SELECT n::`+c.kind+`, true FROM `+c.keys+` AS keys (n);
				INSERT INTO nms.thing_part SELECT id FROM nms.thing`)
			counters := jobtest.Count(t, d)
			got := jobtest.Run(t, d, workflow(func(ctx context.Context, r *jobs.Run) error {
				_, err := r.Purge(ctx, "things", jobs.Purge{Table: "nms.thing", Where: "t.old", Batch: 10})
				return err
			}))
			if e := got.Effects["nms.thing"]; got.Status != "completed" || e.Deleted != 95 {
				t.Errorf("got %s (%s) and %v, want completed with 95 rows deleted", got.Status, got.Message, e)
			}
			if most := number(t, d, `SELECT max(rows) FROM nms.commit_size`); most > 10 {
				t.Errorf("got a commit of %d rows, want at most 10", most)
			}
			counters.Check(t, got)
		})
	}
}

// What the foreign keys of other tables do counts, however far it goes, and so does what triggers do then.
func TestPurgeCountsWhatFollows(t *testing.T) {
	t.Parallel()
	for _, triggered := range []bool{false, true} {
		d := sample(t, 100)
		execute(t, d, `
			CREATE TABLE nms.piece (part_id bigint NOT NULL REFERENCES nms.part ON DELETE CASCADE, made date NOT NULL) PARTITION BY RANGE (made);
			CREATE TABLE nms.piece_old PARTITION OF nms.piece FOR VALUES FROM ('2000-01-01') TO ('2100-01-01');
			CREATE TABLE nms.note (item_id bigint REFERENCES nms.item ON DELETE SET NULL);
			CREATE TABLE nms.echo (item_id bigint);
			INSERT INTO nms.piece SELECT id, '2024-01-01' FROM nms.part;
			INSERT INTO nms.note SELECT id FROM nms.item`)
		want := map[string]jobtest.Effect{"nms.item": {Deleted: 75}, "nms.part": {Deleted: 25}, "nms.piece": {Deleted: 25}, "nms.note": {Updated: 75}}
		if triggered {
			execute(t, d, `CREATE FUNCTION nms.echo() RETURNS trigger LANGUAGE plpgsql AS $$
				BEGIN
					INSERT INTO nms.echo VALUES (OLD.item_id);
					RETURN NULL;
				END $$;
				CREATE TRIGGER echo AFTER UPDATE ON nms.note FOR EACH ROW EXECUTE FUNCTION nms.echo()`)
			want["nms.echo"] = jobtest.Effect{Inserted: 75}
		}
		if got := jobtest.Run(t, d, oldItems(20)); got.Status != "completed" || fmt.Sprint(got.Effects) != fmt.Sprint(want) {
			t.Errorf("with a trigger %t: got %s (%s) and %v, want completed and %v", triggered, got.Status, got.Message, got.Effects, want)
		}
	}
}

func TestPurgeSweep(t *testing.T) {
	t.Parallel()
	jobtest.CrashSweep(t, oldItems(10), func(t testing.TB) *db.DB { return sample(t, 60) })
	jobtest.StopSweep(t, oldItems(10), func(t testing.TB) *db.DB { return sample(t, 60) })
}
