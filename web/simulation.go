package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// unusualShown is how many steps get a sentence of their own on top; the plan marks all of them.
const unusualShown = 5

// planDetail is what a rehearsed step leaves for the plan besides its counts: its rules, and the purge delays it read.
type planDetail struct {
	Rules []struct {
		Effect         string
		Rows           int64
		Oldest, Newest time.Time
	}
	Delays []struct {
		Option  string
		Seconds int64
	}
}

// showSimulation shows what a run would do, step by step.
func (s *Server) showSimulation(c echo.Context, page views.Page, run db.Run, log views.Log) error {
	usual, err := s.db.UsualRows(c.Request().Context(), run.WorkflowID, run.ID)
	if err != nil {
		return err
	}
	report := views.Simulation{
		Page: page, ID: run.ID, Workflow: run.Workflow, Label: labelOf(page.Lang, run.Workflow, run.Label),
		Package: packageOf(page.Lang, run.Package), State: views.Simulated, By: run.StartedBy,
		Begun: run.Start, Ended: moment(run.End), CutOff: run.CutOff,
		Can: ordersFor(s.actor(c), run.Situation()), Log: log,
	}
	effects, dropped := tableEffects(run.Effects)
	report.Tables, report.Dropped = len(effects), dropped
	for _, effect := range effects {
		report.Rows += effect.Deleted
		report.Updated += effect.Updated
		report.Added += effect.Added
	}
	for _, step := range run.StepList {
		planned := planStep(page, step, run, usual[step.Key])
		report.Bytes += planned.Bytes
		report.Steps = append(report.Steps, planned)
		if sentence := unusual(page, planned); sentence != "" && len(report.Unusual) < unusualShown {
			report.Unusual = append(report.Unusual, sentence)
		}
	}
	shown := s.runFacts(page, run)
	report.Options = shown.Options
	return s.render(c, http.StatusOK, views.SimulationPage(report))
}

// planStep turns a rehearsed step into a line of the plan.
func planStep(page views.Page, step db.RunStep, run db.Run, usual []int64) views.PlanStep {
	planned := views.PlanStep{Number: step.Order, Key: step.Key, Said: step.Message, Usual: usual, State: runState(step.Status, 0)}
	ruleOf(page, &planned, step.Detail, run.CutOff)
	var own []db.RunEffect
	for _, effect := range run.Effects {
		if effect.Step == step.Order {
			own = append(own, effect)
		}
	}
	planned.Effects, planned.Dropped = tableEffects(own)
	for _, effect := range planned.Effects {
		planned.Tables = append(planned.Tables, effect.Table)
		planned.Rows += effect.Deleted + effect.Updated + effect.Added
		planned.Estimated = planned.Estimated || effect.Estimated
	}
	return planned
}

// ruleOf puts into words by which rule a step's rows go, and how old they are. Rules that find nothing are left out.
func ruleOf(page views.Page, planned *views.PlanStep, raw []byte, cutOff time.Time) {
	var detail planDetail
	if json.Unmarshal(raw, &detail) != nil {
		return
	}
	var effects []string
	for _, rule := range detail.Rules {
		if rule.Rows > 0 && !slices.Contains(effects, rule.Effect) {
			effects = append(effects, rule.Effect)
		}
		if !rule.Oldest.IsZero() && (planned.Oldest.IsZero() || rule.Oldest.Before(planned.Oldest)) {
			planned.Oldest = rule.Oldest
		}
		if rule.Newest.After(planned.Newest) {
			planned.Newest = rule.Newest
		}
	}
	planned.Rule = strings.Join(effects, ", ")
	var options []string
	for _, delay := range detail.Delays {
		name := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(delay.Option, "NmsCleanup_"), "XtkCleanup_"), "PurgeDelay")
		options = append(options, page.T("plan.option", name, page.About(time.Duration(delay.Seconds)*time.Second)))
		if limit := cutOff.Add(-time.Duration(delay.Seconds) * time.Second); planned.Limit.IsZero() || limit.After(planned.Limit) {
			planned.Limit = limit
		}
	}
	planned.Option = strings.Join(options, ", ")
}

// unusual is the sentence about a step that is larger than all of its good runs; empty when it is not.
func unusual(page views.Page, step views.PlanStep) views.Rich {
	if len(step.Usual) != 5 || step.Usual[4] == 0 || step.Rows <= step.Usual[4] {
		return ""
	}
	return page.R("simulation.larger", step.Key, step.Rows, step.Usual[4])
}
