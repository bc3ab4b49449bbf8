package midsourcing

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
	"nightshift/jobs/nms"
)

// midLogs are the logs of what an instance carries for others.
const midLogs = "nms.broad_log_mid"

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
	deliveries, err := choose(ctx, r)
	if err != nil {
		return err
	}
	updated, err := nms.ComputeFigures(ctx, r, deliveries)
	word := "updated"
	if r.Simulated() {
		word = "would be updated"
	}
	r.Say("%d deliveries examined, %d %s", len(deliveries), updated, word)
	return err
}

// choose lists the deliveries of other instances that have something pending, or whose log changed since they were last
// computed, until 30 days after the end of their validity. The hits are in the table that the delivery's mapping names.
func choose(ctx context.Context, r *jobs.Run) ([]nms.Delivery, error) {
	var found []nms.Delivery
	err := r.Query(ctx, func(rows pgx.Rows) error {
		c := nms.Delivery{Logs: midLogs}
		var schema, table string
		err := rows.Scan(&c.ID, &schema, &table, &c.Clicks, &c.Errors)
		c.Hits = pgx.Identifier{schema, table}.Sanitize()
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
		ORDER BY d.id`, r.Now().Add(-nms.Followed))
	if err != nil {
		return nil, fmt.Errorf("choose the deliveries: %w", err)
	}
	return found, nil
}
