package web

import (
	"errors"
	"strings"
	"testing"

	"nightshift/jobs"
	"nightshift/jobs/catalogue"
	"nightshift/views/locale"
)

func TestScheduleWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		schedule   jobs.Schedule
		en, korean string
	}{
		{jobs.CronSchedule("0 4 * * *"), "Daily at 04:00", "매일 04:00"},
		{jobs.CronSchedule("0 5 * * 1"), "Mondays at 05:00", "매주 월요일 05:00"},
		{jobs.CronSchedule("0 1 25 * *"), "25th at 01:00", "매월 25일 01:00"},
		{jobs.CronSchedule("0 * * * *"), "Hourly", "매시간"},
		{jobs.CronSchedule("15 * * * *"), "Hourly at :15", "매시 15분"},
		{jobs.CronSchedule("*/10 * * * *"), "Every 10 min", "10분마다"},
		{jobs.CronSchedule("5-59/15 * * * *"), "Every 15 min", "15분마다"},
		{jobs.CronSchedule("* * * * *"), "Every minute", "매분"},
		{jobs.CronSchedule("0 1,7,13,19 * * *"), "Daily at 01:00, 07:00, 13:00, 19:00", "매일 01:00, 07:00, 13:00, 19:00"},
		{jobs.CronSchedule("0 4 * 2 1-5"), "0 4 * 2 1-5", "0 4 * 2 1-5"},
		{jobs.Schedule{Kind: "weekly", Times: []string{"08:00"}, Weekdays: []int{0, 1, 4}}, "Mon, Thu, Sun at 08:00", "매주 월, 목, 일 08:00"},
		{jobs.Schedule{Kind: "monthly", Times: []string{"08:00"}, MonthDays: []int{2, 11, -1}}, "2nd, 11th, last day at 08:00", "매월 2일, 11일, 말일 08:00"},
		{jobs.Schedule{Kind: "period", Every: 20, From: "06:00", To: "20:00"}, "Every 20 min, 06:00 – 20:00", "20분마다, 06:00 – 20:00"},
		{jobs.Schedule{Kind: "once", At: "2026-07-01T08:00:00"}, "Once, 2026-07-01 08:00", "한 번, 2026-07-01 08:00"},
		{jobs.Schedule{Kind: "once", At: "2026-07-01T08:00"}, "Once, 2026-07-01 08:00", "한 번, 2026-07-01 08:00"},
		{jobs.Schedule{Kind: "none"}, "No schedule", "일정 없음"},
		{jobs.CronSchedule("20-59/20 * * * *"), "20-59/20 * * * *", "20-59/20 * * * *"},
		{jobs.Schedule{Kind: "none", Signal: true}, "On signal", "신호 시"},
		{jobs.Schedule{Kind: "cron", Cron: "0 * * * *", Signal: true}, "Hourly, on signal", "매시간, 신호 시"},
		{jobs.Schedule{Kind: "times", Every: 30, From: "08:00"}, "Every 30 min, 08:00 – 24:00", "30분마다, 08:00 – 24:00"},
	} {
		if got := scheduleWords(locale.English, test.schedule); got != test.en {
			t.Errorf("%+v: got %q, want %q", test.schedule, got, test.en)
		}
		if got := scheduleWords(locale.Korean, test.schedule); got != test.korean {
			t.Errorf("%+v in Korean: got %q, want %q", test.schedule, got, test.korean)
		}
	}
}

// Every schedule of the catalogue has words, not an expression.
func TestEveryDefaultScheduleHasWords(t *testing.T) {
	t.Parallel()
	for _, w := range catalogue.All() {
		if w.Schedule == "" {
			continue
		}
		if got := scheduleWords(locale.English, jobs.CronSchedule(w.Schedule)); got == w.Schedule {
			t.Errorf("%s: %q has no words", w.Name, w.Schedule)
		}
	}
}

// What the schedule says of itself in English is what the console says; every sentence has a Korean one.
func TestScheduleErrorsInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, wrong := range []jobs.Schedule{
		{Kind: "x"}, {Kind: "times"}, {Kind: "times", Times: make([]string, 99)}, {Kind: "times", Times: []string{"25:00"}}, {Kind: "period"},
		{Kind: "period", Every: 5, From: "09:00", To: "08:00"}, {Kind: "daily", Times: []string{"1:00"}, EveryDays: 999},
		{Kind: "weekly", Times: []string{"1:00"}}, {Kind: "monthly", Times: []string{"1:00"}}, {Kind: "once", At: "x"},
		{Kind: "monthly", Times: []string{"1:00"}, Nth: 2, MonthDays: []int{1}}, {Kind: "monthly", Times: []string{"1:00"}, Nth: 9},
		jobs.CronSchedule("60 * * * *"), jobs.CronSchedule("0 24 * * *"), jobs.CronSchedule("0 0 32 * *"), jobs.CronSchedule("0 0 1 0 *"),
		jobs.CronSchedule("0 0 * * 9"), jobs.CronSchedule("0 0"), jobs.CronSchedule("x * * * *"), jobs.CronSchedule("*/x * * * *"),
		jobs.CronSchedule("9-3 * * * *"), jobs.CronSchedule("0 0 31 2 *"), {Kind: "daily", Times: []string{"1:00"}, WindowTo: "x"},
	} {
		var refused *jobs.ScheduleError
		if err := wrong.Check(); !errors.As(err, &refused) {
			t.Errorf("%+v: got %v, want a refusal", wrong, err)
			continue
		}
		if got := locale.T(locale.English, refused.Key, refused.Args...); got != refused.Error() {
			t.Errorf("%s: the console says %q, the schedule %q", refused.Key, got, refused)
		}
		if got := locale.T(locale.Korean, refused.Key, refused.Args...); strings.Contains(got, "⟦") || strings.Contains(got, "%!") || got == refused.Error() {
			t.Errorf("%s in Korean: got %q", refused.Key, got)
		}
	}
	for _, warning := range jobs.CronSchedule("* * * * *").Warnings() {
		if got, want := locale.T(locale.English, warning.Key, warning.Args...), "Two runs follow one another within 1 min. Less than 15 min apart is not recommended."; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
