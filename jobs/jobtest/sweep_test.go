package jobtest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/jobtest"
)

// parcels is a table of 40 parcels to send, and a cursor that says up to which they are.
func parcels(t testing.TB) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	_, err := d.Pool.Exec(t.Context(), `
		CREATE TABLE nms.parcel (id bigint PRIMARY KEY, sends int NOT NULL DEFAULT 0, sent_at timestamptz);
		CREATE TABLE nms.parcel_cursor (last_id bigint NOT NULL);
		INSERT INTO nms.parcel (id) SELECT generate_series(1, 40);
		INSERT INTO nms.parcel_cursor VALUES (0)`)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// send sends ten parcels a round, and moves the cursor with them or in a statement of its own.
func send(together bool) jobs.Workflow {
	return jobs.Workflow{Name: "parcels", Run: func(ctx context.Context, r *jobs.Run) error {
		return r.Step(ctx, "send", func(ctx context.Context) error {
			for {
				sent, err := round(ctx, r, together)
				if err != nil || sent == 0 {
					return err
				}
			}
		})
	}}
}

const (
	sendTen = `
		UPDATE nms.parcel
		SET sends = sends + 1, sent_at = now()
		WHERE id IN (SELECT id FROM nms.parcel WHERE id > (SELECT last_id FROM nms.parcel_cursor) ORDER BY id LIMIT 10)`
	moveCursor = `
		UPDATE nms.parcel_cursor
		SET last_id = least(last_id + 10, 40)`
)

func round(ctx context.Context, r *jobs.Run, together bool) (sent int64, err error) {
	if !together {
		if sent, err = r.Exec(ctx, "parcels sent", sendTen); err != nil || sent == 0 {
			return 0, err
		}
		_, err = r.Exec(ctx, "cursor", moveCursor)
		return sent, err
	}
	err = r.Tx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sendTen)
		if err != nil {
			return err
		}
		sent = tag.RowsAffected()
		_, err = tx.Exec(ctx, moveCursor)
		return err
	})
	return sent, err
}

func TestCrashSweep(t *testing.T) {
	t.Parallel()
	jobtest.CrashSweep(t, send(true), parcels)
}

func TestCrashSweepFindsCursorInSecondStatement(t *testing.T) {
	t.Parallel()
	if findings := jobtest.Sweep(t, send(false), parcels); len(findings) == 0 {
		t.Error("cursor in a second statement: got nothing found, want the parcels sent twice")
	}
}

func TestStopSweep(t *testing.T) {
	t.Parallel()
	jobtest.StopSweep(t, send(true), parcels)
}
