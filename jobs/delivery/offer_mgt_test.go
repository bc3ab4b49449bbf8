package delivery_test

import (
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/delivery"
	"nightshift/jobs/jobtest"
)

var offerMgt = jobs.Workflow{Name: "offerMgt", Run: delivery.OfferMgt}

// designed is a design environment (1) with its live one (2): the category travel with ski below it, the spaces banner,
// mail and call, and the offer winter (40) with an approved representation on banner and mail, not approved as a whole.
func designed(t testing.TB, statements ...string) *db.DB {
	t.Helper()
	d := dbtest.New(t)
	do(t, d, append([]string{
		`INSERT INTO nms.offer_env (id, internal_name, label, kind, live_env_id) VALUES (1, 'design', 'Design', 'design', 2), (2, 'live', 'Live', 'live', NULL)`,
		`INSERT INTO nms.offer_category (id, environment_id, internal_name, label, parent_id) VALUES (11, 1, 'ski', 'Ski', 10), (10, 1, 'travel', 'Travel', NULL)`,
		`INSERT INTO nms.offer_space (id, environment_id, internal_name, label, channel, fields) VALUES
			(20, 1, 'banner', 'Banner', 120, '[{"name": "title", "label": "Title", "type": "text", "mandatory": true},
				{"name": "image_url", "label": "Image URL", "type": "url"}]'),
			(21, 1, 'mail', 'Mail', 0, '[]'), (22, 1, 'call', 'Call centre', 2, '[]')`,
		`INSERT INTO nms.offer (id, environment_id, category_id, internal_name, label, code, rules) VALUES (40, 1, 11, 'winter', 'Winter 20%', 'W20', '[{"max": 3}]')`,
		`INSERT INTO nms.offer_view (id, offer_id, space_id, approval, content) VALUES
			(60, 40, 20, 'approved', '{"title": "20% off", "destination_url": "https://example.com/w"}'),
			(61, 40, 21, 'approved', '{"html": "<b>20%</b>"}')`,
		`INSERT INTO nms.offer_weight (offer_id, label, weight, space_id) VALUES (40, 'all', 5, NULL), (40, 'banner', 9, 20)`,
		`INSERT INTO xtk.operator (id, login, label, email, language) VALUES (101, 'kim', 'Kim', 'kim@example.com', 'ko'), (102, 'moreau', 'Moreau', 'moreau@example.com', 'en')`,
		`INSERT INTO xtk.operator_group_member (group_id, operator_id) SELECT id, 101 FROM xtk.operator_group WHERE internal_name = 'offerManagers'`,
		// What is given an id from now on gets one of four digits.
		`SELECT setval(pg_get_serial_sequence('nms.' || t, 'id'), 1000) FROM unnest('{offer_category,offer_space,offer,offer_view,offer_weight}'::text[]) t`,
	}, statements...)...)
	return d
}

// approve are the two approvals of the offer winter.
const approve = `UPDATE nms.offer SET content_status = 'approved', eligibility_status = 'approved' WHERE id = 40`

func publishes(t testing.TB, d *db.DB, options ...jobtest.Option) jobtest.Result {
	t.Helper()
	got := jobtest.Run(t, d, offerMgt, options...)
	if got.Status != "completed" {
		t.Fatalf("got %s (%s), want completed\n%s", got.Status, got.Message, strings.Join(got.Log, "\n"))
	}
	return got
}

const (
	// shown is a live offer with its state, its category, and its representations.
	shown = `SELECT string_agg(concat_ws(' ', o.internal_name, o.state, c.internal_name,
			(SELECT string_agg(s.internal_name, '+' ORDER BY s.internal_name) FROM nms.offer_view v JOIN nms.offer_space s ON s.id = v.space_id WHERE v.offer_id = o.id)),
			', ' ORDER BY o.internal_name)
		FROM nms.offer o LEFT JOIN nms.offer_category c ON c.id = o.category_id WHERE o.environment_id = 2`
	designState = `SELECT state FROM nms.offer WHERE id = 40`
	offerMailed = `SELECT string_agg(to_address || ' ' || subject, ', ' ORDER BY to_address) FROM nms.notification`
)

func TestNoOfferEnvironment(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	before := jobtest.Digest(t, d)
	got := publishes(t, d)
	tells(t, got, "no offer environment")
	if len(got.Steps) != 0 || jobtest.Digest(t, d) != before {
		t.Errorf("got %d steps or other rows, want neither", len(got.Steps))
	}
}

