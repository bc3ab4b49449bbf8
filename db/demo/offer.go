package demo

import (
	"context"
	"fmt"
	"time"
)

func loadOffers(ctx context.Context, l *loader) error {
	err := l.exec(ctx, `
		INSERT INTO nms.offer_env (id, internal_name, label, kind, live_env_id)
		VALUES (1, 'rcpDesign', 'Recipients, design', 'design', 2), (2, 'rcpLive', 'Recipients, live', 'live', NULL)`)
	if err != nil {
		return err
	}
	err = l.exec(ctx, `
		INSERT INTO nms.offer_space (id, environment_id, internal_name, label, channel, created, last_modified)
		VALUES (1, 2, 'email', 'E-mail', 0, $1, $1), (2, 2, 'web', 'Web site', 120, $1, $1), (3, 2, 'call', 'Call centre', 2, $1, $1)`, l.ago(500*day))
	if err != nil {
		return err
	}
	const offers = 40
	err = l.copy(ctx, "nms.offer", "id environment_id internal_name label code state created last_modified",
		numbered(offers, func(i int64) []any {
			at := l.ago(time.Duration(400-i*9) * day)
			return []any{i + 1, int64(2), fmt.Sprintf("OFR%d", i+1), fmt.Sprintf("Offer %d 혜택", i+1), fmt.Sprintf("C%03d", i+1), "live", at, at}
		}))
	if err != nil {
		return err
	}
	statuses := []string{"generated", "presented", "presented", "presented", "interested", "accepted", "rejected"}
	return l.copy(ctx, "nms.proposition", "id recipient_id offer_id offer_space_id delivery_id broad_log_id status rank weight event_date last_modified",
		numbered(l.plan.propositions, func(i int64) []any {
			h, modified := mix(i, 20), l.ago(l.age(i, 365*day))
			d := &l.deliveries[h%uint64(len(l.deliveries))]
			var delivery, log any
			recipient := 1 + int64(h>>20%uint64(l.plan.recipients))
			// Half of them went by a delivery, some of those that cleanup removes with all they carry.
			if h>>8%2 == 0 && d.messages > 0 {
				k := int64(h >> 12 % uint64(d.messages))
				delivery, log, recipient = d.id, d.firstMessage+k, d.recipient(k, l.plan.recipients)
			}
			return []any{i + 1, recipient, int64(1 + h>>40%offers), int64(1 + h>>50%3), delivery, log, pick(statuses, h>>30), int32(1 + h>>56%3),
				int64(5), modified.Add(-hour), modified}
		}))
}
