package jobs_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"nightshift/jobs"
	"nightshift/jobs/catalogue"
)

// The oracle looks at every minute of ten years, asks Go what a clock on the wall shows, and decides by the rules of
// the documentation whether a run is due. It shares nothing with the search that it judges.

const oracleYears = 10

var oracleZones = []string{
	"Asia/Seoul", "Europe/Paris", "Europe/London", "America/New_York", "America/St_Johns", "America/Havana",
	"America/Santiago", "Australia/Lord_Howe", "Asia/Beirut", "Africa/Cairo", "Africa/Casablanca", "Antarctica/Troll", "Pacific/Auckland",
}

// wall is a schedule as the oracle sees it.
type wall struct {
	name     string
	schedule jobs.Schedule
	interval bool
	time     func(hour, minute int) bool
	day      func(date time.Time) bool
}

// wallCron reads an expression for the oracle: each field is expanded into the list of its values.
func wallCron(expression string) wall {
	fields := strings.Fields(expression)
	minute, hour := expand(fields[0], 59), expand(fields[1], 23)
	dom, month, dow := expand(fields[2], 31), expand(fields[3], 12), expand(fields[4], 7)
	return wall{
		name: expression, schedule: jobs.CronSchedule(expression),
		interval: strings.ContainsAny(fields[0]+fields[1], "*/"),
		time:     func(h, m int) bool { return hour[h] && minute[m] },
		day: func(date time.Time) bool {
			weekday := int(date.Weekday())
			byDate := dom[date.Day()]
			byWeekday := dow[weekday] || weekday == 0 && dow[7]
			if !month[int(date.Month())] {
				return false
			}
			if !strings.HasPrefix(fields[2], "*") && !strings.HasPrefix(fields[4], "*") {
				return byDate || byWeekday
			}
			return byDate && byWeekday
		},
	}
}

func expand(field string, end int) map[int]bool {
	values := map[int]bool{}
	for part := range strings.SplitSeq(field, ",") {
		span, step, _ := strings.Cut(part, "/")
		by, _ := strconv.Atoi(step)
		first, last, ranged := strings.Cut(span, "-")
		from, err := strconv.Atoi(first)
		to, _ := strconv.Atoi(last)
		if err != nil {
			from, to = 0, end
			if end == 31 || end == 12 {
				from = 1
			}
		} else if !ranged {
			to = from
		}
		for value := from; value <= to; value += max(by, 1) {
			values[value] = true
		}
	}
	return values
}

func at(times ...string) func(hour, minute int) bool {
	return func(hour, minute int) bool {
		for _, text := range times {
			if text == fmt.Sprintf("%02d:%02d", hour, minute) {
				return true
			}
		}
		return false
	}
}

func anyDay(time.Time) bool { return true }

// otherKinds are schedules that are not cron expressions, with their rules said a second time.
func otherKinds() []wall {
	return []wall{
		{"twice a day on working days", jobs.Schedule{Kind: "times", Times: []string{"02:30", "13:30"}, Weekdays: []int{1, 2, 3, 4, 5, 0}}, false,
			at("02:30", "13:30"), func(d time.Time) bool { return d.Weekday() != time.Saturday }},
		{"a period", jobs.Schedule{Kind: "period", Every: 25, From: "00:05", To: "03:30"}, true,
			func(h, m int) bool { t := h*60 + m; return t >= 5 && t <= 210 && (t-5)%25 == 0 }, anyDay},
		{"a slow period", jobs.Schedule{Kind: "times", Every: 120}, true,
			func(h, m int) bool { return (h*60+m)%120 == 0 }, anyDay},
		{"every third day", jobs.Schedule{Kind: "daily", Times: []string{"02:15"}, EveryDays: 3}, false,
			at("02:15"), func(d time.Time) bool {
				return time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, time.UTC).Sub(time.Unix(0, 0))/(24*time.Hour)%3 == 0
			}},
		{"Sundays", jobs.Schedule{Kind: "weekly", Times: []string{"00:30", "01:30", "02:00"}, Weekdays: []int{0}}, false,
			at("00:30", "01:30", "02:00"), func(d time.Time) bool { return d.Weekday() == time.Sunday }},
		{"the last day", jobs.Schedule{Kind: "monthly", Times: []string{"23:30"}, MonthDays: []int{15, -1}}, false,
			at("23:30"), func(d time.Time) bool { return d.Day() == 15 || d.AddDate(0, 0, 1).Day() == 1 }},
		{"last Sunday of the months of change", jobs.Schedule{Kind: "monthly", Times: []string{"01:30", "02:30"}, Nth: -1, Months: []int{3, 10}}, false,
			at("01:30", "02:30"), func(d time.Time) bool {
				return d.Weekday() == 0 && d.AddDate(0, 0, 7).Month() != d.Month() && (d.Month() == 3 || d.Month() == 10)
			}},
		{"second Sunday", jobs.Schedule{Kind: "monthly", Times: []string{"02:00"}, Nth: 2}, false,
			at("02:00"), func(d time.Time) bool { return d.Weekday() == 0 && d.Day() >= 8 && d.Day() <= 14 }},
		{"once, when clocks of Europe go forward", jobs.Schedule{Kind: "once", At: "2027-03-28T02:30:00"}, false,
			at("02:30"), func(d time.Time) bool { return d.Equal(time.Date(2027, 3, 28, 0, 0, 0, 0, time.UTC)) }},
		{"once, when clocks of America go back", jobs.Schedule{Kind: "once", At: "2027-11-07T01:30:00"}, false,
			at("01:30"), func(d time.Time) bool { return d.Equal(time.Date(2027, 11, 7, 0, 0, 0, 0, time.UTC)) }},
	}
}

