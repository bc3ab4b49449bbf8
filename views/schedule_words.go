package views

import (
	"slices"
	"strconv"
	"time"
)

// tickItem is one thing to tick.
type tickItem struct {
	value int
	text  string
	on    bool
}

// fieldsOf is a part of a form: its heading, what is worth saying of all of it, its fields.
type fieldsOf struct {
	heading, note string
	fields        []Field
	kinds         string // kinds of schedules that it counts for, with spaces; empty: all
}

// scheduleKinds are the kinds of schedules in the order in which they are offered.
func scheduleKinds() []string {
	return []string{"times", "period", "daily", "weekly", "monthly", "once", "cron", "none"}
}

// groups are the fields of all kinds of schedules, each under the kinds that it counts for.
func (p ScheduleForm) groups() []fieldsOf {
	field := func(name, value, kind, counts string) Field {
		return Field{Name: name, Label: p.T("schedule." + name), Help: p.T("schedule." + name + "_help"), Value: value, Type: kind,
			Mono: name == "cron", Error: p.Errors[name], For: counts}
	}
	return []fieldsOf{
		{p.T("schedule.group_times"), p.T("schedule.group_times_note"), []Field{field("times", p.Times, "", "")}, "times daily weekly monthly"},
		{p.T("schedule.group_period"), p.T("schedule.group_period_note"), []Field{
			field("every", p.Every, "number", ""), field("from", p.From, "time", ""), field("to", p.To, "time", "")}, "period"},
		{p.T("schedule.group_days"), p.T("schedule.group_days_note"), []Field{
			field("every_days", p.EveryDays, "number", "daily"), field("month_days", p.MonthDays, "", "monthly"),
			field("nth", p.Nth, "number", "monthly"), field("nth_weekday", p.NthWeekday, "number", "monthly")}, "daily monthly"},
		{p.T("schedule.group_once"), "", []Field{field("at", p.At, "datetime-local", "once"), field("cron", p.Cron, "", "cron")}, "once cron"},
	}
}

// limits are the validity, the number of executions, the zone and the range in which a missed slot is caught up.
func (p ScheduleForm) limits() fieldsOf {
	field := func(name, value, kind string) Field {
		return Field{Name: name, Label: p.T("schedule." + name), Help: p.T("schedule." + name + "_help"), Value: value, Type: kind, Error: p.Errors[name]}
	}
	zone := field("timezone", p.Timezone, "")
	zone.Options = p.Zones
	return fieldsOf{p.T("schedule.group_limits"), "", []Field{
		zone, field("max_executions", p.MaxExecutions, "number"),
		field("valid_from", p.ValidFrom, "datetime-local"), field("valid_to", p.ValidTo, "datetime-local"),
		field("window_from", p.WindowFrom, "time"), field("window_to", p.WindowTo, "time"),
	}, ""}
}

// inZone writes a coming date in the zone of the schedule, which may not be the reader's.
func (p ScheduleForm) inZone(at time.Time) string {
	page := p.Page
	if zone, err := time.LoadLocation(p.Timezone); err == nil && p.Timezone != "" {
		page.Zone = zone
	}
	return page.Stamp(at)
}

func (p ScheduleForm) weekdays() []tickItem {
	var items []tickItem
	for _, day := range []int{1, 2, 3, 4, 5, 6, 0} {
		items = append(items, tickItem{day, p.T("weekday." + strconv.Itoa(day)), slices.Contains(p.Weekdays, day)})
	}
	return items
}

func (p ScheduleForm) months() []tickItem {
	var items []tickItem
	for month := range 12 {
		items = append(items, tickItem{month + 1, p.T("month." + strconv.Itoa(month+1)), slices.Contains(p.Months, month+1)})
	}
	return items
}
