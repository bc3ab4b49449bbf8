package jobs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	_ "time/tzdata" // zones do not depend on the machine
)

// Schedule says when a workflow is due, in the words of its editor. It is the JSON of xtk.workflow.schedule.
//
// Kinds and the fields they look at:
//
//	none     nothing: started by a signal or by hand
//	times    Times, or Every/From/To (both ends included); on Weekdays when given
//	period   Every/From/To, as times with a period
//	daily    Times; every EveryDays days, or on Weekdays
//	weekly   Weekdays and Times
//	monthly  MonthDays, or Nth and NthWeekday; Times; in Months when given
//	once     At
//	cron     Cron
//
// Daylight saving. A schedule of fixed times runs once for each of them: a local time that the clock skips runs
// at the first minute that exists after the gap, one that the clock shows twice runs the first time. A schedule
// of intervals (a period; a cron expression with "*" or a step in its minute or hour field) runs whenever the
// clock shows one of its minutes, so in both of two equal hours; minutes that the clock skips are made up for at
// the first minute after the gap, except where the interval goes on by itself within the hour that follows.
type Schedule struct {
	Kind       string   `json:"kind"`
	Times      []string `json:"times,omitempty"`       // "08:30"
	Every      int      `json:"every,omitempty"`       // minutes
	From       string   `json:"from,omitempty"`        // first minute of a period; empty: 00:00
	To         string   `json:"to,omitempty"`          // last minute of a period; empty: 23:59
	Weekdays   []int    `json:"weekdays,omitempty"`    // 0 is Sunday
	EveryDays  int      `json:"every_days,omitempty"`  // counted from Anchor
	MonthDays  []int    `json:"month_days,omitempty"`  // 1–31; -1 is the last day
	Nth        int      `json:"nth,omitempty"`         // 1–5; -1 is the last one of the month
	NthWeekday int      `json:"nth_weekday,omitempty"` // 0 is Sunday; looked at when Nth is given
	Months     []int    `json:"months,omitempty"`      // 1–12
	At         string   `json:"at,omitempty"`          // "2026-07-01T08:00:00", local
	Cron       string   `json:"cron,omitempty"`        // minute, hour, day of month, month, day of week
	Signal     bool     `json:"signal,omitempty"`      // a signal starts it, too
	// A slot that was missed is caught up only between these times of day; both empty: at any time.
	WindowFrom string `json:"window_from,omitempty"`
	WindowTo   string `json:"window_to,omitempty"`

	// Anchor is the day that EveryDays counts from. The caller sets it to the beginning of the schedule's
	// validity; zero stands for 1 January 1970.
	Anchor time.Time `json:"-"`
}

// ParseSchedule reads the JSON of a schedule. An unknown field is an error, because it would be silently ignored
// otherwise; whether the values make sense is Check's question.
func ParseSchedule(data []byte) (Schedule, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var s Schedule
	if err := decoder.Decode(&s); err != nil {
		return Schedule{}, fmt.Errorf("read schedule: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Schedule{}, fmt.Errorf("read schedule: more than one value")
	}
	return s, nil
}

// CronSchedule is the schedule of a cron expression; an empty one never runs by itself.
func CronSchedule(expression string) Schedule {
	if expression == "" {
		return Schedule{Kind: "none"}
	}
	return Schedule{Kind: "cron", Cron: expression}
}

// Next is the first occurrence after a moment, in a zone. It is zero when there is none, and for a schedule
// that Check refuses. Validity dates are the caller's.
func (s Schedule) Next(after time.Time, zone *time.Location) time.Time {
	c, err := s.compile(zone)
	if err != nil {
		return time.Time{}
	}
	return c.walk(zone).next(after)
}

// NextN lists the next n occurrences after a moment; fewer when the schedule ends before.
func (s Schedule) NextN(after time.Time, n int, zone *time.Location) []time.Time {
	c, err := s.compile(zone)
	if err != nil {
		return nil
	}
	var all []time.Time
	for w := c.walk(zone); len(all) < n; {
		after = w.next(after)
		if after.IsZero() {
			break
		}
		all = append(all, after)
	}
	return all
}

// CatchUpAllowed reports whether a missed slot may be run now: whether the time of day lies in the window.
// A window that ends before it begins goes over midnight.
func (s Schedule) CatchUpAllowed(now time.Time, zone *time.Location) bool {
	if s.WindowFrom == "" && s.WindowTo == "" {
		return true
	}
	from, errFrom := parseTime(s.WindowFrom, 0)
	to, errTo := parseTime(s.WindowTo, minutesADay-1)
	if errFrom != nil || errTo != nil {
		return true
	}
	local := now.In(zone)
	minute := local.Hour()*60 + local.Minute()
	if from <= to {
		return from <= minute && minute <= to
	}
	return minute >= from || minute <= to
}
