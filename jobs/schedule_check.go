package jobs

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// oftenMinutes is the distance between two runs below which a schedule is warned about.
const oftenMinutes = 15

// ScheduleError says what is wrong with a schedule, and in which field of it. Key is the key of the sentence in
// the console's languages and Args its values; Error is the English sentence.
type ScheduleError struct {
	Field string
	Key   string
	Args  []any
}

// ScheduleWarning is something that a schedule may do but that its author should know.
type ScheduleWarning struct {
	Key  string
	Args []any
}

// scheduleSentences are the English sentences of the errors, by the last part of their key.
var scheduleSentences = map[string]string{
	"kind":           "“%s” is not a kind of schedule.",
	"no_time":        "Choose at least one time.",
	"many_times":     "A list holds at most %s times.",
	"time":           "“%s” is not a time of day. Write hours and minutes, for example 08:30.",
	"every":          "Every %s minutes does not work. Choose 1 to 1440 minutes.",
	"backwards":      "From %s to %s runs backwards. Let the period end after it begins.",
	"every_days":     "Every %s days does not work. Choose 1 to 366 days.",
	"no_weekday":     "Choose at least one day of the week.",
	"no_day":         "Choose at least one day of the month.",
	"days_or_nth":    "Choose days of the month or a weekday of the month, not both.",
	"nth":            "There is no weekday number %s in a month. Choose first to fifth, or last.",
	"at":             "“%s” is not a date and time. Write it like 2026-07-01T08:00.",
	"minute":         "Minute %s does not exist. Minutes run from 0 to 59.",
	"hour":           "Hour %s does not exist. Hours run from 0 to 23.",
	"day":            "Day %s does not exist. Days of the month run from 1 to 31.",
	"month":          "Month %s does not exist. Months run from 1 to 12.",
	"weekday":        "Weekday %s does not exist. Weekdays run from 0 (Sunday) to 6.",
	"cron_fields":    "A cron expression has five fields: minute, hour, day of month, month, day of week. This one has %s.",
	"cron_word":      "“%s” is not a number or a name that this field of a cron expression knows.",
	"cron_step":      "“%s” is not a step. A step is a whole number from 1 to 99.",
	"cron_backwards": "The range %s runs backwards.",
	"never":          "This never happens: no year has such a date.",
	"window":         "“%s” is not a time of day. The window for catching up needs hours and minutes, for example 02:00.",
}

func refuse(field, key string, args ...any) *ScheduleError {
	return &ScheduleError{Field: field, Key: "schedule.error." + key, Args: args}
}

// Error is the sentence in English.
func (e *ScheduleError) Error() string {
	args := make([]any, len(e.Args))
	for i, arg := range e.Args {
		args[i] = fmt.Sprint(arg)
	}
	return fmt.Sprintf(scheduleSentences[strings.TrimPrefix(e.Key, "schedule.error.")], args...)
}

// Check returns a *ScheduleError for the first thing that is wrong with a schedule, or nil. A schedule that can
// never occur is refused; one that lies in the past is not.
func (s Schedule) Check() error {
	c, err := s.compile(time.UTC)
	if err != nil {
		return err
	}
	if _, err := parseTime(s.WindowFrom, 0); err != nil {
		return refuse("window_from", "window", s.WindowFrom)
	}
	if _, err := parseTime(s.WindowTo, 0); err != nil {
		return refuse("window_to", "window", s.WindowTo)
	}
	if s.Kind == "" || s.Kind == "none" {
		return nil
	}
	if _, ok := c.search(0); !ok {
		field := "month_days"
		if s.Kind == "cron" {
			field = "cron"
		}
		return refuse(field, "never")
	}
	return nil
}

// Warnings lists what is allowed and yet unwise: runs that follow one another in less than 15 minutes. A schedule
// that Check refuses has none.
func (s Schedule) Warnings() []ScheduleWarning {
	c, err := s.compile(time.UTC)
	if err != nil {
		return nil
	}
	if shortest := c.shortest(); shortest < oftenMinutes {
		return []ScheduleWarning{{Key: "schedule.warning.often", Args: []any{shortest, oftenMinutes}}}
	}
	return nil
}

// shortest is the least distance in minutes between two due minutes of a day, over midnight included.
func (c *calendar) shortest() int {
	if c.hasOnce || c.months == 0 {
		return minutesADay
	}
	first, last, shortest := -1, -1, minutesADay
	for hour, left := range c.minutes {
		for ; left != 0; left &= left - 1 {
			minute := hour*60 + bits.TrailingZeros64(left)
			if last >= 0 {
				shortest = min(shortest, minute-last)
			} else {
				first = minute
			}
			last = minute
		}
	}
	if last < 0 {
		return minutesADay
	}
	return min(shortest, first+minutesADay-last)
}
