package midsourcing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
	"nightshift/jobs/nms"
)

const (
	// midLogs are the logs of what an instance carries for others.
	midLogs = "nms.broad_log_mid"
	// namedLines is how many deliveries a run tells of one by one.
	namedLines = 20
	// computedFor is how long after the end of its validity a delivery is still followed.
	computedFor = 30 * 24 * time.Hour
)

// carried is a delivery of another instance whose figures may have changed.
type carried struct {
	id             int64
	hits           string // its table of opens and clicks, quoted
	clicks, errors int32  // pending when it was chosen
}

// DeliveryIndicators brings the figures of the deliveries that this instance carries for others up to date, exactly and
// without a threshold, so that the callers read them ready-made. A delivery that fails leaves the others alone; the run
// then fails at its end. On an instance of another type it says so and does nothing.
func DeliveryIndicators(ctx context.Context, r *jobs.Run) error {
	kind, _, err := r.Option(ctx, "XtkInstanceType")
	if err != nil {
		return fmt.Errorf("read the type of the instance: %w", err)
	}
	if kind != "mid" {
		r.Log("runs on mid-sourcing instances only")
		return nil
	}
	if err := r.Steps(ctx, "indicators"); err != nil {
		return err
	}
	return r.Step(ctx, "indicators", func(ctx context.Context) error { return computeAll(ctx, r) })
}

func computeAll(ctx context.Context, r *jobs.Run) error {
	oldest, err := oldestLog(ctx, r)
	if err != nil {
		return err
	}
	deliveries, err := choose(ctx, r)
	if err != nil {
		return err
	}
	updated := 0
	var failed []error
	for i, d := range deliveries {
		changed, was, err := d.compute(ctx, r, oldest)
		switch {
		case err != nil && (ctx.Err() != nil || errors.Is(err, jobs.ErrStopped)):
			return err
		case err != nil:
			r.Warn("delivery %d: %s", d.id, err)
			failed = append(failed, fmt.Errorf("delivery %d: %w", d.id, err))
		case changed:
			updated++
			if updated <= namedLines {
				r.Log("delivery %d: %s", d.id, was)
			}
		}
		r.Progress(int64(i+1), int64(len(deliveries)), "deliveries")
	}
	if updated > namedLines {
		r.Log("… and %d more", updated-namedLines)
	}
	word := "updated"
	if r.Simulated() {
		word = "would be updated"
	}
	r.Read(int64(len(deliveries)))
	r.Say("%d deliveries examined, %d %s", len(deliveries), updated, word)
	return errors.Join(failed...)
}

// oldestLog is the age up to which no purge has removed logs: what is older may be gone in part.
func oldestLog(ctx context.Context, r *jobs.Run) (time.Time, error) {
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

// choose lists the deliveries of other instances that have something pending, or whose log changed since they were last
// computed, until 30 days after the end of their validity. The hits are in the table that the delivery's mapping names.
func choose(ctx context.Context, r *jobs.Run) ([]carried, error) {
	var found []carried
	err := r.Query(ctx, func(rows pgx.Rows) error {
		var c carried
		var schema, table string
		err := rows.Scan(&c.id, &schema, &table, &c.clicks, &c.errors)
		c.hits = pgx.Identifier{schema, table}.Sanitize()
		found = append(found, c)
		return err
	}, `
		SELECT d.id,
		       split_part(coalesce(m.tracking_log_schema, 'nms.tracking_log'), '.', 1),
		       split_part(coalesce(m.tracking_log_schema, 'nms.tracking_log'), '.', 2),
		       d.tracking_pending, d.error_pending
		FROM nms.delivery d
		LEFT JOIN nms.delivery_mapping m ON m.id = d.mapping_id
		WHERE d.emitter_account_id IS NOT NULL
		  AND d.delete_status = 'no'
		  AND NOT d.is_model
		  AND (d.validity IS NULL OR d.validity >= $1)
		  AND (d.tracking_pending > 0
		       OR d.error_pending > 0
		       OR EXISTS (
		           SELECT 1
		           FROM `+midLogs+` l
		           WHERE l.delivery_id = d.id
		             AND l.last_modified > coalesce(d.last_tracking_computation, '-infinity')))
		ORDER BY d.id`, r.Now().Add(-computedFor))
	if err != nil {
		return nil, fmt.Errorf("choose the deliveries: %w", err)
	}
	return found, nil
}

// compute works out one delivery: each table of logs is read once, and the row is written only when a figure differs or
// something was pending. was says what changed.
func (c carried) compute(ctx context.Context, r *jobs.Run, oldest time.Time) (changed bool, was string, err error) {
	err = r.Tx(ctx, func(tx pgx.Tx) error {
		changed = true
		err := tx.QueryRow(ctx, nms.UpdateDelivery(c.hits, midLogs), c.id, r.Now(), c.clicks, c.errors, oldest).Scan(&was)
		if errors.Is(err, pgx.ErrNoRows) {
			changed = false
			return nil
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
