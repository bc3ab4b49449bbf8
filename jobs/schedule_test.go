package jobs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatalf("zone %s: %s", name, err)
	}
	return zone
}

// occurrences writes the next n occurrences after a local or absolute moment, with their offsets.
func occurrences(t *testing.T, s Schedule, after, zoneName string, n int) string {
	t.Helper()
	if err := s.Check(); err != nil {
		t.Fatalf("%+v is refused: %s", s, err)
	}
	at, err := time.Parse(time.RFC3339, after)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, next := range s.NextN(at, n, zoneOf(t, zoneName)) {
		all = append(all, next.Format("2006-01-02 15:04 -0700"))
	}
	return strings.Join(all, "; ")
}

func TestNextOfEveryKind(t *testing.T) {
	t.Parallel()
	tests := []struct {
		schedule Schedule
		want     string // after 2026-07-01 10:00 UTC, a Wednesday
	}{
		{Schedule{Kind: "none"}, ""},
		{Schedule{Kind: "times", Times: []string{"13:30", "08:00"}}, "01 13:30; 02 08:00; 02 13:30"},
		{Schedule{Kind: "times", Times: []string{"08:00"}, Weekdays: []int{0, 6}}, "04 08:00; 05 08:00; 11 08:00"},
		{Schedule{Kind: "times", Every: 90, From: "09:00", To: "12:00"}, "01 10:30; 01 12:00; 02 09:00"},
		{Schedule{Kind: "period", Every: 600, Weekdays: []int{5}}, "03 00:00; 03 10:00; 03 20:00"},
		{Schedule{Kind: "daily", Times: []string{"10:00"}}, "02 10:00; 03 10:00; 04 10:00"},
		{Schedule{Kind: "daily", Times: []string{"04:00"}, EveryDays: 2}, "02 04:00; 04 04:00; 06 04:00"},
		{Schedule{Kind: "daily", Times: []string{"04:00"}, EveryDays: 10,
			Anchor: time.Date(2026, 6, 25, 23, 0, 0, 0, time.UTC)}, "05 04:00; 15 04:00; 25 04:00"},
		{Schedule{Kind: "daily", Times: []string{"04:00"}, Weekdays: []int{1}}, "06 04:00; 13 04:00; 20 04:00"},
		{Schedule{Kind: "weekly", Times: []string{"05:00"}, Weekdays: []int{1, 3}}, "06 05:00; 08 05:00; 13 05:00"},
		{Schedule{Kind: "monthly", Times: []string{"01:00"}, MonthDays: []int{25, -1}}, "25 01:00; 31 01:00; 25 01:00"},
		{Schedule{Kind: "monthly", Times: []string{"01:00"}, Nth: 2, NthWeekday: 2}, "14 01:00; 11 01:00; 08 01:00"},
		{Schedule{Kind: "monthly", Times: []string{"01:00"}, Nth: -1, NthWeekday: 0}, "26 01:00; 30 01:00; 27 01:00"},
		{Schedule{Kind: "once", At: "2026-07-01T10:01:00"}, "01 10:01"},
		{Schedule{Kind: "once", At: "2026-07-01T10:00:00"}, ""},
		{CronSchedule("0 0 * * 7"), "05 00:00; 12 00:00; 19 00:00"},
		{CronSchedule("0 0 13 * FRI"), "03 00:00; 10 00:00; 13 00:00"},
		{CronSchedule("0 0 */7 * fri"), "01 00:00; 08 00:00; 15 00:00"},
		{CronSchedule("10-50/20 3,5 * jul-aug mon-wed"), "06 03:10; 06 03:30; 06 03:50"},
		{CronSchedule("5-59/15 * * * *"), "01 10:05; 01 10:20; 01 10:35"},
		{CronSchedule("50/5 23 * * *"), "01 23:50; 01 23:55; 02 23:50"},
	}
	for _, test := range tests {
		var all []string
		for _, next := range test.schedule.NextN(time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC), 3, time.UTC) {
			all = append(all, next.Format("02 15:04"))
		}
		if got := strings.Join(all, "; "); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.schedule, got, test.want)
		}
	}
}

