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
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/catalogue"
	"nightshift/jobs/jobtest"
)

// pair is two instances: of marketing, with 200 messages of delivery 101, and the one that sends them, over HTTP.
type pair struct {
	*console  // the sending one
	marketing *db.DB
	// broken cuts the connection in the midst of the next answers with logs, so many times.
	broken atomic.Int32
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{console: bareConsole(t), marketing: dbtest.New(t)}
	p.run(`UPDATE xtk.option SET string_value = 'mid' WHERE name = 'XtkInstanceType'`)
	i := p.newInstance("mid")
	one := i.carry(101, "Summer")
	i.want(http.StatusOK, fmt.Sprintf("POST /api/v1/mid/deliveries/%d/parts", one.ID), messages(1, 200), nil)
	i.want(http.StatusOK, fmt.Sprintf("POST /api/v1/mid/deliveries/%d/start", one.ID), nil, nil)
	p.here(`INSERT INTO nms.delivery (id, internal_name, label, delivery_mode, state, provider_id, mid_remote_id, created)
		VALUES (101, 'dm101', 'Summer', 'mid_sourcing', 'start_pending', 1, $1, now() - interval '1 day')`, one.ID)
	p.here(`INSERT INTO nms.broad_log (id, delivery_id, address) SELECT n, 101, 'a' || n || '@example.com' FROM generate_series(1, 200) n`)
	p.serve(t)
	return p
}

// here executes a statement on the marketing instance.
func (p *pair) here(sql string, args ...any) {
	p.t.Helper()
	if _, err := p.marketing.Pool.Exec(p.t.Context(), sql, args...); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
}

// serve starts a new server of the sending instance, as after a restart, and tells the marketing one its address.
func (p *pair) serve(t *testing.T) {
	t.Helper()
	p.Server = New(Config{DB: p.db, Build: "test", Logger: slog.New(slog.DiscardHandler)})
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/broad-logs") && p.broken.Add(-1) >= 0 {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"logs": [`))
			panic(http.ErrAbortHandler)
		}
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(listener.Close)
	sealed, err := p.marketing.Seal("defaultEmailMid", password)
	if err != nil {
		t.Fatal(err)
	}
	p.here(`INSERT INTO nms.ext_account (id, internal_name, label, type, server, account, secret)
		VALUES (1, 'defaultEmailMid', 'Mid', 'mid_sourcing', $1, 'mid', $2)
		ON CONFLICT (id) DO UPDATE SET server = excluded.server`, listener.URL, sealed)
}

// pull runs one of the two workflows on the marketing instance.
func (p *pair) pull(name, status string) jobtest.Result {
	p.t.Helper()
	all := catalogue.All()
	got := jobtest.Run(p.t, p.marketing, all[slices.IndexFunc(all, func(w jobs.Workflow) bool { return w.Name == name })])
	if got.Status != status {
		p.t.Fatalf("%s: got %s (%s), want %s", name, got.Status, got.Message, status)
	}
	return got
}

// send lets messages of the sending instance end, and waits for what is told: whole seconds that are over.
func (p *pair) send(from, to int, status string) {
	p.t.Helper()
	p.run(`UPDATE nms.broad_log_mid
		SET status = $3, failure_type = CASE WHEN $3 = 'failed' THEN 'soft' END, failure_reason = CASE WHEN $3 = 'failed' THEN 3 ELSE 0 END,
		    event_date = now()
		WHERE remote_id BETWEEN $1 AND $2`, from, to, status)
	p.run(`UPDATE nms.delivery d SET state = 'in_progress',
			(sent, success, error, processed) = (SELECT count(*) FILTER (WHERE status = 'sent'), count(*) FILTER (WHERE status = 'sent'),
				count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE status <> 'pending')
				FROM nms.broad_log_mid l WHERE l.delivery_id = d.id)
		WHERE emitter_account_id IS NOT NULL`)
	for p.count(`SELECT count(*) FROM nms.delivery WHERE last_modified >= date_trunc('second', clock_timestamp() - interval '1 second')`) > 0 {
		if p.t.Context().Err() != nil {
			p.t.Fatal(p.t.Context().Err())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// same compares what both instances know of the messages and of the delivery.
func (p *pair) same() {
	p.t.Helper()
	for here, there := range map[string]string{
		`SELECT md5(string_agg(concat_ws(' ', id, status, failure_type, failure_reason, event_date), ',' ORDER BY id)) FROM nms.broad_log`: `
		 SELECT md5(string_agg(concat_ws(' ', remote_id, status, failure_type, failure_reason, event_date), ',' ORDER BY remote_id)) FROM nms.broad_log_mid`,
		`SELECT concat_ws(' ', state, sent, success, error, processed, to_deliver) FROM nms.delivery`: `
		 SELECT concat_ws(' ', state, sent, success, error, processed, to_deliver) FROM nms.delivery WHERE emitter_account_id IS NOT NULL`,
	} {
		var got, want string
		if err := p.marketing.Pool.QueryRow(p.t.Context(), here).Scan(&got); err != nil {
			p.t.Fatal(err)
		}
		if err := p.db.Pool.QueryRow(p.t.Context(), there).Scan(&want); err != nil {
			p.t.Fatal(err)
		}
		if got != want {
			p.t.Errorf("%s: got %s, want %s as the sending instance has it", here, got, want)
		}
	}
}

// Two real instances: what one sends the other knows, after a connection that was cut, after a restart of either, and
// nothing is counted twice.
func TestTwoInstances(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.send(1, 60, "sent")
	p.send(61, 70, "failed")
	p.pull("defaultMidSourcingLog", "completed")
	p.pull("defaultMidSourcingDlv", "completed")
	p.same()

	// Every answer is cut: nothing is taken, and the next pull has it all.
	p.send(71, 130, "sent")
	p.broken.Store(10)
	p.pull("defaultMidSourcingLog", "failed")
	p.broken.Store(1)
	p.pull("defaultMidSourcingLog", "completed")
	p.pull("defaultMidSourcingDlv", "completed")
	p.same()

	// The sending instance begins anew; tokens that were given before hold on.
	p.send(131, 190, "sent")
	p.serve(t)
	p.pull("defaultMidSourcingLog", "completed")
	p.pull("defaultMidSourcingDlv", "completed")
	p.same()

	// The marketing instance restores the cursor of an hour ago: all is told again, nothing counted again.
	p.here(`UPDATE xtk.option SET timestamp_value = timestamp_value - interval '1 hour' WHERE name LIKE 'NmsMidSourcing_Last%'`)
	again := p.pull("defaultMidSourcingLog", "completed")
	p.pull("defaultMidSourcingDlv", "completed")
	p.same()
	if again.Effects["nms.broad_log"].Updated != 0 || again.Effects["nms.address"].Updated != 0 {
		t.Errorf("told again: got %+v, want no log and no address written", again.Effects)
	}
	var errors int
	if err := p.marketing.Pool.QueryRow(t.Context(), `SELECT sum(consecutive_error) FROM nms.address`).Scan(&errors); err != nil || errors != 10 {
		t.Errorf("got %d soft errors, %v; want the 10 that there were", errors, err)
	}
}
