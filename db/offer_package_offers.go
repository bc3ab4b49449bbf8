package db

// sentViews and sentWeights are the representations and weights of the offers of a list ($2), each with the offer (o) and
// the space (p) of the environment ($1) that it is for.
const (
	sentViews = `
		FROM jsonb_to_recordset($2) AS s (name text, views jsonb)
		JOIN nms.offer o ON o.environment_id = $1 AND o.internal_name = s.name
		CROSS JOIN LATERAL jsonb_to_recordset(s.views) AS v (space text, content jsonb)
		JOIN nms.offer_space p ON p.environment_id = $1 AND p.internal_name = v.space`
	sentWeights = `
		FROM jsonb_to_recordset($2) AS s (name text, weights jsonb)
		JOIN nms.offer o ON o.environment_id = $1 AND o.internal_name = s.name
		CROSS JOIN LATERAL ROWS FROM (jsonb_to_recordset(s.weights) AS (label text, weight numeric(15, 2), start_date timestamptz,
		                              end_date timestamptz, space text, filter jsonb)) WITH ORDINALITY
		           AS w (label, weight, start_date, end_date, space, filter, place)
		LEFT JOIN nms.offer_space p ON p.environment_id = $1 AND p.internal_name = w.space`
)

// otherWeights are the offers of a list whose weights here are not those of the list, in their order.
const otherWeights = `
	WITH sent AS (
		SELECT o.id, jsonb_agg(jsonb_build_array(w.label, w.weight, w.start_date, w.end_date, p.id, w.filter) ORDER BY w.place) AS weights` +
	sentWeights + `
		GROUP BY o.id
	), other AS (
		SELECT o.id
		FROM jsonb_to_recordset($2) AS s (name text)
		JOIN nms.offer o ON o.environment_id = $1 AND o.internal_name = s.name
		LEFT JOIN sent ON sent.id = o.id
		WHERE sent.weights IS DISTINCT FROM (
			SELECT jsonb_agg(jsonb_build_array(h.label, h.weight, h.start_date, h.end_date, h.space_id, h.filter) ORDER BY h.id)
			FROM nms.offer_weight h
			WHERE h.offer_id = o.id)
	)`

// An offer that comes is live, or disabled: then since it was disabled there, or since we know.
var offers = offerKind{
	noun: "offer",
	of:   func(p OfferPackage) []byte { return p.Offers },
	read: `
		SELECT c.internal_name, (to_jsonb(c) - ` + ownColumns + `) || jsonb_build_object('category', k.internal_name,
		       'views', (
			       SELECT jsonb_object_agg(p.internal_name, v.content)
			       FROM nms.offer_view v
			       JOIN nms.offer_space p ON p.id = v.space_id
			       WHERE v.offer_id = c.id
			         AND v.valid
			         AND v.approval = 'approved'),
		       'weights', (
			       SELECT jsonb_agg((to_jsonb(w) - '{id,offer_id,space_id}'::text[]) || jsonb_build_object('space', p.internal_name) ORDER BY w.id)
			       FROM nms.offer_weight w
			       LEFT JOIN nms.offer_space p ON p.id = w.space_id
			       WHERE w.offer_id = c.id))
		FROM jsonb_to_recordset($2) AS s (name text)
		JOIN nms.offer c ON c.environment_id = $1 AND c.internal_name = s.name
		LEFT JOIN nms.offer_category k ON k.id = c.category_id`,
	missing: `
		SELECT 'offer ' || s.name, 'category ' || s.category
		FROM jsonb_to_recordset($2) AS s (name text, category text)
		WHERE s.category IS NOT NULL
		  AND NOT EXISTS (SELECT FROM nms.offer_category c WHERE c.environment_id = $1 AND c.internal_name = s.category)
		UNION ALL
		SELECT 'offer ' || s.name, 'space ' || named.space
		FROM jsonb_to_recordset($2) AS s (name text, views jsonb, weights jsonb)
		CROSS JOIN LATERAL (
			SELECT one ->> 'space' AS space
			FROM jsonb_array_elements(s.views || s.weights) AS one) named
		WHERE named.space IS NOT NULL
		  AND NOT EXISTS (SELECT FROM nms.offer_space p WHERE p.environment_id = $1 AND p.internal_name = named.space)
		LIMIT 1`,
	write: []string{`
		INSERT INTO nms.offer AS c (environment_id, category_id, internal_name, label, code, state, content_status, eligibility_status,
		                            start_date, end_date, filter, rules, published_at, disabled_at)
		SELECT $1, k.id, s.name, s.label, s.code, CASE WHEN s.enabled THEN 'live' ELSE 'disabled' END, 'approved', 'approved',
		       s.start_date, s.end_date, s.filter, s.rules, now(),
		       CASE WHEN NOT s.enabled THEN COALESCE(s.disabled_at, here.disabled_at, now()) END
		FROM jsonb_to_recordset($2) AS s (name text, label text, code text, category text, enabled boolean, disabled_at timestamptz,
		                                  start_date timestamptz, end_date timestamptz, filter jsonb, rules jsonb)
		LEFT JOIN nms.offer_category k ON k.environment_id = $1 AND k.internal_name = s.category
		LEFT JOIN nms.offer here ON here.environment_id = $1 AND here.internal_name = s.name
		ON CONFLICT (environment_id, internal_name) DO UPDATE
		SET category_id = excluded.category_id,
		    label = excluded.label,
		    code = excluded.code,
		    state = excluded.state,
		    start_date = excluded.start_date,
		    end_date = excluded.end_date,
		    filter = excluded.filter,
		    rules = excluded.rules,
		    published_at = excluded.published_at,
		    disabled_at = excluded.disabled_at
		WHERE (c.category_id, c.label, c.code, c.state, c.start_date, c.end_date, c.filter, c.rules, c.disabled_at)
		      IS DISTINCT FROM (excluded.category_id, excluded.label, excluded.code, excluded.state, excluded.start_date,
		                        excluded.end_date, excluded.filter, excluded.rules, excluded.disabled_at)`, `
		DELETE FROM nms.offer_view h
		USING jsonb_to_recordset($2) AS s (name text, views jsonb), nms.offer o, nms.offer_space p
		WHERE o.environment_id = $1
		  AND o.internal_name = s.name
		  AND h.offer_id = o.id
		  AND p.id = h.space_id
		  AND NOT EXISTS (SELECT FROM jsonb_array_elements(s.views) AS v WHERE v ->> 'space' = p.internal_name)`, `
		INSERT INTO nms.offer_view AS h (offer_id, space_id, approval, content, published_at)
		SELECT o.id, p.id, 'approved', v.content, now()` + sentViews + `
		ON CONFLICT (offer_id, space_id) DO UPDATE
		SET approval = 'approved',
		    valid = true,
		    content = excluded.content,
		    published_at = excluded.published_at
		WHERE (h.approval, h.valid, h.content) IS DISTINCT FROM ('approved', true, excluded.content)`,
		otherWeights + `
		DELETE FROM nms.offer_weight h
		USING other
		WHERE h.offer_id = other.id`,
		// What was not deleted is as it was sent.
		otherWeights + `
		INSERT INTO nms.offer_weight (offer_id, label, weight, start_date, end_date, space_id, filter)
		SELECT o.id, w.label, w.weight, w.start_date, w.end_date, p.id, w.filter` + sentWeights + `
		WHERE o.id IN (SELECT id FROM other)
		ORDER BY o.id, w.place`},
}
