package jobs

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// longestDelay bounds a purge delay: a hundred years of seconds that nobody meant must not overflow a date.
const longestDelay = 100 * 365 * 24 * time.Hour

// Option reads an option of the instance; ok is false when there is no row. The value is kept with the run.
func (r *Run) Option(ctx context.Context, name string) (value string, ok bool, err error) {
	if kept, read := r.options[name]; read {
		if kept == nil {
			return "", false, nil
		}
		return *kept, true, nil
	}
	var found *string
	err = r.Query(ctx, func(row pgx.Rows) error {
		ok = true
		return row.Scan(&found)
	}, `
		SELECT coalesce(string_value, memo_value, long_value::text, double_value::text, timestamp_value::text, '')
		FROM xtk.option
		WHERE name = $1`, name)
	if err != nil {
		return "", false, err
	}
	r.options[name] = found
	if !ok {
		return "", false, nil
	}
	r.note(name, *found)
	return *found, true, nil
}

// Delay reads a purge delay (stored in seconds). A row that is not a number, or not above zero, gives ok false and a warning:
// that purge is skipped. No row gives the default.
func (r *Run) Delay(ctx context.Context, option string, byDefault time.Duration) (delay time.Duration, ok bool, err error) {
	value, found, err := r.Option(ctx, option)
	if err != nil {
		return 0, false, err
	}
	delay, ok = byDefault, true
	if found {
		delay, ok = r.delayOf(option, value)
	} else {
		r.note(option, strconv.FormatInt(int64(byDefault.Seconds()), 10))
	}
	if ok {
		r.journal.edit(func(s *step) {
			fact := delayFact{option, int64(delay.Seconds())}
			if !slices.Contains(s.delays, fact) {
				s.delays = append(s.delays, fact)
			}
		})
	}
	return delay, ok, nil
}

// delayOf reads seconds; false, with a warning, when they are no delay.
func (r *Run) delayOf(option, value string) (time.Duration, bool) {
	seconds, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	switch {
	case err != nil || math.IsNaN(seconds):
		r.Warn("%s is %q, not a number: task skipped", option, value)
		return 0, false
	case seconds <= 0:
		r.Warn("%s is %s: task skipped", option, value)
		return 0, false
	case seconds > longestDelay.Seconds():
		return longestDelay, true
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// note keeps with the run the value that it saw of an option.
func (r *Run) note(option, value string) {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	r.journal.options[option] = plain(value)
	r.journal.ring()
}
