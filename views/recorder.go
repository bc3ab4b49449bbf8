package views

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// The recorder's traces, from top to bottom, in pixels.
const (
	recorderHeight = 436
	tookTop        = 64
	tookBottom     = 226
	rowsTop        = 262
	rowsBottom     = 392
)

// scale maps values from zero to a top value onto a stretch of pixels, upside down.
type scale struct {
	top, bottom, most float64
	lines             []gridLine
}

type gridLine struct {
	y    float64
	text string
}

func (s scale) y(v float64) float64 { return s.bottom - (s.bottom-s.top)*min(v, s.most)/s.most }

// graded makes a scale with a few lines at round values.
func graded(top, bottom, most float64, steps []float64, name func(float64) string) scale {
	step := steps[len(steps)-1]
	for _, s := range steps {
		if most/s <= 3.2 {
			step = s
			break
		}
	}
	s := scale{top: top, bottom: bottom, most: math.Max(math.Ceil(most/step)*step, step)}
	for v := 0.0; v <= s.most+step/100; v += step {
		s.lines = append(s.lines, gridLine{s.y(v), name(v)})
	}
	return s
}

func (p Workflow) tookScale() scale {
	most := p.Recorder.Took.High
	for _, slot := range p.Recorder.Slots {
		most = max(most, slot.Took.Seconds())
	}
	steps := []float64{1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800}
	return graded(tookTop, tookBottom, max(most, 1), steps, func(v float64) string {
		if v == 0 {
			return "0"
		}
		return p.axisTime(time.Duration(v * float64(time.Second)))
	})
}

// axisTime is a round duration with one unit.
func (p Page) axisTime(d time.Duration) string {
	switch {
	case d < time.Minute:
		return p.T("unit.s", strconv.Itoa(int(d.Seconds())))
	case d < time.Hour:
		return p.T("unit.m", strconv.Itoa(int(d.Minutes())))
	}
	return p.T("unit.h", strconv.FormatFloat(d.Hours(), 'g', 3, 64))
}

func (p Workflow) rowsScale() scale {
	most := p.Recorder.Rows.High
	for _, slot := range p.Recorder.Slots {
		most = max(most, float64(slot.Rows))
	}
	var steps []float64
	for power := 1.0; power < 1e12; power *= 10 {
		steps = append(steps, power, 2*power, 5*power)
	}
	return graded(rowsTop, rowsBottom, max(most, 1), steps, func(v float64) string { return axisNumber(v) })
}

func axisNumber(v float64) string {
	switch {
	case v >= 1e6:
		return strconv.FormatFloat(v/1e6, 'g', 3, 64) + nnbsp + "M"
	case v >= 1e3:
		return strconv.FormatFloat(v/1e3, 'g', 3, 64) + nnbsp + "k"
	}
	return Number(int64(v))
}

// recorderDrawn is one slot, placed.
type recorderDrawn struct {
	x, width, middle string
	slot             RecorderSlot
	class            string // of its square
	mark             string // class of the mark below the square
	tookY            float64
	tookClass        string
	rowsY            float64
	rowsClass        string
	title            string
}

func (p Workflow) drawSlots(took, rows scale) []recorderDrawn {
	count := float64(max(len(p.Recorder.Slots), 1))
	var drawn []recorderDrawn
	for i, slot := range p.Recorder.Slots {
		d := recorderDrawn{
			x:      fmt.Sprintf("%.3f%%", 100*(float64(i)+.18)/count),
			width:  fmt.Sprintf("%.3f%%", 64/count),
			middle: fmt.Sprintf("%.3f%%", 100*(float64(i)+.5)/count),
			slot:   slot, class: "ran", tookY: took.y(slot.Took.Seconds()), rowsY: rows.y(float64(slot.Rows)), tookClass: "dot", rowsClass: "ran",
			title: p.DayTime(slot.At) + ": " + p.T(slot.State.key()),
		}
		if slot.Took > 0 {
			d.title += ", " + p.Took(slot.Took) + ", " + p.N("recorder.rows", slot.Rows)
		}
		for _, cause := range slot.Causes {
			d.title += ", " + p.T("drift."+cause)
		}
		d.judge()
		drawn = append(drawn, d)
	}
	return drawn
}

// judge gives a slot the classes of what became of it.
func (d *recorderDrawn) judge() {
	switch d.slot.State {
	case Failed:
		d.class, d.mark, d.tookClass, d.rowsClass = "bad", "bad", "bad", "bad"
	case Late:
		d.mark = "warn"
	case Missed:
		d.class, d.mark, d.tookClass = "missed", "warn", ""
	case Skipped, Cancelled:
		d.class, d.tookClass = "skipped", ""
	case Due, Waiting:
		d.class, d.tookClass = "due", ""
	case Running:
		d.class, d.rowsClass = "now", "now"
	}
	for _, cause := range d.slot.Causes {
		switch cause {
		case "slower", "faster":
			d.tookClass = "beyond"
		case "more", "fewer":
			d.rowsClass = "beyond"
		}
	}
}

// dateLine is a line of the time axis: each Monday, or each six hours.
type dateLine struct {
	x, text string
	last    bool // near the right edge: the words stand left of the line
}

func (p Workflow) dateLines() []dateLine {
	slots := p.Recorder.Slots
	var lines []dateLine
	for i, slot := range slots {
		local := slot.At.In(p.Zone)
		x := fmt.Sprintf("%.3f%%", 100*(float64(i)+.5)/float64(len(slots)))
		last := float64(i) > .92*float64(len(slots))
		first := i == 0 || !p.sameDay(slots[i-1].At, slot.At)
		switch {
		case p.Recorder.Hourly && local.Hour()%6 == 0 && local.Minute() == 0:
			lines = append(lines, dateLine{x, p.Clock(slot.At), last})
		case !p.Recorder.Hourly && local.Weekday() == time.Monday && first:
			lines = append(lines, dateLine{x, p.T("time.short_day", strconv.Itoa(local.Day()), p.T("month."+strconv.Itoa(int(local.Month())))), last})
		}
	}
	return lines
}

// noteX places a change between the slots around it; ok is false when it is outside.
func (p Workflow) noteX(at time.Time) (x string, ok bool) {
	slots := p.Recorder.Slots
	for i := 1; i < len(slots); i++ {
		if !slots[i].At.Before(at) && slots[i-1].At.Before(at) {
			return fmt.Sprintf("%.3f%%", 100*float64(i)/float64(len(slots))), true
		}
	}
	return "", false
}

// recorderNote counts what became of the slots: "57 ran · 1 failed".
func (p Workflow) recorderNote() string {
	counts := map[string]int64{}
	for _, slot := range p.Recorder.Slots {
		if len(slot.Causes) > 0 {
			counts["unusual"]++
		}
		switch slot.State {
		case Failed, Missed, Skipped:
			counts[string(slot.State)]++
		case Finished, Warned, Late, Stopped, Interrupted:
			counts["ran"]++
		}
	}
	said := p.T("recorder.ran", counts["ran"])
	for _, kind := range []string{"unusual", "failed", "skipped", "missed"} {
		if counts[kind] > 0 {
			said += " · " + p.T("recorder."+kind, counts[kind])
		}
	}
	return said
}

func (p Workflow) recorderTitle() string {
	key := "recorder.nights"
	if p.Recorder.Hourly {
		key = "recorder.slots"
	}
	return p.N(key, int64(len(p.Recorder.Slots)))
}

func (p Workflow) legend() string {
	r := p.Recorder
	return p.T("recorder.median", p.Lasted(time.Duration(r.Took.Median*float64(time.Second))), Short(int64(r.Rows.Median)))
}
