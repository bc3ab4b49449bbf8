package views

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// aheadLine is one line of the picture of the next 24 hours.
type aheadLine struct {
	text, textX       string
	end, bold, hourly bool
	marks             []aheadMark
}

type aheadMark struct{ x, width string }

// hourlyFrom is how many slots in 24 hours make a workflow an hourly one, which shares its line with its like.
const hourlyFrom = 12

func (p Overview) aheadSorted() []Ahead {
	sorted := slices.Clone(p.Ahead)
	slices.SortStableFunc(sorted, func(a, b Ahead) int {
		if len(a.At) == 0 || len(b.At) == 0 {
			return cmp.Compare(len(b.At), len(a.At))
		}
		return a.At[0].Compare(b.At[0])
	})
	return sorted
}

// aheadLines are the nightly workflows a line each, then the hourly ones by their minute, then the rest in one line.
func (p Overview) aheadLines() []aheadLine {
	var lines []aheadLine
	byMinute := map[int][]Ahead{}
	var minutes []int
	for _, ahead := range p.aheadSorted() {
		switch {
		case len(ahead.At) == 0:
		case len(ahead.At) >= hourlyFrom:
			minute := ahead.At[0].In(p.Zone).Minute()
			if len(byMinute[minute]) == 0 {
				minutes = append(minutes, minute)
			}
			byMinute[minute] = append(byMinute[minute], ahead)
		default:
			lines = append(lines, p.nightly(ahead))
		}
	}
	slices.Sort(minutes)
	for _, minute := range minutes {
		lines = append(lines, p.hourly(minute, byMinute[minute]))
	}
	if len(p.Frequent) > 0 {
		lines = append(lines, aheadLine{text: p.N("ahead.frequent", int64(len(p.Frequent))), textX: percent(2*hour+30*time.Minute, 24*hour), hourly: true})
	}
	return lines
}

func (p Overview) marks(ahead Ahead) []aheadMark {
	lasts := max(ahead.Lasts, 24*hour*4/1120)
	var marks []aheadMark
	for _, at := range ahead.At {
		marks = append(marks, aheadMark{percent(at.Sub(p.Now), 24*hour), percent(min(lasts, p.Now.Add(24*hour).Sub(at)), 24*hour)})
	}
	return marks
}

// nightly puts the name right of the first mark, or left of it in the second half of the picture.
func (p Overview) nightly(ahead Ahead) aheadLine {
	line := aheadLine{bold: ahead.Bold, marks: p.marks(ahead)}
	from := ahead.At[0].Sub(p.Now)
	if line.end = from > 11*hour; line.end {
		line.text = ahead.Workflow + " " + p.Clock(ahead.At[0])
		line.textX = percent(from-8*time.Minute, 24*hour)
	} else {
		line.text = p.Clock(ahead.At[0]) + " " + ahead.Workflow
		line.textX = percent(from+max(ahead.Lasts, 5*time.Minute)+8*time.Minute, 24*hour)
	}
	return line
}

func (p Overview) hourly(minute int, group []Ahead) aheadLine {
	var names []string
	for i, ahead := range group {
		if i == 4 {
			names = append(names, p.T("ahead.more", len(group)-4))
			break
		}
		names = append(names, ahead.Workflow)
	}
	at := group[0].At
	text := p.T("ahead.hourly", fmt.Sprintf("%02d", minute), strings.Join(names, ", "))
	line := aheadLine{text: text, hourly: true}
	from := percent(2*hour+30*time.Minute, 24*hour)
	line.textX = from
	// The words stand on the line: the marks under them are left out.
	words := time.Duration(len(text)) * 9 * time.Minute
	for i, mark := range p.marks(Ahead{At: at, Lasts: 0}) {
		if gap := at[i].Sub(p.Now); gap < 2*hour+20*time.Minute || gap > 2*hour+40*time.Minute+words {
			line.marks = append(line.marks, mark)
		}
	}
	return line
}

func (p Overview) aheadTicks() []tick {
	local := p.Now.In(p.Zone)
	at := p.Now.Add(hour - time.Duration(local.Minute())*time.Minute - time.Duration(local.Second())*time.Second)
	var ticks []tick
	for ; at.Before(p.Now.Add(24 * hour)); at = at.Add(hour) {
		t := tick{x: percent(at.Sub(p.Now), 24*hour), midnight: at.In(p.Zone).Hour() == 0}
		if at.In(p.Zone).Hour()%2 == 0 {
			t.number = p.Clock(at)
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// aheadNote counts what comes: "17 nightly runs, 168 hourly".
func (p Overview) aheadNote() string {
	var nightly, hourly int64
	for _, ahead := range p.Ahead {
		if len(ahead.At) >= hourlyFrom {
			hourly += int64(len(ahead.At))
		} else {
			nightly += int64(len(ahead.At))
		}
	}
	switch {
	case nightly+hourly == 0:
		return ""
	case hourly == 0:
		return p.N("ahead.nightly", nightly)
	}
	return p.N("ahead.nightly", nightly) + ", " + p.T("ahead.and_hourly", hourly)
}

// aheadRow is one line of the list of the next 24 hours.
type aheadRow struct {
	at       time.Time
	workflow string
	lasts    string
}

func (p Overview) aheadRows() []aheadRow {
	var rows []aheadRow
	for _, ahead := range p.aheadSorted() {
		if len(ahead.At) == 0 || len(ahead.At) >= hourlyFrom {
			continue
		}
		lasts := ""
		if ahead.Lasts > 0 {
			lasts = p.About(ahead.Lasts)
		}
		if ahead.Lasts > 0 && ahead.Lasts < time.Second {
			lasts = p.Took(ahead.Lasts)
		}
		rows = append(rows, aheadRow{ahead.At[0], ahead.Workflow, lasts})
	}
	return rows
}
