package transfer_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/external/instance"
	server "nightshift/jobs/external/midsourcing"
	"nightshift/jobs/jobtest"
	"nightshift/jobs/transfer"
)

var counters = jobs.Workflow{Name: "defaultMidSourcingDlv", Run: transfer.DefaultMidSourcingDlv}

// marketing returns a marketing instance and the fake of the server that carries its deliveries 101 to 100+n, there 1 to n.
func marketing(t testing.TB, n int) (*db.DB, *server.Fake) {
	t.Helper()
	d, fake := dbtest.New(t), server.NewFake("mid", "secret")
	addAccount(t, d, fake, 1, "defaultEmailMid")
	do(t, d, fmt.Sprintf(`
		INSERT INTO nms.delivery (id, internal_name, label, delivery_mode, state, provider_id, mid_remote_id, to_deliver, validity, created, last_modified)
		SELECT 100 + n, 'dm' || n, 'Delivery ' || n, 'mid_sourcing', 'in_progress', 1, n, 1000, now() + interval '2 days', now() - interval '5 days', now() - interval '1 day'
		FROM generate_series(1, %d) n`, n))
	return d, fake
}

// addAccount adds an account of a server that listens.
func addAccount(t testing.TB, d *db.DB, handler http.Handler, id int, name string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	sealed, err := d.Seal(name, "secret")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(t.Context(), `
		INSERT INTO nms.ext_account (id, internal_name, label, type, server, account, secret)
		VALUES ($1, $2, $2, 'mid_sourcing', $3, 'mid', $4)`, id, name, s.URL, sealed); err != nil {
		t.Fatal(err)
	}
	return s
}

// ago is a moment in the past, to the microsecond as PostgreSQL keeps it.
func ago(d time.Duration) time.Time { return time.Now().Add(-d).Truncate(time.Microsecond) }

// carried is what a server tells of its delivery n.
func carried(n int64, state string, sent int32, at time.Time) server.Delivery {
	return server.Delivery{ID: n, EmitterID: 100 + n, State: state, ToDeliver: 1000, Processed: sent, Success: sent, Sent: sent, LastModified: at}
}

func completed(t testing.TB, r jobtest.Result) jobtest.Result {
	t.Helper()
	if r.Status != "completed" {
		t.Fatalf("got %s (%s), want completed\n%s", r.Status, r.Message, strings.Join(r.Log, "\n"))
	}
	return r
}

const listing = "GET /api/v1/mid/deliveries"

// What the server counts is here after a run; opens are not the server's to tell.
func TestCountersAreTakenOver(t *testing.T) {
	t.Parallel()
	d, fake := marketing(t, 1)
	do(t, d, `UPDATE nms.delivery SET recipient_open = 9`)
	one := carried(1, "in_progress", 700, ago(time.Hour))
	one.Error, one.Processed, one.UnknownUser = 12, 712, 12
	fake.Carry([]server.Delivery{one}, nil)
	rehearsed := jobtest.Simulate(t, d, counters)
	want(t, d, [2]string{`SELECT sent FROM nms.delivery`, "0"}, [2]string{`SELECT count(*) FROM xtk.option WHERE name LIKE 'NmsMid%'`, "0"})
	counts := jobtest.Count(t, d)
	got := completed(t, jobtest.Run(t, d, counters))
	counts.Check(t, got)
	want(t, d, [2]string{`SELECT concat_ws(' ', state, to_deliver, processed, success, sent, error, unknown_user, recipient_open) FROM nms.delivery`, "in_progress 1000 712 700 700 12 12 9"})
	if rehearsed.Effects["nms.delivery"] != got.Effects["nms.delivery"] || !strings.Contains(strings.Join(rehearsed.Log, "\n"), "sent 0 → 700") {
		t.Errorf("rehearsed: got %+v and %q, want %+v and the difference in words", rehearsed.Effects, rehearsed.Log, got.Effects)
	}
	tells(t, got, "1 deliveries changed (0 finished), 0 unknown")
	// Nothing new: one request, and no row is written.
	before, asked := jobtest.Digest(t, d), fake.Asked(listing)
	if got := completed(t, jobtest.Run(t, d, counters)); len(got.Effects) != 0 || fake.Asked(listing) != asked+1 || jobtest.Digest(t, d) != before {
		t.Errorf("again: got %+v after %d requests, want nothing changed after 1", got.Effects, fake.Asked(listing)-asked)
	}
}

