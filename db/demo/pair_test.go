package demo_test

import (
	"slices"
	"testing"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/db/demo"
)

// A pair that was joined, twice even, submits a delivery and sends it to its end; both know the same messages.
func TestPair(t *testing.T) {
	t.Parallel()
	p := &demo.Pair{Marketing: dbtest.Demo(t), Mid: dbtest.New(t), MidURL: "http://127.0.0.1:8081"}
	for range 2 {
		if err := p.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 120 {
		if err := p.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var finished, messages, ended, pending int
	err := p.Mid.Pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM nms.delivery WHERE state = 'finished' AND broad_end IS NOT NULL AND processed = to_deliver AND sent + error = processed AND error > 0),
		       (SELECT sum(to_deliver) FROM nms.delivery), (SELECT sum(processed) FROM nms.delivery),
		       (SELECT count(*) FROM nms.broad_log_mid WHERE status = 'pending')`).Scan(&finished, &messages, &ended, &pending)
	if err != nil || finished < 1 || ended != 120*7-7 || messages != ended+pending {
		t.Errorf("got %d finished, %d of %d messages ended, %d pending (%v); want one finished and 833 ended", finished, ended, messages, pending, err)
	}
	var changed, admitted, sends bool
	if err := p.Marketing.Pool.QueryRow(t.Context(), `
		SELECT EXISTS (SELECT FROM nms.offer_category c WHERE c.weight_multiplier = 2),
		       EXISTS (SELECT FROM nms.ext_account WHERE type = 'execution_instance' AND active AND params ->> 'use_interaction' = 'true' AND secret IS NOT NULL)
		       AND EXISTS (SELECT FROM xtk.workflow WHERE internal_name = 'offerMgt' AND state = 'started' AND schedule ->> 'cron' = '* * * * *')`).Scan(&changed, &sends); err != nil {
		t.Fatal(err)
	}
	offers, err := p.Mid.OperatorByLogin(t.Context(), "offers")
	if err == nil {
		admitted = slices.Contains(offers.Rights, db.InteractionSynch)
	}
	if err != nil || !changed || !sends || !admitted {
		t.Errorf("offers: changed here %t, sent %t, let in there %t (%v); want all three", changed, sends, admitted, err)
	}
	var carried, logs int
	err = p.Marketing.Pool.QueryRow(t.Context(), `
		SELECT count(DISTINCT d.id), count(*)
		FROM nms.delivery d
		JOIN nms.broad_log l ON l.delivery_id = d.id
		JOIN nms.ext_account a ON a.id = d.provider_id AND a.server <> '' AND a.secret IS NOT NULL
		WHERE d.mid_remote_id IS NOT NULL`).Scan(&carried, &logs)
	if err != nil || logs != messages || carried*600 != logs {
		t.Errorf("got %d deliveries with %d messages here, %v; want %d messages", carried, logs, err, messages)
	}
}
