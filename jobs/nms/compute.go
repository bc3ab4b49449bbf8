package nms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

const (
	// Followed is how long after the end of its validity a delivery's figures are still brought up to date.
	Followed = 30 * 24 * time.Hour
	// namedLines is how many deliveries a run tells of one by one.
	namedLines = 20
)

// Delivery is a delivery whose figures may have changed.
type Delivery struct {
	ID             int64
	Hits, Logs     string // its tables of opens and clicks, and of messages, quoted
	SentElsewhere  bool   // the server that sends it counts its messages: ours count once all that it counted are here
	Clicks, Errors int32  // pending when it was chosen
}

// ComputeFigures brings the figures of deliveries up to date, each in a transaction of its own, and returns how many
// changed. A delivery that fails leaves the others alone; all failures are returned together at the end.
func ComputeFigures(ctx context.Context, r *jobs.Run, deliveries []Delivery) (updated int, err error) {
	oldest, err := OldestLog(ctx, r)
	if err != nil {
		return 0, err
	}
	var failed []error
	for i, d := range deliveries {
		changed, was, err := d.compute(ctx, r, oldest)
		switch {
		case err != nil && (ctx.Err() != nil || errors.Is(err, jobs.ErrStopped)):
			return updated, err
		case err != nil:
			r.Warn("delivery %d: %s", d.ID, err)
			failed = append(failed, fmt.Errorf("delivery %d: %w", d.ID, err))
		case changed:
			updated++
			if updated <= namedLines {
				r.Log("delivery %d: %s", d.ID, was)
			}
		}
		r.Progress(int64(i+1), int64(len(deliveries)), "deliveries")
	}
	if updated > namedLines {
		r.Log("… and %d more", updated-namedLines)
	}
	r.Read(int64(len(deliveries)))
	return updated, errors.Join(failed...)
}

// OldestLog is the age up to which no purge has removed logs: what is older may be gone in part.
func OldestLog(ctx context.Context, r *jobs.Run) (time.Time, error) {
	var oldest time.Time
	for _, purge := range []struct {
		option string
		days   int
	}{{"NmsCleanup_TrackingLogPurgeDelay", 365}, {"NmsCleanup_BroadLogPurgeDelay", 180}} {
		delay, ok, err := r.Delay(ctx, purge.option, time.Duration(purge.days)*24*time.Hour)
		if err != nil {
			return oldest, fmt.Errorf("read %s: %w", purge.option, err)
		}
		if at := r.Now().Add(-delay); ok && at.After(oldest) {
			oldest = at
		}
	}
	return oldest, nil
}

// compute works out one delivery: each table of logs is read once, and the row is written only when a figure differs or
// something was pending. was says what changed.
func (c Delivery) compute(ctx context.Context, r *jobs.Run, oldest time.Time) (changed bool, was string, err error) {
	figures := append(LogFigures(), HitFigures()...)
	if c.SentElsewhere {
		figures = append(onceComplete(LogFigures()), HitFigures()...)
	}
	err = r.Tx(ctx, func(tx pgx.Tx) error {
		changed = true
		err := tx.QueryRow(ctx, UpdateDelivery(c.Hits, c.Logs, figures), c.ID, r.Now(), c.Clicks, c.Errors, oldest).Scan(&was)
		if errors.Is(err, pgx.ErrNoRows) {
			changed = false
			return c.settle(ctx, tx, r.Now())
		}
		return err
	})
	if err != nil {
		return false, "", fmt.Errorf("compute the indicators: %w", err)
	}
	if was == "" {
		was = "same figures"
	}
	return changed, was, nil
}

// settle notes that a delivery was computed though its figures stay: it has no log, or too few are left of it. Without
// that it would be chosen by every run.
func (c Delivery) settle(ctx context.Context, tx pgx.Tx, at time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE nms.delivery
		SET tracking_pending = greatest(tracking_pending - $3, 0),
		    error_pending = greatest(error_pending - $4, 0),
		    last_tracking_computation = $2,
		    last_error_computation = $2
		WHERE id = $1
		  AND delete_status = 'no'
		  AND ($3 > 0 OR $4 > 0 OR last_tracking_computation IS NULL)`, c.ID, at, c.Clicks, c.Errors)
	return err
}
