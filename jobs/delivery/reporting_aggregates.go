package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

const (
	// lastAggregation is the option that says up to when changes of logs are in the figures of deliveries.
	lastAggregation = "NmsReporting_LastAggregation"
	// lastAgents is the option that says up to which day the figures of user agents are complete.
	lastAgents = "NmsUserAgentStats_LastConsolidation"
	// slowCommit is how long a log line may take from its date to its commit and still be counted by the next run.
	slowCommit = time.Hour
)

// aggregates is one execution of reportingAggregates, whose days begin at midnight of the instance.
type aggregates struct {
	*jobs.Run
	zone  *time.Location
	today time.Time
}

// ReportingAggregates brings up to date what reports read: the messages of each delivery by domain and outcome, the user
// agents and the subscriptions of each day, the averages of the platform, and the aggregates of cubes. A step that fails
// keeps its date and leaves the others alone; readers see an aggregate as it was until it is whole again.
func ReportingAggregates(ctx context.Context, r *jobs.Run) error {
	zone, err := instanceZone(ctx, r)
	if err != nil {
		return err
	}
	a := &aggregates{Run: r, zone: zone, today: midnight(r.Now().In(zone))}
	return allParts(ctx, r, []part{{"delivery_log_stats", a.deliveries}, {"user_agent_stats", a.agents}, {"service_stats", a.services},
		{"delivery_average_stats", a.averages}, {"cubes", a.cubes}})
}

// moment reads an option that holds a date; zero when there is none.
func (a *aggregates) moment(ctx context.Context, option string) (at time.Time, err error) {
	var found *time.Time
	err = a.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&found) }, `
		SELECT timestamp_value
		FROM xtk.option
		WHERE name = $1`, option)
	if err != nil {
		return at, fmt.Errorf("read %s: %w", option, err)
	}
	if found != nil {
		at = *found
	}
	return at, nil
}

// reached writes an option that holds a date.
func (a *aggregates) reached(ctx context.Context, tx pgx.Tx, option string, at time.Time) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO xtk.option (name, data_type, timestamp_value)
		VALUES ($1, 'timestamp', $2)
		ON CONFLICT (name) DO UPDATE
		SET timestamp_value = excluded.timestamp_value`, option, at)
	if err != nil {
		return fmt.Errorf("write %s: %w", option, err)
	}
	return nil
}

// day is a date as the database wants it.
func (a *aggregates) day(at time.Time) string { return at.In(a.zone).Format(time.DateOnly) }
