package jobs

import (
	"strconv"
	"strings"
	"time"
)

// maxTimes is how many times of day a list may hold.
const maxTimes = 96

// compile turns a schedule into its calendar, or says in a *ScheduleError what is wrong with it.
func (s Schedule) compile(zone *time.Location) (*calendar, error) {
	c := everyDay()
	var err error
	switch s.Kind {
	case "", "none":
		c.months = 0
	case "times":
		if s.Every != 0 {
			err = s.compilePeriod(&c)
		} else {
			err = s.compileTimes(&c)
		}
		if err == nil {
			err = s.compileWeekdays(&c, false)
		}
	case "period":
		if err = s.compilePeriod(&c); err == nil {
			err = s.compileWeekdays(&c, false)
		}
	case "daily":
		err = s.compileDaily(&c, zone)
	case "weekly":
		if err = s.compileTimes(&c); err == nil {
			err = s.compileWeekdays(&c, true)
		}
	case "monthly":
		err = s.compileMonthly(&c)
	case "once":
		err = s.compileOnce(&c)
	case "cron":
		err = compileCron(s.Cron, &c)
	default:
		err = refuse("kind", "kind", s.Kind)
	}
	if err != nil {
		return nil, err
	}
	return &c, nil
}

func (s Schedule) compileTimes(c *calendar) error {
	if len(s.Times) == 0 {
		return refuse("times", "no_time")
	}
	if len(s.Times) > maxTimes {
		return refuse("times", "many_times", maxTimes)
	}
	for _, text := range s.Times {
		minute, err := parseTime(text, -1)
		if err != nil {
			return refuse("times", "time", text)
		}
		c.addMinute(minute)
	}
	return nil
}

func (s Schedule) compilePeriod(c *calendar) error {
	if s.Every < 1 || s.Every > minutesADay {
		return refuse("every", "every", s.Every)
	}
	from, err := parseTime(s.From, 0)
	if err != nil {
		return refuse("from", "time", s.From)
	}
	to, err := parseTime(s.To, minutesADay-1)
	if err != nil {
		return refuse("to", "time", s.To)
	}
	if to < from {
		return refuse("to", "backwards", s.From, s.To)
	}
	for minute := from; minute <= to; minute += s.Every {
		c.addMinute(minute)
	}
	c.interval = true
	return nil
}

func (s Schedule) compileDaily(c *calendar, zone *time.Location) error {
	if err := s.compileTimes(c); err != nil {
		return err
	}
	if s.EveryDays < 0 || s.EveryDays > 366 {
		return refuse("every_days", "every_days", s.EveryDays)
	}
	c.everyDays = int64(s.EveryDays)
	if !s.Anchor.IsZero() {
		c.anchor = dayNumber(s.Anchor.In(zone))
	}
	return s.compileWeekdays(c, false)
}

// compileWeekdays takes the chosen weekdays; none chosen means all of them, unless one is needed.
func (s Schedule) compileWeekdays(c *calendar, needed bool) error {
	if len(s.Weekdays) == 0 {
		if needed {
			return refuse("weekdays", "no_weekday")
		}
		return nil
	}
	c.weekdays = 0
	for _, day := range s.Weekdays {
		if day < 0 || day > 6 {
			return refuse("weekdays", "weekday", strconv.Itoa(day))
		}
		c.weekdays |= 1 << day
	}
	return nil
}

func (s Schedule) compileMonthly(c *calendar) error {
	if err := s.compileTimes(c); err != nil {
		return err
	}
	if len(s.Months) > 0 {
		c.months = 0
	}
	for _, month := range s.Months {
		if month < 1 || month > 12 {
			return refuse("months", "month", strconv.Itoa(month))
		}
		c.months |= 1 << month
	}
	if s.Nth == 0 {
		return s.compileMonthDays(c)
	}
	if len(s.MonthDays) > 0 {
		return refuse("nth", "days_or_nth")
	}
	if s.Nth < -1 || s.Nth > 5 {
		return refuse("nth", "nth", s.Nth)
	}
	if s.NthWeekday < 0 || s.NthWeekday > 6 {
		return refuse("nth_weekday", "weekday", strconv.Itoa(s.NthWeekday))
	}
	c.nth = s.Nth
	c.weekdays = 1 << s.NthWeekday
	return nil
}

func (s Schedule) compileMonthDays(c *calendar) error {
	if len(s.MonthDays) == 0 {
		return refuse("month_days", "no_day")
	}
	c.days = 0
	for _, day := range s.MonthDays {
		switch {
		case day == -1:
			c.last = true
		case day < 1 || day > 31:
			return refuse("month_days", "day", strconv.Itoa(day))
		default:
			c.days |= 1 << day
		}
	}
	return nil
}

func (s Schedule) compileOnce(c *calendar) error {
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		at, err := time.Parse(layout, s.At)
		if err == nil && at.Year() >= 1970 && at.Year() <= 9999 {
			c.once, c.hasOnce = at.Unix()/60, true
			return nil
		}
	}
	return refuse("at", "at", s.At)
}

// parseTime reads "08:30" as minutes of the day. An empty text is byDefault, or an error where that is negative.
func parseTime(text string, byDefault int) (int, error) {
	if text == "" && byDefault >= 0 {
		return byDefault, nil
	}
	hour, minute, ok := strings.Cut(text, ":")
	h, okHour := digits(hour)
	m, okMinute := digits(minute)
	if !ok || !okHour || !okMinute || len(minute) != 2 || h > 23 || m > 59 {
		return 0, refuse("times", "time", text)
	}
	return h*60 + m, nil
}

// digits reads a number of one or two decimal digits, and nothing else.
func digits(text string) (int, bool) {
	if text == "" || len(text) > 2 {
		return 0, false
	}
	number := 0
	for _, b := range []byte(text) {
		if b < '0' || b > '9' {
			return 0, false
		}
		number = number*10 + int(b-'0')
	}
	return number, true
}
