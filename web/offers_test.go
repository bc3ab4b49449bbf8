package web

import (
	"net/http"
	"strings"
	"testing"

	"nightshift/jobs/external/interaction"
)

// TestOffersReceived: each package that has arrived stands on the page, with what it changed or why it was refused; of one
// that could not be read, what is known.
func TestOffersReceived(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	wants(t, c.got("/offers"), "No offers received", "No package of offers has arrived.", `href="/groups/interactionSynch"`)
	wants(t, c.got("/accounts"), `href="/offers"`)
	i := c.newInstance("fr", "interactionSynch")
	p := winter()
	i.taken(p)
	i.taken(p)
	wants(t, c.got("/offers"), "2 packages of offers in 7 days, all taken", "4 created, 0 updated, 0 unchanged", "0 created, 0 updated, 4 unchanged",
		`href="/operators/fr"`, "through account fr there", "<code>live</code>", `href="/audit?entity=fr_live&amp;kind=offer"`)
	missing := "fr_nothing"
	p.Offers[0].Category = &missing
	i.want(http.StatusConflict, takeOffers, p, nil)
	i.send(http.MethodPost, "/api/v1/interaction/catalogue", []byte(`{"prefix": 7}`))
	i.want(http.StatusBadRequest, takeOffers, interaction.Catalogue{Prefix: "fr"}, nil)
	body := c.got("/offers")
	wants(t, body, "3 packages of offers refused in 7 days", "offer fr_winter needs category fr_nothing", "could not be read", "prefix is number", "the last one _")
	c.holds(`SELECT string_agg(concat_ws(' ', prefix, environment, offers, categories, spaces, created, updated, unchanged, refusal IS NULL), ', ' ORDER BY id) FROM nms.offer_received`,
		"fr_ fr_live 1 2 1 4 0 0 t, fr_ fr_live 1 2 1 0 0 4 t, fr_ fr_live 1 2 1 f,   0 0 0 f, fr  0 0 0 f")
	c.holds(`SELECT string_agg(entity, ' ' ORDER BY seq) FROM xtk.audit WHERE entity_type = 'offer' AND action = 'Refused' AND NOT allowed AND operator_login = 'fr'`,
		"fr_live fr fr")
	wants(t, c.got("/audit?kind=offer&refused=yes"), "offer fr_winter needs category fr_nothing")
	// Nobody who may not bring offers leaves a line.
	c.newInstance("de", "midSourcing").want(http.StatusForbidden, takeOffers, winter(), nil)
	if n := c.count(`SELECT count(*) FROM nms.offer_received`); n != 5 {
		t.Errorf("got %d lines, want the 5 of who may", n)
	}
	c.run(`UPDATE nms.offer_received SET received = now() - interval '8 days'`)
	wants(t, c.got("/offers"), "No package of offers in 7 days")
}

// TestOffersReceivedIsPaged: the list goes on below the last line, and back to the newest.
func TestOffersReceivedIsPaged(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.run(`INSERT INTO nms.offer_received (id, operator_login, prefix, environment, categories, spaces, offers, created, updated, unchanged)
		SELECT n, 'fr', 'fr_', 'fr_env' || n, 0, 0, 0, 0, 0, 0 FROM generate_series(1, 120) n`)
	path, seen := "/offers", 0
	for range 3 {
		body := c.got(path)
		seen += strings.Count(body, "<code>env")
		_, rest, more := strings.Cut(body, `href="/offers?before=`)
		if !more {
			break
		}
		before, _, _ := strings.Cut(rest, `"`)
		path = "/offers?before=" + before
	}
	if last := c.got(path); seen != 120 || !strings.Contains(last, "<code>env1</code>") || !strings.Contains(last, `href="/offers"`) {
		t.Errorf("got %d lines on three pages, want 120, the last page with the first package and the way back", seen)
	}
	if answer, _ := c.ask("kim", http.MethodGet, "/offers?before=x", nil); answer.StatusCode != http.StatusBadRequest {
		t.Errorf("before=x: got %d, want 400", answer.StatusCode)
	}
}
