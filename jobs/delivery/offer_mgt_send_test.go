package delivery_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"nightshift/db"
	"nightshift/jobs/external/instance"
	"nightshift/jobs/external/interaction"
	"nightshift/jobs/jobtest"
)

// executed is an execution instance and the account by which this instance reaches it, under an address.
func executed(t testing.TB, d *db.DB, id int, name, url string) {
	t.Helper()
	sealed, err := d.Seal(name, "secret")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(t.Context(), `
		INSERT INTO nms.ext_account (id, internal_name, label, type, server, account, secret, params)
		VALUES ($1, $2, $2, 'execution_instance', $3, 'mc', $4, '{"use_interaction": true}')`, id, name, url, sealed); err != nil {
		t.Fatal(err)
	}
}

func execution(t testing.TB) (*interaction.Fake, string) {
	t.Helper()
	fake := interaction.NewFake("mc", "secret")
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return fake, server.URL
}

const synchronised = `SELECT string_agg(name, ', ' ORDER BY name) FROM xtk.option WHERE name LIKE 'NmsInteraction_LastOfferEnvSynch_%'`

// TestExecutionInstanceDown: the others get their catalogue; the one that was down gets all it missed in one request.
func TestExecutionInstanceDown(t *testing.T) {
	t.Parallel()
	d := designed(t, approve)
	down, url := execution(t)
	executed(t, d, 1, "exec_fr", url)
	up, url := execution(t)
	executed(t, d, 2, "exec_de", url)
	do(t, d, `INSERT INTO nms.ext_account (id, internal_name, label, type, params) VALUES (3, 'exec_mc', 'messages only', 'execution_instance', '{"use_message_center": true}'),
		(4, 'exec_no', 'no offers', 'execution_instance', '{"use_interaction": false}')`)
	down.Trouble(instance.Status(503))
	got := jobtest.Run(t, d, offerMgt)
	if got.Status != "failed" || !strings.Contains(got.Message, "'exec_fr'") || strings.Contains(got.Message, "exec_de") {
		t.Errorf("got %s (%s), want failed for exec_fr", got.Status, got.Message)
	}
	tells(t, got, "Execution instance 'exec_de': 6 objects sent")
	want(t, d, [2]string{shown, "winter live ski banner+mail"}, [2]string{synchronised, "NmsInteraction_LastOfferEnvSynch_2_2"},
		[2]string{`SELECT count(*) FROM nms.notification`, "1"})

	// Meanwhile the category below is moved, another offer disabled; then it is back.
	do(t, d, `UPDATE nms.offer SET state = 'disabled' WHERE id = 40`)
	down.Trouble(nil)
	publishes(t, d)
	sent := down.Sent()
	if len(sent) != 1 || sent[0].Objects() != 6 || len(up.Sent()) != 2 || up.Sent()[1].Objects() != 1 {
		t.Fatalf("got %d and %d requests, want one with 6 objects, and a second one to the other with the offer", len(sent), len(up.Sent()))
	}
	c := sent[0]
	for _, name := range c.Names() {
		if !strings.HasPrefix(name, "exec_fr_") {
			t.Errorf("got the name %s, want exec_fr_ before it", name)
		}
	}
	if c.Environment.Name != "exec_fr_live" || c.Categories[0].Name != "exec_fr_travel" || *c.Categories[1].Parent != "exec_fr_travel" {
		t.Errorf("got %+v, want the live environment, parents first", c)
	}
	o := c.Offers[0]
	if o.Enabled || o.DisabledAt == nil || *o.Category != "exec_fr_ski" || len(o.Views) != 2 || len(o.Weights) != 2 || *o.Weights[1].Space != "exec_fr_banner" {
		t.Errorf("got %+v, want the offer disabled, with all it has", o)
	}
	publishes(t, d)
	if len(down.Sent()) != 1 || len(up.Sent()) != 2 {
		t.Errorf("got %d and %d requests after a run without a change, want 1 and 2", len(down.Sent()), len(up.Sent()))
	}
}

func TestCatalogueIsNotSentInARehearsal(t *testing.T) {
	t.Parallel()
	d := designed(t, approve)
	fake, url := execution(t)
	executed(t, d, 1, "exec_fr", url)
	before := jobtest.Digest(t, d)
	got := jobtest.Simulate(t, d, offerMgt)
	tells(t, got, "would: send 6 objects of exec_fr_live to execution instance 'exec_fr'")
	if fake.Asked("POST /api/v1/logon") != 0 || jobtest.Digest(t, d) != before {
		t.Error("got a call or other rows, want neither")
	}
}

// TestAccountThatCannotBeUsed: an address or a secret that is no good is said, with the account's name.
func TestAccountThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for says, sql := range map[string]string{"must be reached by https": `UPDATE nms.ext_account SET server = 'http://exec.example.com'`,
		"answered 401": `UPDATE nms.ext_account SET secret = NULL`} {
		d := designed(t, approve)
		_, url := execution(t)
		executed(t, d, 1, "exec_fr", url)
		do(t, d, sql)
		got := jobtest.Run(t, d, offerMgt)
		if got.Status != "failed" || !strings.Contains(got.Message, says) || !strings.Contains(got.Message, "'exec_fr'") {
			t.Errorf("got %s (%s), want failed with %q", got.Status, got.Message, says)
		}
		want(t, d, [2]string{synchronised, ""})
	}
}

// TestOfferMgtCrashSweepWithAnInstance: an instance that was sent a catalogue before the crash is sent it again.
func TestOfferMgtCrashSweepWithAnInstance(t *testing.T) {
	t.Parallel()
	fake, url := execution(t)
	jobtest.CrashSweep(t, offerMgt, func(t testing.TB) *db.DB {
		d := designed(t)
		executed(t, d, 1, "exec_fr", url)
		return d
	}, alike()...)
	if len(fake.Sent()) < 10 {
		t.Errorf("got %d requests, want one or two a run", len(fake.Sent()))
	}
}