func TestDaylightSaving(t *testing.T) {
	t.Parallel()
	const spring, autumn = "2026-03-28T23:00:00Z", "2026-10-24T22:00:00Z" // midnight before the change, Paris
	tests := []struct {
		name     string
		schedule Schedule
		after    string
		zone     string
		want     string
	}{
		{"a skipped time runs at the first minute after the gap", CronSchedule("30 2 * * *"), spring, "Europe/Paris",
			"2026-03-29 03:00 +0200; 2026-03-30 02:30 +0200"},
		{"several skipped times are one run", Schedule{Kind: "times", Times: []string{"02:10", "02:50", "03:00"}}, spring, "Europe/Paris",
			"2026-03-29 03:00 +0200; 2026-03-30 02:10 +0200"},
		{"a doubled time runs the first time", CronSchedule("30 2 * * *"), autumn, "Europe/Paris",
			"2026-10-25 02:30 +0200; 2026-10-26 02:30 +0100"},
		{"and not again when asked between the two", CronSchedule("30 2 * * *"), "2026-10-25T00:45:00Z", "Europe/Paris",
			"2026-10-26 02:30 +0100; 2026-10-27 02:30 +0100"},
		{"nor when asked in the second of the two hours", CronSchedule("30 2 * * *"), "2026-10-25T01:05:00Z", "Europe/Paris",
			"2026-10-26 02:30 +0100; 2026-10-27 02:30 +0100"},
		{"an hourly one runs in both hours", CronSchedule("0 * * * *"), "2026-10-24T23:30:00Z", "Europe/Paris",
			"2026-10-25 02:00 +0200; 2026-10-25 02:00 +0100; 2026-10-25 03:00 +0100"},
		{"and does not run twice in the hour of the gap", CronSchedule("30 * * * *"), "2026-03-29T00:00:00Z", "Europe/Paris",
			"2026-03-29 01:30 +0100; 2026-03-29 03:30 +0200; 2026-03-29 04:30 +0200"},
		{"an interval inside the gap is made up for", CronSchedule("*/15 2 * * *"), spring, "Europe/Paris",
			"2026-03-29 03:00 +0200; 2026-03-30 02:00 +0200"},
		{"every other hour as well", CronSchedule("0 */2 * * *"), spring, "Europe/Paris",
			"2026-03-29 03:00 +0200; 2026-03-29 04:00 +0200"},
		{"a period runs in both hours", Schedule{Kind: "period", Every: 30, From: "02:00", To: "02:30"}, autumn, "Europe/Paris",
			"2026-10-25 02:00 +0200; 2026-10-25 02:30 +0200; 2026-10-25 02:00 +0100; 2026-10-25 02:30 +0100; 2026-10-26 02:00 +0100"},
		{"a gap of half an hour", CronSchedule("15 2 * * *"), "2026-10-03T13:30:00Z", "Australia/Lord_Howe",
			"2026-10-04 02:30 +1100; 2026-10-05 02:15 +1100"},
		{"a gap at midnight belongs to the day it opens", CronSchedule("0 0 * * *"), "2026-03-28T12:00:00Z", "Asia/Beirut",
			"2026-03-29 01:00 +0300; 2026-03-30 00:00 +0300"},
		{"a day that does not exist", CronSchedule("0 4 * * *"), "2011-12-29T20:00:00Z", "Pacific/Apia",
			"2011-12-31 00:00 +1400; 2011-12-31 04:00 +1400"},
		{"once in the gap", Schedule{Kind: "once", At: "2026-03-29T02:30"}, spring, "Europe/Paris", "2026-03-29 03:00 +0200"},
		{"once, years ahead", Schedule{Kind: "once", At: "2099-07-01T08:00:00"}, spring, "Europe/Paris", "2099-07-01 08:00 +0200"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			n := strings.Count(test.want, ";") + 1
			if got := occurrences(t, test.schedule, test.after, test.zone, n); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		schedule    Schedule
		field, want string
	}{
		{CronSchedule("0 25 * * *"), "cron", "Hour 25 does not exist. Hours run from 0 to 23."},
		{CronSchedule("60 1 * * *"), "cron", "Minute 60 does not exist. Minutes run from 0 to 59."},
		{CronSchedule("0 1 0 * *"), "cron", "Day 0 does not exist. Days of the month run from 1 to 31."},
		{CronSchedule("0 1 * 13 *"), "cron", "Month 13 does not exist. Months run from 1 to 12."},
		{CronSchedule("0 1 * * 8"), "cron", "Weekday 8 does not exist. Weekdays run from 0 (Sunday) to 6."},
		{CronSchedule("0 1 * *"), "cron", "This one has 4."},
		{CronSchedule("CRON_TZ=UTC 0 1 * * *"), "cron", "This one has 6."},
		{CronSchedule("@daily"), "cron", "This one has 1."},
		{CronSchedule("0 1 * foo *"), "cron", "“foo” is not a number or a name"},
		{CronSchedule("0 1 * anf *"), "cron", "“anf” is not a number or a name"},
		{CronSchedule("0 9-5 * * *"), "cron", "The range 9-5 runs backwards."},
		{CronSchedule("*/0 * * * *"), "cron", "“0” is not a step."},
		{CronSchedule("0,,5 * * * *"), "cron", "“” is not a number"},
		{CronSchedule("99999999999999999999 * * * *"), "cron", "Minute 99999999999999999999 does not exist."},
		{CronSchedule("0 0 30 2 *"), "cron", "This never happens"},
		{Schedule{Kind: "hourly"}, "kind", "“hourly” is not a kind of schedule."},
		{Schedule{Kind: "times"}, "times", "Choose at least one time."},
		{Schedule{Kind: "daily", Times: []string{"24:00"}}, "times", "“24:00” is not a time of day."},
		{Schedule{Kind: "daily", Times: []string{"04:00"}, EveryDays: -1}, "every_days", "Every -1 days does not work."},
		{Schedule{Kind: "weekly", Times: []string{"04:00"}}, "weekdays", "Choose at least one day of the week."},
		{Schedule{Kind: "weekly", Times: []string{"04:00"}, Weekdays: []int{7}}, "weekdays", "Weekday 7 does not exist."},
		{Schedule{Kind: "period", Every: 0}, "every", "Every 0 minutes does not work."},
		{Schedule{Kind: "period", Every: 5, From: "20:00", To: "06:00"}, "to", "From 20:00 to 06:00 runs backwards."},
		{Schedule{Kind: "monthly", Times: []string{"04:00"}}, "month_days", "Choose at least one day of the month."},
		{Schedule{Kind: "monthly", Times: []string{"04:00"}, MonthDays: []int{32}}, "month_days", "Day 32 does not exist."},
		{Schedule{Kind: "monthly", Times: []string{"04:00"}, MonthDays: []int{31}, Months: []int{2, 4}}, "month_days", "This never happens"},
		{Schedule{Kind: "monthly", Times: []string{"04:00"}, Nth: 6}, "nth", "There is no weekday number 6 in a month."},
		{Schedule{Kind: "once", At: "tomorrow"}, "at", "“tomorrow” is not a date and time."},
		{Schedule{Kind: "daily", Times: []string{"04:00"}, WindowFrom: "2"}, "window_from", "“2” is not a time of day."},
	}
	for _, test := range tests {
		err := test.schedule.Check()
		var refused *ScheduleError
		if !errors.As(err, &refused) {
			t.Errorf("%+v: got %v, want a refusal with %q", test.schedule, err, test.want)
			continue
		}
		if refused.Field != test.field || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %s: %q, want %s: %q", test.schedule, refused.Field, err, test.field, test.want)
		}
		if next := test.schedule.Next(time.Unix(0, 0), time.UTC); !next.IsZero() && test.field != "window_from" {
			t.Errorf("%+v is refused and occurs at %s", test.schedule, next)
		}
	}
}

func TestParseScheduleRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	s, err := ParseSchedule([]byte(`{"kind":"weekly","times":["05:00"],"weekdays":[1]}`))
	if err != nil || s.Kind != "weekly" || s.Weekdays[0] != 1 {
		t.Errorf("got %+v, %v, want the weekly schedule", s, err)
	}
	for _, text := range []string{`{"kind":"daily","time":"05:00"}`, `{"kind":"none"} {}`, `[]`, ``, `{"every":"x"}`} {
		if s, err := ParseSchedule([]byte(text)); err == nil {
			t.Errorf("%s: got %+v, want an error", text, s)
		}
	}
}

func TestWarningsOfFrequentRuns(t *testing.T) {
	t.Parallel()
	for cron, want := range map[string]string{
		"*/15 * * * *":    "[]",
		"*/10 * * * *":    "[{schedule.warning.often [10 15]}]",
		"* * * * *":       "[{schedule.warning.often [1 15]}]",
		"0,55 0,23 * * *": "[{schedule.warning.often [5 15]}]",
		"0 4 * * *":       "[]",
		"0 25 * * *":      "[]",
	} {
		if got := fmt.Sprint(CronSchedule(cron).Warnings()); got != want {
			t.Errorf("%s: got %s, want %s", cron, got, want)
		}
	}
}

