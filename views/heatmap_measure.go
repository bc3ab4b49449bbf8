package views

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// heatMeasures are what the map can show; the last two are sampled, in seconds.
var heatMeasures = []string{"runs", "rows", "database", "locks"}

func (p HeatMap) sampled() bool { return p.Measure == "database" || p.Measure == "locks" }

// foretold reports whether there is a forecast: runs wait for locks when they meet, which no median tells.
func (p HeatMap) foretold() bool { return p.Measure != "locks" }

// value is what the measure shows of a cell.
func (p HeatMap) value(c HeatCell) int64 {
	switch p.Measure {
	case "rows":
		return c.Rows
	case "database":
		return int64(math.Round(c.Load.Database))
	case "locks":
		return int64(math.Round(c.Load.Locks))
	}
	return c.Runs
}

// heatLimits are the largest values of the steps of the ramp but the last.
func heatLimits(measure string) []int64 {
	switch measure {
	case "rows":
		return []int64{0, 99, 999, 9_999, 99_999, 999_999, 9_999_999}
	case "database": // 300 s are one backend that never rests
		return []int64{0, 10, 30, 60, 150, 300, 600}
	case "locks":
		return []int64{0, 5, 10, 20, 60, 150, 300}
	}
	return []int64{0, 1, 3, 5, 8, 12, 20}
}

// level is the step of the ramp, 0 to 7.
func (p HeatMap) level(n int64) int {
	limits := heatLimits(p.Measure)
	for i, limit := range limits {
		if n <= limit {
			return i
		}
	}
	return len(limits)
}

// unsampled reports a cell of which the measure says too little: nobody looked at its runs.
func (p HeatMap) unsampled(c HeatCell) bool { return p.sampled() && c.Load.Unsampled && !c.Expected }

func (p HeatMap) cellClass(i int) string {
	c := p.Cells[i]
	kind := "h"
	if c.Expected {
		kind = "e"
	}
	class := kind + strconv.Itoa(p.level(p.value(c)))
	if p.unsampled(c) && p.value(c) == 0 {
		class = "unsampled"
	}
	if c.Now {
		class += " now"
	}
	return class
}

// cellText is the number in a cell; none for zero.
func (p HeatMap) cellText(c HeatCell) string {
	n := p.value(c)
	switch {
	case n == 0 && p.unsampled(c):
		return "?"
	case n == 0:
		return ""
	case p.Measure == "rows" && n >= 1000 && n < 10_000:
		return fmt.Sprintf("%.1fk", float64(n)/1000)
	}
	return strings.ReplaceAll(Short(n), nnbsp, "")
}

// cellSays is a cell for those who do not see it.
func (p HeatMap) cellSays(i int) string {
	c := p.Cells[i]
	if c.Absent {
		return p.T("heat.absent", clockOf(i))
	}
	key := "heat.says"
	if c.Expected {
		key = "heat.says_expected"
	}
	says := clockOf(i) + ", " + p.T(key, Number(c.Runs), Number(c.Rows))
	if p.sampled() {
		says += ", " + p.T("heat.measure_"+p.Measure) + " " + p.loadSays(c, p.Measure)
	}
	return says
}

// seconds writes a sampled time, to the second.
func (p HeatMap) seconds(n float64) string {
	if n == 0 {
		return p.About(0)
	}
	return p.Lasted(time.Duration(math.Round(n)) * time.Second)
}

// other marks a column that a narrow screen leaves out: it shows the measure, and rows where that has a column anyway.
func (p HeatMap) other(measure string) string {
	if measure == p.Measure || measure == "rows" && !p.sampled() {
		return "num"
	}
	return "num other"
}

// loadSays is a sampled measure of a cell in words.
func (p HeatMap) loadSays(c HeatCell, measure string) string {
	seconds := c.Load.Database
	if measure == "locks" {
		if c.Expected {
			return p.T("heat.no_forecast")
		}
		seconds = c.Load.Locks
	}
	text := p.seconds(seconds)
	switch {
	case c.Load.Unsampled && !c.Expected && seconds == 0:
		return p.T("heat.unsampled")
	case c.Load.Unsampled && !c.Expected:
		return text + ", " + p.T("heat.unsampled_partly")
	}
	return text
}

// finding is the title.
func (p HeatMap) finding() string {
	cell, expected := p.peak()
	if cell < 0 {
		return p.T(p.nothing(), p.DayYear(p.Day))
	}
	key := "heat.title_" + p.Measure
	if expected {
		key += "_expected"
	}
	value := p.value(p.Cells[cell])
	switch {
	case p.Measure == "rows":
		return p.T(key, strings.ReplaceAll(Short(value), nnbsp, " "), clockOf(cell))
	case p.sampled():
		return p.T(key, p.seconds(float64(value)), clockOf(cell))
	}
	return p.T(key, Number(value), clockOf(cell), Number(int64(p.Allowed)))
}

// nothing is the key of the title of a day on which every cell is empty, and why.
func (p HeatMap) nothing() string {
	unsampled, sampled, ran := false, false, false
	for _, c := range p.Cells {
		if c.Expected || c.Runs == 0 {
			continue
		}
		ran = true
		unsampled = unsampled || c.Load.Unsampled
		sampled = sampled || !c.Load.Unsampled
	}
	switch {
	case p.Empty:
		return "heat.title_unloaded"
	case p.Tomorrow && !p.foretold():
		return "heat.title_no_forecast"
	case p.sampled() && unsampled && !sampled:
		return "heat.title_unsampled"
	case p.sampled() && ran:
		return "heat.title_no_" + p.Measure
	}
	return "heat.title_none"
}

func (p HeatMap) lede() string {
	text := p.T("heat.lede_"+p.Measure, p.DayYear(p.Day), p.Zone.String())
	if p.sampled() {
		text += " " + p.T("heat.sampled", p.Lasted(p.SampledEvery))
	}
	if !p.foretold() && (p.Today || p.Tomorrow) {
		text += " " + p.T("heat.forecast_none")
	}
	return text
}

// heatStep is one step of the legend.
type heatStep struct{ class, text string }

func (p HeatMap) legend() []heatStep {
	limits := heatLimits(p.Measure)
	steps := []heatStep{{"h0", "0"}}
	brief := func(n int64) string { return strings.ReplaceAll(Short(n), nnbsp, "") }
	for i := 1; i < len(limits); i++ {
		from, to := limits[i-1]+1, limits[i]
		text := brief(from) + "–" + brief(to)
		if from == to {
			text = brief(to)
		}
		if p.Measure == "rows" {
			text = "≥ " + brief(from)
		}
		steps = append(steps, heatStep{"h" + strconv.Itoa(i), text})
	}
	last := "> " + brief(limits[len(limits)-1])
	if p.Measure == "rows" {
		last = "≥ " + brief(limits[len(limits)-1]+1)
	}
	return append(steps, heatStep{"h7", last})
}

// anyUnsampled reports whether the legend has to explain the mark of cells that nobody looked at.
func (p HeatMap) anyUnsampled() bool {
	for _, c := range p.Cells {
		if p.unsampled(c) && p.value(c) == 0 {
			return true
		}
	}
	return false
}

// tableRows are the cells that are not empty.
func (p HeatMap) tableRows() []int {
	var rows []int
	for i, c := range p.Cells {
		if c.Runs > 0 || c.Rows > 0 {
			rows = append(rows, i)
		}
	}
	return rows
}
