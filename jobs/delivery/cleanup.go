package delivery

import (
	"context"
	"fmt"
	"time"

	"nightshift/jobs"
)

const day = 24 * time.Hour

// cleanupStep is one documented task of the cleanup.
type cleanupStep struct {
	name string
	run  func(ctx context.Context, r *jobs.Run) error
}

// cleanupSteps are the tasks in the documented order. Each removes what no later one needs: a delivery goes before
// its logs would by age, counters before what is known of their servers.
func cleanupSteps() []cleanupStep {
	lists := listTables{}
	return []cleanupStep{
		{"lists", lists.cleanLists},
		{"deliveries", cleanDeliveries},
		{"expired_deliveries", finishExpired},
		{"mirror_pages", cleanMirrorPages},
		{"delivery_work_tables", dropDeliveryTables},
		{"rejects", cleanRejects},
		{"workflow_instances", cleanInstances},
		{"workflow_logins", cleanLogins},
		{"group_work_tables", lists.dropOrphans},
		{"visitors", cleanVisitors},
		{"quarantine", cleanQuarantine},
		{"subscriptions", cleanSubscriptions},
		{"tracking_logs", cleanTracking},
		{"delivery_logs", cleanDeliveryLogs},
		{"email_error_stat", coalesceErrors},
		{"email_error", cleanEmailErrors},
		{"mx_domain", cleanMxDomains},
		{"propositions", cleanPropositions},
		{"simulation_tables", dropSimulationTables},
		{"audit", cleanAudit},
		{"push_quarantine", cleanPushQuarantine},
		{"statistics", refreshStatistics},
		{"app_subscriptions", cleanAppSubscriptions},
		{"sessions", cleanSessions},
		{"events", cleanEvents},
		{"reactions", cleanReactions},
		{"housekeeping", keepHouse},
	}
}

// Cleanup deletes what is obsolete, drops work tables that nobody owns any more and refreshes the database's
// statistics. Its tasks run one after the other; where one fails the following are not begun. NmsCleanup_LastCleanup
// becomes the start of the run when all of them succeeded.
func Cleanup(ctx context.Context, r *jobs.Run) error {
	steps := cleanupSteps()
	names := make([]string, len(steps))
	for i, step := range steps {
		names[i] = step.name
	}
	if err := r.Steps(ctx, names...); err != nil {
		return err
	}
	last, err := moment(ctx, r, optionLastCleanup)
	if err != nil {
		return err
	}
	r.Log("cut-off %s, last cleanup %s", r.Now().UTC().Format(time.DateTime), shownMoment(last))
	for _, step := range steps {
		if err := r.Step(ctx, step.name, func(ctx context.Context) error { return step.run(ctx, r) }); err != nil {
			return err
		}
	}
	return setMoment(ctx, r, "end of the cleanup", optionLastCleanup, r.Now())
}

// before is the moment up to which a purge delay lets rows go. ok is false when the option is not a delay: the
// purge is skipped, the run has warned.
func before(ctx context.Context, r *jobs.Run, option string, days int) (cut time.Time, ok bool, err error) {
	delay, ok, err := r.Delay(ctx, option, time.Duration(days)*day)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("read %s: %w", option, err)
	}
	return r.Now().Add(-delay), ok, nil
}

// purge is Purge for a step that does not tell the count itself.
func purge(ctx context.Context, r *jobs.Run, effect string, p jobs.Purge) error {
	_, err := r.Purge(ctx, effect, p)
	return err
}

// aged purges the rows of a table whose date lies before the delay of an option.
func aged(ctx context.Context, r *jobs.Run, option string, days int, effect string, p jobs.Purge) error {
	cut, ok, err := before(ctx, r, option, days)
	if err != nil || !ok {
		return err
	}
	p.Where, p.Args = "t."+p.Age+" < $1", []any{cut}
	return purge(ctx, r, effect, p)
}
