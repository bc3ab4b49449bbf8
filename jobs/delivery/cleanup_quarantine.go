package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
)

// softErrorRest is how long an address rests after a soft error before it counts as valid again.
const softErrorRest = 10 * day

// transition makes addresses valid again by one rule.
type transition struct {
	effect, where string
	args          []any
}

// cleanQuarantine forgives what is old enough to be forgiven, then removes the addresses that are valid: an address
// without errors needs no row. Other quarantined, denied and allowed addresses are never touched.
func cleanQuarantine(ctx context.Context, r *jobs.Run) error {
	transitions := []transition{
		{"addresses whose last soft error is old",
			"a.status = 'with_errors' AND a.quarantine_reason IS DISTINCT FROM 'mailbox_full' AND a.last_error < $1",
			[]any{r.Now().Add(-softErrorRest)}},
	}
	full, ok, err := before(ctx, r, "NmsCleanup_QuarantineMailboxFull", 30)
	if err != nil {
		return err
	}
	if ok {
		transitions = append(transitions, transition{"addresses whose mailbox was full",
			"a.status IN ('with_errors', 'quarantine') AND a.quarantine_reason = 'mailbox_full' AND a.last_error < $1", []any{full}})
	}
	// The dearest rule last: it looks only at what the others leave.
	transitions = append(transitions, transition{"addresses reached again since their error", reachedAgain, nil})
	for _, one := range transitions {
		if err := one.apply(ctx, r); err != nil {
			return err
		}
	}
	return removeValid(ctx, r)
}

// A message that arrived after the error shows that the address works.
const reachedAgain = `a.status = 'with_errors' AND a.type = 'email' AND EXISTS (
	SELECT FROM nms.recipient p
	JOIN nms.broad_log b ON b.recipient_id = p.id
	WHERE lower(p.email) = lower(a.address)
	  AND b.status IN ('sent', 'accepted', 'received')
	  AND b.last_modified > a.last_error
	  AND b.event_date > a.last_error)`

func (t transition) apply(ctx context.Context, r *jobs.Run) error {
	_, err := r.Batches(ctx, t.effect, `
		UPDATE nms.address
		SET status = 'valid', consecutive_error = 0
		WHERE id = ANY (ARRAY(
			SELECT a.id FROM nms.address a
			WHERE `+t.where+`
			ORDER BY a.id
			LIMIT 5000
			FOR UPDATE SKIP LOCKED))`, t.args...)
	return err
}

// removeValid removes valid addresses that changed since the last cleanup. The clock is read now, after the
// transitions, so that what they made valid goes in the same run.
func removeValid(ctx context.Context, r *jobs.Run) error {
	last, err := moment(ctx, r, optionLastCleanup)
	if err != nil {
		return err
	}
	if last == nil {
		last = &time.Time{}
	}
	var now time.Time
	err = r.Query(ctx, func(rows pgx.Rows) error { return rows.Scan(&now) }, `SELECT clock_timestamp()`)
	if err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	return purge(ctx, r, "valid addresses", jobs.Purge{Table: "nms.address", Age: "last_modified",
		Where: "t.status = 'valid' AND t.last_modified < $1 AND t.last_modified >= $2", Args: []any{now, *last}})
}

// cleanPushQuarantine removes quarantined devices, five days after their subscription would have gone.
func cleanPushQuarantine(ctx context.Context, r *jobs.Run) error {
	cut, ok, err := before(ctx, r, "NmsCleanup_AppSubscriptionRcpPurgeDelay", 180)
	if err != nil || !ok {
		return err
	}
	return purge(ctx, r, "quarantined devices", jobs.Purge{Table: "nms.address", Age: "last_modified",
		Where: "t.status = 'quarantine' AND t.type IN ('ios', 'android') AND t.last_modified < $1", Args: []any{cut.Add(-5 * day)}})
}
