package delivery

import (
	"context"
	"fmt"
	"time"

	"nightshift/jobs"
)

// Options that the cleanup writes itself.
const (
	optionLastCleanup  = "NmsCleanup_LastCleanup"
	optionLastCoalesce = "NmsLastErrorStatCoalesce"
)

// moment reads an option that holds a point in time; nil when it has none. One that cannot be read counts as none, with a warning.
func moment(ctx context.Context, r *jobs.Run, name string) (*time.Time, error) {
	value, ok, err := r.Option(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if !ok || value == "" {
		return nil, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999-07:00", time.RFC3339Nano, time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, value); err == nil {
			return &at, nil
		}
	}
	r.Warn("%s is %q, not a date: taken as not set", name, value)
	return nil, nil
}

func shownMoment(at *time.Time) string {
	if at == nil {
		return "never"
	}
	return at.UTC().Format(time.DateTime)
}

const setMomentSQL = `
	INSERT INTO xtk.option (name, data_type, timestamp_value)
	VALUES ($1, 'timestamp', $2)
	ON CONFLICT (name) DO UPDATE
	SET data_type = excluded.data_type, timestamp_value = excluded.timestamp_value,
	    string_value = NULL, long_value = NULL, double_value = NULL, memo_value = NULL`

// setMoment stores a point in time in an option, which is made when it has no row.
func setMoment(ctx context.Context, r *jobs.Run, effect, name string, at time.Time) error {
	if _, err := r.Exec(ctx, effect, setMomentSQL, name, at); err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	return nil
}
