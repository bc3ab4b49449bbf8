package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"nightshift/db"
)

// A freeze is an administrator's, with a reason, audited, and stands on every page and in the metrics until it is lifted.
func TestFreezeOnEveryPage(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if _, err := c.db.Pool.Exec(t.Context(), `UPDATE xtk.workflow SET state = 'started', next_processing = now() + interval '30 minutes',
		schedule = '{"kind": "cron", "cron": "*/10 * * * *"}' WHERE internal_name = 'cleanup'`); err != nil {
		t.Fatal(err)
	}
	got, body := c.ask("kim", http.MethodGet, "/freeze?until=1h", nil)
	if got.StatusCode != http.StatusOK || !strings.Contains(body, "slots of 1 workflow") {
		t.Errorf("the question: got %d, want the slots that are skipped", got.StatusCode)
	}
	if got, _ := c.ask("kim", http.MethodPost, "/freeze", url.Values{"until": {"1h"}}); got.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: got %d, want 422", got.StatusCode)
	}
	frozen := url.Values{"until": {""}, "reason": {"release <1.4>"}}
	if got, _ := c.ask("reader", http.MethodPost, "/freeze", frozen); got.StatusCode != http.StatusForbidden || c.count(`SELECT count(*) FROM xtk.freeze`) != 0 {
		t.Errorf("a reader: got %d, want 403 and no freeze", got.StatusCode)
	}
	if got, _ := c.ask("kim", http.MethodPost, "/freeze", frozen); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("freeze: got %d, want 303", got.StatusCode)
	}
	if got, _ := c.ask("kim", http.MethodPost, "/freeze", frozen); got.StatusCode != http.StatusConflict {
		t.Errorf("a second freeze: got %d, want 409", got.StatusCode)
	}
	for _, path := range []string{"/", "/workflows", "/workflows/cleanup", "/runs", "/about", "/account", "/nothing-here"} {
		_, body := c.ask("reader", http.MethodGet, path, nil)
		if !strings.Contains(body, "Frozen until it is lifted.") || !strings.Contains(body, "By kim since") || !strings.Contains(body, "release &lt;1.4&gt;") {
			t.Errorf("%s: got no freeze, want who, since when and why", path)
		}
		if strings.Contains(body, "/freeze/lift") {
			t.Errorf("%s offers a reader to lift the freeze", path)
		}
	}
	if _, body := c.ask("kim", http.MethodGet, "/workflows/cleanup/run", nil); !strings.Contains(body, "because you order it") || !strings.Contains(body, "/freeze/lift") {
		t.Error("the question before a run says nothing of the freeze")
	}
	if _, body := c.ask("kim", http.MethodGet, "/metrics", nil); !strings.Contains(body, "nightshift_freeze 1") {
		t.Error("the metrics know nothing of the freeze")
	}
	if got, _ := c.ask("kim", http.MethodPost, "/freeze/lift", nil); got.StatusCode != http.StatusSeeOther {
		t.Errorf("lift: got %d, want 303", got.StatusCode)
	}
	if _, body := c.ask("reader", http.MethodGet, "/", nil); strings.Contains(body, "Frozen until") {
		t.Error("the freeze is lifted and still shown")
	}
	if n := c.count(`SELECT count(*) FROM xtk.audit WHERE entity_type = 'freeze' AND allowed AND operator_login = 'kim' AND action IN ('Freeze', 'Lift')`); n != 2 {
		t.Errorf("audit rows: got %d, want 2", n)
	}
}

// Freezing asks for the password when it was not given lately.
func TestFreezeIsConfirmed(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for _, r := range c.routes() {
		if r.method == http.MethodPost && strings.HasPrefix(r.path, "/freeze") && (!r.confirmed || r.right != db.Administration) {
			t.Errorf("%s: want it confirmed, for administrators", r.path)
		}
	}
}

// The next run of a frozen workflow is the first slot from the end of the freeze on.
func TestNextRunAfterFreeze(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	next := time.Now().UTC().Truncate(time.Hour).Add(time.Hour)
	w := db.WorkflowRow{State: db.Started, Schedule: []byte(`{"kind": "cron", "cron": "0 * * * *"}`), Zone: "UTC", Next: &next}
	for until, want := range map[time.Time]time.Time{
		next.Add(-time.Minute): next, next: next, next.Add(time.Minute): next.Add(time.Hour), next.Add(2 * time.Hour): next.Add(2 * time.Hour), {}: {},
	} {
		c.night.facts.Freeze = db.Freeze{ID: 1, Since: time.Now().Add(-time.Hour), Until: until}
		if got := c.nextRun(w); !got.Equal(want) {
			t.Errorf("until %s: got %s, want %s", until, got, want)
		}
	}
}
