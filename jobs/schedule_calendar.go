package jobs

import (
	"math"
	"math/bits"
	"time"
)

const (
	minutesADay = 24 * 60
	// horizonMonths bounds the search for a day: the fifth of some weekday in a February comes once in at most 40 years.
	horizonMonths = 41 * 12
)

// calendar is a schedule in the form that is searched: the minutes of a day, and a rule for its days.
// Local times are counted in minutes since 1970 of a clock that no daylight saving moves.
type calendar struct {
	minutes  [24]uint64 // bit m of hour h: due at h:m
	months   uint16     // bit 1–12
	days     uint32     // bit 1–31: days of the month
	weekdays uint8      // bit 0 (Sunday) – 6
	// either: a day matches when its date or its weekday does (cron with both given); else both must.
	either    bool
	last      bool // the last day of the month matches, too
	nth       int  // 1–5 or -1: only the nth weekday of the month; 0: any
	everyDays int64
	anchor    int64 // day number that everyDays counts from
	once      int64 // the only local minute; used when hasOnce
	hasOnce   bool
	interval  bool
}

// everyDay is a calendar whose days all match and whose minutes are still to be set.
func everyDay() calendar {
	return calendar{months: 1<<13 - 2, days: 1<<32 - 2, weekdays: 1<<7 - 1}
}

func (c *calendar) addMinute(minute int) { c.minutes[minute/60] |= 1 << (minute % 60) }

// stretch is a part of a zone's time with one offset. before is the offset of the stretch before it.
type stretch struct {
	start, end     int64 // seconds since 1970; math.MinInt64 and math.MaxInt64 where it has no bound
	offset, before int64
}

func stretchOf(at time.Time) stretch {
	start, end := at.ZoneBounds()
	s := stretch{start: math.MinInt64, end: math.MaxInt64, offset: offsetOf(at)}
	if !end.IsZero() {
		s.end = end.Unix()
	}
	// Where a zone's changes follow a rule, the time package ends its last stretch of a year after 365 days: on the last
	// day of a leap year that end has passed. Nothing changes within a day of it.
	if s.end <= at.Unix() {
		s.end = at.Unix() + 86400
	}
	if s.before = s.offset; !start.IsZero() {
		s.start, s.before = start.Unix(), offsetOf(start.Add(-time.Second).In(at.Location()))
	}
	return s
}

// following is the stretch after this one; where nothing changed at its end, it begins there all the same.
func (s stretch) following(zone *time.Location) stretch {
	next := stretchOf(time.Unix(s.end, 0).In(zone))
	if next.start < s.end {
		next.start, next.before = s.end, s.offset
	}
	return next
}

// walk goes from one occurrence of a calendar to the next in a zone. It keeps the stretch it is in.
type walk struct {
	*calendar
	zone *time.Location
	in   stretch
}

func (c *calendar) walk(zone *time.Location) *walk { return &walk{calendar: c, zone: zone} }

// next walks the zone's stretches from after on. Inside a stretch local time is a straight line, so one search on the
// unmoved clock serves it; between two stretches lies a gap, a repetition or nothing.
func (w *walk) next(after time.Time) time.Time {
	now := after.Unix()
	if now < w.in.start || now >= w.in.end {
		w.in = stretchOf(after.In(w.zone))
	}
	from := floorDiv(now+w.in.offset, 60) + 1
	for {
		if !w.interval && w.in.before > w.in.offset {
			from = max(from, ceilDiv(w.in.start+w.in.before, 60)) // what was shown before is not due again
		}
		minute, ok := w.search(from)
		if !ok {
			return time.Time{}
		}
		if w.in.end == math.MaxInt64 || minute*60 < w.in.end+w.in.offset {
			return w.moment(minute)
		}
		// Nothing is due for years: go on two days before it, past the changes between.
		if far := minute*60 - 2*86400; far > w.in.end+86400 {
			return w.next(time.Unix(far, 0))
		}
		w.in = w.in.following(w.zone)
		from = ceilDiv(w.in.start+w.in.offset, 60)
		if minute < from && w.madeUp(from) {
			return w.moment(from)
		}
	}
}

