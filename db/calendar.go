package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// InCalendar is the provisional calendar as a condition over nms.delivery d at the moment $1: deliveries scheduled for
// later, with or without automatic execution, not yet prepared or prepared and not started.
const InCalendar = `
	d.delete_status = 'no'
	AND NOT d.is_model
	AND d.proofed_delivery_id IS NULL
	AND d.emitter_account_id IS NULL
	AND d.state IN ('editing', 'target_pending', 'target_ready', 'message_ready', 'ready')
	AND d.schedule_mode <> 'manual'
	AND d.contact_date >= $1
	AND (d.to_deliver > 0 OR d.target_def IS NOT NULL)`

// CalendarDelivery is a delivery of the provisional calendar, with what the last forecast left of it.
type CalendarDelivery struct {
	ID          int64
	Label       string
	MessageType int
	Prepared    bool // its messages are made; else they are a forecast
	Contact     time.Time
	Forecast    time.Time // of the forecast; zero: none yet, or prepared
	Target      int64     // messages before the rules exclude any
	Excluded    int64
	Rules       []CalendarExclusion
}

// CalendarExclusion is how many messages a rule excludes from a delivery.
type CalendarExclusion struct {
	Rule  string `json:"rule"`
	Count int64  `json:"count"`
}

// CalendarCapacity is what a capacity rule has on its availability lines, and how much of it is used.
type CalendarCapacity struct {
	Rule           string
	Lines, Full    int64
	Quantity, Used float64
}

// Calendar lists the deliveries of the provisional calendar up to a moment, the earliest first, at most limit of them, and
// the availability lines of that time by capacity rule.
func (d *DB) Calendar(ctx context.Context, from, until time.Time, limit int) ([]CalendarDelivery, []CalendarCapacity, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT d.id, d.label, d.message_type, p.prepared, d.contact_date, coalesce(d.forecast_date, 'epoch'),
		       CASE WHEN p.prepared THEN d.to_deliver + e.excluded ELSE coalesce(d.forecast_count, 0) END, e.excluded, e.rules
		FROM nms.delivery d
		CROSS JOIN LATERAL (SELECT d.state NOT IN ('editing', 'target_pending') AS prepared) p
		CROSS JOIN LATERAL (
			SELECT coalesce(sum(x.excluded_count), 0)::bigint AS excluded,
			       coalesce(jsonb_agg(jsonb_build_object('rule', coalesce(r.label, x.typology_rule_id::text), 'count', x.excluded_count)
			                          ORDER BY x.excluded_count DESC, x.typology_rule_id), '[]') AS rules
			FROM nms.dlv_exclusion x
			LEFT JOIN nms.typology_rule r ON r.id = x.typology_rule_id
			WHERE x.delivery_id = d.id
			  AND x.excluded_count > 0
			  AND (NOT p.prepared OR r.rule_type IS DISTINCT FROM 'filtering')) e
		WHERE `+InCalendar+`
		  AND d.contact_date < $2
		ORDER BY d.contact_date, d.id
		LIMIT $3`, from, until, limit)
	if err != nil {
		return nil, nil, fmt.Errorf("provisional calendar: %w", err)
	}
	deliveries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c CalendarDelivery, err error) {
		err = row.Scan(&c.ID, &c.Label, &c.MessageType, &c.Prepared, &c.Contact, &c.Forecast, &c.Target, &c.Excluded, &c.Rules)
		if c.Forecast.Unix() == 0 {
			c.Forecast = time.Time{}
		}
		return c, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("provisional calendar: %w", err)
	}
	rows, err = d.Pool.Query(ctx, `
		SELECT r.label, count(*), count(*) FILTER (WHERE l.consumed >= l.initial), sum(l.initial)::double precision, sum(l.consumed)::double precision
		FROM nms.volume_line l
		JOIN nms.typology_rule r ON r.id = l.typology_rule_id
		WHERE l.start_date < $2
		  AND l.end_date > $1
		GROUP BY r.id
		ORDER BY r.label, r.id`, from, until)
	if err != nil {
		return nil, nil, fmt.Errorf("availability lines: %w", err)
	}
	capacities, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c CalendarCapacity, err error) {
		err = row.Scan(&c.Rule, &c.Lines, &c.Full, &c.Quantity, &c.Used)
		return c, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("availability lines: %w", err)
	}
	return deliveries, capacities, nil
}
