package views

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

func (p Simulation) canRun() bool {
	return p.State == Simulated && slices.Contains(p.Can, OrderRun)
}

func (p Simulation) times() string {
	span := p.Second(p.Begun)
	if !p.Ended.IsZero() {
		span = p.T("plan.from_to", p.Begun.In(p.Zone).Format("15:04:05"), p.Second(p.Ended))
	}
	if !p.sameDay(p.Begun, p.Now) {
		span = p.Day(p.Begun) + " " + span
	}
	if p.By != "" {
		span += " " + p.T("plan.by", p.By)
	}
	return span
}

// verdict is what a run would do, in one sentence.
func (p Simulation) verdict() Rich {
	if p.State != Simulated {
		return p.R("plan.not_ended")
	}
	var said []string
	for _, kind := range []struct {
		key string
		n   int64
	}{{"deletes", p.Rows}, {"updates", p.Updated}, {"adds", p.Added}} {
		if kind.n > 0 {
			said = append(said, p.N("plan."+kind.key, kind.n))
		}
	}
	if p.Dropped > 0 {
		said = append(said, p.N("plan.drops", int64(p.Dropped)))
	}
	if len(said) == 0 {
		return p.R("plan.does_nothing")
	}
	text := p.T("plan.would", strings.Join(said, ", "), p.N("run.tables", int64(p.Tables)))
	if p.Bytes > 0 {
		text += " " + p.T("plan.in_all", Size(p.Bytes))
	}
	if large := p.larges(); large > 0 {
		text += " " + p.N("plan.large", large)
	}
	return Rich(text)
}

func (p Simulation) larges() int64 {
	var n int64
	for _, step := range p.Steps {
		if step.large() {
			n++
		}
	}
	return n
}

func (p Simulation) planNote() string {
	return p.N("plan.steps", int64(len(p.Steps)), p.Exact(p.CutOff))
}

// planColumns says which columns of the plan have something to show.
type planColumns struct{ rules, sizes, ages bool }

func (p Simulation) has() planColumns {
	var c planColumns
	for _, step := range p.Steps {
		c.rules = c.rules || step.Rule != ""
		c.sizes = c.sizes || step.Bytes > 0
		c.ages = c.ages || !step.Oldest.IsZero()
	}
	return c
}

// span is the number of columns behind that of the step, itself included.
func (c planColumns) span() string {
	n := 4
	for _, shown := range []bool{c.rules, c.sizes, c.ages} {
		if shown {
			n++
		}
	}
	return strconv.Itoa(n)
}

// idle lists the steps that would find nothing to do.
func (p Simulation) idle() []string {
	var names []string
	for _, step := range p.Steps {
		if step.nothing() {
			names = append(names, step.Key)
		}
	}
	return names
}

func (s PlanStep) tables(p Page) string {
	switch n := len(s.Tables); {
	case n == 0:
		return ""
	case n <= 2:
		return strings.Join(s.Tables, ", ")
	default:
		return p.T("plan.and_more", s.Tables[0], n-1)
	}
}

func (s PlanStep) amount(p Page) string {
	if s.Rows == 0 && s.Dropped > 0 {
		return p.N("run.tables", int64(s.Dropped))
	}
	return Number(s.Rows)
}

func (s PlanStep) follows(p Page) string {
	switch {
	case s.Follows != "":
		return s.Follows
	case s.Said != "":
		return s.Said
	case s.Dropped > 0:
		return p.T("run.dropped", s.Dropped)
	}
	return ""
}

// usualPlace is where a step's rows stand among those of its good runs, in pixels of 84.
type usualPlace struct {
	ok            bool
	low, high, at float64
}

func (s PlanStep) usual() usualPlace {
	if len(s.Usual) != 5 || s.Usual[4] == 0 {
		return usualPlace{}
	}
	most := float64(max(s.Usual[4], s.Rows)) * 1.05
	place := func(n int64) float64 { return 82 * float64(n) / most }
	return usualPlace{true, place(s.Usual[1]), max(place(s.Usual[3]), place(s.Usual[1])+3), place(s.Rows)}
}

// ageYear is the first year of the age lines.
func (p Simulation) ageYear() int { return p.Now.In(p.Zone).Year() - 3 }

func (p Simulation) ageYears() string {
	from := p.ageYear()
	return digits(int64(from)) + " – " + digits(int64(from+3))
}

// ageX places a moment on the line of the last years, in pixels of 190.
func (p Simulation) ageX(t time.Time) float64 {
	from := time.Date(p.ageYear(), 1, 1, 0, 0, 0, 0, p.Zone)
	return 190 * min(1, max(0, float64(t.Sub(from))/float64(p.Now.Sub(from))))
}
