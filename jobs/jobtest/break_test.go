package jobtest

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/db/dbtest"
)

// Statements that travel together are cut one by one: what came before the cut has happened, nothing after it has.
func TestCutWithinPipeline(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if _, err := d.Pool.Exec(t.Context(), `CREATE TABLE nms.parcel (id int)`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at    int
		after bool
		want  int
	}{{1, false, 0}, {1, true, 0}, {2, false, 0}, {3, true, 0}, {4, false, 0}, {4, true, 1}, {5, false, 1}, {5, true, 2}, {6, false, 2}} {
		session, line := openWire(t, d, "pipeline")
		pid := session.PgConn().PID()
		line.cutAt, line.after = c.at, c.after
		line.arm()
		var batch pgx.Batch // a preparation of all, then one by one
		batch.Queue(`BEGIN`)
		batch.Queue(`INSERT INTO nms.parcel VALUES ($1)`, 1)
		batch.Queue(`COMMIT`)
		batch.Queue(`INSERT INTO nms.parcel VALUES ($1::int)`, 2)
		err := session.SendBatch(t.Context(), &batch).Close()
		_ = session.Close(t.Context())
		if lost := err != nil; lost != (c.at <= 5) {
			t.Errorf("cut at %d, after %t: got error %v, want it only at one of the 5 statements", c.at, c.after, err)
		}
		gone, rows := false, 0
		for end := time.Now().Add(time.Minute); !gone && time.Now().Before(end); {
			err := d.Pool.QueryRow(t.Context(), `SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)`, pid).Scan(&gone)
			if err != nil {
				t.Fatal(err)
			}
		}
		err = d.Pool.QueryRow(t.Context(), `WITH gone AS (DELETE FROM nms.parcel RETURNING 1) SELECT count(*) FROM gone`).Scan(&rows)
		if err != nil || rows != c.want {
			t.Errorf("cut at %d, after %t: got %d rows (%v), want %d", c.at, c.after, rows, err, c.want)
		}
	}
}