// moment is when the clock shows a minute in the stretch.
func (w *walk) moment(minute int64) time.Time { return time.Unix(minute*60-w.in.offset, 0).In(w.zone) }

// madeUp says whether minutes that a gap swallowed are due at the first minute after it.
func (c *calendar) madeUp(first int64) bool {
	if !c.interval {
		return true
	}
	minute, ok := c.search(first)
	return !ok || minute >= first+60
}

// search finds the first matching minute at or after from on the unmoved clock.
func (c *calendar) search(from int64) (int64, bool) {
	if c.hasOnce {
		return c.once, c.once >= from
	}
	day, minute := floorDiv(from, minutesADay), int(floorMod(from, minutesADay))
	year, month, dom := civil(day)
	for range horizonMonths {
		if c.months>>month&1 == 1 {
			length := monthLength(year, month)
			for left := c.monthDays(day-int64(dom)+1, length) >> dom << dom; left != 0; left &= left - 1 {
				d := bits.TrailingZeros32(left)
				if d != dom {
					minute = 0
				}
				if m, ok := c.searchMinute(minute); ok {
					return (day+int64(d-dom))*minutesADay + int64(m), true
				}
			}
		}
		day += int64(monthLength(year, month) - dom + 1)
		dom, minute = 1, 0
		if month++; month == 13 {
			year, month = year+1, 1
		}
	}
	return 0, false
}

// searchMinute finds the first due minute of a day at or after one.
func (c *calendar) searchMinute(from int) (int, bool) {
	hour := from / 60
	if left := c.minutes[hour] >> (from % 60) << (from % 60); left != 0 {
		return hour*60 + bits.TrailingZeros64(left), true
	}
	for hour++; hour < 24; hour++ {
		if c.minutes[hour] != 0 {
			return hour*60 + bits.TrailingZeros64(c.minutes[hour]), true
		}
	}
	return 0, false
}

// monthDays is the set of matching days (bits 1–31) of a month, which begins on day number first.
func (c *calendar) monthDays(first int64, length int) uint32 {
	dates := c.days
	if c.last {
		dates |= 1 << length
	}
	all := uint32(1<<(length+1) - 2)
	if c.weekdays == 1<<7-1 && c.nth == 0 && c.everyDays <= 1 {
		if c.either {
			return all
		}
		return dates & all
	}
	var weekdays uint32
	for d := 1; d <= length; d++ {
		weekday := floorMod(first+int64(d)+3, 7) // 1 January 1970 was a Thursday
		if c.weekdays>>weekday&1 == 1 && c.isNth(d, length) && c.isEvery(first+int64(d)-1) {
			weekdays |= 1 << d
		}
	}
	if c.either {
		return (dates | weekdays) & all
	}
	return dates & weekdays
}

func (c *calendar) isNth(day, length int) bool {
	switch c.nth {
	case 0:
		return true
	case -1:
		return day > length-7
	default:
		return (day-1)/7 == c.nth-1
	}
}

func (c *calendar) isEvery(day int64) bool {
	return c.everyDays <= 1 || floorMod(day-c.anchor, c.everyDays) == 0
}

func offsetOf(at time.Time) int64 {
	_, offset := at.Zone()
	return int64(offset)
}

func monthLength(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

// civil is the date of a day number.
func civil(day int64) (year, month, dom int) {
	y, m, d := time.Unix(day*86400, 0).UTC().Date()
	return y, int(m), d
}

// dayNumber counts the days since 1 January 1970 of the date that a moment shows in its own zone.
func dayNumber(at time.Time) int64 {
	y, m, d := at.Date()
	return floorDiv(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix(), 86400)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

func ceilDiv(a, b int64) int64 { return -floorDiv(-a, b) }
