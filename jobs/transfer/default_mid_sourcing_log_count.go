package transfer

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/nms"
)

// recount sums up the logs of the account's deliveries of which enough have changed, or some for long enough: the rule by
// which tracking does it, with its options. Figures that the server has counted beyond what is here stay the server's.
// Which deliveries have changed is kept with them, so what a run leaves undone the next one does.
func (f *fetch) recount(ctx context.Context) error {
	deliveries, err := f.changedEnough(ctx)
	if err != nil || len(deliveries) == 0 {
		return err
	}
	_, err = nms.ComputeFigures(ctx, f.run, deliveries)
	return err
}

// changedEnough lists those deliveries, with the tables that their mapping names. After the end of its validity a delivery
// is followed for NmsTracking_IndicatorsDuration.
func (f *fetch) changedEnough(ctx context.Context) ([]nms.Delivery, error) {
	var percent, seconds, followed int
	for _, option := range []struct {
		name      string
		byDefault int
		into      *int
	}{{"NmsTracking_ErrorIgnorePercent", 1, &percent}, {"NmsTracking_ErrorIgnorePeriod", 86_400, &seconds},
		{"NmsTracking_IndicatorsDuration", 2_592_000, &followed}} {
		var err error
		if *option.into, err = number(ctx, f.run, option.name, 0, option.byDefault); err != nil {
			return nil, err
		}
	}
	var found []nms.Delivery
	err := f.run.Query(ctx, func(rows pgx.Rows) error {
		d := nms.Delivery{SentElsewhere: true}
		err := rows.Scan(&d.ID, &d.Hits, &d.Logs, &d.Clicks, &d.Errors)
		found = append(found, d)
		return err
	}, `
		SELECT d.id, to_regclass(m.tracking_log_schema)::text, to_regclass(m.broad_log_schema)::text, d.tracking_pending, d.error_pending
		FROM nms.delivery d
		JOIN nms.delivery_mapping m
			ON m.id = COALESCE(d.mapping_id, (SELECT id FROM nms.delivery_mapping WHERE internal_name = 'mapRecipient'))
		WHERE d.provider_id = $1
		  AND d.delivery_mode = 'mid_sourcing'
		  AND d.delete_status = 'no'
		  AND d.error_pending > 0
		  AND (d.error_pending * 100.0 >= d.processed * $3::bigint
		       OR d.last_error_computation IS NULL
		       OR d.last_error_computation <= $2::timestamptz - make_interval(secs => $4::bigint))
		  AND (d.validity IS NULL OR d.validity >= $2 - make_interval(secs => $5::bigint))
		  AND to_regclass(m.tracking_log_schema) IS NOT NULL
		  AND to_regclass(m.broad_log_schema) IS NOT NULL
		ORDER BY d.id`, f.account.id, f.run.Now(), percent, seconds, followed)
	if err != nil {
		return nil, fmt.Errorf("deliveries to recount: %w", err)
	}
	return found, nil
}
