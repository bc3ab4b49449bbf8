package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/jobs/external/interaction"
	"nightshift/jobs/jobtest"
)

const takeOffers = "POST /api/v1/interaction/catalogue"

// winter is a package as the sender builds it, but the child before its parent: two categories, a space, an offer.
func winter() interaction.Catalogue {
	travel, ski, banner := "fr_travel", "fr_ski", "fr_banner"
	until := time.Date(2026, 12, 24, 18, 0, 0, 123456000, time.UTC)
	return interaction.Catalogue{
		Prefix:      "fr_",
		Environment: interaction.Environment{Name: "fr_live", Label: "Live", TargetSchema: "nms:recipient", PropositionSchema: "nms:propositionRcp"},
		Categories: []interaction.Category{{Name: ski, Label: "Ski", Parent: &travel, Enabled: true, Themes: []string{"snow", "a,b"}, WeightMultiplier: 1.25, MultiplierTo: &until},
			{Name: travel, Label: "Travel", Enabled: true, Themes: []string{}}},
		Spaces: []interaction.Space{{Name: banner, Label: "Banner", Channel: 120, Fields: []byte(`[{"name": "title"}]`), DefaultStatus: "generated", AcceptedStatus: "accepted"}},
		Offers: []interaction.Offer{{Name: "fr_winter", Label: "Winter", Category: &ski, Enabled: true, EndDate: &until, Filter: []byte(`null`), Rules: []byte(`[{"max": 3}]`),
			Views:   []interaction.View{{Space: banner, Content: []byte(`{"title": "20%", "n": 12345678901234567890}`)}},
			Weights: []interaction.Weight{{Label: "all", Weight: 5, Filter: []byte(`null`)}, {Label: "banner", Weight: 9.5, Space: &banner, Filter: []byte(`{"a": 1}`)}}}},
	}
}

type offersAnswer = offersTaken

// taken hands a package over and reads the answer.
func (i *instance) taken(c interaction.Catalogue) offersAnswer {
	i.t.Helper()
	var got offersAnswer
	i.want(http.StatusOK, takeOffers, c, &got)
	return got
}

// offered is all offers of an environment of another instance, on one line each.
const offered = `
	SELECT string_agg(concat_ws(' ', o.internal_name, o.label, o.state, c.internal_name, '<', above.internal_name, o.end_date AT TIME ZONE 'UTC', o.rules,
	       (SELECT string_agg(s.internal_name || v.content, '+' ORDER BY s.internal_name) FROM nms.offer_view v JOIN nms.offer_space s ON s.id = v.space_id WHERE v.offer_id = o.id AND v.valid AND v.approval = 'approved'),
	       (SELECT string_agg(concat_ws(' ', w.label, w.weight, s.internal_name, w.filter), '+' ORDER BY w.id) FROM nms.offer_weight w LEFT JOIN nms.offer_space s ON s.id = w.space_id WHERE w.offer_id = o.id)), '; ' ORDER BY o.internal_name)
	FROM nms.offer o
	JOIN nms.offer_env e ON e.id = o.environment_id AND e.kind = 'live'
	LEFT JOIN nms.offer_category c ON c.id = o.category_id
	LEFT JOIN nms.offer_category above ON above.id = c.parent_id
	WHERE e.emitter_account_id IS NOT NULL`

