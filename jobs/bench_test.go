package jobs_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/jobtest"
)

// rounds is how often each side of a comparison is measured, in turn; the fastest of each counts.
const rounds = 3

// messages is a log of a million rows with a primary key and three indexes. Half a year of two and a half is kept;
// of that time, ids and dates grow together.
func messages(b *testing.B) func(testing.TB) *db.DB {
	b.Helper()
	d := dbtest.New(b)
	execute(b, d, `
		CREATE TABLE nms.message (
			id bigint PRIMARY KEY,
			delivery_id bigint NOT NULL,
			recipient_id bigint NOT NULL,
			address text NOT NULL,
			last_modified timestamptz NOT NULL
		)`)
	execute(b, d, `
		INSERT INTO nms.message (id, delivery_id, recipient_id, address, last_modified)
		SELECT n, n % 200, n::bigint * 7919 % 1000003, 'someone' || n || '@example.org',
		       now() - interval '900 days' + n * interval '77.76 seconds'
		FROM generate_series(1, 1000000) n`)
	execute(b, d, `CREATE INDEX ON nms.message (delivery_id)`)
	execute(b, d, `CREATE INDEX ON nms.message (recipient_id)`)
	execute(b, d, `CREATE INDEX ON nms.message (last_modified)`)
	execute(b, d, `VACUUM ANALYZE nms.message`)
	return dbtest.Fork(b, d)
}

// outlived is the rule as workflows write it, and ago what it is called with: the beginning of a day, as the bounds of
// partitions are.
const outlived = `t.last_modified < $1`

func ago(days int) time.Time { return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -days) }

// fastest measures the sides in turn, each on a fresh copy, and returns the shortest time of each.
func fastest(b *testing.B, fresh func(testing.TB) *db.DB, sides ...func(*db.DB, *pgx.Conn) (int64, time.Duration)) []time.Duration {
	b.Helper()
	times, want := make([][]time.Duration, len(sides)), int64(0)
	for range rounds {
		for i, side := range sides {
			d := fresh(b)
			session := jobtest.OpenSession(b, d, "bench")
			execute(b, d, `SELECT count(*) FROM nms.message WHERE delivery_id >= 0 AND address <> ''`)
			rows, took := side(d, session)
			times[i] = append(times[i], took)
			if want = max(want, rows); rows != want || rows < 190_000 {
				b.Fatalf("side %d: got %d rows deleted, want about 200,000 or more, as many as the others", i, rows)
			}
			_ = session.Close(context.Background())
			d.Close()
		}
	}
	var best []time.Duration
	for _, t := range times {
		best = append(best, slices.Min(t))
	}
	return best
}

func bareDelete(b *testing.B, cut time.Time) func(*db.DB, *pgx.Conn) (int64, time.Duration) {
	return func(_ *db.DB, session *pgx.Conn) (int64, time.Duration) {
		begin := time.Now()
		tag, err := session.Exec(b.Context(), `DELETE FROM nms.message t WHERE `+outlived, cut)
		if err != nil {
			b.Fatal(err)
		}
		return tag.RowsAffected(), time.Since(begin)
	}
}

func purgeOf(b *testing.B, cut time.Time, p jobs.Purge) func(*db.DB, *pgx.Conn) (int64, time.Duration) {
	return func(d *db.DB, session *pgx.Conn) (rows int64, took time.Duration) {
		p.Table, p.Where, p.Args = "nms.message", outlived, []any{cut}
		r := jobtest.Run(b, d, workflow(func(ctx context.Context, r *jobs.Run) (err error) {
			begin := time.Now()
			rows, err = r.Purge(ctx, "messages", p)
			took = time.Since(begin)
			return err
		}), jobtest.Session(session))
		if r.Status != "completed" {
			b.Fatalf("got %s (%s)", r.Status, r.Message)
		}
		return rows, took
	}
}

// Rows a second of a purge in batches of 5,000, ledger and progress on, against one DELETE of the same rows.
func BenchmarkPurge(b *testing.B) {
	fresh := messages(b)
	for b.Loop() {
		best := fastest(b, fresh, bareDelete(b, ago(720)), purgeOf(b, ago(720), jobs.Purge{Batch: 5000, Age: "last_modified"}))
		b.ReportMetric(best[0].Seconds(), "s-floor")
		b.ReportMetric(best[1].Seconds(), "s-purge")
		b.ReportMetric(best[0].Seconds()/best[1].Seconds(), "x-of-floor")
	}
}

// terms is the same log in partitions of 720 days. The first, with four rows of five, is outlived.
func terms(b *testing.B) func(testing.TB) *db.DB {
	b.Helper()
	whole := messages(b)(b)
	execute(b, whole, `ALTER TABLE nms.message RENAME TO every`)
	execute(b, whole, `
		CREATE TABLE nms.message (LIKE nms.every, PRIMARY KEY (id, last_modified)) PARTITION BY RANGE (last_modified)`)
	execute(b, whole, `
		DO $$
		DECLARE cut timestamptz := date_trunc('day', now(), 'UTC') - interval '180 days';
		BEGIN
			FOR n IN -1..0 LOOP
				EXECUTE format('CREATE TABLE nms.message_%s PARTITION OF nms.message FOR VALUES FROM (%L) TO (%L)',
					n + 1, cut + n * interval '720 days', cut + (n + 1) * interval '720 days');
			END LOOP;
		END $$`)
	execute(b, whole, `INSERT INTO nms.message SELECT * FROM nms.every`)
	for _, column := range []string{"delivery_id", "recipient_id", "last_modified"} {
		execute(b, whole, `CREATE INDEX ON nms.message (`+column+`)`)
	}
	execute(b, whole, `DROP TABLE nms.every`)
	execute(b, whole, `VACUUM ANALYZE nms.message`)
	return dbtest.Fork(b, whole)
}

// A partition of which no row survives, dropped by a purge, against one DELETE of the same rows.
func BenchmarkPurgePartitions(b *testing.B) {
	fresh := terms(b)
	for b.Loop() {
		best := fastest(b, fresh, bareDelete(b, ago(180)), purgeOf(b, ago(180), jobs.Purge{Batch: 5000, Age: "last_modified", Partitions: true}))
		b.ReportMetric(best[0].Seconds(), "s-floor")
		b.ReportMetric(best[1].Seconds(), "s-purge")
		b.ReportMetric(best[1].Seconds()/best[0].Seconds(), "x-of-floor-time")
	}
}

// What an empty transaction of a run costs with its ledger, against one that only begins and commits.
func BenchmarkLedger(b *testing.B) {
	const transactions = 500
	d := sample(b, 1)
	for b.Loop() {
		var floor, measured time.Duration
		r := jobtest.Run(b, d, workflow(func(ctx context.Context, r *jobs.Run) error {
			begin := time.Now()
			for range transactions {
				if err := r.Tx(ctx, func(pgx.Tx) error { return nil }); err != nil {
					return err
				}
			}
			measured = time.Since(begin)
			return nil
		}))
		session := jobtest.OpenSession(b, d, "bench")
		begin := time.Now()
		for range transactions {
			if err := pgx.BeginFunc(b.Context(), session, func(pgx.Tx) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		floor = time.Since(begin)
		_ = session.Close(context.Background())
		if r.Status != "completed" {
			b.Fatal(fmt.Errorf("got %s: %s", r.Status, r.Message))
		}
		b.ReportMetric(float64((measured-floor).Microseconds())/transactions, "us-ledger")
		b.ReportMetric(measured.Seconds()/floor.Seconds(), "x-of-floor")
	}
}
