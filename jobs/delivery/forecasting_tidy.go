package delivery

import (
	"context"

	"nightshift/db"
	"nightshift/jobs"
)

// provisional is a delivery d of the calendar (at the moment $1) that is not prepared: only these have provisional logs.
const provisional = db.InCalendar + `
	AND d.state IN ('editing', 'target_pending')`

// tidy removes the provisional logs of deliveries that are prepared, started, finished or deleted, or whose contact date
// is past or gone: their messages are real by now, or will not be.
func (f *forecast) tidy(ctx context.Context) error {
	if err := purge(ctx, f.Run, "provisional logs without a scheduled delivery", jobs.Purge{Table: "nms.forecast_log", Age: "contact_date", Where: `
		NOT EXISTS (
			SELECT 1
			FROM nms.delivery d
			WHERE d.id = t.delivery_id
			  AND ` + provisional + `)`, Args: []any{f.Now()}}); err != nil {
		return err
	}
	// What was expected of a delivery that went back to the drawing board is no longer expected. Started ones keep what
	// was applied to them.
	if _, err := f.Batches(ctx, "expected exclusions without a scheduled delivery", `
		DELETE FROM nms.dlv_exclusion
		WHERE (delivery_id, typology_rule_id) IN (
			SELECT e.delivery_id, e.typology_rule_id
			FROM nms.delivery d
			JOIN nms.dlv_exclusion e ON e.delivery_id = d.id
			WHERE d.state IN ('editing', 'target_pending')
			  AND NOT coalesce(`+db.InCalendar+`, false)
			LIMIT 5000)`, f.Now()); err != nil {
		return err
	}
	_, err := f.Batches(ctx, "deliveries no longer forecast", `
		UPDATE nms.delivery
		SET forecasted = false,
		    forecast_count = NULL,
		    forecast_date = NULL
		WHERE id IN (
			SELECT d.id
			FROM nms.delivery d
			WHERE d.forecasted
			  AND NOT coalesce(`+provisional+`, false)
			LIMIT 5000
			FOR UPDATE SKIP LOCKED)`, f.Now())
	return err
}