// holds compares a text that a statement selects.
func (c *console) holds(sql, want string) {
	c.t.Helper()
	var got string
	if err := c.db.Pool.QueryRow(c.t.Context(), `SELECT COALESCE((`+sql+`)::text, '')`).Scan(&got); err != nil || got != want {
		c.t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

// offersDigest is all that is stored but which packages have arrived, which it forgets.
func (c *console) offersDigest() string {
	c.t.Helper()
	c.run(`TRUNCATE nms.offer_received`)
	c.run(`ALTER TABLE xtk.audit DISABLE TRIGGER USER`)
	c.run(`DELETE FROM xtk.audit WHERE action = 'Refused'`)
	c.run(`ALTER TABLE xtk.audit ENABLE TRIGGER USER`)
	return jobtest.Digest(c.t, c.db)
}

// What a package names is as the package says; what it does not name stays; again it changes nothing, and says so.
func TestTakeOffers(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	i := c.newInstance("fr", "interactionSynch")
	p := winter()
	if got, want := i.taken(p), (offersAnswer{2, 1, 1, db.OfferChanges{Environment: "created", Created: 4}}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	c.holds(offered, `fr_winter Winter live fr_ski < fr_travel 2026-12-24 18:00:00.123456 [{"max": 3}] fr_banner{"n": 12345678901234567890, "title": "20%"} all 5.00+banner 9.50 fr_banner {"a": 1}`)
	c.holds(`SELECT string_agg(concat_ws(' ', internal_name, themes, weight_multiplier, multiplier_to AT TIME ZONE 'UTC'), '; ' ORDER BY internal_name) FROM nms.offer_category`,
		`fr_ski {snow,"a,b"} 1.25 2026-12-24 18:00:00.123456; fr_travel {} 0.00`)

	before := c.offersDigest()
	if got, want := i.taken(p), (offersAnswer{2, 1, 1, db.OfferChanges{Environment: "unchanged", Unchanged: 4}}); got != want {
		t.Errorf("again: got %+v, want %+v", got, want)
	}
	if c.offersDigest() != before {
		t.Error("again: got other rows, want none changed")
	}

	// Later comes only what changed: both categories change places, the offer loses its space and is disabled.
	ski := p.Categories[0].Name
	p.Categories[0].Parent, p.Categories[1].Parent = nil, &ski
	o := p.Offers[0]
	o.Enabled, o.Label, o.Views, o.Weights = false, "Winter 2", []interaction.View{}, o.Weights[:1]
	p.Environment.Label, p.Spaces, p.Offers = "Live FR", []interaction.Space{}, []interaction.Offer{o}
	if got, want := i.taken(p), (offersAnswer{2, 0, 1, db.OfferChanges{Environment: "updated", Updated: 3}}); got != want {
		t.Errorf("changed: got %+v, want %+v", got, want)
	}
	c.holds(offered, `fr_winter Winter 2 disabled fr_ski < 2026-12-24 18:00:00.123456 [{"max": 3}] all 5.00`)
	c.holds(`SELECT count(*) FROM nms.offer WHERE disabled_at IS NOT NULL`, "1")
	if got := i.taken(p); got.Unchanged != 3 {
		t.Errorf("disabled again: got %+v, want nothing changed: it is as long disabled as it was", got)
	}
	p.Categories, p.Spaces, p.Offers[0].Enabled = []interaction.Category{}, winter().Spaces, true
	p.Offers[0].Views = winter().Offers[0].Views
	if got, want := i.taken(p), (offersAnswer{0, 1, 1, db.OfferChanges{Environment: "unchanged", Updated: 1, Unchanged: 1}}); got != want {
		t.Errorf("back: got %+v, want %+v", got, want)
	}
	c.holds(`SELECT count(*) FROM nms.offer WHERE disabled_at IS NULL AND state = 'live'`, "1")
	c.holds(`SELECT count(*) FROM xtk.audit WHERE entity_type = 'offer' AND entity = 'fr_live' AND operator_login = 'fr'`, "3")
	_, page := c.ask("kim", http.MethodGet, "/audit?kind=offer", nil)
	wants(t, page, "fr_live", "category fr_travel parent fr_ski", "offer fr_winter label Winter → Winter 2")
}

// Whatever is wrong with a package, all of it is refused, the answer says what is wrong, and nothing is written.
func TestTakeOffersRefuses(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	i := c.newInstance("fr", "interactionSynch")
	i.taken(winter())
	c.run(`INSERT INTO nms.offer_env (internal_name, label, kind) VALUES ('fr_own', 'Ours', 'live'), ('de_live', 'Theirs', 'live')`)
	before := c.offersDigest()
	type change func(*interaction.Catalogue)
	stranger, missing, self := "de_ski", "fr_nothing", "fr_ski"
	for says, one := range map[string]struct {
		status int
		do     change
	}{
		`"detail":"prefix is needed`: {400, func(p *interaction.Catalogue) { p.Prefix = "" }},
		"the last one _":             {400, func(p *interaction.Catalogue) { p.Prefix = "fr" }},
		`environment: the name \"de_live\" does not begin with the prefix fr_`: {400, func(p *interaction.Catalogue) { p.Environment.Name = "de_live" }},
		`category 1: the name \"fr_\" does not begin`:                          {400, func(p *interaction.Catalogue) { p.Categories[1].Name = "fr_" }},
		`category 0: the name \"de_ski\" does not begin`:                       {400, func(p *interaction.Catalogue) { p.Categories[0].Parent = &stranger }},
		`offer 0: the name \"de_ski\" does not begin`:                          {400, func(p *interaction.Catalogue) { p.Offers[0].Category = &stranger }},
		`offer 0: the name \"de_banner\" does not begin`:                       {400, func(p *interaction.Catalogue) { p.Offers[0].Views[0].Space = "de_banner" }},
		`weights are needed`:             {400, func(p *interaction.Catalogue) { p.Offers[0].Weights = nil }},
		"the name fr_ski is there twice": {400, func(p *interaction.Catalogue) { p.Categories[1].Name = "fr_ski" }},
		"the space fr_banner is there twice": {400, func(p *interaction.Catalogue) {
			p.Offers[0].Views = append(p.Offers[0].Views, p.Offers[0].Views[0])
		}},
		"are one of generated, scheduled":           {400, func(p *interaction.Catalogue) { p.Spaces[0].AcceptedStatus = "sold" }},
		"content is needed":                         {400, func(p *interaction.Catalogue) { p.Offers[0].Views[0].Content = nil }},
		"1000 characters at most":                   {400, func(p *interaction.Catalogue) { p.Offers[0].Label = strings.Repeat("가", 1001) }},
		"no control characters":                     {400, func(p *interaction.Catalogue) { p.Offers[0].Name = "fr_\n" }},
		"that the database does not hold":           {400, func(p *interaction.Catalogue) { p.Offers[0].Weights[0].Weight = 1e15 }},
		"category fr_ski form a circle":             {400, func(p *interaction.Catalogue) { p.Categories[1].Parent = &self }},
		`"code":"incomplete"`:                       {409, func(p *interaction.Catalogue) { p.Offers[0].Category = &missing }},
		"category fr_ski needs category fr_nothing": {409, func(p *interaction.Catalogue) { p.Categories[0].Parent = &missing }},
		"offer fr_winter needs space fr_nothing":    {409, func(p *interaction.Catalogue) { p.Offers[0].Weights[1].Space = &missing }},
		"environment fr_own is of this instance":    {403, func(p *interaction.Catalogue) { p.Environment.Name = "fr_own" }},
	} {
		p := winter()
		one.do(&p)
		body, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		w := i.send(http.MethodPost, "/api/v1/interaction/catalogue", body)
		i.held(http.MethodPost, "/api/v1/interaction/catalogue", w)
		if w.Code != one.status || !strings.Contains(w.Body.String(), says) {
			t.Errorf("got %d %s, want %d and %s", w.Code, w.Body, one.status, says)
		}
	}
	if c.offersDigest() != before {
		t.Error("got rows changed by what was refused")
	}
}

// What is no package at all: cut off, too large, of other types, with members that nobody described.
func TestTakeOffersOfHostileBodies(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	i := c.newInstance("fr", "interactionSynch")
	whole, err := json.Marshal(winter())
	if err != nil {
		t.Fatal(err)
	}
	before := c.offersDigest()
	for _, one := range []struct {
		body   string
		status int
		says   string
	}{
		{string(whole[:len(whole)/2]), 400, "openapi.yaml"},
		{string(whole) + string(whole), 400, "more than one"},
		{strings.Replace(string(whole), `"prefix"`, `"surprise": 1, "prefix"`, 1), 400, `unknown field \"surprise\"`},
		{strings.Replace(string(whole), `"Winter"`, `7`, 1), 400, "offers.label is number"},
		{strings.Replace(string(whole), `"20%"`, `"\u0000"`, 1), 400, "NUL"},
		{strings.Replace(string(whole), `"20%"`, `"\ud800"`, 1), 400, "does not hold"},
		{strings.Replace(string(whole), `"2026-`, `"0000-`, 1), 400, "does not hold"},
		{strings.Replace(string(whole), `"20%"`, "1e400000", 1), 400, "does not hold"},
		{`null`, 400, "prefix"}, {`[]`, 400, "openapi.yaml"}, {``, 400, "openapi.yaml"},
		{`{"prefix": "fr_", "environment": {"name": "fr_x"}, "categories": null, "spaces": [], "offers": []}`, 400, "[] for none"},
		{strings.Repeat(" ", apiBodyLimit+1), 413, "too_large"},
	} {
		w := i.send(http.MethodPost, "/api/v1/interaction/catalogue", []byte(one.body))
		i.held(http.MethodPost, "/api/v1/interaction/catalogue", w)
		if w.Code != one.status || !strings.Contains(w.Body.String(), one.says) {
			t.Errorf("%.60q: got %d %s, want %d and %s", one.body, w.Code, w.Body, one.status, one.says)
		}
	}
	// Bytes that are announced and never come.
	i.want(http.StatusRequestEntityTooLarge, takeOffers, winter(), nil, func(r *http.Request) { r.ContentLength = apiBodyLimit + 1 })
	i.want(http.StatusUnsupportedMediaType, takeOffers, winter(), nil, func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") })
	if c.offersDigest() != before {
		t.Error("got rows changed by what was refused")
	}
	// A text about a NUL is none.
	if w := i.send(http.MethodPost, "/api/v1/interaction/catalogue", bytes.Replace(whole, []byte(`"20%"`), []byte(`"\\u0000"`), 1)); w.Code != http.StatusOK {
		t.Errorf("a backslash before u0000: got %d %s, want 200", w.Code, w.Body)
	}
}

// An environment is the operator's who brought it first; who lacks the right brings none.
func TestOffersOfSomebodyElse(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	fr, other, mid := c.newInstance("fr", "interactionSynch"), c.newInstance("de", "interactionSynch"), c.newInstance("mid")
	fr.taken(winter())
	before := c.offersDigest()
	other.want(http.StatusForbidden, takeOffers, winter(), nil)
	if c.offersDigest() != before {
		t.Error("got rows changed by another operator")
	}
	mid.want(http.StatusForbidden, takeOffers, winter(), nil)
	c.holds(`SELECT count(*) FROM xtk.audit WHERE NOT allowed AND operator_login = 'mid'`, "1")
}

// The same package from many at a time makes everything once.
func TestOffersAtTheSameTime(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	i := c.newInstance("fr", "interactionSynch")
	body, err := json.Marshal(winter())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	created := make([]int, 6)
	for n := range created {
		all.Go(func() {
			var got offersAnswer
			w := i.send(http.MethodPost, "/api/v1/interaction/catalogue", body)
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
				t.Errorf("got %d %s, want 200", w.Code, w.Body)
			}
			created[n] = got.Created
		})
	}
	all.Wait()
	sum := 0
	for _, n := range created {
		sum += n
	}
	if sum != 4 {
		t.Errorf("got %v created, want 4 by one of them", created)
	}
	c.holds(`SELECT concat((SELECT count(*) FROM nms.offer_category), (SELECT count(*) FROM nms.offer_view), (SELECT count(*) FROM nms.offer_weight))`, "212")
}
