package jobs

import (
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

// next walks the zone's stretches of constant offset from after on. Inside a stretch local time is a straight
// line, so one search on the unmoved clock serves it; between two stretches lies a gap, a repetition or nothing.
func (c *calendar) next(after time.Time, zone *time.Location) time.Time {
	at := after.In(zone)
	offset := offsetOf(at)
	start, end := at.ZoneBounds()
	from := floorDiv(at.Unix()+offset, 60) + 1
	if !c.interval && !start.IsZero() {
		from = max(from, ceilDiv(start.Unix()+offsetOf(start.Add(-time.Second).In(zone)), 60))
	}
	for {
		minute, ok := c.search(from)
		if !ok {
			return time.Time{}
		}
		if end.IsZero() || minute*60 < end.Unix()+offset {
			return time.Unix(minute*60-offset, 0).In(zone)
		}
		// Nothing is due for years: go on two days before it, past the changes between.
		if far := time.Unix(minute*60-2*86400, 0); far.After(end.Add(86400 * time.Second)) {
			return c.next(far, zone)
		}
		before := offset
		next := end.In(zone)
		offset = offsetOf(next)
		if minute*60 < end.Unix()+offset {
			first := ceilDiv(end.Unix()+offset, 60)
			if c.madeUp(first) {
				return time.Unix(first*60-offset, 0).In(zone)
			}
		}
		from = ceilDiv(end.Unix()+offset, 60)
		if !c.interval {
			from = max(from, ceilDiv(end.Unix()+before, 60))
		}
		_, end = next.ZoneBounds()
	}
}

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
	var weekdays uint32
	for d := 1; d <= length; d++ {
		weekday := floorMod(first+int64(d)+3, 7) // 1 January 1970 was a Thursday
		if c.weekdays>>weekday&1 == 1 && c.isNth(d, length) && c.isEvery(first+int64(d)-1) {
			weekdays |= 1 << d
		}
	}
	if c.either {
		return (dates | weekdays) & (1<<(length+1) - 2)
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