func TestCatchUpOnlyInItsWindow(t *testing.T) {
	t.Parallel()
	day := Schedule{WindowFrom: "02:00", WindowTo: "06:00"}
	night := Schedule{WindowFrom: "22:00", WindowTo: "06:00"}
	for _, test := range []struct {
		schedule Schedule
		hour     int
		want     bool
	}{{Schedule{}, 12, true}, {day, 1, false}, {day, 2, true}, {day, 6, true}, {day, 7, false}, {night, 23, true}, {night, 5, true}, {night, 12, false}} {
		at := time.Date(2026, 7, 1, test.hour, 0, 0, 0, time.UTC)
		if got := test.schedule.CatchUpAllowed(at, time.UTC); got != test.want {
			t.Errorf("%+v at %d h: got %t, want %t", test.schedule, test.hour, got, test.want)
		}
	}
}

func TestImpossibleDatesEndTheSearch(t *testing.T) {
	t.Parallel()
	began := time.Now()
	for range 100 {
		if next := CronSchedule("0 0 31 2 *").Next(began, zoneOf(t, "Europe/Paris")); !next.IsZero() {
			t.Fatalf("got %s, want never", next)
		}
	}
	if each := time.Since(began) / 100; each > 100*time.Millisecond {
		t.Errorf("got %s for a date that does not exist, want under 1 ms (100 on a busy machine)", each)
	}
}

// On the last day of a leap year the time package says that the stretch of a zone whose changes follow a rule has ended.
func TestLastDayOfALeapYear(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Paris", "America/New_York", "Australia/Sydney", "America/Santiago", "Asia/Seoul"} {
		in := zoneOf(t, zone)
		for _, year := range []int{2028, 2040, 2096} {
			at := time.Date(year, 12, 29, 12, 0, 0, 0, in)
			for day := 30; day <= 33; day++ {
				want := time.Date(year, 12, day, 4, 0, 0, 0, in)
				if at = CronSchedule("0 4 * * *").Next(at, in); !at.Equal(want) {
					t.Fatalf("%s: got %s, want %s", zone, at, want)
				}
			}
			want := time.Date(year+1, 1, 1, 0, 0, 0, 0, in)
			if got := CronSchedule("0 0 1 1 *").Next(time.Date(year, 3, 1, 0, 0, 0, 0, in), in); !got.Equal(want) {
				t.Errorf("yearly in %s: got %s, want %s", zone, got, want)
			}
		}
	}
}

func FuzzSchedule(f *testing.F) {
	for _, cron := range []string{"0 4 * * *", "*/15 * * * *", "0 1 25 * *", "5-59/15 2 29 feb mon", "0 0 */31 2 1", "0 0 1 1 *"} {
		f.Add(cron, int64(1_790_000_000), uint8(3))
	}
	zones := []string{"UTC", "Europe/Paris", "Australia/Lord_Howe", "America/Havana", "Asia/Seoul", "Africa/Casablanca"}
	f.Fuzz(func(t *testing.T, cron string, unix int64, zoneNumber uint8) {
		s := CronSchedule(cron)
		if s.Check() != nil {
			return
		}
		after := time.Unix(floorMod(unix, 4_000_000_000), 0)
		zone := zoneOf(t, zones[int(zoneNumber)%len(zones)])
		for _, next := range s.NextN(after, 20, zone) {
			if !next.After(after) || next.Second() != 0 {
				t.Fatalf("%q after %s: got %s, want a later whole minute", cron, after, next)
			}
			if again := s.Next(next.Add(-time.Second), zone); !again.Equal(next) {
				t.Fatalf("%q asked one second before %s: got %s", cron, next, again)
			}
			after = next
		}
	})
}

func BenchmarkNext(b *testing.B) {
	zone := zoneOf(b, "Europe/Paris")
	for _, cron := range []string{"0 4 * * *", "*/10 * * * *", "0 1 25 * *", "0 0 29 2 *", "0 0 31 2 *"} {
		b.Run(cron, func(b *testing.B) {
			after := time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC)
			for b.Loop() {
				CronSchedule(cron).Next(after, zone)
			}
		})
	}
}
