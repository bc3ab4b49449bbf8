package delivery

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/nms"
)

// optionPropositionID is the last tracking log that was looked at for clicks on offers.
const optionPropositionID = "NmsTracking_LastPropositionId"

// statusOrder gives the place of a status among those that a proposition passes; rejected is an end beside them.
const statusOrder = `array_position(ARRAY['generated', 'scheduled', 'presented', 'interested', 'accepted'], %s)`

// follow brings propositions on: those of sent messages are presented, those whose link was clicked get the status that
// their space has for it. None goes back, and none leaves accepted or rejected.
func (t *tracker) follow(ctx context.Context) error {
	var presented, accepted int64
	for _, table := range t.propositions {
		n, err := t.present(ctx, table)
		if err != nil {
			return err
		}
		presented += n
	}
	accepted, err := t.accept(ctx)
	if err != nil {
		return err
	}
	t.Say("%s %s, %s brought on by a click", commas(presented), would(t.Run, "presented", "would be presented"), commas(accepted))
	return nil
}

// present: a proposition of a message that was sent is presented; one that names no message, when its delivery is finished.
// One that has waited for thirty days is not looked at any more: its message has failed.
func (t *tracker) present(ctx context.Context, propositions string) (rows int64, err error) {
	for _, logs := range t.each(logsOf) {
		n, err := t.Batches(ctx, "propositions presented", `
			UPDATE `+propositions+`
			SET status = 'presented'
			WHERE id IN (
				SELECT p.id
				FROM `+propositions+` p
				JOIN nms.delivery d ON d.id = p.delivery_id
				WHERE p.status IN ('generated', 'scheduled')
				  AND p.delivery_id IS NOT NULL
				  AND p.event_date >= $1
				  AND (EXISTS (
				           SELECT 1
				           FROM `+logs+` l
				           WHERE l.delivery_id = p.delivery_id
				             AND l.id = p.broad_log_id
				             AND l.status IN ('sent', 'accepted', 'received'))
				       OR p.broad_log_id IS NULL AND d.state = 'finished')
				ORDER BY p.id
				LIMIT 5000
				FOR UPDATE OF p SKIP LOCKED)`, t.Now().Add(-nms.Followed))
		if rows += n; err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// accept looks through the logs that came since the last run, a stretch of ids a transaction. The click tells the message;
// the URL tells the offer, and the space where it was shown.
func (t *tracker) accept(ctx context.Context) (rows int64, err error) {
	last, err := numberCursor(ctx, t.Run, optionPropositionID)
	if err != nil {
		return 0, err
	}
	newest, err := t.newestLog(ctx)
	if err != nil {
		return 0, err
	}
	for last < newest {
		if err := t.Checkpoint(ctx); err != nil {
			return rows, err
		}
		end := min(last+lateSlice, newest)
		err := t.Tx(ctx, func(tx pgx.Tx) error {
			for _, table := range t.propositions {
				tag, err := tx.Exec(ctx, `
					UPDATE `+table+` p
					SET status = s.accepted_status
					FROM (
						SELECT DISTINCT h.broad_log_id, u.offer_id, u.offer_space_id
						FROM (`+t.allHits("id, delivery_id, broad_log_id, url_id")+`) h
						JOIN nms.tracking_url u ON u.delivery_id = h.delivery_id AND u.id = h.url_id
						WHERE h.id > $1
						  AND h.id <= $2
						  AND u.type = 1
						  AND u.offer_id IS NOT NULL
					) clicked,
					nms.offer_space s
					WHERE p.broad_log_id = clicked.broad_log_id
					  AND p.offer_id = clicked.offer_id
					  AND p.offer_space_id = coalesce(clicked.offer_space_id, p.offer_space_id)
					  AND s.id = p.offer_space_id
					  AND p.status <> 'rejected'
					  AND `+fmt.Sprintf(statusOrder, "p.status")+` < `+fmt.Sprintf(statusOrder, "s.accepted_status"), last, end)
				if err != nil {
					return fmt.Errorf("propositions that were clicked: %w", err)
				}
				rows += tag.RowsAffected()
			}
			return moveNumber(ctx, tx, optionPropositionID, end)
		})
		if err != nil {
			return rows, err
		}
		last = end
		t.Progress(last, newest, "logs")
	}
	return rows, nil
}
