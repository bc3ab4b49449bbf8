package delivery

import (
	"testing"
	"time"
)

// The windows of the documentation's examples, and those where a group ends.
func TestWindow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		contact    string
		days       int
		grouping   string
		calendar   bool
		first      time.Weekday
		from, last string
	}{
		{"2026-12-11", 15, "", false, time.Monday, "2026-11-27", "2026-12-11"},
		{"2026-12-11", 15, "none", true, time.Monday, "2026-11-27", "2026-12-26"},
		{"2026-12-11", 15, "day", true, time.Monday, "2026-11-27", "2026-12-26"},
		{"2026-12-11", 15, "month", false, time.Monday, "2026-11-01", "2026-12-31"},
		{"2026-12-31", 1, "month", true, time.Monday, "2026-12-01", "2027-01-31"},
		{"2026-06-22", 15, "month", true, time.Monday, "2026-06-01", "2026-07-31"},
		{"2026-06-22", 15, "quarter", true, time.Monday, "2026-04-01", "2026-09-30"},
		{"2026-06-22", 15, "year", true, time.Monday, "2026-01-01", "2026-12-31"},
		{"2028-02-29", 1, "month", false, time.Monday, "2028-02-01", "2028-02-29"},
		{"2026-06-10", 0, "week", false, time.Monday, "2026-06-08", "2026-06-14"},
		{"2026-06-10", 0, "week", true, time.Monday, "2026-06-08", "2026-06-14"},
		{"2026-06-14", 0, "week", true, time.Monday, "2026-06-08", "2026-06-14"},
		{"2026-06-14", 0, "week", true, time.Sunday, "2026-06-14", "2026-06-20"},
		{"2026-06-13", 0, "week", false, time.Saturday, "2026-06-13", "2026-06-19"},
		{"2026-06-10", 7, "week", true, time.Monday, "2026-06-01", "2026-06-21"},
		{"2026-06-10", 0, "", false, time.Monday, "2026-06-10", "2026-06-10"},
		{"2026-06-10", 1, "", false, time.Monday, "2026-06-10", "2026-06-10"},
		{"2026-06-10", 1, "", true, time.Monday, "2026-06-10", "2026-06-11"},
	} {
		day, err := time.Parse(time.DateOnly, test.contact)
		if err != nil {
			t.Fatal(err)
		}
		got := period{days: test.days, grouping: test.grouping, calendar: test.calendar, firstDay: test.first}.around(dayNumber(day))
		from, last := dateOf(got.from).Format(time.DateOnly), dateOf(got.before-1).Format(time.DateOnly)
		if from != test.from || last != test.last {
			t.Errorf("%+v: got %s to %s", test, from, last)
		}
	}
}
