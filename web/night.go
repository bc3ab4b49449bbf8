package web

import (
	"context"
	"slices"
	"sync"
	"time"

	"nightshift/db"
	"nightshift/jobs"
	"nightshift/views"
)

const (
	nightFresh = 2 * time.Second // how old the masthead's facts may be
	nightSpan  = 12 * time.Hour  // what the tape shows on either side of now
	tapeFuture = 60              // expected runs of one workflow on the tape, at most
)

// night keeps the masthead's facts for all readers of this process, so that a page costs no query for them.
type night struct {
	db *db.DB

	mu    sync.Mutex
	read  time.Time
	facts db.Night
	marks []views.TapeMark
	drawn *views.Drawings // of these marks
	zone  *time.Location  // of schedules that name none
}

// sky is what the masthead shows now.
type sky struct {
	db.Night
	Marks []views.TapeMark
	Drawn *views.Drawings
	Zone  *time.Location
}

// now returns facts at most two seconds old. When the database does not answer, the last ones are given with the error.
func (n *night) now(ctx context.Context) (sky, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var err error
	if time.Since(n.read) >= nightFresh {
		err = n.renew(ctx)
	}
	return n.sky(), err
}

// forget lets the next page read the facts anew, after a change that it has to show.
func (n *night) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.read = time.Time{}
}

// known are the facts as they were read last.
func (n *night) known() sky {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sky()
}

func (n *night) sky() sky {
	if n.zone == nil {
		return sky{n.facts, n.marks, n.drawn, time.UTC}
	}
	return sky{n.facts, n.marks, n.drawn, n.zone}
}

func (n *night) renew(ctx context.Context) error {
	facts, err := n.db.Night(ctx, time.Now().Add(-nightSpan))
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(facts.Zone)
	if err != nil {
		zone = time.UTC
	}
	n.read, n.facts, n.zone, n.marks = time.Now(), facts, zone, tapeMarks(facts, zone)
	n.drawn = new(views.Drawings)
	return nil
}

// tapeMarks turns what happened and what the schedules expect into marks.
func tapeMarks(facts db.Night, zone *time.Location) []views.TapeMark {
	marks := make([]views.TapeMark, 0, len(facts.Marks)+len(facts.Plans))
	for _, run := range facts.Marks {
		mark := views.TapeMark{Workflow: run.Workflow, At: run.Start, State: markState(run.State)}
		if run.Often {
			mark.Every = time.Minute
		}
		switch {
		case run.End != nil:
			mark.Lasts = run.End.Sub(run.Start)
		case run.State == "running":
			mark.Lasts = facts.Now.Sub(run.Start)
		}
		marks = append(marks, mark)
	}
	for _, plan := range facts.Plans {
		marks = append(marks, expected(plan, facts, zone)...)
	}
	return marks
}

// expected lists the next slots of a workflow within the tape's future; one that runs more often than hourly gives none.
// What a freeze will skip is not expected.
func expected(plan db.NightPlan, facts db.Night, zone *time.Location) []views.TapeMark {
	schedule, err := jobs.ParseSchedule(plan.Schedule)
	if err != nil {
		return nil
	}
	if plan.Zone != "" {
		if named, err := time.LoadLocation(plan.Zone); err == nil {
			zone = named
		}
	}
	var marks []views.TapeMark
	for at := plan.Next; !at.IsZero() && at.Before(facts.Now.Add(nightSpan)) && len(marks) < tapeFuture; at = schedule.Next(at, zone) {
		marks = append(marks, views.TapeMark{Workflow: plan.Workflow, At: at, Lasts: plan.Usual, State: views.Due})
	}
	if len(marks) == 0 {
		return nil
	}
	every := 24 * time.Hour
	if len(marks) > 1 {
		every = marks[1].At.Sub(marks[0].At)
	}
	if every < time.Hour {
		return nil
	}
	for i := range marks {
		marks[i].Every = every
	}
	return slices.DeleteFunc(marks, func(mark views.TapeMark) bool { return facts.Freeze.Holds(mark.At) })
}

// markState gives a run's or slot's state its look.
func markState(status string) views.State {
	switch status {
	case "running":
		return views.Running
	case "failed":
		return views.Failed
	case "late":
		return views.Late
	case "missed":
		return views.Missed
	case "interrupted":
		return views.Interrupted
	case "stopped":
		return views.Stopped
	}
	return views.Finished
}
