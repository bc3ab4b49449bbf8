package delivery_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"nightshift/db"
	"nightshift/db/dbtest"
	"nightshift/jobs"
	"nightshift/jobs/delivery"
	"nightshift/jobs/external/deliverability"
	"nightshift/jobs/jobtest"
)

var refresh = jobs.Workflow{Name: "deliverabilityUpdate", Run: delivery.DeliverabilityUpdate}

// service is a fake that speaks TLS.
func service(t testing.TB) (fake *deliverability.Fake, url, authority string) {
	t.Helper()
	fake = &deliverability.Fake{Account: deliverability.Account{ID: "acme", Secret: "canary", Customer: "acme_prod"}}
	server := httptest.NewUnstartedServer(fake)
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return fake, server.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// monitored is an instance with deliverability monitoring that knows the service, filled by the statements.
func monitored(t testing.TB, statements ...string) (*db.DB, *deliverability.Fake) {
	t.Helper()
	fake, url, authority := service(t)
	fake.Publish("2026-07-24.3", threeTwoOne("2026-07-24.3"))
	d := dbtest.New(t)
	connect(t, d, url, authority)
	do(t, d, append([]string{`UPDATE xtk.option SET string_value = 'acme_prod' WHERE name = 'DmRendering_cuid'`,
		`INSERT INTO xtk.package_install (name, label) VALUES ('deliverability', 'Deliverability monitoring')`}, statements...)...)
	return d, fake
}

func connect(t testing.TB, d *db.DB, url, authority string) {
	t.Helper()
	secret, err := d.Seal("deliverability", "canary")
	if err == nil {
		_, err = d.Pool.Exec(context.Background(), `
			INSERT INTO nms.ext_account (internal_name, label, type, server, account, secret, params)
			VALUES ('deliverability', 'Deliverability service', 'deliverability', $1, 'acme', $2, jsonb_build_object('authority', $3::text))`,
			url, secret, authority)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// threeTwoOne is a document with 3 MX rules, 2 inbound rules and 1 domain rule.
func threeTwoOne(version string) deliverability.Rules {
	hour := int32(7200)
	return deliverability.Rules{Version: version,
		MX: []deliverability.MXRule{{Order: 1, Mask: "*.yahoo.com", TLS: "default"},
			{Order: 2, Mask: "*.google.com", TLS: "opportunistic", MessagesPerHour: &hour, IDRange: "1-3", Shared: true}, {Order: 3, Mask: "*", TLS: "default"}},
		Inbound: []deliverability.InboundRule{{Order: 1, Pattern: `5\.1\.1|unknown`, Regex: true, Type: "hard", Reason: 1},
			{Order: 2, Pattern: "over quota", Type: "soft", Reason: 5}},
		Domains: []deliverability.DomainRule{{Mask: "*", DKIM: true, RelayHost: "relay.example.com", RelayPort: 25}},
		Suppression: &deliverability.Suppression{Addresses: []deliverability.Suppressed{{Hash: strings.Repeat("ab", 32), Date: "2026-07-01"}},
			Domains: []deliverability.Suppressed{}}}
}

func refreshes(t testing.TB, d *db.DB, options ...jobtest.Option) jobtest.Result {
	t.Helper()
	got := jobtest.Run(t, d, refresh, options...)
	if got.Status != "completed" {
		t.Fatalf("got %s (%s), want completed\n%s", got.Status, got.Message, strings.Join(got.Log, "\n"))
	}
	return got
}

// fails runs the workflow, which must fail for the reason, and leave everything as it was but for the account's problem.
func fails(t testing.TB, d *db.DB, reason string, options ...jobtest.Option) jobtest.Result {
	t.Helper()
	all := jobtest.NewComparison(t, d)
	before := all.State(t, d, "nms.ext_account")
	got := jobtest.Run(t, d, refresh, options...)
	if got.Status != "failed" || !strings.Contains(got.Message, reason) {
		t.Errorf("got %s (%s), want failed (%s)", got.Status, got.Message, reason)
	}
	if differ := jobtest.Differ(all.State(t, d, "nms.ext_account"), before); differ != "" {
		t.Errorf("%s: want every row as it was; %s", reason, differ)
	}
	return got
}

const (
	mx      = `SELECT string_agg(concat_ws(' ', rule_order, mx_mask, id_range, shared, messages_per_hour, tls), ', ' ORDER BY rule_order) FROM nms.mx_rule`
	inbound = `SELECT string_agg(concat_ws(' ', rule_order, pattern, is_regex, failure_type, failure_reason, origin), ', ' ORDER BY rule_order) FROM nms.mail_rule`
	domains = `SELECT string_agg(concat_ws(' ', domain_mask, dkim, smime, relay_host, relay_port), ', ') FROM nms.domain_rule`
	hashes  = `SELECT string_agg(concat_ws(' ', scope, left(hash, 4), source_date), ', ' ORDER BY hash) FROM nms.suppression`
	version = `SELECT string_agg(DISTINCT concat_ws(' ', version, (SELECT string_value FROM xtk.option WHERE name = 'NmsDeliverability_RulesVersion')), ', ')
		FROM nms.rule_set WHERE synchronised_at IS NOT NULL`
	seeded = `10 5\.1\.1|user is unknown t hard 1 builtin, 20 5\.2\.2|quota exceeded t soft 5 builtin, 30 inactive mailbox t soft 4 builtin, ` +
		`40 dns query failed t soft 2 builtin, 50 ^421  t soft 3 builtin`
)

func TestRulesAreStoredOnce(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t)
	want(t, d, [2]string{inbound, seeded})
	counters := jobtest.Count(t, d)
	got := refreshes(t, d)
	counters.Check(t, got)
	want(t, d, [2]string{mx, "1 *.yahoo.com  f default, 2 *.google.com 1-3 t 7200 opportunistic, 3 *  f default"},
		[2]string{inbound, `1 5\.1\.1|unknown t hard 1 service, 2 over quota f soft 5 service`},
		[2]string{domains, "* t f relay.example.com 25"}, [2]string{hashes, "address abab 2026-07-01"}, [2]string{version, "2026-07-24.3 2026-07-24.3"},
		[2]string{`SELECT string_agg(kind, ' ' ORDER BY kind) FROM nms.rule_set WHERE synchronised_at IS NOT NULL`, "domain inbound mx suppression"})
	tells(t, got, "Rules version 2026-07-24.3: MX 3 (2 added, 1 changed, 0 removed), inbound 2 (2 added, 0 changed, 5 removed), domains 1 (1 added, 0 changed, 0 removed), suppression 1 (1 added, 0 changed, 0 removed)")
	before := jobtest.Digest(t, d)
	got = refreshes(t, d)
	if jobtest.Digest(t, d) != before || step(t, got, "rules").Message != "rules up to date: version 2026-07-24.3" {
		t.Errorf("again: got %q or other rows, want up to date and no write", step(t, got, "rules").Message)
	}
	if asked := strings.Join(fake.Asked(), ", "); strings.Count(asked, "GET /v1/rules") != 2 || strings.Count(asked, "/v1/token") != 2 {
		t.Errorf("got %s, want a token and a question a run", asked)
	}
}

// A rule that is still there keeps its row, whatever its place is; rules may change places.
func TestRulesThatStayKeepTheirRows(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t)
	refreshes(t, d)
	ids := `SELECT string_agg(id || ' ' || mx_mask, ', ' ORDER BY id) FROM nms.mx_rule`
	before := one(t, d, ids)
	next := threeTwoOne("2026-07-25.1")
	next.MX[0].Order, next.MX[1].Order = 2, 1
	next.MX[2].TLS = "disabled"
	next.Inbound[0].Order, next.Inbound[1].Order = 2, 1
	next.Suppression.Addresses[0].Date = ""
	fake.Publish("2026-07-25.1", next)
	got := refreshes(t, d)
	want(t, d, [2]string{ids, before}, [2]string{mx, "1 *.google.com 1-3 t 7200 opportunistic, 2 *.yahoo.com  f default, 3 *  f disabled"},
		[2]string{hashes, "address abab"}, [2]string{version, "2026-07-25.1 2026-07-25.1"})
	tells(t, got, "MX 3 (0 added, 3 changed, 0 removed), inbound 2 (0 added, 2 changed, 0 removed), domains 1 (0 added, 0 changed, 0 removed), suppression 1 (0 added, 1 changed, 0 removed)")
}

func TestCustomMXRulesAreLeftAlone(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t, `UPDATE nms.rule_set SET mode = 'custom' WHERE kind = 'mx'`)
	before := jobtest.Digest(t, d, "nms.mx_rule")
	tells(t, refreshes(t, d), "MX rules not synchronised: mode Custom")
	if jobtest.Digest(t, d, "nms.mx_rule") != before {
		t.Error("got other MX rules, want them as they were")
	}
	want(t, d, [2]string{inbound, `1 5\.1\.1|unknown t hard 1 service, 2 over quota f soft 5 service`}, [2]string{version, "2026-07-24.3 2026-07-24.3"})
	// Once the mode is standard again, the MX rules of the same version are fetched.
	refreshes(t, d)
	do(t, d, `UPDATE nms.rule_set SET mode = 'level_2' WHERE kind = 'mx'`)
	refreshes(t, d)
	want(t, d, [2]string{`SELECT count(*) FROM nms.mx_rule`, "3"})
	if asked := strings.Count(strings.Join(fake.Asked(), ","), "GET /v1/rules"); asked != 3 {
		t.Errorf("got %d questions, want 3", asked)
	}
}

