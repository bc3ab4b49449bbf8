package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Monitoring is the state of the instance: processes, machine, PostgreSQL, workflows and deliveries.
type Monitoring struct {
	Page
	Build, Host, Postgres, Database  string
	Nodes                            []Node
	OfHost, OfDatabase               []Indicator
	Workflows                        []Watched
	FailedDeliveries, OpenDeliveries int
	LastSent                         time.Time
}

// Unit says how the numbers of an indicator are written.
type Unit string

// The units of indicators.
const (
	UnitNone    Unit = ""
	UnitBytes   Unit = "bytes"
	UnitSeconds Unit = "seconds"
	UnitShare   Unit = "percent"
)

// Indicator is a measured number with its limits; a limit of 0 is none.
type Indicator struct {
	Key, Name                    string // word "monitor.…"; the disk or table it is of
	Current, Max, Warning, Alert float64
	Unit                         Unit
}

// indicators are all of the page.
func (m Monitoring) indicators() []Indicator { return slices.Concat(m.OfHost, m.OfDatabase) }

// label is what the indicator is called.
func (i Indicator) label(p Page) string {
	return strings.TrimSpace(p.T("monitor."+i.Key) + " " + i.Name)
}

// limit writes a limit; a dash when there is none.
func (i Indicator) limit(p Page, v float64) string {
	if v == 0 {
		return "—"
	}
	return i.write(p, v)
}

// Level is ok, warning or alert.
func (i Indicator) Level() string {
	switch {
	case i.Alert > 0 && i.Current >= i.Alert:
		return "alert"
	case i.Warning > 0 && i.Current >= i.Warning:
		return "warning"
	}
	return "ok"
}

// Watched is a workflow that needs a person, or whose run takes too long.
type Watched struct {
	Workflow, Label, Why string
	State                State
	Since                time.Time
}

// counts are the alerts and warnings: a missing process or a failed workflow is an alert.
func (m Monitoring) counts() (alerts, warnings int64) {
	alive := false
	for _, node := range m.Nodes {
		alive = alive || !node.Missing
		a, w := node.counts()
		alerts, warnings = alerts+a, warnings+w
	}
	if !alive && alerts == 0 {
		alerts++
	}
	for _, i := range m.indicators() {
		switch i.Level() {
		case "alert":
			alerts++
		case "warning":
			warnings++
		}
	}
	for _, w := range m.Workflows {
		if w.State == Failed {
			alerts++
		} else {
			warnings++
		}
	}
	return alerts, warnings
}

// Level is the worst of all: ok, warning or alert.
func (m Monitoring) Level() string {
	switch alerts, warnings := m.counts(); {
	case alerts > 0:
		return "alert"
	case warnings > 0:
		return "warning"
	}
	return "ok"
}

func (m Monitoring) finding() string {
	alerts, warnings := m.counts()
	switch {
	case alerts == 0 && warnings == 0:
		return m.T("monitor.fine")
	case warnings == 0:
		return m.N("monitor.alerts", alerts)
	case alerts == 0:
		return m.N("monitor.warnings", warnings)
	}
	return m.N("monitor.alerts", alerts) + ", " + m.N("monitor.warnings", warnings)
}

// levelState gives a level the glyph and colour of a state.
func levelState(level string) State {
	switch level {
	case "alert":
		return Failed
	case "warning":
		return Late
	}
	return Finished
}

// write writes a number of the indicator with its unit.
func (i Indicator) write(p Page, v float64) string {
	switch {
	case i.Unit == UnitBytes:
		return Size(int64(v))
	case i.Unit == UnitSeconds:
		return p.Took(time.Duration(v * float64(time.Second)))
	case i.Unit == UnitShare:
		return fmt.Sprintf("%.0f%s%%", v, nnbsp)
	case v != float64(int64(v)) && v < 1000:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return Number(int64(v))
}
