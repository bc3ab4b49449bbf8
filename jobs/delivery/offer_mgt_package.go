package delivery

// What an execution instance is sent, an object a row, as the package interaction describes it. Every name begins with
// @prefix. Objects changed after @since are sent with all they have.
const (
	sentEnvironment = `
		SELECT jsonb_build_object('name', @prefix::text || internal_name, 'label', label, 'target_schema', target_schema,
		       'proposition_schema', proposition_schema, 'anonymous', anonymous)
		FROM nms.offer_env
		WHERE id = @live`

	// A parent comes before its children.
	sentCategories = `
		WITH RECURSIVE placed AS (
			SELECT c.id, 1 AS depth
			FROM nms.offer_category c
			WHERE c.environment_id = @live
			  AND c.parent_id IS NULL
			UNION ALL
			SELECT c.id, p.depth + 1
			FROM placed p
			JOIN nms.offer_category c ON c.parent_id = p.id AND c.environment_id = @live
		)
		SELECT jsonb_build_object('name', @prefix::text || c.internal_name, 'label', c.label, 'parent', @prefix || above.internal_name,
		       'enabled', c.enabled, 'start_date', c.start_date, 'end_date', c.end_date, 'themes', c.themes,
		       'weight_multiplier', c.weight_multiplier, 'multiplier_from', c.multiplier_from, 'multiplier_to', c.multiplier_to)
		FROM placed p
		JOIN nms.offer_category c ON c.id = p.id
		LEFT JOIN nms.offer_category above ON above.id = c.parent_id
		WHERE c.last_modified > @since
		ORDER BY p.depth, c.id`

	sentSpaces = `
		SELECT jsonb_build_object('name', @prefix::text || internal_name, 'label', label, 'channel', channel, 'unitary', unitary,
		       'fields', fields, 'default_status', default_status, 'accepted_status', accepted_status,
		       'disable_storage', disable_storage)
		FROM nms.offer_space
		WHERE environment_id = @live
		  AND last_modified > @since
		ORDER BY id`

	sentOffers = `
		SELECT jsonb_build_object('name', @prefix::text || o.internal_name, 'label', o.label, 'code', o.code,
		       'category', @prefix || c.internal_name, 'enabled', o.state = 'live', 'disabled_at', o.disabled_at,
		       'start_date', o.start_date, 'end_date', o.end_date, 'filter', o.filter, 'rules', o.rules,
		       'views', COALESCE((
			       SELECT jsonb_agg(jsonb_build_object('space', @prefix || s.internal_name, 'content', v.content) ORDER BY s.internal_name)
			       FROM nms.offer_view v
			       JOIN nms.offer_space s ON s.id = v.space_id
			       WHERE v.offer_id = o.id), '[]'),
		       'weights', COALESCE((
			       SELECT jsonb_agg(jsonb_build_object('label', w.label, 'weight', w.weight, 'start_date', w.start_date,
			              'end_date', w.end_date, 'space', @prefix || s.internal_name, 'filter', w.filter) ORDER BY w.id)
			       FROM nms.offer_weight w
			       LEFT JOIN nms.offer_space s ON s.id = w.space_id
			       WHERE w.offer_id = o.id), '[]'))
		FROM nms.offer o
		LEFT JOIN nms.offer_category c ON c.id = o.category_id
		WHERE o.environment_id = @live
		  AND o.state IN ('live', 'disabled')
		  AND o.last_modified > @since
		ORDER BY o.id`
)
