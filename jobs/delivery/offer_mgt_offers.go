package delivery

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// errChanged leaves an offer that somebody has changed, or taken back, since it was judged.
var errChanged = errors.New("changed meanwhile")

// offers publishes the offers that are due, each in a transaction of its own.
func (p *publication) offers(ctx context.Context) error {
	var failed []error
	published, refused, waiting := 0, 0, 0
	for _, e := range p.envs {
		due, err := p.due(ctx, e)
		if err != nil {
			return err
		}
		p.Read(int64(len(due)))
		for i, o := range due {
			p.Progress(int64(i), int64(len(due)), "offers")
			done, err := p.publish(ctx, e, o)
			if stopped := p.Checkpoint(ctx); stopped != nil {
				return stopped
			}
			switch {
			case errors.Is(err, errChanged):
				p.line("Offer '%s' has changed meanwhile: it waits for the next run", o.label)
				waiting++
			case err != nil:
				failed = append(failed, fmt.Errorf("offer '%s': %w", o.label, err))
			case done == "published":
				published++
			case done == "refused":
				refused++
			default:
				waiting++
			}
		}
		p.Progress(int64(len(due)), int64(len(due)), "offers")
	}
	if published+refused+waiting+len(failed) > 0 {
		p.Say("%d %s, %d without a valid space, %d waiting, %d failed", published, would(p.Run, "published", "would be published"),
			refused, waiting, len(failed))
	}
	return joined(failed)
}

// publish brings one offer to its live environment with its valid representations, or notes that it has none.
func (p *publication) publish(ctx context.Context, e offerEnv, o *dueOffer) (done string, err error) {
	if o.waits != "" {
		p.warn("Offer '%s' waits: %s is not live", o.label, o.waits)
		return "waiting", nil
	}
	valid, wrong, text := o.judged()
	message := fmt.Sprintf("Offer '%s' published on %d of %d spaces%s", o.label, len(valid), len(o.views), text)
	event := "published"
	switch {
	case len(o.views) == 0:
		event, message = "publish_error", fmt.Sprintf("Offer '%s' not published: no representation is approved", o.label)
	case len(valid) == 0:
		event, message = "publish_error", fmt.Sprintf("Offer '%s' not published, no valid space%s", o.label, text)
	}
	detail := offerDetail{Published: len(valid), Approved: len(o.views), Wrong: wrong}
	err = p.Tx(ctx, func(tx pgx.Tx) error {
		if err := o.lock(ctx, tx, e); err != nil {
			return err
		}
		live := int64(0)
		if event == "published" {
			if live, err = p.toLive(ctx, tx, e, o, valid); err != nil {
				return err
			}
		}
		return p.dealtWith(ctx, tx, o, valid, live, offerEvent{event, message, detail})
	})
	if err != nil {
		return "", err
	}
	if event == "publish_error" || text != "" {
		p.warn("%s%s", p.prefix(), message)
	} else {
		p.line("%s%s", p.prefix(), message)
	}
	if event == "publish_error" {
		return "refused", nil
	}
	return "published", nil
}

// prefix begins a line of a rehearsal that tells what was done.
func (p *publication) prefix() string { return would(p.Run, "", "would: ") }

