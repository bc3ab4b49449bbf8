package db

// offerKind is how objects of one kind get into a live environment ($1) from a list ($2), in which each has a name.
type offerKind struct {
	noun string
	// read selects the name of each object of the list that is here, and its fields.
	read string
	// missing selects an object that needs one which is neither in the list nor here; empty: none needs any.
	missing string
	// write makes what is missing and updates what is different, and nothing else.
	write []string
	// circle selects an object whose parents form a circle; empty: there are no parents.
	circle string
	of     func(OfferPackage) []byte
}

// ownColumns are those of an object that are the business of this instance.
const ownColumns = `'{id,environment_id,internal_name,category_id,parent_id,kind,live_env_id,emitter_account_id,source_id,source_modified,
	live_offer_id,owner_id,is_model,deleted,content_status,eligibility_status,published_at,created,last_modified,created_by_id,
	modified_by_id}'::text[]`

var offerEnvironment = offerKind{
	noun: "environment",
	read: `
		SELECT e.internal_name, to_jsonb(e) - ` + ownColumns + `
		FROM nms.offer_env e
		JOIN jsonb_to_record($2) AS s (name text) ON s.name = e.internal_name
		WHERE e.id = $1`,
	write: []string{`
		UPDATE nms.offer_env e
		SET label = s.label,
		    target_schema = s.target_schema,
		    proposition_schema = s.proposition_schema,
		    anonymous = s.anonymous
		FROM jsonb_to_record($2) AS s (label text, target_schema text, proposition_schema text, anonymous boolean)
		WHERE e.id = $1
		  AND (e.label, e.target_schema, e.proposition_schema, e.anonymous)
		      IS DISTINCT FROM (s.label, s.target_schema, s.proposition_schema, s.anonymous)`},
}

var offerCategories = offerKind{
	noun: "category",
	of:   func(p OfferPackage) []byte { return p.Categories },
	read: `
		SELECT c.internal_name, (to_jsonb(c) - ` + ownColumns + `) || jsonb_build_object('parent', above.internal_name)
		FROM jsonb_to_recordset($2) AS s (name text)
		JOIN nms.offer_category c ON c.environment_id = $1 AND c.internal_name = s.name
		LEFT JOIN nms.offer_category above ON above.id = c.parent_id`,
	missing: `
		SELECT 'category ' || s.name, 'category ' || s.parent
		FROM jsonb_to_recordset($2) AS s (name text, parent text)
		WHERE s.parent NOT IN (SELECT o.name FROM jsonb_to_recordset($2) AS o (name text))
		  AND NOT EXISTS (SELECT FROM nms.offer_category c WHERE c.environment_id = $1 AND c.internal_name = s.parent)
		LIMIT 1`,
	// All of them first, then their parents: so their order does not matter.
	write: []string{`
		INSERT INTO nms.offer_category AS c (environment_id, internal_name, label, enabled, start_date, end_date, themes,
		                                     weight_multiplier, multiplier_from, multiplier_to)
		SELECT $1, s.name, s.label, s.enabled, s.start_date, s.end_date, s.themes, s.weight_multiplier, s.multiplier_from, s.multiplier_to
		FROM jsonb_to_recordset($2) AS s (name text, label text, enabled boolean, start_date timestamptz, end_date timestamptz, themes text[],
		                                  weight_multiplier numeric(15, 2), multiplier_from timestamptz, multiplier_to timestamptz)
		ON CONFLICT (environment_id, internal_name) DO UPDATE
		SET label = excluded.label,
		    enabled = excluded.enabled,
		    start_date = excluded.start_date,
		    end_date = excluded.end_date,
		    themes = excluded.themes,
		    weight_multiplier = excluded.weight_multiplier,
		    multiplier_from = excluded.multiplier_from,
		    multiplier_to = excluded.multiplier_to
		WHERE (c.label, c.enabled, c.start_date, c.end_date, c.themes, c.weight_multiplier, c.multiplier_from, c.multiplier_to)
		      IS DISTINCT FROM (excluded.label, excluded.enabled, excluded.start_date, excluded.end_date, excluded.themes,
		                        excluded.weight_multiplier, excluded.multiplier_from, excluded.multiplier_to)`, `
		UPDATE nms.offer_category c
		SET parent_id = above.id
		FROM jsonb_to_recordset($2) AS s (name text, parent text)
		LEFT JOIN nms.offer_category above ON above.environment_id = $1 AND above.internal_name = s.parent
		WHERE c.environment_id = $1
		  AND c.internal_name = s.name
		  AND c.parent_id IS DISTINCT FROM above.id`},
	circle: `
		WITH RECURSIVE placed AS (
			SELECT id
			FROM nms.offer_category
			WHERE environment_id = $1
			  AND parent_id IS NULL
			UNION ALL
			SELECT c.id
			FROM placed p
			JOIN nms.offer_category c ON c.environment_id = $1 AND c.parent_id = p.id
		)
		SELECT c.internal_name
		FROM nms.offer_category c
		WHERE c.environment_id = $1
		  AND c.id NOT IN (SELECT p.id FROM placed p)
		ORDER BY c.internal_name
		LIMIT 1`,
}

var offerSpaces = offerKind{
	noun: "space",
	of:   func(p OfferPackage) []byte { return p.Spaces },
	read: `
		SELECT c.internal_name, to_jsonb(c) - ` + ownColumns + `
		FROM jsonb_to_recordset($2) AS s (name text)
		JOIN nms.offer_space c ON c.environment_id = $1 AND c.internal_name = s.name`,
	write: []string{`
		INSERT INTO nms.offer_space AS c (environment_id, internal_name, label, channel, unitary, fields, default_status, accepted_status,
		                                  disable_storage)
		SELECT $1, s.name, s.label, s.channel, s.unitary, s.fields, s.default_status, s.accepted_status, s.disable_storage
		FROM jsonb_to_recordset($2) AS s (name text, label text, channel smallint, unitary boolean, fields jsonb, default_status text,
		                                  accepted_status text, disable_storage boolean)
		ON CONFLICT (environment_id, internal_name) DO UPDATE
		SET label = excluded.label,
		    channel = excluded.channel,
		    unitary = excluded.unitary,
		    fields = excluded.fields,
		    default_status = excluded.default_status,
		    accepted_status = excluded.accepted_status,
		    disable_storage = excluded.disable_storage
		WHERE (c.label, c.channel, c.unitary, c.fields, c.default_status, c.accepted_status, c.disable_storage)
		      IS DISTINCT FROM (excluded.label, excluded.channel, excluded.unitary, excluded.fields, excluded.default_status,
		                        excluded.accepted_status, excluded.disable_storage)`},
}
