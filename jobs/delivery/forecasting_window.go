package delivery

import "time"

// span is a stretch of days in the instance's zone, as numbers counted from 1970-01-01; before is not part of it.
type span struct{ from, before int }

func (s span) has(day int) bool { return s.from <= day && day < s.before }

// period is how far a pressure rule looks from the day of a message.
type period struct {
	days     int
	grouping string // "", day, week, month, quarter or year
	calendar bool   // the scheduled messages count, too: as many days ahead
	firstDay time.Weekday
}

// around is the window of a message of a day: the days up to it, as many as the period has and the day itself among them,
// and with the provisional calendar as many after it. The grouping then enlarges both ends to whole weeks, months and so
// on: no days with a grouping by week are the calendar week.
func (p period) around(day int) span {
	w := span{day - max(p.days-1, 0), day + 1}
	if p.calendar {
		w.before += p.days
	}
	w.from = dayNumber(p.begin(dateOf(w.from)))
	w.before = dayNumber(p.next(p.begin(dateOf(w.before - 1))))
	return w
}

// begin is the first day of the group that a day belongs to.
func (p period) begin(at time.Time) time.Time {
	switch p.grouping {
	case "week":
		return at.AddDate(0, 0, -(int(at.Weekday()-p.firstDay)+7)%7)
	case "month":
		return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	case "quarter":
		return time.Date(at.Year(), (at.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	case "year":
		return time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return at
}

// next is the first day of the group after the one that begins at a day.
func (p period) next(begin time.Time) time.Time {
	switch p.grouping {
	case "week":
		return begin.AddDate(0, 0, 7)
	case "month":
		return begin.AddDate(0, 1, 0)
	case "quarter":
		return begin.AddDate(0, 3, 0)
	case "year":
		return begin.AddDate(1, 0, 0)
	}
	return begin.AddDate(0, 0, 1)
}

const secondsPerDay = 24 * 60 * 60

// A day is a number, so that it has neither a zone nor a clock change.
func dateOf(day int) time.Time         { return time.Unix(int64(day)*secondsPerDay, 0).UTC() }
func dayNumber(midnight time.Time) int { return int(midnight.Unix() / secondsPerDay) }

// pressure decides the messages of one recipient after the other, in the order of their right to be sent.
type pressure struct {
	period  period
	windows map[int]span // by day
	begun   bool
	key     int64
	sent    []candidate
	kept    []int // days of the scheduled messages that count
}

func newPressure(p period) *pressure { return &pressure{period: p, windows: map[int]span{}} }

// keeps decides a message: it is kept when fewer than the threshold were sent within its window, or are scheduled there and
// were kept before. Rows of what was sent, and messages that the rule does not cover, are only counted.
func (p *pressure) keeps(m *candidate) bool {
	if !p.begun || m.key != p.key {
		p.begun, p.key, p.sent, p.kept = true, m.key, p.sent[:0], p.kept[:0]
	}
	if m.delivery == 0 {
		p.sent = append(p.sent, *m)
		return true
	}
	keep := true
	switch {
	case m.fixed != nil:
		keep = *m.fixed
	case m.covered && m.threshold != nil:
		keep = float64(p.pressing(m.day)) < *m.threshold
	}
	if keep && m.counts {
		p.kept = append(p.kept, m.day)
	}
	return keep
}

// pressing is how many messages lie in the window of a day.
func (p *pressure) pressing(day int) (n int) {
	window, ok := p.windows[day]
	if !ok {
		window = p.period.around(day)
		p.windows[day] = window
	}
	for _, s := range p.sent {
		if window.has(s.day) {
			n += s.sent
		}
	}
	for _, kept := range p.kept {
		if window.has(kept) {
			n++
		}
	}
	return n
}
