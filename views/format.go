package views

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"nightshift/views/locale"
)

// nnbsp is the narrow space between a number and its unit, at which no line breaks.
const nnbsp = "\u202f"

// Number writes a whole number with its separators: 1,204,551.
func Number(n int64) string { return locale.Number(n) }

// Short writes a large number for a row: 1.2 M, 84 k. The exact number belongs in the title.
func Short(n int64) string {
	switch {
	case n >= 1_000_000_000:
		return fmt.Sprintf("%.1f%sG", float64(n)/1e9, nnbsp)
	case n >= 1_000_000:
		return fmt.Sprintf("%.1f%sM", float64(n)/1e6, nnbsp)
	case n >= 10_000:
		return fmt.Sprintf("%d%sk", n/1000, nnbsp)
	}
	return Number(n)
}

// Size writes bytes with a binary unit: 1.2 GB, <1 MB.
func Size(bytes int64) string {
	const mega, giga = 1 << 20, 1 << 30
	switch {
	case bytes <= 0:
		return "—"
	case bytes >= giga:
		return fmt.Sprintf("%.1f%sGB", float64(bytes)/giga, nnbsp)
	case bytes >= mega:
		return fmt.Sprintf("%d%sMB", bytes/mega, nnbsp)
	}
	return "<1" + nnbsp + "MB"
}

// Took writes how long something took: <1 s, 2.1 s, 41 s, 5 m 02 s, 2 h 07 m, 3 d 4 h.
func (p Page) Took(d time.Duration) string {
	tenths := d.Round(100 * time.Millisecond)
	whole := d.Round(time.Second)
	switch {
	case d < time.Second:
		return p.T("unit.below_second")
	case tenths < 10*time.Second:
		return p.T("unit.s", fmt.Sprintf("%.1f", tenths.Seconds()))
	case whole < time.Minute:
		return p.T("unit.s", strconv.Itoa(int(whole.Seconds())))
	case whole < time.Hour:
		return p.T("unit.m", strconv.Itoa(int(whole.Minutes()))) + p.gap() + p.T("unit.s", fmt.Sprintf("%02d", int(whole.Seconds())%60))
	case whole < 24*time.Hour:
		return p.T("unit.h", strconv.Itoa(int(whole.Hours()))) + p.gap() + p.T("unit.m", fmt.Sprintf("%02d", int(whole.Minutes())%60))
	}
	return p.T("unit.d", strconv.Itoa(int(whole.Hours())/24)) + p.gap() + p.T("unit.h", strconv.Itoa(int(whole.Hours())%24))
}

// Lasted writes how long something took without tenths, for rows that are compared at a glance.
func (p Page) Lasted(d time.Duration) string {
	if d < time.Second {
		return p.Took(d)
	}
	if d < 10*time.Second {
		return p.About(d.Round(time.Second))
	}
	return p.Took(d)
}

// About writes a span roughly, for "16 min ago" and "in 9 d": one unit, two between an hour and a day.
func (p Page) About(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return p.T("unit.s", strconv.Itoa(int(d.Seconds())))
	case d < time.Hour:
		return p.T("unit.min", strconv.Itoa(int(d.Minutes())))
	case d < 24*time.Hour:
		return p.T("unit.h", strconv.Itoa(int(d.Hours()))) + p.gap() + p.T("unit.m", fmt.Sprintf("%02d", int(d.Minutes())%60))
	}
	return p.T("unit.d", strconv.Itoa(int(d.Hours())/24))
}

func (p Page) gap() string {
	if p.Lang == locale.Korean {
		return " "
	}
	return nnbsp
}

// unitGap stands between a number and its unit.
func (p Page) unitGap() string {
	if p.Lang == locale.Korean {
		return ""
	}
	return nnbsp
}

// zoneBeside is the zone of a clock time whose column's head names it; a stacked table has no heads and shows it.
func (p Page) zoneBeside(t time.Time, shown string) string {
	zone := t.In(p.Zone).Format("MST")
	if !strings.Contains(shown, ":") || strings.HasSuffix(shown, zone) {
		return ""
	}
	return zone
}

// Ago writes how long ago a moment was: "16 min ago".
func (p Page) Ago(t time.Time) string { return p.T("time.ago", p.About(p.Now.Sub(t))) }

// In writes how far ahead a moment is: "in 42 min".
func (p Page) In(t time.Time) string { return p.T("time.in", p.About(t.Sub(p.Now))) }

// Clock writes hours and minutes: 04:17.
func (p Page) Clock(t time.Time) string { return t.In(p.Zone).Format("15:04") }

// Second writes a time of day to the second, with its zone: 04:17:32 CEST.
func (p Page) Second(t time.Time) string { return t.In(p.Zone).Format("15:04:05 MST") }

// ZoneName is the short name of the page's zone now: CEST.
func (p Page) ZoneName() string { return p.Now.In(p.Zone).Format("MST") }

// zoneInFull names the zone as a place and as its clock says it, once where both are the same.
func (p Page) zoneInFull() string {
	if place, name := p.Zone.String(), p.ZoneName(); place != name {
		return place + " (" + name + ")"
	}
	return p.ZoneName()
}

// Day writes a date without its year: Wed 29 Jul, 7월 29일 (수).
func (p Page) Day(t time.Time) string {
	t = t.In(p.Zone)
	return p.T("time.day", p.T("weekday."+strconv.Itoa(int(t.Weekday()))), t.Format("2"), p.T("month."+strconv.Itoa(int(t.Month()))))
}

// DayYear writes a date with its year: Wed 29 Jul 2026, 2026년 7월 29일 (수).
func (p Page) DayYear(t time.Time) string {
	t = t.In(p.Zone)
	return p.T("time.day_year", p.T("weekday."+strconv.Itoa(int(t.Weekday()))), t.Format("2"),
		p.T("month."+strconv.Itoa(int(t.Month()))), t.Format("2006"))
}

// Stamp writes a date and a time with its zone: Wed 29 Jul 04:00 CEST. Another year than now's is added.
func (p Page) Stamp(t time.Time) string { return p.DayTime(t) + " " + t.In(p.Zone).Format("MST") }

// DayTime writes a date and a time, for a column whose head names the zone.
func (p Page) DayTime(t time.Time) string {
	if t.In(p.Zone).Year() != p.Now.In(p.Zone).Year() {
		return p.DayYear(t) + " " + p.Clock(t)
	}
	return p.Day(t) + " " + p.Clock(t)
}

// When writes a moment as briefly as it can be told from others: the clock when it is on the day of now, else the day too.
func (p Page) When(t time.Time) string {
	if p.sameDay(t, p.Now) {
		return p.Clock(t) + " " + t.In(p.Zone).Format("MST")
	}
	return p.Stamp(t)
}

func (p Page) sameDay(a, b time.Time) bool {
	return a.In(p.Zone).Format(time.DateOnly) == b.In(p.Zone).Format(time.DateOnly)
}

// Exact writes a moment in full, for titles: 2026-07-29 04:00:00.214 CEST.
func (p Page) Exact(t time.Time) string { return t.In(p.Zone).Format("2006-01-02 15:04:05.000 MST") }

// machineTime writes a moment for programs that read the page: to the millisecond, which is as fine as HTML knows times.
func machineTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// OrNone is the text, or the dash that means none.
func OrNone(text string) string {
	if text == "" {
		return "—"
	}
	return text
}
