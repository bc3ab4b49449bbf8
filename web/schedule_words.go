package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nightshift/jobs"
	"nightshift/views/locale"
)

// scheduleWriter says schedules in one language.
type scheduleWriter struct{ lang locale.Lang }

// scheduleWords says in a few words when a schedule fires: "Daily at 04:00", "Mondays at 05:00", "Hourly at :15". An
// expression that has no short words is shown as it is.
func scheduleWords(lang locale.Lang, s jobs.Schedule) string {
	w := scheduleWriter{lang}
	times := s.Kind != "" && s.Kind != "none"
	switch {
	case s.Signal && times:
		return w.t("and_signal", w.schedule(s))
	case s.Signal:
		return w.t("signal")
	case times:
		return w.schedule(s)
	}
	return w.t("none")
}

// schedule says what the clock does, without the signals.
func (w scheduleWriter) schedule(s jobs.Schedule) string {
	if s.Kind == "times" && s.Every > 0 {
		s.Kind = "period"
	}
	switch s.Kind {
	case "cron":
		return w.cron(s.Cron)
	case "times", "daily", "weekly":
		return w.days(s)
	case "period":
		text := w.every(s.Every)
		if s.From != "" || s.To != "" {
			text = w.t("range", text, orElse(s.From, "00:00"), orElse(s.To, "24:00"))
		}
		if len(s.Weekdays) > 0 && len(s.Weekdays) < 7 {
			text = w.t("on_days", text, w.weekdays(s.Weekdays))
		}
		return text
	case "monthly":
		return w.monthly(s)
	case "once":
		return w.t("once", strings.Replace(s.At[:min(len(s.At), len("2006-01-02T15:04"))], "T", " ", 1))
	}
	return w.t("none")
}

func (w scheduleWriter) t(key string, args ...any) string {
	return locale.T(w.lang, "schedule.words_"+key, args...)
}

// days says a list of times on all or on chosen days.
func (w scheduleWriter) days(s jobs.Schedule) string {
	times := strings.Join(s.Times, ", ")
	switch {
	case s.EveryDays > 1:
		return w.t("every_days", s.EveryDays, times)
	case len(s.Weekdays) == 1:
		return w.t("weekday_"+strconv.Itoa(s.Weekdays[0]%7), times)
	case len(s.Weekdays) > 1 && len(s.Weekdays) < 7:
		return w.t("weekdays", w.weekdays(s.Weekdays), times)
	}
	return w.t("daily", times)
}

func (w scheduleWriter) weekdays(days []int) string {
	days = slices.Clone(days)
	// Monday first, Sunday last.
	slices.SortFunc(days, func(a, b int) int { return (a+6)%7 - (b+6)%7 })
	names := make([]string, len(days))
	for i, day := range days {
		names[i] = locale.T(w.lang, "weekday."+strconv.Itoa(day%7))
	}
	return strings.Join(names, ", ")
}

func (w scheduleWriter) every(minutes int) string {
	switch {
	case minutes == 1:
		return w.t("minute")
	case minutes == 60:
		return w.t("hourly")
	case minutes > 60 && minutes%60 == 0:
		return w.t("hours", minutes/60)
	}
	return w.t("minutes", minutes)
}

// monthly says days of the month, or a weekday of it, in all or in chosen months.
func (w scheduleWriter) monthly(s jobs.Schedule) string {
	times := strings.Join(s.Times, ", ")
	text := ""
	if s.Nth != 0 {
		text = w.t("nth", w.t("nth_"+strings.Replace(strconv.Itoa(s.Nth), "-1", "last", 1)), locale.T(w.lang, "weekday."+strconv.Itoa(s.NthWeekday%7)), times)
	} else {
		days := make([]string, len(s.MonthDays))
		for i, day := range s.MonthDays {
			days[i] = w.monthDay(day)
		}
		text = w.t("month_days", strings.Join(days, ", "), times)
	}
	if len(s.Months) == 0 || len(s.Months) == 12 {
		return text
	}
	months := make([]string, len(s.Months))
	for i, month := range s.Months {
		months[i] = locale.T(w.lang, "month."+strconv.Itoa(month))
	}
	return w.t("in_months", text, strings.Join(months, ", "))
}

// monthDay is a day of the month as it is said: 25th, 25일; the last.
func (w scheduleWriter) monthDay(day int) string {
	if day == -1 {
		return w.t("last_day")
	}
	suffix := "th"
	if day/10 != 1 {
		suffix = map[int]string{1: "st", 2: "nd", 3: "rd"}[day%10]
		if suffix == "" {
			suffix = "th"
		}
	}
	if w.lang == locale.Korean {
		suffix = "일"
	}
	return strconv.Itoa(day) + suffix
}

// cron says the expressions that have short words.
func (w scheduleWriter) cron(expression string) string {
	fields := strings.Fields(expression)
	if len(fields) != 5 {
		return expression
	}
	minute, hour, day, month, weekday := fields[0], fields[1], fields[2], fields[3], fields[4]
	at, exact := clock(minute, hour)
	switch everyDay := day == "*" && month == "*"; {
	case everyDay && hour == "*" && weekday == "*":
		return w.withinHour(minute, expression)
	case everyDay && exact && weekday == "*":
		return w.t("daily", at)
	case everyDay && exact && len(weekday) == 1 && weekday >= "0" && weekday <= "7":
		n, _ := strconv.Atoi(weekday)
		return w.t("weekday_"+strconv.Itoa(n%7), at)
	case exact && month == "*" && weekday == "*":
		if n, err := strconv.Atoi(day); err == nil {
			return w.t("month_days", w.monthDay(n), at)
		}
	case everyDay && weekday == "*":
		if times, ok := clocks(minute, hour); ok {
			return w.t("daily", times)
		}
	}
	return expression
}

// withinHour says an expression that fires in every hour.
func (w scheduleWriter) withinHour(minute, expression string) string {
	if minute == "*" {
		return w.t("minute")
	}
	if n, err := strconv.Atoi(minute); err == nil {
		if n == 0 {
			return w.t("hourly")
		}
		return w.t("hourly_at", fmt.Sprintf("%02d", n))
	}
	if from, step, ok := strings.Cut(minute, "/"); ok {
		first, _, _ := strings.Cut(from, "-")
		n, err := strconv.Atoi(step)
		if err == nil && n > 0 && 60%n == 0 && (from == "*" || strings.HasSuffix(from, "-59")) {
			// Later than one step into the hour there is a longer pause over its end.
			if start, _ := strconv.Atoi(first); start < n {
				return w.every(n)
			}
		}
	}
	return expression
}

// clock is the one time of day of a minute and an hour.
func clock(minute, hour string) (string, bool) {
	m, err1 := strconv.Atoi(minute)
	h, err2 := strconv.Atoi(hour)
	return fmt.Sprintf("%02d:%02d", h, m), err1 == nil && err2 == nil
}

// clocks are the times of day of one minute and a list of hours.
func clocks(minute, hours string) (string, bool) {
	var times []string
	for hour := range strings.SplitSeq(hours, ",") {
		at, ok := clock(minute, hour)
		if !ok {
			return "", false
		}
		times = append(times, at)
	}
	return strings.Join(times, ", "), true
}
