package delivery

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/nms"
)

// thresholds say when what is pending is worth a computation: from a share of the messages processed on, or after a time.
type thresholds struct{ trackingPercent, errorPercent, trackingSeconds, errorSeconds, followedSeconds int64 }

// indicators computes the figures of the deliveries of which enough is pending, or something for long enough, and of those
// that began to send and were never computed. Deliveries carried for other instances are left to deliveryIndicators.
func (t *tracker) indicators(ctx context.Context) error {
	deliveries, below, err := t.choose(ctx)
	if err != nil {
		return err
	}
	_, err = nms.ComputeFigures(ctx, t.Run, deliveries)
	t.Say("%s deliveries %s, %s below the threshold", commas(int64(len(deliveries))),
		would(t.Run, "recomputed", "would be recomputed"), commas(below))
	return err
}

// choose lists the deliveries to compute and counts those of which too little is pending. 30 days after the end of its
// validity a delivery is left as it is. The tables are those that the delivery's mapping names.
func (t *tracker) choose(ctx context.Context) (deliveries []nms.Delivery, below int64, err error) {
	limits, err := t.thresholds(ctx)
	if err != nil {
		return nil, 0, err
	}
	err = t.Query(ctx, func(row pgx.Rows) error {
		var d nms.Delivery
		var mapping int64
		var due bool
		if err := row.Scan(&d.ID, &mapping, &d.SentElsewhere, &d.Clicks, &d.Errors, &due); err != nil {
			return err
		}
		table := t.tableOf(mapping)
		if d.Hits, d.Logs = table.hits, table.logs; due {
			deliveries = append(deliveries, d)
		} else {
			below++
		}
		return nil
	}, `
		SELECT d.id, coalesce(d.mapping_id, 0), d.delivery_mode = 'mid_sourcing', d.tracking_pending, d.error_pending,
		       d.last_tracking_computation IS NULL
		       OR d.tracking_pending > 0
		          AND (d.tracking_pending * 100.0 >= d.processed * $2::bigint
		               OR d.last_tracking_computation <= $1::timestamptz - make_interval(secs => $4::bigint))
		       OR d.error_pending > 0
		          AND (d.error_pending * 100.0 >= d.processed * $3::bigint
		               OR d.last_error_computation IS NULL
		               OR d.last_error_computation <= $1 - make_interval(secs => $5::bigint))
		FROM nms.delivery d
		WHERE d.delete_status = 'no'
		  AND NOT d.is_model
		  AND d.emitter_account_id IS NULL
		  AND (d.tracking_pending > 0
		       OR d.error_pending > 0
		       OR d.last_tracking_computation IS NULL
		          AND d.state IN ('start_pending', 'in_progress', 'recovery_pending', 'recovery_in_progress', 'pause_requested',
		                          'pause_in_progress', 'paused', 'stopped', 'failed', 'finished'))
		  AND (d.validity IS NULL OR d.validity >= $1 - make_interval(secs => $6::bigint))
		ORDER BY d.id`, t.Now(), limits.trackingPercent, limits.errorPercent, limits.trackingSeconds, limits.errorSeconds, limits.followedSeconds)
	if err != nil {
		return nil, 0, fmt.Errorf("choose the deliveries: %w", err)
	}
	return deliveries, below, nil
}

func (t *tracker) thresholds(ctx context.Context) (limits thresholds, err error) {
	for _, p := range []struct {
		name      string
		into      *int64
		byDefault int64
	}{
		{"NmsTracking_TrackingIgnorePercent", &limits.trackingPercent, 1},
		{"NmsTracking_ErrorIgnorePercent", &limits.errorPercent, 1},
		{"NmsTracking_TrackingIgnorePeriod", &limits.trackingSeconds, 86_400},
		{"NmsTracking_ErrorIgnorePeriod", &limits.errorSeconds, 86_400},
		{"NmsTracking_IndicatorsDuration", &limits.followedSeconds, 2_592_000},
	} {
		if *p.into, err = t.parameter(ctx, p.name, p.byDefault); err != nil {
			return limits, err
		}
	}
	return limits, nil
}
