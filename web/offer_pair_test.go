package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/catalogue"
	"nightshift/jobs/jobtest"
)

// offerPair is two instances: one that designs offers, and one that executes them, reached over HTTP.
type offerPair struct {
	*console // the executing one
	design   *db.DB
	cut      atomic.Value // string: when the connection is cut; empty: it holds
	calls    atomic.Int32
}

func newOfferPair(t *testing.T) *offerPair {
	t.Helper()
	p := &offerPair{console: bareConsole(t), design: dbtest.New(t)}
	p.run(`UPDATE xtk.option SET string_value = 'execution' WHERE name = 'XtkInstanceType'`)
	p.newInstance("mc", "interactionSynch")
	p.cut.Store("")
	p.serve(t)
	for _, sql := range []string{
		`INSERT INTO nms.offer_env (id, internal_name, label, kind, live_env_id) VALUES (1, 'design', 'Design', 'design', 2), (2, 'live', 'Live', 'live', NULL)`,
		`INSERT INTO nms.offer_category (id, environment_id, internal_name, label, parent_id) VALUES (11, 1, 'ski', 'Ski', 10), (10, 1, 'travel', 'Travel', NULL)`,
		`INSERT INTO nms.offer_space (id, environment_id, internal_name, label, channel) VALUES (20, 1, 'banner', 'Banner', 120), (21, 1, 'mail', 'Mail', 0)`,
		`INSERT INTO nms.offer (environment_id, category_id, internal_name, label, content_status, eligibility_status)
		 SELECT 1, 10 + n % 2, 'o' || n, 'Offer ' || n, 'approved', 'approved' FROM generate_series(1, 40) n`,
		`INSERT INTO nms.offer_view (offer_id, space_id, approval, content)
		 SELECT o.id, s, 'approved', jsonb_build_object('html', o.label) FROM nms.offer o, generate_series(20, 21) s`,
		`INSERT INTO nms.offer_weight (offer_id, label, weight, space_id) SELECT o.id, 'w', 5, 20 FROM nms.offer o`,
	} {
		p.there(sql)
	}
	return p
}

// there executes a statement on the designing instance.
func (p *offerPair) there(sql string, args ...any) {
	p.t.Helper()
	if _, err := p.design.Pool.Exec(p.t.Context(), sql, args...); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
}

// serve starts a new server of the executing instance, as after a restart, and tells the designing one its address.
func (p *offerPair) serve(t *testing.T) {
	t.Helper()
	p.Server = New(Config{DB: p.db, Build: "test", Logger: slog.New(slog.DiscardHandler)})
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/catalogue") {
			p.ServeHTTP(w, r)
			return
		}
		p.calls.Add(1)
		switch p.cut.Load() {
		case "the request":
			r.Body = http.NoBody
			p.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case "the answer":
			p.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case "half the answer":
			answer := httptest.NewRecorder()
			p.ServeHTTP(answer, r)
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", fmt.Sprint(answer.Body.Len()))
			_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
			panic(http.ErrAbortHandler)
		}
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(listener.Close)
	sealed, err := p.design.Seal("exec_fr", password)
	if err != nil {
		t.Fatal(err)
	}
	p.there(`INSERT INTO nms.ext_account (id, internal_name, label, type, server, account, secret, params)
		VALUES (7, 'exec_fr', 'France', 'execution_instance', $1, 'mc', $2, '{"use_interaction": true}')
		ON CONFLICT (id) DO UPDATE SET server = excluded.server`, listener.URL, sealed)
}

// publish runs offerMgt on the designing instance.
func (p *offerPair) publish(status string) jobtest.Result {
	p.t.Helper()
	all := catalogue.All()
	got := jobtest.Run(p.t, p.design, all[slices.IndexFunc(all, func(w jobs.Workflow) bool { return w.Name == "offerMgt" })])
	if got.Status != status {
		p.t.Fatalf("got %s (%s), want %s", got.Status, got.Message, status)
	}
	return got
}

// alive is a live environment ($1) without a prefix ($2): what an execution instance must know of it.
const alive = `
	SELECT md5(concat(
		(SELECT string_agg(concat_ws(' ', replace(c.internal_name, $2, ''), c.label, replace(above.internal_name, $2, ''), c.enabled, c.themes), ',' ORDER BY c.internal_name)
		 FROM nms.offer_category c LEFT JOIN nms.offer_category above ON above.id = c.parent_id WHERE c.environment_id = e.id),
		(SELECT string_agg(concat_ws(' ', replace(s.internal_name, $2, ''), s.label, s.channel, s.fields, s.accepted_status), ',' ORDER BY s.internal_name)
		 FROM nms.offer_space s WHERE s.environment_id = e.id),
		(SELECT string_agg(concat_ws(' ', replace(o.internal_name, $2, ''), o.label, o.state, o.disabled_at, replace(c.internal_name, $2, ''), o.rules,
			(SELECT string_agg(replace(s.internal_name, $2, '') || v.content, '+' ORDER BY s.internal_name) FROM nms.offer_view v JOIN nms.offer_space s ON s.id = v.space_id WHERE v.offer_id = o.id),
			(SELECT string_agg(w.label || w.weight, '+' ORDER BY w.id) FROM nms.offer_weight w WHERE w.offer_id = o.id)), ',' ORDER BY o.internal_name)
		 FROM nms.offer o LEFT JOIN nms.offer_category c ON c.id = o.category_id WHERE o.environment_id = e.id)))
	FROM nms.offer_env e
	WHERE e.internal_name = $1`

