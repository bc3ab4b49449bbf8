package delivery

import (
	"context"
	"fmt"
	"time"

	"nightshift/jobs"
)

// cleanEvents removes old events of transactional messages with their logs: on an execution instance those that came
// in and their statistics, on the instance that controls it the archived ones.
func cleanEvents(ctx context.Context, r *jobs.Run) error {
	kind, ok, err := r.Option(ctx, "XtkInstanceType")
	if err != nil {
		return err
	}
	switch {
	case kind == "execution":
		return cleanExecution(ctx, r)
	case kind == "marketing" || !ok:
		return cleanArchive(ctx, r)
	}
	r.Say("not on an instance of type %s", kind)
	return nil
}

func cleanExecution(ctx context.Context, r *jobs.Run) error {
	cut, ok, err := before(ctx, r, "NmsCleanup_EventPurgeDelay", 30)
	if err != nil {
		return err
	}
	for _, queue := range []string{"rt_event", "batch_event"} {
		if !ok {
			break
		}
		if err := removeEvents(ctx, r, "nms."+queue, "nms.tracking_log_"+queue, "nms.broad_log_"+queue, cut); err != nil {
			return err
		}
	}
	if there, err := exists(ctx, r, "nms.rt_event_stat"); err != nil || !there {
		return err
	}
	return aged(ctx, r, "NmsCleanup_EventStatPurgeDelay", 365, "old event statistics",
		jobs.Purge{Table: "nms.rt_event_stat", Key: "ctid", Age: "period_start"})
}

func cleanArchive(ctx context.Context, r *jobs.Run) error {
	cut, ok, err := before(ctx, r, "NmsCleanup_EventHistoPurgeDelay", 365)
	if err != nil || !ok {
		return err
	}
	return removeEvents(ctx, r, "nms.event_histo", "nms.tracking_log_event_histo", "nms.broad_log_event_histo", cut)
}

// removeEvents removes events that ended before the cut-off (that came in before it, when they have no end), their
// tracking and delivery logs first.
func removeEvents(ctx context.Context, r *jobs.Run, events, tracking, logs string, cut time.Time) error {
	for _, log := range []string{tracking, logs} {
		there, err := exists(ctx, r, log)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		err = purge(ctx, r, "logs of old events", jobs.Purge{Table: log, Args: []any{cut}, Where: fmt.Sprintf(
			"t.event_id IN (SELECT e.id FROM %s e WHERE COALESCE(e.processed, e.created) < $1)", events)})
		if err != nil {
			return err
		}
	}
	if there, err := exists(ctx, r, events); err != nil || !there {
		return err
	}
	return purge(ctx, r, "old events", jobs.Purge{Table: events, Age: "created",
		Where: "COALESCE(t.processed, t.created) < $1", Args: []any{cut}})
}

// cleanReactions removes reactions to hypotheses that are gone, where Response Manager is installed.
func cleanReactions(ctx context.Context, r *jobs.Run) error {
	if ok, err := exists(ctx, r, "nms.rema_match"); err != nil || !ok {
		return err
	}
	return purge(ctx, r, "reactions to deleted hypotheses", jobs.Purge{Table: "nms.rema_match",
		Where: "NOT EXISTS (SELECT FROM nms.hypothesis h WHERE h.id = t.hypothesis_id)"})
}