func TestOfferGoesLiveWhenBothApprovalsAreGiven(t *testing.T) {
	t.Parallel()
	d := designed(t, `UPDATE nms.offer SET content_status = 'approved' WHERE id = 40`)
	publishes(t, d)
	want(t, d, [2]string{shown, ""}, [2]string{designState, "being_edited"})
	do(t, d, `UPDATE nms.offer SET eligibility_status = 'approved' WHERE id = 40`)
	tells(t, publishes(t, d), "Offer 'Winter 20%' published on 2 of 2 spaces")
	want(t, d, [2]string{shown, "winter live ski banner+mail"}, [2]string{designState, "live"},
		[2]string{`SELECT l.source_id = 40 AND d.live_offer_id = l.id AND d.published_at = l.published_at AND l.rules = d.rules AND l.code = 'W20'
			FROM nms.offer l JOIN nms.offer d ON d.id = 40 WHERE l.environment_id = 2`, "true"},
		[2]string{`SELECT string_agg(concat_ws(' ', w.label, w.weight, s.internal_name, s.environment_id), ', ' ORDER BY w.id)
			FROM nms.offer_weight w JOIN nms.offer o ON o.id = w.offer_id AND o.environment_id = 2 LEFT JOIN nms.offer_space s ON s.id = w.space_id`,
			"all 5.00, banner 9.00 banner 2"},
		[2]string{`SELECT event || ' ' || message FROM nms.offer_log WHERE offer_id = 40`, "published Offer 'Winter 20%' published on 2 of 2 spaces"},
		[2]string{offerMailed, "kim@example.com 오퍼 게시 1건, 게시 불가 0건"})
}

func TestOnlyApprovedRepresentationsGoLive(t *testing.T) {
	t.Parallel()
	d := designed(t, `INSERT INTO nms.offer_view (offer_id, space_id, approval) VALUES (40, 22, 'refused')`, approve)
	publishes(t, d)
	want(t, d, [2]string{shown, "winter live ski banner+mail"})
	do(t, d, `UPDATE nms.offer_view SET approval = 'refused' WHERE id = 61`)
	publishes(t, d)
	want(t, d, [2]string{shown, "winter live ski banner"})
	do(t, d, `UPDATE nms.offer_view SET approval = 'approved' WHERE offer_id = 40`)
	publishes(t, d)
	want(t, d, [2]string{shown, "winter live ski banner+call+mail"})
}

func TestMandatoryFieldKeepsAnOfferFromANewSpaceOnly(t *testing.T) {
	t.Parallel()
	const empty = `UPDATE nms.offer_view SET content = '{"title": " ", "more": "text"}' WHERE id = 60`
	d := designed(t, empty, approve)
	got := publishes(t, d)
	tells(t, got, "warning Offer 'Winter 20%' published on 1 of 2 spaces (Banner: mandatory 'Title' missing)")
	want(t, d, [2]string{shown, "winter live ski mail"},
		[2]string{`SELECT string_agg(id || ' ' || valid::text, ', ' ORDER BY id) FROM nms.offer_view WHERE offer_id = 40`, "60 false, 61 true"},
		[2]string{`SELECT body_text LIKE '%Winter 20%%: 공간 2개 중 1개; Banner – 필수 필드 ''Title'' 비어 있음%' FROM nms.notification`, "true"})

	d = designed(t, approve)
	publishes(t, d)
	do(t, d, empty)
	tells(t, publishes(t, d), "published on 2 of 2 spaces (Banner: mandatory 'Title' missing, live there before)")
	want(t, d, [2]string{shown, "winter live ski banner+mail"},
		[2]string{`SELECT content ->> 'more' FROM nms.offer_view WHERE content ? 'more' AND offer_id <> 40`, "text"})
}

func TestAddressesMustBeOfTheWeb(t *testing.T) {
	t.Parallel()
	for field, name := range map[string]string{"destination_url": "Destination URL", "image_url": "Image URL"} {
		bad := `UPDATE nms.offer_view SET content = content || '{"` + field + `": "ftp://x"}' WHERE id = 60`
		d := designed(t, bad, approve)
		tells(t, publishes(t, d), "published on 1 of 2 spaces (Banner: '"+name+"' does not begin with http:// or https://)")
		want(t, d, [2]string{shown, "winter live ski mail"})
		// Where it is live already, it stays as it was.
		d = designed(t, approve)
		publishes(t, d)
		do(t, d, bad, `UPDATE nms.offer_view SET content = '{"html": "new"}' WHERE id = 61`)
		publishes(t, d)
		want(t, d, [2]string{shown, "winter live ski banner+mail"},
			[2]string{`SELECT string_agg(COALESCE(content ->> '` + field + `', content ->> 'html', 'none'), ' ' ORDER BY v.space_id)
				FROM nms.offer_view v JOIN nms.offer o ON o.id = v.offer_id AND o.environment_id = 2 WHERE NOT content @> '{"` + field + `": "ftp://x"}'`,
				map[string]string{"destination_url": "https://example.com/w new", "image_url": "none new"}[field]})
	}
}