// lock takes the design offer for the transaction and checks that it is the one that was judged. Whoever changes one of
// its representations has to change the offer, too, and so waits.
func (o *dueOffer) lock(ctx context.Context, tx pgx.Tx, e offerEnv) error {
	var clash bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (
			SELECT
			FROM nms.offer other
			WHERE other.environment_id = @live
			  AND other.internal_name = o.internal_name
			  AND other.source_id IS DISTINCT FROM o.id)
		FROM nms.offer o
		WHERE `+dueOffers+`
		  AND o.id = @offer
		  AND o.last_modified = @modified
		FOR UPDATE OF o`, pgx.StrictNamedArgs{"design": e.design, "live": e.live, "offer": o.id, "modified": o.modified}).Scan(&clash)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return errChanged
	case err != nil:
		return fmt.Errorf("lock: %w", err)
	case clash:
		return fmt.Errorf("the live name %s belongs to another object", o.name)
	}
	return nil
}

// toLive makes or updates the live offer, and gives it the representations that are valid. One whose address is refused
// stays as it is where it is live already; those that are not approved any more go.
func (p *publication) toLive(ctx context.Context, tx pgx.Tx, e offerEnv, o *dueOffer, valid []int64) (live int64, err error) {
	args := pgx.NamedArgs{"live": e.live, "offer": o.id, "valid": valid, "now": p.Now()}
	err = tx.QueryRow(ctx, `
		WITH design AS (
			SELECT o.*, (SELECT l.id FROM nms.offer_category l WHERE l.environment_id = @live AND l.source_id = o.category_id) AS home
			FROM nms.offer o
			WHERE o.id = @offer
		), updated AS (
			UPDATE nms.offer l
			SET category_id = d.home, internal_name = d.internal_name, label = d.label, code = d.code, state = 'live',
			    start_date = d.start_date, end_date = d.end_date, filter = d.filter, rules = d.rules, owner_id = d.owner_id,
			    disabled_at = NULL, deleted = false, source_modified = d.last_modified, published_at = @now, last_modified = @now
			FROM design d
			WHERE l.environment_id = @live
			  AND l.source_id = d.id
			RETURNING l.id
		), inserted AS (
			INSERT INTO nms.offer (environment_id, category_id, internal_name, label, code, state, content_status, eligibility_status,
			                       start_date, end_date, filter, rules, owner_id, source_id, source_modified, published_at,
			                       created, last_modified)
			SELECT @live, d.home, d.internal_name, d.label, d.code, 'live', 'approved', 'approved',
			       d.start_date, d.end_date, d.filter, d.rules, d.owner_id, d.id, d.last_modified, @now, @now, @now
			FROM design d
			WHERE NOT EXISTS (SELECT FROM updated)
			RETURNING id
		)
		SELECT id FROM updated
		UNION ALL
		SELECT id FROM inserted`, args).Scan(&live)
	if err != nil {
		return 0, fmt.Errorf("live offer: %w", err)
	}
	args["copy"] = live
	for _, change := range []struct{ what, sql string }{
		{"representations", `
			INSERT INTO nms.offer_view AS v (offer_id, space_id, approval, valid, content, published_at)
			SELECT @copy, l.id, 'approved', true, d.content, @now
			FROM nms.offer_view d
			JOIN nms.offer_space l ON l.environment_id = @live AND l.source_id = d.space_id
			WHERE d.id = ANY (@valid)
			ON CONFLICT (offer_id, space_id) DO UPDATE
			SET content = excluded.content, valid = true, published_at = excluded.published_at`},
		{"representations that are not approved any more", `
			DELETE FROM nms.offer_view v
			WHERE v.offer_id = @copy
			  AND NOT EXISTS (
				SELECT
				FROM nms.offer_view d
				JOIN nms.offer_space l ON l.environment_id = @live AND l.source_id = d.space_id
				WHERE d.offer_id = @offer
				  AND d.approval = 'approved'
				  AND l.id = v.space_id)`},
		{"weights of before", `
			DELETE FROM nms.offer_weight
			WHERE offer_id = @copy`},
		{"weights", `
			INSERT INTO nms.offer_weight (offer_id, label, weight, start_date, end_date, space_id, filter)
			SELECT @copy, d.label, d.weight, d.start_date, d.end_date, l.id, d.filter
			FROM nms.offer_weight d
			LEFT JOIN nms.offer_space l ON l.environment_id = @live AND l.source_id = d.space_id
			WHERE d.offer_id = @offer
			  AND (d.space_id IS NULL OR l.id IS NOT NULL)
			ORDER BY d.id`},
	} {
		if _, err := tx.Exec(ctx, change.sql, args); err != nil {
			return 0, fmt.Errorf("%s: %w", change.what, err)
		}
	}
	return live, nil
}

// offerEvent is what happened to an offer: in English for its log, and in parts for a mail in the reader's language.
type offerEvent struct {
	event, message string
	detail         offerDetail
}

// offerDetail is an event in parts.
type offerDetail struct {
	Published int              `json:"published"`
	Approved  int              `json:"approved"`
	Wrong     []representation `json:"wrong,omitempty"`
}

// dealtWith notes on the design offer what became of it; until it is changed again it is not looked at.
func (p *publication) dealtWith(ctx context.Context, tx pgx.Tx, o *dueOffer, valid []int64, live int64, what offerEvent) error {
	if _, err := tx.Exec(ctx, `
		UPDATE nms.offer_view
		SET valid = id = ANY ($2),
		    published_at = CASE WHEN id = ANY ($2) THEN $3 ELSE published_at END
		WHERE offer_id = $1
		  AND approval = 'approved'`, o.id, valid, p.Now()); err != nil {
		return fmt.Errorf("note on its representations: %w", err)
	}
	if _, err := tx.Exec(ctx, `
		UPDATE nms.offer
		SET state = CASE WHEN $2::bigint > 0 THEN 'live' ELSE 'publish_error' END,
		    live_offer_id = COALESCE(NULLIF($2, 0), live_offer_id),
		    published_at = CASE WHEN $2 > 0 THEN $3 ELSE published_at END,
		    source_modified = $3,
		    last_modified = $3
		WHERE id = $1`, o.id, live, p.Now()); err != nil {
		return fmt.Errorf("note on the offer: %w", err)
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO nms.offer_log (offer_id, event, message, detail, notify)
		VALUES ($1, $2, $3, $4, true)`, o.id, what.event, what.message, what.detail); err != nil {
		return fmt.Errorf("log of the offer: %w", err)
	}
	return nil
}