// oracleSchedules are the default schedules of all workflows, harder expressions and the other kinds.
func oracleSchedules() []wall {
	all := otherKinds()
	seen := map[string]bool{"": true}
	hard := []string{"30 2 * * *", "30 1 * * 0", "0 */2 * * *", "*/15 2 * * *", "7 0 * * *", "59 23 * * 6", "15,45 1-3 29 2 *", "30 * * * *",
		"0 0 1 * 1", "0 2 */5 * 0", "10-50/20 1,2 * 3,4,9-11 *"}
	for _, w := range catalogue.All() {
		hard = append(hard, w.Schedule)
	}
	for _, cron := range hard {
		if !seen[cron] {
			seen[cron] = true
			all = append(all, wallCron(cron))
		}
	}
	return all
}

// wallClock is what a clock on the wall of a zone shows in each minute of the years, in minutes since 1970.
func wallClock(zone *time.Location) (begin time.Time, shown []int64, changes int) {
	begin = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	end := begin.AddDate(oracleYears, 0, 0)
	for now := begin; now.Before(end); now = now.Add(time.Minute) {
		_, offset := now.In(zone).Zone()
		shown = append(shown, now.Unix()/60+int64(offset/60))
		if last := len(shown) - 1; last > 0 && shown[last] != shown[last-1]+1 {
			changes++
		}
	}
	return begin, shown, changes
}

// marks tells for every minute that the wall can show whether the schedule names it.
func marks(w wall, from, to int64) func(minute int64) bool {
	var times [24 * 60]bool
	for minute := range times {
		times[minute] = w.time(minute/60, minute%60)
	}
	first := from / 1440
	var days []bool
	for day := first; day <= to/1440+1; day++ {
		days = append(days, w.day(time.Unix(day*86400, 0).UTC()))
	}
	return func(minute int64) bool { return times[minute%1440] && days[minute/1440-first] }
}

// expected walks the wall clock. Minutes it skips are due at the first minute after, minutes it shows a second time
// are not due again; for intervals see the words of jobs.Schedule.
func expected(w wall, shown []int64) []int {
	due := marks(w, shown[0], shown[len(shown)-1])
	var found []int
	latest := shown[0] - 1
	for i, minute := range shown {
		now := due(minute) && (w.interval || minute > latest)
		if i > 0 && minute > shown[i-1]+1 && !now {
			for skipped := shown[i-1] + 1; skipped < minute && !now; skipped++ {
				now = due(skipped) && skipped > latest
			}
			for k := i; w.interval && now && k < min(i+60, len(shown)); k++ {
				now = !due(shown[k])
			}
		}
		latest = max(latest, minute)
		if now {
			found = append(found, i)
		}
	}
	return found
}

func TestScheduleOracle(t *testing.T) {
	t.Parallel()
	for _, name := range oracleZones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			begin, shown, changes := wallClock(zone)
			if least := oracleYears * 2; changes < least && name != "Asia/Seoul" {
				t.Errorf("got %d changes of the clock, want at least %d", changes, least)
			}
			total := 0
			for _, w := range oracleSchedules() {
				want := expected(w, shown)
				total += len(want)
				compare(t, w, zone, begin, want)
			}
			t.Logf("%d occurrences, %d changes of the clock", total, changes)
		})
	}
}

// compare asks for the occurrences in stretches and holds each against the oracle's.
func compare(t *testing.T, w wall, zone *time.Location, begin time.Time, want []int) {
	t.Helper()
	after := begin.Add(-time.Second)
	for len(want) > 0 {
		got := w.schedule.NextN(after, min(len(want), 5000), zone)
		for i, next := range got {
			if due := begin.Add(time.Duration(want[i]) * time.Minute); !next.Equal(due) {
				t.Errorf("%s after %s: got %s, want %s", w.name, after.In(zone), next, due.In(zone))
				return
			}
			after = next
		}
		if len(got) == 0 {
			t.Errorf("%s: got nothing after %s, want %d more", w.name, after.In(zone), len(want))
			return
		}
		want = want[len(got):]
	}
	if more := w.schedule.Next(after, zone); more.Before(begin.AddDate(oracleYears, 0, 0)) && !more.IsZero() {
		t.Errorf("%s after %s: got %s, want no more in these years", w.name, after.In(zone), more)
	}
}