func TestUsersInboundRulesAreOverwritten(t *testing.T) {
	t.Parallel()
	d, _ := monitored(t, `INSERT INTO nms.mail_rule (rule_set_id, rule_order, pattern, failure_type, failure_reason, origin, active)
		SELECT id, o, p, 'hard', 9, 'user', false FROM nms.rule_set, (VALUES (60, 'ours'), (1, 'over quota'), (2, 'over quota')) AS v (o, p) WHERE internal_name = 'defaultInMail'`)
	refreshes(t, d)
	want(t, d, [2]string{inbound, `1 5\.1\.1|unknown t hard 1 service, 2 over quota f soft 5 service`}, [2]string{`SELECT bool_and(active) FROM nms.mail_rule`, "true"})
}

func TestInvalidExpressionsAreLeftOut(t *testing.T) {
	t.Parallel()
	rules := threeTwoOne("v1")
	rules.Inbound = append(rules.Inbound, deliverability.InboundRule{Order: 9, Pattern: `(?<!not )full`, Regex: true, Type: "soft", Reason: 5},
		deliverability.InboundRule{Order: 10, Pattern: `(full`, Type: "soft", Reason: 5})
	d, fake := monitored(t)
	fake.Publish("v1", rules)
	tells(t, refreshes(t, d), `warning inbound rule 9 left out: "(?<!not )full" is not a regular expression of RE2`)
	want(t, d, [2]string{inbound, `1 5\.1\.1|unknown t hard 1 service, 2 over quota f soft 5 service, 10 (full f soft 5 service`}, [2]string{version, "v1 v1"})
}

