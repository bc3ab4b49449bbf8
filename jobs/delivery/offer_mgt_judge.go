package delivery

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// dueOffer is a design offer to publish, with its approved representations.
type dueOffer struct {
	id       int64
	label    string
	name     string
	modified time.Time
	// waits says what of the catalogue it waits for; empty: nothing.
	waits string
	views []representation
}

// representation is how an offer looks on a space, with what is wrong with it.
type representation struct {
	ID        int64    `json:"-"`
	Space     string   `json:"space"`
	Live      bool     `json:"-"`                   // the offer is live there already
	Missing   []string `json:"missing,omitempty"`   // mandatory fields without a value
	Addresses []string `json:"addresses,omitempty"` // fields whose address does not begin with http:// or https://
}

// dueOffers is true for an offer o of a design environment whose content and eligibility are approved, and which has
// changed since the publication dealt with it. A change of a representation or of a weight is one of the offer.
const dueOffers = `
	    o.environment_id = @design
	AND o.content_status = 'approved'
	AND o.eligibility_status = 'approved'
	AND o.state <> 'disabled'
	AND NOT o.deleted
	AND NOT o.is_model
	AND o.source_modified IS DISTINCT FROM o.last_modified`

// due lists the offers of an environment to publish.
func (p *publication) due(ctx context.Context, e offerEnv) ([]*dueOffer, error) {
	var due []*dueOffer
	byID := map[int64]*dueOffer{}
	args := pgx.StrictNamedArgs{"design": e.design, "live": e.live}
	err := p.Query(ctx, func(rows pgx.Rows) error {
		o := &dueOffer{}
		due = append(due, o)
		err := rows.Scan(&o.id, &o.label, &o.name, &o.modified, &o.waits)
		byID[o.id] = o
		return err
	}, `
		SELECT o.id, o.label, o.internal_name, o.last_modified,
		       COALESCE(CASE WHEN o.category_id IS NOT NULL AND NOT EXISTS (
			                   SELECT
			                   FROM nms.offer_category l
			                   WHERE l.environment_id = @live
			                     AND l.source_id = o.category_id)
		                THEN 'its category' END, '')
		FROM nms.offer o
		WHERE `+dueOffers+`
		ORDER BY o.id`, args)
	if err != nil {
		return nil, fmt.Errorf("offers to publish: %w", err)
	}
	if len(due) == 0 {
		return nil, nil
	}
	// Of a space's fields the mandatory ones must have a value; those of type url, and the destination URL in any case,
	// must begin with http:// or https://.
	err = p.Query(ctx, func(rows pgx.Rows) error {
		var offer int64
		var v representation
		var homeless bool
		if err := rows.Scan(&offer, &v.ID, &v.Space, &homeless, &v.Live, &v.Missing, &v.Addresses); err != nil {
			return err
		}
		if o := byID[offer]; o != nil {
			o.views = append(o.views, v)
			if homeless {
				o.waits = "the space '" + v.Space + "'"
			}
		}
		return nil
	}, `
		SELECT o.id, v.id, s.label, l.id IS NULL,
		       EXISTS (
			       SELECT
			       FROM nms.offer_view there
			       JOIN nms.offer published ON published.id = there.offer_id
			       WHERE published.environment_id = @live
			         AND published.source_id = o.id
			         AND there.space_id = l.id),
		       ARRAY(
			       SELECT COALESCE(f ->> 'label', f ->> 'name')
			       FROM jsonb_array_elements(shape.fields) f
			       WHERE f ->> 'mandatory' = 'true'
			         AND COALESCE(v.content ->> (f ->> 'name'), '') ~ '^\s*$'),
		       ARRAY(
			       SELECT a.label
			       FROM (SELECT 'destination_url' AS name, 'Destination URL' AS label
			             WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(shape.fields) f WHERE f ->> 'name' = 'destination_url')
			             UNION ALL
			             SELECT f ->> 'name', COALESCE(f ->> 'label', f ->> 'name')
			             FROM jsonb_array_elements(shape.fields) f
			             WHERE f ->> 'type' = 'url'
			                OR f ->> 'name' = 'destination_url') a
			       WHERE v.content ->> a.name !~ '^\s*$'
			         AND v.content ->> a.name !~* '^https?://.')
		FROM nms.offer o
		JOIN nms.offer_view v ON v.offer_id = o.id AND v.approval = 'approved'
		JOIN nms.offer_space s ON s.id = v.space_id
		CROSS JOIN LATERAL (SELECT CASE jsonb_typeof(s.fields) WHEN 'array' THEN s.fields ELSE '[]' END) AS shape (fields)
		LEFT JOIN nms.offer_space l ON l.environment_id = @live AND l.source_id = s.id
		WHERE `+dueOffers+`
		ORDER BY o.id, s.label, v.id`, args)
	if err != nil {
		return nil, fmt.Errorf("representations to publish: %w", err)
	}
	return due, nil
}

// valid reports a representation that can go live. A mandatory field that an offer lacks keeps it from a space where it
// is not live yet, and only from there.
func (v representation) valid() bool {
	return len(v.Addresses) == 0 && (v.Live || len(v.Missing) == 0)
}

// wrong says what is wrong with a representation; empty: nothing is.
func (v representation) wrong() string {
	var parts []string
	for _, field := range v.Missing {
		parts = append(parts, "mandatory '"+field+"' missing")
	}
	for _, field := range v.Addresses {
		parts = append(parts, "'"+field+"' does not begin with http:// or https://")
	}
	if len(parts) == 0 {
		return ""
	}
	text := v.Space + ": " + strings.Join(parts, ", ")
	if v.Live {
		text += ", live there before"
	}
	return text
}

// judged splits the approved representations into those that go live and a text of what is wrong with any.
func (o *dueOffer) judged() (valid []int64, wrong []representation, text string) {
	valid = []int64{}
	var texts []string
	for _, v := range o.views {
		if v.valid() {
			valid = append(valid, v.ID)
		}
		if said := v.wrong(); said != "" {
			wrong, texts = append(wrong, v), append(texts, said)
		}
	}
	if len(texts) > 0 {
		text = " (" + strings.Join(texts, "; ") + ")"
	}
	return valid, wrong, text
}
