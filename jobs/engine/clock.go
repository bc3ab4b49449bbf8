package engine

import (
	"fmt"
	"sync"
	"time"

	"github.com/go-co-op/gocron/v2"

	"nightshift/jobs"
)

// clock is the alarm clock of one process: at each occurrence of each started workflow it rings. What is due is decided
// by the rows alone, so a clock that is late, early or doubled does no harm.
type clock struct {
	ring      func()
	scheduler gocron.Scheduler

	mu     sync.Mutex
	alarms map[int64]alarm // by workflow
	early  *time.Timer
}

// alarm is one workflow's entry in the scheduler, with what it was made from.
type alarm struct {
	job  gocron.Job
	made string
}

// occurrences plugs the calendar of a schedule into gocron, whose own loses and doubles hours at clock changes.
type occurrences struct {
	schedule jobs.Schedule
	zone     *time.Location
}

// IsValid accepts every schedule: it was checked when it was saved.
func (occurrences) IsValid(string, *time.Location, time.Time) error { return nil }

// Next is the first occurrence after last; a schedule that has ended rings once in a hundred years.
func (o occurrences) Next(last time.Time) time.Time {
	if next := o.schedule.Next(last, o.zone); !next.IsZero() {
		return next
	}
	return last.AddDate(100, 0, 0)
}

func newClock(ring func()) (*clock, error) {
	scheduler, err := gocron.NewScheduler(gocron.WithLocation(time.UTC), gocron.WithStopTimeout(time.Second))
	if err != nil {
		return nil, fmt.Errorf("alarm clock: %w", err)
	}
	scheduler.Start()
	return &clock{ring: ring, scheduler: scheduler, alarms: map[int64]alarm{}}, nil
}

// set gives the clock the schedules that it rings for from now on: all others are taken out.
func (c *clock) set(workflows []*scheduled) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := make(map[int64]bool, len(workflows))
	for _, w := range workflows {
		wanted[w.ID] = true
		made := string(w.Raw) + w.Zone.String() + w.Schedule.Anchor.Format(time.RFC3339)
		old, exists := c.alarms[w.ID]
		if exists && old.made == made {
			continue
		}
		if exists {
			if err := c.scheduler.RemoveJob(old.job.ID()); err != nil {
				return fmt.Errorf("alarm of workflow %d: %w", w.ID, err)
			}
			delete(c.alarms, w.ID)
		}
		job, err := c.scheduler.NewJob(gocron.CronJob("ours", false), gocron.NewTask(c.ring),
			gocron.WithCronImplementation(occurrences{schedule: w.Schedule, zone: w.Zone}))
		if err != nil {
			return fmt.Errorf("alarm of workflow %d: %w", w.ID, err)
		}
		c.alarms[w.ID] = alarm{job: job, made: made}
	}
	for id, a := range c.alarms {
		if !wanted[id] {
			if err := c.scheduler.RemoveJob(a.job.ID()); err != nil {
				return fmt.Errorf("alarm of workflow %d: %w", id, err)
			}
			delete(c.alarms, id)
		}
	}
	return nil
}

// again rings once more after the rest that an early alarm left, by the database's clock.
func (c *clock) again(rest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.early != nil {
		c.early.Stop()
	}
	c.early = time.AfterFunc(rest, c.ring)
}

func (c *clock) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.early != nil {
		c.early.Stop()
	}
	if err := c.scheduler.Shutdown(); err != nil {
		return fmt.Errorf("stop the alarm clock: %w", err)
	}
	return nil
}
