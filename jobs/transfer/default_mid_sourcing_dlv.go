package transfer

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs"
	"nightshift/jobs/external/midsourcing"
)

const (
	// lastDelivery begins the name of the option that keeps up to where the deliveries of an account were fetched.
	lastDelivery = "NmsMidSourcing_LastDelivery_"
	// deliveriesAtOnce is how many deliveries are asked for in one call.
	deliveriesAtOnce = 500
	// overlap is taken off the last moment fetched, so that the next run asks once more for what changed just then.
	overlap = time.Second
)

// DefaultMidSourcingDlv fetches from each mid-sourcing server the state and the counts of the deliveries that it carries
// for this instance. Opens and clicks are not among them: they are tracked here.
func DefaultMidSourcingDlv(ctx context.Context, r *jobs.Run) error {
	return eachAccount(ctx, r, func(ctx context.Context, a account, client *midsourcing.Client) error {
		return a.fetchDeliveries(ctx, r, client)
	})
}

// told sums up what a server told of its deliveries.
type told struct{ deliveries, changed, finished, unknown, named int }

func (a account) fetchDeliveries(ctx context.Context, r *jobs.Run, client *midsourcing.Client) error {
	since, ok, err := a.cursor(ctx, r, lastDelivery)
	if err != nil {
		return err
	}
	if !ok {
		since = time.Unix(0, 0)
	}
	var sum told
	for after := int64(0); ; {
		if err := r.Checkpoint(ctx); err != nil {
			return err
		}
		page, err := client.Deliveries(ctx, since, after, deliveriesAtOnce)
		if err != nil {
			return err
		}
		if n := len(page.Deliveries); n > 0 {
			if err := a.applyDeliveries(ctx, r, page, &sum); err != nil {
				return err
			}
			since, after = page.Deliveries[n-1].LastModified, page.Deliveries[n-1].ID
		}
		sum.deliveries += len(page.Deliveries)
		r.Progress(int64(sum.deliveries), 0, "deliveries")
		if len(page.Deliveries) < deliveriesAtOnce {
			break
		}
	}
	r.Read(int64(sum.deliveries))
	would := ""
	if r.Simulated() {
		would = "would be "
	}
	r.Say("%d deliveries %schanged (%d finished), %d unknown", sum.changed, would, sum.finished, sum.unknown)
	return nil
}

// applyDeliveries takes over a page and moves the cursor with it.
func (a account) applyDeliveries(ctx context.Context, r *jobs.Run, page midsourcing.DeliveryPage, sum *told) error {
	var lines []string
	var unknown []int64
	var part told
	err := r.Tx(ctx, func(tx pgx.Tx) error {
		lines, part = nil, told{}
		rows, err := tx.Query(ctx, takeOverSQL, page.Deliveries, a.id, r.Now().Add(-reportedFor))
		if err != nil {
			return err
		}
		for rows.Next() {
			var id int64
			var was, is, line string
			if err := rows.Scan(&id, &was, &is, &line); err != nil {
				return err
			}
			lines = append(lines, fmt.Sprintf("delivery %d: %s", id, line))
			if part.changed++; is == "finished" && was != "finished" {
				part.finished++
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		unknown, err = a.unknown(ctx, tx, page.Deliveries)
		if err != nil {
			return err
		}
		// What changed just now is taken over, but not passed: something older may still be written there.
		to := page.Deliveries[len(page.Deliveries)-1].LastModified.Add(-overlap)
		if page.Settled.Before(to) {
			to = page.Settled
		}
		return a.moveCursor(ctx, tx, lastDelivery, to)
	})
	if err != nil {
		return fmt.Errorf("take over what the server tells: %w", err)
	}
	for _, line := range lines {
		if sum.named++; sum.named <= shownLines {
			r.Log("%s", line)
		}
	}
	if len(unknown) > 0 {
		r.Log("unknown here and ignored: %s", listed(unknown))
	}
	for _, d := range page.Deliveries {
		if !known[d.State] {
			r.Warn("delivery %d: state %q is not one of the platform: ignored", d.EmitterID, d.State)
		}
	}
	sum.changed, sum.finished, sum.unknown = sum.changed+part.changed, sum.finished+part.finished, sum.unknown+len(unknown)
	return nil
}
