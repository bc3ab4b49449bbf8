package delivery

import (
	"context"
	"time"

	"nightshift/jobs"
)

// cleanTracking removes old opens and clicks from every table that a mapping names, with what web tracking knows
// beside them, then old consolidated tracking.
func cleanTracking(ctx context.Context, r *jobs.Run) error {
	cut, ok, err := before(ctx, r, "NmsCleanup_TrackingLogPurgeDelay", 365)
	if err != nil {
		return err
	}
	if ok {
		if err := cleanTrackingLogs(ctx, r, cut); err != nil {
			return err
		}
	}
	return aged(ctx, r, "NmsCleanup_TrackingStatPurgeDelay", 365, "old consolidated tracking",
		jobs.Purge{Table: "nms.tracking_stats", Age: "start_date"})
}

func cleanTrackingLogs(ctx context.Context, r *jobs.Run, cut time.Time) error {
	tables, err := mappedTables(ctx, r, "tracking_log")
	if err != nil {
		return err
	}
	// A row of web tracking has the id of its log and no date of its own: it goes first.
	for _, log := range tables {
		err := purge(ctx, r, "old web tracking", jobs.Purge{Table: "nms.web_tracking_log", Args: []any{cut},
			Where: "t.id IN (SELECT l.id FROM " + qualified(log.name) + " l WHERE l.log_date < $1)"})
		if err != nil {
			return err
		}
	}
	return purgeEach(ctx, r, tables, "old tracking logs", "log_date", cut)
}

// cleanDeliveryLogs removes delivery and exclusion logs that have not changed for long, from every table that a
// mapping names and from the logs carried for other instances, then the message ids of providers.
func cleanDeliveryLogs(ctx context.Context, r *jobs.Run) error {
	cut, ok, err := before(ctx, r, "NmsCleanup_BroadLogPurgeDelay", 180)
	if err != nil || !ok {
		return err
	}
	logs, err := mappedTables(ctx, r, "broad_log")
	if err != nil {
		return err
	}
	exclusions, err := mappedTables(ctx, r, "exclude_log")
	if err != nil {
		return err
	}
	tables := append(append(logs, exclusions...), table{name: "nms.broad_log_mid"})
	if err := purgeEach(ctx, r, tables, "old delivery logs", "last_modified", cut); err != nil {
		return err
	}
	if ok, err := exists(ctx, r, "nms.provider_msg_id"); err != nil || !ok {
		return err
	}
	return purge(ctx, r, "old message ids of providers", jobs.Purge{Table: "nms.provider_msg_id", Key: "broad_log_id",
		Age: "created", Where: "t.created < $1", Args: []any{cut}})
}

// cleanPropositions removes propositions that have not changed for long, where Interaction is installed.
func cleanPropositions(ctx context.Context, r *jobs.Run) error {
	tables, err := mappedTables(ctx, r, "proposition")
	if err != nil || len(tables) == 0 {
		return err
	}
	cut, ok, err := before(ctx, r, "NmsCleanup_PropositionPurgeDelay", 365)
	if err != nil || !ok {
		return err
	}
	return purgeEach(ctx, r, tables, "old propositions", "last_modified", cut)
}

// purgeEach purges one table after the other by the age of a column. The rows of a table that another kind of
// rows names, too, are gone by then.
func purgeEach(ctx context.Context, r *jobs.Run, tables []table, effect, age string, cut time.Time) error {
	for _, one := range tables {
		err := purge(ctx, r, effect, jobs.Purge{Table: one.name, Age: age, Partitions: one.partitioned,
			Where: "t." + age + " < $1", Args: []any{cut}})
		if err != nil {
			return err
		}
	}
	return nil
}
