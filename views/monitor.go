package views

import (
	"slices"
	"time"
)

// Monitoring is the state of the instance: processes, machine, PostgreSQL, workflows and deliveries.
type Monitoring struct {
	Page
	Build, Host, Postgres, Database  string
	Nodes                            []Node
	OfHost, OfDatabase               []Indicator
	Probed                           bool        // the operator of the machine has a folder of indicators
	OfOperator                       []Indicator // what its executables say
	Workflows                        []Watched
	FailedDeliveries, OpenDeliveries int
	HostGaps, DatabaseGaps           []Gap // what cannot be known of them here
	LastFailed, LastSent             []SentDelivery
	Routine                          []RoutineRow
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
	for _, i := range m.Indicators() {
		switch i.Level() {
		case "alert", "unknown":
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
	for _, r := range m.Routine {
		if r.Level == RoutineWarning {
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
	case "alert", "unknown":
		return Failed
	case "warning":
		return Late
	}
	return Finished
}

// Indicators are all of the page, in its order.
func (m Monitoring) Indicators() []Indicator {
	return slices.Concat(m.OfHost, m.OfDatabase, m.OfOperator)
}
