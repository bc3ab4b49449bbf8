package delivery_test

import (
	"fmt"
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/jobs/jobtest"
)

// TestLiveNameOfSomethingElse: what does not come from this design is never overwritten, and holds up nothing else.
func TestLiveNameOfSomethingElse(t *testing.T) {
	t.Parallel()
	d := designed(t, approve,
		`INSERT INTO nms.offer_category (environment_id, internal_name, label) VALUES (2, 'travel', 'Theirs')`, `UPDATE nms.offer SET category_id = NULL WHERE id = 40`,
		`INSERT INTO nms.offer_space (environment_id, internal_name, label, channel) VALUES (2, 'mail', 'Theirs', 0)`,
		`INSERT INTO nms.offer (id, environment_id, internal_name, label, state) VALUES (70, 2, 'summer', 'Theirs', 'live')`,
		`INSERT INTO nms.offer (id, environment_id, internal_name, label, content_status, eligibility_status) VALUES (41, 1, 'summer', 'Summer', 'approved', 'approved')`,
		`INSERT INTO nms.offer_view (offer_id, space_id, approval) VALUES (41, 22, 'approved')`)
	got := jobtest.Run(t, d, offerMgt)
	if got.Status != "failed" {
		t.Fatalf("got %s, want failed", got.Status)
	}
	for _, part := range []string{"category 'Travel': the live name travel belongs to another object", "space 'Mail': the live name mail belongs to another object",
		"offer 'Summer': the live name summer belongs to another object"} {
		if !strings.Contains(got.Message, part) {
			t.Errorf("got %q, want %q in it", got.Message, part)
		}
	}
	tells(t, got, "Offer 'Winter 20%' waits: the space 'Mail' is not live")
	want(t, d, [2]string{shown, "summer live"},
		[2]string{`SELECT count(*) FROM nms.offer_category WHERE environment_id = 2 AND label = 'Theirs' AND source_id IS NULL`, "1"},
		[2]string{`SELECT label FROM nms.offer WHERE id = 70`, "Theirs"})
	// Once the name is free it goes live, without another approval.
	do(t, d, `UPDATE nms.offer_space SET internal_name = 'theirs' WHERE environment_id = 2 AND label = 'Theirs'`)
	jobtest.Run(t, d, offerMgt)
	want(t, d, [2]string{shown, "summer live, winter live banner+mail"})
}

func TestCircleOfParents(t *testing.T) {
	t.Parallel()
	d := designed(t, approve, `UPDATE nms.offer_category SET parent_id = 11 WHERE id = 10`,
		`INSERT INTO nms.offer_category (id, environment_id, internal_name, label) VALUES (15, 1, 'home', 'Home')`)
	got := jobtest.Run(t, d, offerMgt)
	if got.Status != "failed" || !strings.Contains(got.Message, "category 'Ski': its parents form a circle") {
		t.Errorf("got %s (%s), want it to fail for the circle", got.Status, got.Message)
	}
	tells(t, got, "Category 'Home' created")
	tells(t, got, "Offer 'Winter 20%' waits: its category is not live")
	do(t, d, `UPDATE nms.offer_category SET parent_id = NULL WHERE id = 10`)
	publishes(t, d)
	want(t, d, [2]string{shown, "winter live ski banner+mail"})
}

func TestApprovalTakenBackAndOfferMoved(t *testing.T) {
	t.Parallel()
	d := designed(t, approve)
	publishes(t, d)
	do(t, d, `UPDATE nms.offer SET content_status = 'being_edited', label = 'Winter 30%', category_id = 10 WHERE id = 40`)
	publishes(t, d)
	want(t, d, [2]string{shown, "winter live ski banner+mail"}, [2]string{`SELECT label FROM nms.offer WHERE environment_id = 2`, "Winter 20%"})
	do(t, d, approve)
	publishes(t, d)
	want(t, d, [2]string{shown, "winter live travel banner+mail"}, [2]string{`SELECT label FROM nms.offer WHERE environment_id = 2`, "Winter 30%"})
}

func TestEnvironmentWithoutALiveOne(t *testing.T) {
	t.Parallel()
	d := designed(t, approve, `UPDATE nms.offer_env SET live_env_id = 77 WHERE id = 1`)
	tells(t, publishes(t, d), "warning Environment 'Design' has no live environment: nothing of it is published")
	want(t, d, [2]string{shown, ""})
}

func TestFieldsThatAreNoList(t *testing.T) {
	t.Parallel()
	d := designed(t, approve, `UPDATE nms.offer_space SET fields = '{"name": "title"}' WHERE id = 20`, `UPDATE nms.offer_space SET fields = '[1, null, "x"]' WHERE id = 21`)
	publishes(t, d)
	want(t, d, [2]string{shown, "winter live ski banner+mail"})
}