func TestSetsThatShrinkAreRefused(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t, `INSERT INTO nms.mx_rule (rule_set_id, rule_order, mx_mask)
		SELECT id, n, 'mx' || n || '.example.com' FROM nms.rule_set, generate_series(1, 170) n WHERE internal_name = 'defaultMXRules'`)
	small := threeTwoOne("v2")
	small.MX = small.MX[2:]
	fake.Publish("v2", small)
	got := fails(t, d, "version v2 has 1 MX rules where 171 are stored: refused, nothing was changed")
	if step(t, got, "check").Status != "failed" {
		t.Errorf("got %s, want the check to fail", step(t, got, "check").Status)
	}
	tells(t, refreshes(t, d, jobtest.Args(map[string]string{"force": ""})), "warning 1 MX rules where 171 are stored: taken by force")
	want(t, d, [2]string{mx, "3 *  f default"}, [2]string{version, "v2 v2"})
	half := threeTwoOne("v3")
	half.Inbound, half.Suppression.Addresses = half.Inbound[:1], half.Suppression.Addresses[:0]
	fake.Publish("v3", half)
	fails(t, d, "0 suppressed addresses and domains where 1 are stored")
	half.Suppression = small.Suppression
	fake.Publish("v3", half)
	refreshes(t, d) // a half is not more than a half
	want(t, d, [2]string{version, "v3 v3"})
}

