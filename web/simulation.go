package web

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"nightshift/db"
	"nightshift/views"
)

// planDetail is what a rehearsed step leaves for the plan besides its counts.
type planDetail struct {
	Rule    string    `json:"rule"`
	Option  string    `json:"option"`
	Oldest  time.Time `json:"oldest"`
	Newest  time.Time `json:"newest"`
	Limit   time.Time `json:"limit"`
	Bytes   int64     `json:"bytes"`
	Follows string    `json:"follows"`
}

// showSimulation shows what a run would do, step by step.
func (s *Server) showSimulation(c echo.Context, page views.Page, run db.Run) error {
	workflow, err := s.db.Workflow(c.Request().Context(), run.WorkflowID)
	if err != nil {
		return err
	}
	usual, err := s.db.UsualRows(c.Request().Context(), run.WorkflowID)
	if err != nil {
		return err
	}
	report := views.Simulation{
		Page: page, ID: run.ID, Workflow: run.Workflow, Label: labelOf(page.Lang, run.Workflow, run.Label),
		Package: packageOf(page.Lang, run.Package), State: views.Simulated, By: run.StartedBy,
		Begun: run.Start, Ended: moment(run.End), CutOff: run.CutOff,
		Rows: run.Deleted, Updated: run.Updated, Added: run.Inserted, Can: ordersFor(s.actor(c), workflow.Situation()),
	}
	effects, dropped := tableEffects(run.Effects)
	report.Tables, report.Dropped = len(effects), dropped
	for _, step := range run.StepList {
		planned := planStep(step, run.Effects, usual[step.Key])
		report.Bytes += planned.Bytes
		report.Steps = append(report.Steps, planned)
		if sentence := unusual(page, planned); sentence != "" {
			report.Unusual = append(report.Unusual, sentence)
		}
	}
	shown := s.runFacts(page, run)
	report.Options = shown.Options
	report.Log, err = s.logPart(c, run, false)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, views.SimulationPage(report))
}

// planStep turns a rehearsed step into a line of the plan.
func planStep(step db.RunStep, effects []db.RunEffect, usual []int64) views.PlanStep {
	var detail planDetail
	if err := json.Unmarshal(step.Detail, &detail); err != nil {
		detail = planDetail{}
	}
	planned := views.PlanStep{
		Number: step.Order, Key: step.Key, Rule: detail.Rule, Option: detail.Option, Said: step.Message, Usual: usual,
		Bytes: detail.Bytes, Oldest: detail.Oldest, Newest: detail.Newest, Limit: detail.Limit, Follows: detail.Follows,
		State: runState(step.Status, 0),
	}
	var own []db.RunEffect
	for _, effect := range effects {
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

// unusual is the sentence about a step that is larger than all of its good runs; empty when it is not.
func unusual(page views.Page, step views.PlanStep) views.Rich {
	if len(step.Usual) != 5 || step.Usual[4] == 0 || step.Rows <= step.Usual[4] {
		return ""
	}
	return page.R("simulation.larger", step.Key, step.Rows, step.Usual[4])
}
