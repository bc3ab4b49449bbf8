package views

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HeatMap is one day in five minutes: what ran in each cell, and behind now what the schedules expect.
type HeatMap struct {
	Page
	Day      time.Time // noon of the day in the page's zone
	Today    bool
	Tomorrow bool
	Empty    bool // nothing is collected of the day, and nothing is expected
	Latest   time.Time
	Allowed  int // runs that there may be at once
	Cells    [288]HeatCell
	Measure  string // runs, rows, database or locks
	Kind     string // technical, campaign; empty: both
	// SampledEvery is the pause between two looks at the runs' backends.
	SampledEvery time.Duration
	Minimum      time.Duration
	Workflow     string
	Workflows    []Option // those that pass the duration filter
	Query        string
	Table        bool // as a table instead of the grid
	Cell         int  // chosen; -1: none
	Runs         []HeatRun
	RunCount     int64 // of the chosen cell, of which 200 are listed
	Expected     []HeatRun
}

// HeatCell is what a cell shows. Absent ones are of an hour that the clock left out.
type HeatCell struct {
	Runs, Rows            int64
	Load                  HeatLoad
	Expected, Now, Absent bool
}

// HeatLoad is what samples say, in seconds. Unsampled: a run was at work long enough to be seen, and nobody looked.
type HeatLoad struct {
	Database, Locks float64
	Unsampled       bool
}

// HeatRun is an execution in the chosen cell, or one that is expected there.
type HeatRun struct {
	ID              int64 // 0: expected
	Workflow, Label string
	WorkflowID      int64
	Marketing       bool
	Begun, Ended    time.Time
	Running         bool
	Rows            int64
	Database, Locks *float64 // seconds; nil: it was not sampled
	Activities      []HeatActivity
}

// HeatActivity is a step of an execution.
type HeatActivity struct {
	Name    string
	Took    time.Duration
	Running bool
}

func clockOf(cell int) string { return fmt.Sprintf("%02d:%02d", cell/12, cell%12*5) }

// spanOf is a cell in words: 01:00 – 01:05.
func spanOf(cell int) string { return clockOf(cell) + " – " + clockOf((cell+1)%288) }

// peak is the fullest cell of what happened, or of what is expected when nothing did; -1: all are empty.
func (p HeatMap) peak() (cell int, expected bool) {
	for _, expected := range []bool{false, true} {
		best := -1
		for i, c := range p.Cells {
			if c.Expected == expected && p.value(c) > 0 && (best < 0 || p.value(c) > p.value(p.Cells[best])) {
				best = i
			}
		}
		if best >= 0 {
			return best, expected
		}
	}
	return -1, false
}

// Peak is the fullest cell; -1 when all are empty.
func (p HeatMap) Peak() int {
	cell, _ := p.peak()
	return cell
}

// address is this page with some parts of its address changed; an empty value leaves a part out.
func (p HeatMap) address(changes ...string) string {
	values := url.Values{}
	set := func(name, value string) {
		values.Del(name)
		if value != "" && value != "0" || name == "cell" && value != "" {
			values.Set(name, value)
		}
	}
	set("day", p.Day.In(p.Zone).Format(time.DateOnly))
	if p.Measure != heatMeasures[0] {
		set("measure", p.Measure)
	}
	set("type", p.Kind)
	set("minimum", strconv.Itoa(int(p.Minimum/time.Second)))
	set("workflow", p.Workflow)
	set("q", p.Query)
	if p.Table {
		set("view", "table")
	}
	for i := 0; i+1 < len(changes); i += 2 {
		set(changes[i], changes[i+1])
	}
	return "/heat-map?" + values.Encode()
}

func (p HeatMap) dayAddress(days int) string {
	return p.address("day", p.Day.In(p.Zone).AddDate(0, 0, days).Format(time.DateOnly))
}

func (p HeatMap) nowAddress(days int) string {
	return p.address("day", p.Now.In(p.Zone).AddDate(0, 0, days).Format(time.DateOnly))
}

func (p HeatMap) yesterday() bool {
	return p.Now.In(p.Zone).AddDate(0, 0, -1).Format(time.DateOnly) == p.Day.In(p.Zone).Format(time.DateOnly)
}

func (p HeatMap) filtered() bool {
	return p.Kind != "" || p.Minimum > 0 || p.Workflow != "" || p.Query != ""
}

func (p HeatMap) kinds() []Option {
	return []Option{{"", p.T("run.all")}, {"technical", p.T("heat.technical")}, {"campaign", p.T("heat.marketing")}}
}

// minimums are the durations to choose from, with the one chosen when it is another.
func (p HeatMap) minimums() []Option {
	seconds := []int{0, 10, 60, 300, 900, 1800, 3600}
	if chosen := int(p.Minimum / time.Second); !slices.Contains(seconds, chosen) {
		seconds = append(seconds, chosen)
		slices.Sort(seconds)
	}
	var all []Option
	for _, s := range seconds {
		all = append(all, Option{strconv.Itoa(s), p.About(time.Duration(s) * time.Second)})
	}
	return all
}

// bar places an execution on the axis of the chosen cell's list, a quarter of an hour before it to half an hour behind.
func (p HeatMap) bar(r HeatRun) (x, width string) {
	local := p.Day.In(p.Zone)
	slot := time.Date(local.Year(), local.Month(), local.Day(), p.Cell/12, p.Cell%12*5, 0, 0, p.Zone)
	from, span := slot.Add(-15*time.Minute), 45*time.Minute
	begin, end := max(r.Begun.Sub(from), 0), min(r.Ended.Sub(from), span)
	begin = min(begin, span)
	return percent(begin, span), percent(max(end-begin, span/90), span)
}

// listNote counts the executions of the chosen cell.
func (p HeatMap) listNote() string {
	all, marketing := p.RunCount+int64(len(p.Expected)), int64(0)
	for _, r := range append(slices.Clone(p.Runs), p.Expected...) {
		if r.Marketing {
			marketing++
		}
	}
	key := "heat.list_note"
	if len(p.Runs) == 0 && len(p.Expected) > 0 {
		key = "heat.list_expected"
	}
	return p.N(key, all, Number(all-marketing), Number(marketing))
}

// heatFacts is the second line of an execution: its workflow's id, when, its rows and its activities.
func (p HeatMap) heatFacts(r HeatRun) string {
	facts := []string{p.T("heat.id", strconv.FormatInt(r.WorkflowID, 10)), p.Clock(r.Begun)}
	if r.Rows > 0 {
		facts = append(facts, p.T("heat.rows", Number(r.Rows)))
	}
	if r.Database != nil {
		facts = append(facts, p.T("heat.fact_database", p.seconds(*r.Database)))
	}
	if r.Locks != nil && *r.Locks > 0 {
		facts = append(facts, p.T("heat.fact_locks", p.seconds(*r.Locks)))
	}
	switch {
	case r.ID == 0:
		facts = append(facts, p.T("heat.expected"))
	case r.Running:
		facts = append(facts, p.T("state.running"))
	}
	if len(r.Activities) > 0 {
		facts = append(facts, p.N("heat.activities", int64(len(r.Activities))))
	}
	return strings.Join(facts, " · ")
}
