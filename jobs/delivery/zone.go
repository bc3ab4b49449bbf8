package delivery

import (
	"context"
	"time"

	"nightshift/jobs"
)

// instanceZone is the zone of the option WdbcTimeZone, in which a day begins at midnight; UTC when there is none, or none
// that is known.
func instanceZone(ctx context.Context, r *jobs.Run) (*time.Location, error) {
	name, ok, err := r.Option(ctx, "WdbcTimeZone")
	if err != nil || !ok || name == "" {
		return time.UTC, err
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		r.Warn("WdbcTimeZone is %q, not a time zone: UTC is taken", name)
		return time.UTC, nil
	}
	return zone, nil
}