// same compares what is live on both instances.
func (p *offerPair) same(when string) {
	p.t.Helper()
	var got, want string
	if err := p.design.Pool.QueryRow(p.t.Context(), alive, "live", "").Scan(&want); err != nil {
		p.t.Fatal(err)
	}
	if err := p.db.Pool.QueryRow(p.t.Context(), alive, "exec_fr_live", "exec_fr_").Scan(&got); err != nil || got != want {
		p.t.Errorf("%s: got %s, %v; want what the designing instance has live, %s", when, got, err, want)
	}
}

// versions tells whether any row of the executing instance's offers was written, be it with what it held.
func (p *offerPair) versions() (sum string) {
	p.t.Helper()
	if err := p.db.Pool.QueryRow(p.t.Context(), `
		SELECT string_agg(version, ',' ORDER BY version)
		FROM (SELECT concat('e', id, xmin) FROM nms.offer_env UNION ALL SELECT concat('c', id, xmin) FROM nms.offer_category
		      UNION ALL SELECT concat('s', id, xmin) FROM nms.offer_space UNION ALL SELECT concat('o', id, xmin) FROM nms.offer
		      UNION ALL SELECT concat('v', id, xmin) FROM nms.offer_view UNION ALL SELECT concat('w', id, xmin) FROM nms.offer_weight
		      UNION ALL SELECT concat('a', seq, xmin) FROM xtk.audit WHERE entity_type = 'offer') AS t (version)`).Scan(&sum); err != nil {
		p.t.Fatal(err)
	}
	return sum
}

// Two real instances: what is published here is live there, whatever is cut on the way, once each.
func TestOffersBetweenTwoInstances(t *testing.T) {
	t.Parallel()
	p := newOfferPair(t)
	tells := func(got jobtest.Result, line string) {
		t.Helper()
		if log := strings.Join(got.Log, "\n"); !strings.Contains(log, line) {
			t.Errorf("got the log\n%s\nwant %q in it", log, line)
		}
	}
	// The instance never gets the first package whole: nothing of it is there, and the next run sends it again.
	p.cut.Store("the request")
	p.publish("failed")
	p.holds(`SELECT count(*) FROM nms.offer_env`, "0")
	p.cut.Store("")
	tells(p.publish("completed"), "Execution instance 'exec_fr': 44 objects sent")
	p.same("after a request that was cut")
	p.holds(`SELECT count(*) FROM nms.offer WHERE state = 'live'`, "40")

	// It takes a package, and its answer gets lost: sent again, the package changes nothing more.
	for n, cut := range []string{"the answer", "half the answer"} {
		p.there(`UPDATE nms.offer SET label = label || '!' WHERE environment_id = 1 AND id % 3 = $1`, n)
		p.there(`UPDATE nms.offer_category SET parent_id = CASE WHEN id = 10 THEN 11 END WHERE environment_id = 1`)
		p.cut.Store(cut)
		p.publish("failed")
		p.same("taken, " + cut + " cut")
		p.cut.Store("")
		before := p.versions()
		p.publish("completed")
		if p.versions() != before {
			t.Errorf("%s cut: got rows changed when it was sent again", cut)
		}
	}

	// It begins anew; an offer is disabled, another loses a space.
	p.there(`UPDATE nms.offer SET state = 'disabled' WHERE environment_id = 1 AND internal_name = 'o7'`)
	p.there(`DELETE FROM nms.offer_view v USING nms.offer o WHERE o.id = v.offer_id AND o.environment_id = 1 AND o.internal_name = 'o8' AND v.space_id = 20`)
	p.serve(t)
	p.publish("completed")
	p.same("after a restart")
	p.holds(`SELECT count(*) FROM nms.offer WHERE state = 'disabled'`, "1")
	calls := p.calls.Load()
	p.publish("completed")
	if n := p.calls.Load(); n != calls {
		t.Errorf("nothing changed: got %d requests, want none", n-calls)
	}

	// It is restored to a day before it was sent anything: it says what it lacks, and gets everything.
	p.run(`DELETE FROM nms.offer`)
	p.run(`DELETE FROM nms.offer_category`)
	p.there(`UPDATE nms.offer SET label = 'Offer of today' WHERE environment_id = 1 AND internal_name = 'o9'`)
	tells(p.publish("completed"), "it is sent everything")
	p.same("after a restore")

	// What another instance brought is not passed on to a third.
	var name string
	if err := p.design.Pool.QueryRow(t.Context(), `UPDATE nms.offer_env SET emitter_account_id = 1 WHERE id = 2 RETURNING internal_name`).Scan(&name); err != nil {
		t.Fatal(err)
	}
	p.there(`DELETE FROM xtk.option WHERE name LIKE 'NmsInteraction_LastOfferEnvSynch_%'`)
	calls = p.calls.Load()
	p.publish("completed")
	if n := p.calls.Load(); n != calls {
		t.Errorf("an environment of another instance: got %d requests, want none", n-calls)
	}
}

// A package that the instance refuses leaves the sender's date, and its run says why in the words of the instance.
func TestOffersRefusedByTheOtherInstance(t *testing.T) {
	t.Parallel()
	p := newOfferPair(t)
	p.there(`UPDATE nms.offer_space SET accepted_status = 'sold' WHERE id = 20`)
	got := p.publish("failed")
	if want := "answered 400: space 0: default_status and accepted_status are one of generated, scheduled"; !strings.Contains(got.Message, want) {
		t.Errorf("got %s, want %q in it", got.Message, want)
	}
	p.holds(`SELECT count(*) FROM nms.offer_env`, "0")
	p.there(`UPDATE nms.offer_space SET accepted_status = 'accepted' WHERE id = 20`)
	p.publish("completed")
	p.same("mended")
}