func TestSettingsThatAreMissing(t *testing.T) {
	t.Parallel()
	for reason, statement := range map[string]string{
		"DmRendering_cuid is not set":                         `UPDATE xtk.option SET string_value = ' ' WHERE name = 'DmRendering_cuid'`,
		"must be reached by https":                            `UPDATE nms.ext_account SET server = 'http://deliverability.example.com'`,
		"there is no external account of type deliverability": `DELETE FROM nms.ext_account`,
		"the external account deliverability is not active":   `UPDATE nms.ext_account SET active = false`,
		"cannot be read with this instance's key":             `UPDATE nms.ext_account SET secret = '\x0102'`,
		"the account's authority is not a certificate":        `UPDATE nms.ext_account SET params = '{"authority": "x"}'`,
		"the rule set defaultDomainRules does not exist":      `DELETE FROM nms.rule_set WHERE kind = 'domain'`,
	} {
		d, fake := monitored(t, statement)
		fails(t, d, reason)
		if asked := fake.Asked(); len(asked) != 0 {
			t.Errorf("%s: got %v, want no request", reason, asked)
		}
	}
}

func TestWithoutMonitoringTheListsAreFetchedOnce(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t, `TRUNCATE xtk.package_install`)
	refreshes(t, d)
	want(t, d, [2]string{`SELECT count(*) FROM nms.mx_rule`, "3"})
	asked := len(fake.Asked())
	fake.Publish("2026-07-25.1", threeTwoOne("2026-07-25.1"))
	before := jobtest.Digest(t, d)
	tells(t, refreshes(t, d), "nothing to do: deliverability monitoring is not installed, and the rules are here")
	if len(fake.Asked()) != asked || jobtest.Digest(t, d) != before {
		t.Errorf("got %v or other rows, want no request and no write", fake.Asked()[asked:])
	}
}

// kept is a statement that adds texts on which people have decided.
func kept(from, to int) string {
	return fmt.Sprintf(`INSERT INTO nms.broad_log_msg (md5, text_normalized, first_text, failure_type, failure_reason, qualif_status, last_modified)
		SELECT md5('text ' || n), 'text ' || n, 'text ' || n || ' for kim@example.com', 'hard', 1, 'keep', '2026-07-01' FROM generate_series(%d, %d) n`, from, to)
}

const sentUntil = `SELECT concat_ws(' ', to_char(timestamp_value, 'YYYY-MM-DD'), (SELECT text_normalized FROM nms.broad_log_msg m, xtk.option i
	WHERE i.name = 'Deliverability_LastBroadLogMsgSentId' AND m.id = i.long_value)) FROM xtk.option WHERE name = 'Deliverability_LastBroadLogMsgSent'`