// A delivery is finished once and for all; one that was stopped here stays stopped until the server is further.
func TestStates(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		here, there string
		start       bool
		want        string
	}{
		{"in_progress", "finished", false, "finished"}, {"finished", "in_progress", false, "finished"}, {"stopped", "in_progress", false, "stopped"},
		{"stopped", "finished", false, "finished"}, {"failed", "stopped", false, "failed"}, {"finished", "failed", false, "finished"},
		{"in_progress", "ready", true, "start_pending"}, {"in_progress", "ready", false, "ready"}, {"in_progress", "failed", false, "failed"},
		{"in_progress", "teleported", false, "in_progress"}, {"paused", "in_progress", false, "in_progress"},
	} {
		t.Run(tc.here+" "+tc.there, func(t *testing.T) {
			t.Parallel()
			d, fake := marketing(t, 1)
			do(t, d, `UPDATE nms.delivery SET state = '`+tc.here+`', sent = 900`)
			one, date, why := carried(1, tc.there, 700, ago(time.Hour)), ago(2*time.Hour), "no disk"
			if tc.start {
				one.StartDate = &date
			}
			if tc.there == "failed" {
				one.FailedMessage = &why
			}
			one.BroadEnd = &date
			fake.Carry([]server.Delivery{one}, nil)
			got := completed(t, jobtest.Run(t, d, counters))
			sent := "700"
			if tc.here == "finished" {
				sent = "900"
			}
			want(t, d, [2]string{`SELECT state FROM nms.delivery`, tc.want}, [2]string{`SELECT sent FROM nms.delivery`, sent})
			if tc.want == "failed" && tc.here != "failed" {
				want(t, d, [2]string{`SELECT failed_message FROM nms.delivery`, why})
			}
			if tc.want == "finished" && tc.here != "finished" {
				want(t, d, [2]string{`SELECT broad_end IS NOT NULL FROM nms.delivery`, "true"})
			}
			if warned := strings.Contains(strings.Join(got.Log, "\n"), `"teleported"`); warned != (tc.there == "teleported") {
				t.Errorf("got %q, want a warning of an unknown state only", got.Log)
			}
		})
	}
}

// 1,200 changed deliveries are three pages, and each is applied.
func TestPagesOfDeliveries(t *testing.T) {
	t.Parallel()
	d, fake := marketing(t, 1200)
	var all []server.Delivery
	for n := range int64(1200) {
		all = append(all, carried(n+1, "in_progress", 5, ago(time.Hour).Truncate(time.Hour).Add(time.Duration(n/700)*time.Second)))
	}
	fake.Carry(all, nil)
	got := completed(t, jobtest.Run(t, d, counters))
	if n := fake.Asked(listing); n != 3 || got.Effects["nms.delivery"].Updated != 1200 {
		t.Errorf("got %d pages and %+v, want 3 and 1,200 updated", n, got.Effects)
	}
	want(t, d, [2]string{`SELECT count(*) FROM nms.delivery WHERE sent = 5`, "1200"})
}

// Another server's delivery, a deleted one and one that was sent again are no longer this server's to change.
func TestUnknownDeliveries(t *testing.T) {
	t.Parallel()
	d, fake := marketing(t, 4)
	do(t, d, `UPDATE nms.delivery SET delete_status = 'yes' WHERE id = 101`, `UPDATE nms.delivery SET provider_id = 2 WHERE id = 102`,
		`UPDATE nms.delivery SET mid_remote_id = 77 WHERE id = 103`)
	var all []server.Delivery
	for n := range int64(5) {
		all = append(all, carried(n+1, "finished", 5, ago(time.Hour)))
	}
	fake.Carry(all, nil)
	tells(t, completed(t, jobtest.Run(t, d, counters)), "1 deliveries changed (1 finished), 4 unknown")
	want(t, d, [2]string{`SELECT string_agg(id::text, ' ') FROM nms.delivery WHERE sent = 5`, "104"}, [2]string{`SELECT delete_status FROM nms.delivery WHERE id = 101`, "yes"})
}

// A token that the server forgot is renewed once; a wrong password fails without a loop.
func TestTokens(t *testing.T) {
	t.Parallel()
	d, fake := marketing(t, 1)
	fake.Carry([]server.Delivery{carried(1, "in_progress", 5, ago(time.Hour))}, nil)
	expired := false
	addAccount(t, d, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet && !expired {
			expired = true
			fake.Expire()
		}
		fake.ServeHTTP(w, req)
	}), 2, "expiring")
	do(t, d, `UPDATE nms.ext_account SET active = false WHERE id = 1`, `UPDATE nms.delivery SET provider_id = 2`)
	completed(t, jobtest.Run(t, d, counters))
	if n := fake.Asked("POST /api/v1/logon"); n != 2 {
		t.Errorf("expired: got %d logons, want 2", n)
	}
	want(t, d, [2]string{`SELECT sent FROM nms.delivery`, "5"})
	do(t, d, `UPDATE nms.ext_account SET account = 'somebody'`)
	if got := jobtest.Run(t, d, counters); got.Status != "failed" || !strings.Contains(got.Message, "expiring") || fake.Asked("POST /api/v1/logon") != 3 {
		t.Errorf("wrong login: got %s (%s) after %d logons, want failed after one more", got.Status, got.Message, fake.Asked("POST /api/v1/logon"))
	}
}

