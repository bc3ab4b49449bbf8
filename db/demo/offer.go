package demo

import (
	"context"
	"fmt"
	"time"
)

const offers = 40

// emailSpace is the space in which a delivery shows its offer.
const emailSpace = int64(1)

// offer is the one that a delivery shows behind its link to an offer.
func (d *delivery) offer() int64 { return 1 + d.id%offers }

func loadOffers(ctx context.Context, l *loader) error {
	err := l.exec(ctx, `
		INSERT INTO nms.offer_env (id, internal_name, label, kind, live_env_id)
		VALUES (1, 'rcpDesign', 'Recipients, design', 'design', 2), (2, 'rcpLive', 'Recipients, live', 'live', NULL)`)
	if err != nil {
		return err
	}
	if err := l.loadCatalogue(ctx); err != nil {
		return err
	}
	err = l.copy(ctx, "nms.offer", `id environment_id category_id internal_name label code state content_status eligibility_status
		source_id source_modified live_offer_id published_at created last_modified`,
		numbered(2*offers, func(i int64) []any {
			k, at := i%offers, l.ago(time.Duration(400-i%offers*9)*day)
			id, env, category := k+1, int64(2), int64(1+k%4)
			var source, live any = 100 + id, nil
			if i >= offers { // the design of a live offer, which the publication has dealt with
				source, live, id, env, category = nil, id, 100+id, 1, 100+category
			}
			return []any{id, env, category, fmt.Sprintf("OFR%d", k+1), fmt.Sprintf("Offer %d 혜택", k+1), fmt.Sprintf("C%03d", k+1), "live",
				"approved", "approved", source, at, live, at, at, at}
		}))
	if err == nil {
		err = l.loadUnpublished(ctx)
	}
	if err != nil {
		return err
	}
	statuses := []string{"generated", "presented", "presented", "presented", "interested", "accepted", "rejected"}
	return l.copy(ctx, "nms.proposition", "id recipient_id offer_id offer_space_id delivery_id broad_log_id status rank weight event_date last_modified",
		numbered(l.plan.propositions, func(i int64) []any {
			h, modified := mix(i, 20), l.ago(l.age(i, 365*day))
			d := &l.deliveries[h%uint64(len(l.deliveries))]
			var delivery, log any
			offer, space := int64(1+h>>40%offers), int64(1+h>>50%3)
			recipient := 1 + int64(h>>20%uint64(l.plan.recipients))
			// Half of them went by a delivery, some of those that cleanup removes with all they carry.
			if h>>8%2 == 0 && d.messages > 0 {
				k := int64(h >> 12 % uint64(d.messages))
				delivery, log, recipient = d.id, d.firstMessage+k, d.recipient(k, l.plan.recipients)
				offer, space = d.offer(), emailSpace
			}
			return []any{i + 1, recipient, offer, space, delivery, log, pick(statuses, h>>30), int32(1 + h>>56%3),
				int64(5), modified.Add(-hour), modified}
		}))
}

// loadCatalogue makes categories and spaces of both environments, in step with each other but for one category.
func (l *loader) loadCatalogue(ctx context.Context) error {
	err := l.exec(ctx, `
		INSERT INTO nms.offer_category (id, environment_id, internal_name, label, source_id, source_modified, created, last_modified)
		SELECT live.n + CASE e.id WHEN 1 THEN 100 ELSE 0 END, e.id, live.name, live.label,
		       CASE e.id WHEN 2 THEN live.n + 100 END, CASE e.id WHEN 2 THEN $1::timestamptz END, $1, $1
		FROM nms.offer_env e
		CROSS JOIN (VALUES (1, 'travel', 'Travel'), (2, 'home', 'Home and garden'), (3, 'food', '식품'), (4, 'sport', 'Sport')) AS live (n, name, label)
		ORDER BY 1`, l.ago(500*day))
	if err != nil {
		return err
	}
	return l.exec(ctx, `
		INSERT INTO nms.offer_space (id, environment_id, internal_name, label, channel, fields, source_id, source_modified, created, last_modified)
		SELECT live.n + CASE e.id WHEN 1 THEN 100 ELSE 0 END, e.id, live.name, live.label, live.channel, live.fields::jsonb,
		       CASE e.id WHEN 2 THEN live.n + 100 END, CASE e.id WHEN 2 THEN $1::timestamptz END, $1, $1
		FROM nms.offer_env e
		CROSS JOIN (VALUES (1, 'email', 'E-mail', 0, '[{"name": "title", "label": "Title", "type": "text", "mandatory": true}]'),
		                   (2, 'web', 'Web site', 120, '[{"name": "image_url", "label": "Image URL", "type": "url", "mandatory": true}]'),
		                   (3, 'call', 'Call centre', 2, '[]')) AS live (n, name, label, channel, fields)
		ORDER BY 1`, l.ago(500*day))
}

// loadUnpublished makes what the next publication has to do: offers that were approved since, one of them with an address
// that is refused and one without a mandatory field on one space, a category and an offer that were changed, an offer
// that was disabled, and one that was so long ago that its live copy is deleted.
func (l *loader) loadUnpublished(ctx context.Context) error {
	for _, sql := range []string{`
		INSERT INTO nms.offer (id, environment_id, category_id, internal_name, label, content_status, eligibility_status, created, last_modified)
		SELECT 140 + n, 1, 100 + n, 'OFR' || 40 + n, 'Winter ' || 10 * n || '%', 'approved', 'approved', $1, $1
		FROM generate_series(1, 4) n`, `
		INSERT INTO nms.offer_view (offer_id, space_id, approval, content)
		SELECT 140 + n, 100 + s, CASE WHEN n = 4 AND s = 3 THEN 'refused' ELSE 'approved' END,
		       CASE WHEN n = 2 AND s = 1 THEN '{}'
		            ELSE jsonb_build_object('title', 'Winter ' || 10 * n || '%', 'image_url', 'https://img.example.com/' || n || '.png',
		                 'destination_url', CASE WHEN n = 3 THEN 'ftp' ELSE 'https' END || '://example.com/winter') END
		FROM generate_series(1, 4) n
		CROSS JOIN generate_series(1, 3) s
		WHERE $1::timestamptz IS NOT NULL
		ORDER BY n, s`, `
		UPDATE nms.offer
		SET last_modified = $1
		WHERE id > 140`, `
		UPDATE nms.offer_category
		SET label = 'Travel and trips', last_modified = $1
		WHERE id = 101`, `
		UPDATE nms.offer
		SET state = 'disabled', last_modified = $1
		WHERE id = 107`, `
		INSERT INTO nms.offer (id, environment_id, category_id, internal_name, label, state, source_id, disabled_at, created, last_modified)
		VALUES (60, 2, 1, 'OFR0', 'Old offer', 'disabled', 100, $1::timestamptz - interval '400 days', $1::timestamptz - interval '900 days', $1::timestamptz - interval '400 days')`,
	} {
		if err := l.exec(ctx, sql, l.ago(5*hour)); err != nil {
			return err
		}
	}
	return nil
}