func TestDecisionsAreSentInBatches(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t, kept(1, 2500), `INSERT INTO nms.broad_log_msg (md5, text_normalized, qualif_status, origin)
		VALUES ('w', 'waits', 'to_qualify', 'local'), ('i', 'ignored', 'ignore', 'local'), ('s', 'theirs', 'keep', 'service')`)
	posts := 0
	fake.Misbehave = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || r.URL.Path != "/v1/broad-log-msgs" {
			return false
		}
		if posts++; posts < 3 {
			return false
		}
		w.WriteHeader(http.StatusBadRequest)
		return true
	}
	got := jobtest.Run(t, d, refresh)
	if got.Status != "failed" || step(t, got, "qualifications out").Status != "failed" {
		t.Fatalf("got %s (%s), want failed at qualifications out", got.Status, got.Message)
	}
	want(t, d, [2]string{sentUntil, "2026-07-01 text 2000"}, [2]string{version, "2026-07-24.3 2026-07-24.3"})
	fake.Misbehave = nil
	got = refreshes(t, d)
	want(t, d, [2]string{sentUntil, "2026-07-01 text 2500"})
	if s := step(t, got, "qualifications out"); s.Message != "500 sent" {
		t.Errorf("got %q, want 500 sent", s.Message)
	}
	var sizes []int
	for _, batch := range fake.Received() {
		sizes = append(sizes, len(batch))
		for _, m := range batch {
			if strings.Contains(m.Text, "@") || m.Type != "hard" || m.Status != "keep" {
				t.Fatalf("got %+v sent, want the normalised text of a decision", m)
			}
		}
	}
	if fmt.Sprint(sizes) != "[1000 1000 500]" {
		t.Errorf("got batches of %v, want 1000, 1000, 500", sizes)
	}
	if s := step(t, refreshes(t, d), "qualifications out"); s.Message != "0 sent" {
		t.Errorf("again: got %q, want 0 sent", s.Message)
	}
	do(t, d, `UPDATE nms.broad_log_msg SET failure_type = 'soft' WHERE text_normalized = 'text 7'`)
	if s := step(t, refreshes(t, d), "qualifications out"); s.Message != "1 sent" {
		t.Errorf("decided anew: got %q, want 1 sent", s.Message)
	}
}

// A decision that is being committed while others are sent is sent the next time, not passed over.
func TestADecisionBeingCommittedIsNotPassedOver(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t)
	tx, err := d.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	decide := `INSERT INTO nms.broad_log_msg (md5, text_normalized, failure_type, qualif_status) VALUES ($1, $1, 'hard', 'keep')`
	if _, err := tx.Exec(t.Context(), decide, "slow"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pool.Exec(t.Context(), decide, "later, and quick"); err != nil {
		t.Fatal(err)
	}
	refreshes(t, d)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	refreshes(t, d)
	sent := map[string]bool{}
	for _, batch := range fake.Received() {
		for _, m := range batch {
			sent[m.Text] = true
		}
	}
	if !sent["slow"] || !sent["later, and quick"] {
		t.Errorf("got %v sent, want both", sent)
	}
}

func decided(text, kind string, reason int16, status string, day int) deliverability.Message {
	digest := md5.Sum([]byte(text))
	return deliverability.Message{MD5: hex.EncodeToString(digest[:]), Text: text, Type: kind, Reason: reason, Status: status,
		Modified: time.Date(2026, 7, day, 3, 0, 0, 0, time.UTC)}
}

const texts = `SELECT string_agg(concat_ws(' ', text_normalized, failure_type, failure_reason, qualif_status, origin), ', ' ORDER BY text_normalized) FROM nms.broad_log_msg WHERE origin <> 'builtin'`

