package views

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Unit says how the numbers of an indicator are written. Those of custom indicators may be any short word.
type Unit string

// The units of indicators.
const (
	UnitNone    Unit = ""
	UnitBytes   Unit = "bytes"
	UnitSeconds Unit = "seconds"
	UnitShare   Unit = "percent"
)

// Indicator is a measured number with its limits; a limit of 0 is none. Of a custom one, whose key is custom, both limits
// count whatever they are, and lower is worse where the alert is below the warning.
type Indicator struct {
	Key, Name                    string // word "monitor.…"; the disk or table it is of, the label of a custom one
	Current, Max, Warning, Alert float64
	Unit                         Unit
	File                         string // the executable that says it
	Trouble                      string // word "monitor.…" for why nothing is known; empty: it is
	TroubleArgs                  []any
}

// custom reports an indicator of the machine's operator.
func (i Indicator) custom() bool { return i.Key == "custom" }

// Level is ok, warning, alert or unknown.
func (i Indicator) Level() string {
	passed := func(limit float64) bool {
		switch {
		case !i.custom() && limit == 0:
			return false
		case i.custom() && i.Alert < i.Warning:
			return i.Current <= limit
		}
		return i.Current >= limit
	}
	switch {
	case i.Trouble != "":
		return "unknown"
	case passed(i.Alert):
		return "alert"
	case passed(i.Warning):
		return "warning"
	}
	return "ok"
}

// Why says why nothing is known of the indicator.
func (i Indicator) Why(p Page) string {
	if i.Trouble == "" {
		return ""
	}
	return p.T("monitor."+i.Trouble, i.TroubleArgs...)
}

// label is what the indicator is called.
func (i Indicator) label(p Page) string {
	if i.custom() {
		return i.Name
	}
	return strings.TrimSpace(p.T("monitor."+i.Key) + " " + i.Name)
}

// current writes what was measured.
func (i Indicator) current(p Page) string {
	if i.Trouble != "" {
		return "—"
	}
	return i.write(p, i.Current)
}

// limit writes a limit; a dash when there is none.
func (i Indicator) limit(p Page, v float64) string {
	if v == 0 && !i.custom() || i.Trouble != "" {
		return "—"
	}
	return i.write(p, v)
}

// most writes the most that is possible, which custom indicators do not say.
func (i Indicator) most(p Page) string {
	if i.Max == 0 {
		return "—"
	}
	return i.limit(p, i.Max)
}

// write writes a number of the indicator with its unit.
func (i Indicator) write(p Page, v float64) string {
	switch whole := v == math.Trunc(v); {
	case math.Abs(v) >= 1e15:
		return strconv.FormatFloat(v, 'g', 4, 64) + i.suffix()
	case i.Unit == UnitBytes && v >= 1:
		return Size(int64(v))
	case i.Unit == UnitSeconds && v >= 0 && v < 1e9:
		return p.Took(time.Duration(v * float64(time.Second)))
	case i.Unit == UnitShare:
		return fmt.Sprintf("%.0f%s%%", v, nnbsp)
	case !whole && math.Abs(v) < 1000:
		return strconv.FormatFloat(v, 'f', 2, 64) + i.suffix()
	}
	return Number(int64(v)) + i.suffix()
}

// suffix is the unit behind a number that no unit of ours writes.
func (i Indicator) suffix() string {
	if i.Unit == UnitNone {
		return ""
	}
	return nnbsp + string(i.Unit)
}