// TestManyOffers: the log names twenty of them, the mail a hundred.
func TestManyOffers(t *testing.T) {
	t.Parallel()
	d := designed(t, `INSERT INTO nms.offer (id, environment_id, internal_name, label, content_status, eligibility_status)
		SELECT 500 + n, 1, 'o' || n, 'Offer ' || n, 'approved', 'approved' FROM generate_series(1, 120) n`,
		`INSERT INTO nms.offer_view (offer_id, space_id, approval) SELECT 500 + n, 22, 'approved' FROM generate_series(1, 120) n`)
	got := publishes(t, d)
	tells(t, got, "… and 100 more")
	if n := strings.Count(strings.Join(got.Log, "\n"), "published on"); n != 20 {
		t.Errorf("got %d lines, want 20", n)
	}
	want(t, d, [2]string{`SELECT count(*) FROM nms.offer WHERE environment_id = 2 AND state = 'live'`, "120"},
		[2]string{`SELECT (regexp_count(body_text, '공간') = 100 AND body_text LIKE '%… 외 20건%')::text FROM nms.notification`, "true"})
}

func TestNobodyToTell(t *testing.T) {
	t.Parallel()
	d := designed(t, approve, `UPDATE xtk.operator SET email = ' ' WHERE id = 101`)
	tells(t, publishes(t, d), "warning nobody to tell about 1 offers has an e-mail address")
	want(t, d, [2]string{`SELECT count(*) FROM nms.notification`, "0"}, [2]string{`SELECT count(*) FROM nms.offer_log WHERE notify`, "0"})
}

// season is work for every step of the workflow.
func season(t testing.TB) *db.DB {
	t.Helper()
	return designed(t, approve,
		`INSERT INTO nms.offer (id, environment_id, internal_name, label, owner_id, content_status, eligibility_status)
		 VALUES (41, 1, 'spring', 'Spring', 102, 'approved', 'approved'), (42, 1, 'bad', 'Bad', 102, 'approved', 'approved')`,
		`INSERT INTO nms.offer_view (offer_id, space_id, approval, content) VALUES (41, 22, 'approved', '{}'), (42, 22, 'approved', '{"destination_url": "ftp://x"}')`,
		`INSERT INTO nms.offer (id, environment_id, internal_name, label, state, source_id, disabled_at)
		 SELECT 70 + n, 2, 'old' || n, 'Old', CASE WHEN n = 0 THEN 'live' ELSE 'disabled' END, 700 + n, now() - interval '2 years'
		 FROM generate_series(0, 2) n`)
}

func TestOfferMgtLedgerAndSimulation(t *testing.T) {
	t.Parallel()
	d := season(t)
	before := jobtest.Digest(t, d)
	rehearsed := jobtest.Simulate(t, d, offerMgt)
	if rehearsed.Status != "completed" || jobtest.Digest(t, d) != before {
		t.Fatalf("rehearsal: got %s (%s) or other rows, want it completed and no change", rehearsed.Status, rehearsed.Message)
	}
	for _, line := range []string{"Category 'Ski' would be created", "would: Offer 'Spring' published on 1 of 1 spaces", "Offer 'Old' would be disabled"} {
		tells(t, rehearsed, line)
	}
	counters := jobtest.Count(t, d)
	got := publishes(t, d)
	counters.Check(t, got)
	delete(got.Effects, "jobtest.counted")
	if fmt.Sprint(got.Effects) != fmt.Sprint(rehearsed.Effects) {
		t.Errorf("run: got %v, want what was rehearsed, %v", got.Effects, rehearsed.Effects)
	}
}

// alike are the columns that name rows by ids given in the run, which an interrupted one has used up.
func alike() []jobtest.Option {
	options := []jobtest.Option{jobtest.Alike("nms.notification.effect_key", "[0-9]+-[0-9]+")}
	for column := range strings.FieldsSeq(`offer.category_id offer.live_offer_id offer_category.parent_id offer_view.offer_id
		offer_view.space_id offer_weight.offer_id offer_weight.space_id offer_log.offer_id`) {
		options = append(options, jobtest.Alike("nms."+column, "^1[0-9]{3}$"))
	}
	return options
}

func TestOfferMgtCrashSweep(t *testing.T) {
	t.Parallel()
	jobtest.CrashSweep(t, offerMgt, season, alike()...)
}

func TestOfferMgtStopSweep(t *testing.T) {
	t.Parallel()
	jobtest.StopSweep(t, offerMgt, season, alike()...)
}