func TestDecisionsOfTheService(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t, `INSERT INTO nms.broad_log_msg (md5, text_normalized, qualif_status, failure_type, failure_reason, origin, synchronised_at)
		SELECT md5(v.text), v.text, v.status, v.kind, v.reason, v.origin, v.at FROM (VALUES
			('a waits', 'to_qualify', 'soft', 0, 'local', NULL), ('b ignored here', 'ignore', 'soft', 0, 'local', NULL),
			('c kept here', 'keep', 'soft', 5, 'local', NULL), ('d theirs', 'keep', 'soft', 3, 'service', '2026-07-02'::timestamptz),
			('e theirs newer', 'keep', 'soft', 3, 'service', '2026-07-30'::timestamptz)) AS v (text, status, kind, reason, origin, at)`)
	var answers []deliverability.Message
	for _, text := range []string{"a waits", "b ignored here", "c kept here", "d theirs", "e theirs newer", "f not seen yet"} {
		answers = append(answers, decided(text, "hard", 1, "keep", 20))
	}
	wrong := decided("g another sum", "hard", 1, "keep", 21)
	wrong.MD5 = strings.Repeat("0", 32)
	fake.Decide(append(answers, wrong, decided("delivery cancelled, validity expired", "hard", 1, "keep", 22))...)
	got := refreshes(t, d)
	want(t, d, [2]string{texts, "a waits hard 1 keep service, b ignored here soft 0 ignore local, c kept here soft 5 keep local, " +
		"d theirs hard 1 keep service, e theirs newer soft 3 keep service, f not seen yet hard 1 keep service"},
		[2]string{`SELECT timestamp_value AT TIME ZONE 'UTC' FROM xtk.option WHERE name = 'Deliverability_LastBroadLogMsgDate'`, "2026-07-22 03:00:00"},
		[2]string{`SELECT qualif_status FROM nms.broad_log_msg WHERE origin = 'builtin'`, "ignore"})
	if s := step(t, got, "qualifications in"); s.Message != "8 received, 3 of them new here" {
		t.Errorf("got %q, want 8 received, 3 of them new here", s.Message)
	}
	if s := step(t, got, "qualifications out"); s.Message != "1 sent" {
		t.Errorf("got %q, want what was kept here", s.Message)
	}
	before := jobtest.Digest(t, d)
	refreshes(t, d)
	if jobtest.Digest(t, d) != before || len(fake.Received()) != 1 {
		t.Error("again: got other rows, or decisions sent that came from the service; want neither")
	}
}

func TestTextsThatWaitAreQualifiedAgain(t *testing.T) {
	t.Parallel()
	d, fake := monitored(t, `INSERT INTO nms.broad_log_msg (md5, first_text, text_normalized, qualif_status, failure_type, failure_reason, rule_id, hit_count)
		SELECT md5(v.text), v.first, v.text, v.status, v.kind, v.reason, v.rule, 3 FROM (VALUES
			('a', '550 5.1.1 <kim@example.com>', 'to_qualify', 'undefined', 0, NULL), ('b', NULL, 'to_qualify', 'soft', 2, 4711),
			('c OVER quota', NULL, 'to_qualify', 'soft', 0, NULL), ('d unknown', NULL, 'ignore', 'soft', 0, NULL),
			('e of nothing', NULL, 'to_qualify', 'undefined', 0, NULL), ('f * moved', NULL, 'keep', 'hard', 4, NULL),
			('g', 'f lee@example.org moved', 'to_qualify', 'soft', 0, NULL)) AS v (text, first, status, kind, reason, rule)`)
	got := refreshes(t, d)
	want(t, d, [2]string{`SELECT string_agg(concat_ws(' ', left(m.text_normalized, 1), m.failure_type, m.failure_reason, m.qualif_status, r.rule_order), ', ' ORDER BY m.text_normalized)
		FROM nms.broad_log_msg m LEFT JOIN nms.mail_rule r ON r.id = m.rule_id WHERE m.origin <> 'builtin'`,
		"a hard 1 to_qualify 1, b soft 0 to_qualify, c soft 5 to_qualify 2, d soft 0 ignore, e undefined 0 to_qualify, f hard 4 keep, g hard 4 to_qualify"})
	if s := step(t, got, "qualify again"); s.Message != "4 of 5 waiting texts have another proposal" {
		t.Errorf("got %q, want 4 of 5", s.Message)
	}
	if s := step(t, refreshes(t, d), "qualify again"); s.Message != "0 of 5 waiting texts have another proposal" {
		t.Errorf("again: got %q, want none", s.Message)
	}
	do(t, d, `INSERT INTO nms.mail_rule (rule_set_id, rule_order, pattern, is_regex, failure_type, failure_reason)
		SELECT id, 99, '(broken', true, 'hard', 1 FROM nms.rule_set WHERE internal_name = 'defaultInMail'`)
	tells(t, refreshes(t, d), `warning stored rule left out: "(broken" is not a regular expression`)
	_ = fake
}