func TestOfferWithoutAValidSpaceIsNotPublished(t *testing.T) {
	t.Parallel()
	d := designed(t, `UPDATE nms.offer SET owner_id = 102 WHERE id = 40`, `DELETE FROM nms.offer_view WHERE id = 61`,
		`UPDATE nms.offer_view SET content = '{"destination_url": "ftp://x"}' WHERE id = 60`, approve)
	got := publishes(t, d)
	tells(t, got, "warning Offer 'Winter 20%' not published, no valid space (Banner: mandatory 'Title' missing, 'Destination URL' does not begin with http:// or https://)")
	want(t, d, [2]string{shown, ""}, [2]string{designState, "publish_error"},
		[2]string{offerMailed, "kim@example.com 오퍼 게시 0건, 게시 불가 1건, moreau@example.com Offers: 0 published, 1 not published"})
	before := jobtest.Digest(t, d)
	publishes(t, d)
	if jobtest.Digest(t, d) != before {
		t.Error("got other rows after another run, want the offer to wait for a change")
	}
	do(t, d, `DELETE FROM nms.notification`, `UPDATE nms.offer_view SET content = '{"title": "t"}' WHERE id = 60`)
	publishes(t, d)
	want(t, d, [2]string{shown, "winter live ski banner"}, [2]string{designState, "live"})
	do(t, d, `UPDATE nms.offer_view SET approval = 'refused' WHERE id = 60`)
	tells(t, publishes(t, d), "not published: no representation is approved")
	want(t, d, [2]string{shown, "winter live ski banner"}, [2]string{designState, "publish_error"})
}

func TestCatalogueFollowsItsDesign(t *testing.T) {
	t.Parallel()
	d := designed(t, approve)
	publishes(t, d)
	const categories = `SELECT string_agg(concat_ws('/', p.internal_name, c.internal_name, c.label, c.enabled::text), ', ' ORDER BY c.internal_name)
		FROM nms.offer_category c LEFT JOIN nms.offer_category p ON p.id = c.parent_id AND p.environment_id = 2 WHERE c.environment_id = 2`
	want(t, d, [2]string{categories, "travel/ski/Ski/true, travel/Travel/true"})
	before := jobtest.Digest(t, d)
	if got := publishes(t, d); len(got.Effects) != 0 || jobtest.Digest(t, d) != before {
		t.Errorf("second run: got %v, want no change", got.Effects)
	}
	do(t, d, `UPDATE nms.offer_category SET label = 'Trips' WHERE id = 10`)
	got := publishes(t, d)
	tells(t, got, "Category 'Trips' updated")
	if e := got.Effects["nms.offer_category"]; e.Updated != 1 || len(got.Effects) != 1 {
		t.Errorf("got %v, want one category updated and nothing else", got.Effects)
	}
	// Moved to the top, and the other disabled: a category that was never published stays at home while it is disabled.
	do(t, d, `UPDATE nms.offer_category SET parent_id = NULL WHERE id = 11`, `UPDATE nms.offer_category SET enabled = false WHERE id = 10`,
		`INSERT INTO nms.offer_category (id, environment_id, internal_name, label, parent_id, enabled) VALUES (12, 1, 'new', 'New', NULL, false), (13, 1, 'below', 'Below', 12, true)`,
		`UPDATE nms.offer_space SET label = 'Big banner' WHERE id = 20`)
	tells(t, publishes(t, d), "Space 'Big banner' updated")
	want(t, d, [2]string{categories, "ski/Ski/true, travel/Trips/false"})
	do(t, d, `DELETE FROM nms.offer_category WHERE id = 11`)
	publishes(t, d)
	want(t, d, [2]string{categories, "ski/Ski/false, travel/Trips/false"})
}

func TestDisabledAndDeletedOffers(t *testing.T) {
	t.Parallel()
	const year = `UPDATE nms.offer SET disabled_at = now() - interval '366 days' WHERE environment_id = 2 AND state = 'disabled'`
	d := designed(t, approve)
	publishes(t, d)
	do(t, d, `UPDATE nms.offer SET state = 'disabled' WHERE id = 40`)
	tells(t, publishes(t, d), "Offer 'Winter 20%' disabled: its design is disabled")
	want(t, d, [2]string{shown, "winter disabled ski banner+mail"})
	do(t, d, `UPDATE nms.offer SET state = 'being_edited' WHERE id = 40`)
	publishes(t, d)
	want(t, d, [2]string{shown, "winter live ski banner+mail"}, [2]string{`SELECT count(disabled_at) FROM nms.offer`, "0"})
	for gone, sql := range map[string]string{"marked": `UPDATE nms.offer SET deleted = true WHERE id = 40`, "gone": `DELETE FROM nms.offer WHERE id = 40`} {
		t.Run(gone, func(t *testing.T) {
			t.Parallel()
			d := designed(t, approve)
			publishes(t, d)
			do(t, d, sql)
			tells(t, publishes(t, d), "Offer 'Winter 20%' disabled: its design is deleted")
			do(t, d, `INSERT INTO nms.proposition (offer_id, status, event_date) SELECT id, 'accepted', now() FROM nms.offer WHERE environment_id = 2`,
				`UPDATE nms.offer SET disabled_at = now() - interval '364 days' WHERE environment_id = 2`)
			publishes(t, d)
			do(t, d, year)
			publishes(t, d)
			want(t, d, [2]string{shown, "winter disabled ski banner+mail"})
			do(t, d, `DELETE FROM nms.proposition`)
			publishes(t, d)
			want(t, d, [2]string{shown, ""}, [2]string{`SELECT count(live_offer_id) FROM nms.offer`, "0"})
		})
	}
}