// One server that is down leaves the other account alone, and the run names it.
func TestOneServerDown(t *testing.T) {
	t.Parallel()
	d, fake := marketing(t, 2)
	do(t, d, `UPDATE nms.delivery SET provider_id = 2 WHERE id = 102`)
	other := server.NewFake("mid", "secret")
	addAccount(t, d, other, 2, "otherMid")
	fake.Trouble(instance.Status(http.StatusServiceUnavailable))
	other.Carry([]server.Delivery{carried(2, "in_progress", 5, ago(time.Hour))}, nil)
	got := jobtest.Run(t, d, counters)
	if got.Status != "failed" || !strings.Contains(got.Message, "defaultEmailMid") {
		t.Errorf("got %s (%s), want failed with the account's name", got.Status, got.Message)
	}
	want(t, d, [2]string{`SELECT sent FROM nms.delivery WHERE id = 102`, "5"}, [2]string{`SELECT string_agg(name, ' ') FROM xtk.option WHERE name LIKE 'NmsMid%'`, "NmsMidSourcing_LastDelivery_otherMid"})
}

// What changes at this moment is taken over at once, and told again: the cursor stays behind what is settled.
func TestDeliveriesBeingSent(t *testing.T) {
	t.Parallel()
	d, fake := marketing(t, 1)
	fake.Carry([]server.Delivery{carried(1, "in_progress", 5, time.Now().Add(time.Second).Truncate(time.Microsecond))}, nil)
	completed(t, jobtest.Run(t, d, counters))
	want(t, d, [2]string{`SELECT sent FROM nms.delivery`, "5"},
		[2]string{`SELECT timestamp_value < clock_timestamp() - interval '1 second' FROM xtk.option WHERE name LIKE 'NmsMidSourcing_LastDelivery%'`, "true"})
}

func TestOtherInstanceTypes(t *testing.T) {
	t.Parallel()
	d, fake := marketing(t, 1)
	do(t, d, `UPDATE xtk.option SET string_value = 'mid' WHERE name = 'XtkInstanceType'`)
	for _, w := range []jobs.Workflow{counters, logs} {
		if got := completed(t, jobtest.Run(t, d, w)); !strings.Contains(strings.Join(got.Log, "\n"), "runs on marketing instances only") {
			t.Errorf("%s: got %q, want the guard's line", w.Name, got.Log)
		}
	}
	if n := fake.Asked("POST /api/v1/logon"); n != 0 {
		t.Errorf("got %d logons, want none", n)
	}
}

// Whatever a server answers that is no answer fails the account and changes nothing.
func TestServersThatMisbehave(t *testing.T) {
	t.Parallel()
	body := func(kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte(text))
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"500": instance.Status(http.StatusInternalServerError), "403": instance.Status(http.StatusForbidden),
		"429 for ever": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		"redirect": http.RedirectHandler("http://169.254.169.254/", http.StatusFound).ServeHTTP,
		"HTML":     body("text/html", "<html>"), "half": body("application/json", `{"deliveries": [{"id": 1, `), "nothing": body("application/json", `{}`),
		"wrong types": body("application/json", `{"deliveries": [{"id": "x"}], "logs": 7, "next_date": "x"}`),
		"no state":    body("application/json", `{"settled_date": "2026-01-01T00:00:00Z", "deliveries": [{"id": 1, "emitter_id": 101}], "logs": [{"remote_id": 1}], "next_date": "2999-01-01T00:00:00Z"}`),
		"circle": body("application/json", `{"settled_date": "2026-01-01T00:00:00Z", "deliveries": [{"id": 2, "emitter_id": 101, "state": "finished", "last_modified": "2026-01-01T00:00:00Z"},
			{"id": 1, "emitter_id": 101, "state": "finished", "last_modified": "2026-01-01T00:00:00Z"}], "logs": [], "next_date": "1999-01-01T00:00:00Z"}`),
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"deliveries": [`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, fake := marketing(t, 1)
			fake.Trouble(answer)
			all := jobtest.NewComparison(t, d)
			before := all.State(t, d, "nms.ext_account")
			for _, w := range []jobs.Workflow{counters, logs} {
				if got := jobtest.Run(t, d, w); got.Status != "failed" || strings.Contains(got.Message, "secret") {
					t.Errorf("%s: got %s (%s), want failed", w.Name, got.Status, got.Message)
				}
			}
			if differ := jobtest.Differ(all.State(t, d, "nms.ext_account"), before); differ != "" {
				t.Errorf("want every row as it was; %s", differ)
			}
			kind := "other"
			if name == "403" {
				kind = "logon"
			}
			want(t, d, [2]string{`SELECT last_error_kind FROM nms.ext_account WHERE last_error_at > COALESCE(last_ok, '-infinity')`, kind})
		})
	}
}

func TestCountersSurviveACutAnywhere(t *testing.T) {
	t.Parallel()
	setup := func(t testing.TB) *db.DB {
		d, fake := marketing(t, 3)
		fake.Carry([]server.Delivery{carried(1, "finished", 1000, ago(3*time.Hour)), carried(2, "in_progress", 500, ago(time.Hour))}, nil)
		return d
	}
	jobtest.CrashSweep(t, counters, setup)
	jobtest.StopSweep(t, counters, setup)
}
