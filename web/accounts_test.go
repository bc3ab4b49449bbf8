package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"nightshift/db"
)

// relay is what a form for a mail account sends.
func relay() url.Values {
	return url.Values{"type": {"tech_smtp"}, "name": {"relay"}, "label": {"Relay"}, "server": {"relay.example.com"}, "port": {"587"},
		"encryption": {"starttls"}, "from": {"Nightshift <ops@example.com>"}, "login": {"night"}, "secret": {"canary-s3cret"}, "active": {"on"}}
}

// with changes fields of a form.
func with(fields url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		fields.Set(pairs[i], pairs[i+1])
	}
	return fields
}

func (c *console) posted(path string, fields url.Values, want int) string {
	c.t.Helper()
	got, body := c.ask("kim", http.MethodPost, path, fields)
	if got.StatusCode != want {
		c.t.Fatalf("POST %s: got %d, want %d\n%s", path, got.StatusCode, want, body)
	}
	return body
}

func (c *console) got(path string) string {
	c.t.Helper()
	got, body := c.ask("kim", http.MethodGet, path, nil)
	if got.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: got %d, want 200", path, got.StatusCode)
	}
	return body
}

// An account is made, changed and switched off; its secret is stored sealed and stands on no page and in no trail.
func TestAccounts(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.db.UseKey([]byte("a key of thirty-two bytes at least"))
	if body := c.got("/accounts"); !strings.Contains(body, "/accounts/new?type=tech_smtp") {
		t.Error("an empty list does not lead to the form of a mail account")
	}
	c.got("/accounts/new")
	c.got("/accounts/new?type=tech_smtp")
	c.posted("/accounts", relay(), http.StatusSeeOther)
	c.posted("/accounts", relay(), http.StatusUnprocessableEntity)
	c.posted("/accounts/relay", with(relay(), "secret", "", "label", "Relay 2", "type", "deliverability", "name", "other"), http.StatusSeeOther)
	a, err := c.db.AccountByName(t.Context(), "relay")
	if err != nil {
		t.Fatal(err)
	}
	if secret, err := c.db.Secret(a); err != nil || secret != "canary-s3cret" || a.Label != "Relay 2" || a.Type != "tech_smtp" {
		t.Errorf("got %+v, secret %q, %v; want the label changed and the rest as it was", a, secret, err)
	}
	// A stored secret does not follow a new address.
	for _, change := range [][2]string{{"server", "evil.example.com"}, {"port", "25"}, {"login", "somebody"}} {
		if body := c.posted("/accounts/relay", with(relay(), "secret", "", change[0], change[1]), http.StatusUnprocessableEntity); !strings.Contains(body, "enter the secret again") {
			t.Errorf("%s changed without the secret: the page does not say why it is refused", change[0])
		}
	}
	c.posted("/accounts/relay", with(relay(), "server", "new.example.com", "secret", "canary-n3w"), http.StatusSeeOther)
	c.posted("/accounts/relay", with(relay(), "server", "new.example.com", "secret", "", "active", "", "forget", "on"), http.StatusSeeOther)
	if a, err = c.db.AccountByName(t.Context(), "relay"); err != nil || a.HasSecret() || a.Active {
		t.Errorf("got %+v, %v; want it switched off and without a secret", a, err)
	}
	for _, path := range []string{"/accounts", "/accounts/relay", "/audit?kind=account", "/audit.csv?kind=account"} {
		if body := c.got(path); strings.Contains(body, "canary") {
			t.Errorf("%s shows a secret", path)
		}
	}
	if n := c.count(`SELECT count(*) FROM xtk.audit WHERE entity_type = 'account' AND entity = 'relay' AND detail::text NOT LIKE '%canary%'`); n != 4 {
		t.Errorf("got %d entries of the trail, want 4: made, and three changes", n)
	}
	if n := c.count(`SELECT count(*) FROM xtk.audit WHERE entity_type = 'account' AND detail -> 'after' ->> 'secret' = '*** (replaced)'`); n != 1 {
		t.Errorf("got %d entries that say that the secret was replaced, want 1", n)
	}
}

func TestAccountsRefuseWhatCannotBe(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	mid := url.Values{"type": {"mid_sourcing"}, "name": {"mid"}, "server": {"https://mid.example.com"}}
	for _, fields := range []url.Values{
		with(relay(), "type", "line"), with(relay(), "name", ""), with(relay(), "name", "a b"), with(relay(), "name", "../x"), with(relay(), "name", "new"),
		with(relay(), "server", ""), with(relay(), "server", "http://x"), with(relay(), "server", "a b"), with(relay(), "port", "0"),
		with(relay(), "port", "65536"), with(relay(), "port", "x"), with(relay(), "encryption", "rot13"), with(relay(), "from", ""),
		with(relay(), "from", "nobody"), with(relay(), "from", "a@b.c\r\nBcc: d@e.f"), with(relay(), "authority", "no certificate"),
		with(relay(), "login", "a\nb"), with(relay(), "secret", "a\nb"), with(relay(), "label", strings.Repeat("x", 101)),
		with(mid, "server", ""), with(mid, "server", "http://mid.example.com"), with(mid, "server", "https://u:p@mid.example.com"),
		with(mid, "server", "file:///etc/passwd"), with(mid, "server", "https://mid.example.com/?a=b"),
	} {
		c.posted("/accounts", fields, http.StatusUnprocessableEntity)
	}
	if n := c.count(`SELECT count(*) FROM nms.ext_account`); n != 0 {
		t.Errorf("got %d accounts, want none", n)
	}
}

// A form says of every field what is wrong with it, not of one after another.
func TestFormsSayAllThatIsWrong(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	wrong := func(body string) int { return strings.Count(body, `aria-invalid="true"`) }
	relay := with(with(with(with(relay(), "name", ""), "server", ""), "port", "x"), "from", "nobody")
	if got := wrong(c.posted("/accounts", relay, http.StatusUnprocessableEntity)); got != 4 {
		t.Errorf("external account: got %d wrong fields, want 4", got)
	}
	operator := url.Values{"login": {"a b"}, "email": {"nobody"}, "timezone": {"Atlantis"}}
	if got := wrong(c.posted("/operators", operator, http.StatusUnprocessableEntity)); got != 3 {
		t.Errorf("operator: got %d wrong fields, want 3", got)
	}
	account := url.Values{"label": {strings.Repeat("x", 101)}, "email": {"nobody"}, "language": {"en"}, "theme": {"dark"}}
	if got := wrong(c.posted("/account", account, http.StatusUnprocessableEntity)); got != 2 {
		t.Errorf("own account: got %d wrong fields, want 2", got)
	}
	first := bareConsole(t)
	token, err := first.db.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set := url.Values{"token": {token}, "login": {""}, "email": {"nobody"}, "password": {"short"}, "zone": {"Atlantis"}}
	if got, body := first.ask("", http.MethodPost, "/set-up", set); got.StatusCode != http.StatusUnprocessableEntity || wrong(body) != 4 {
		t.Errorf("set-up: got %d with %d wrong fields, want 422 with 4", got.StatusCode, wrong(body))
	}
}

// A test says what came of it, in the operator's language, on the page, in the list and in the trail.
func TestAccountIsTested(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	var answer error
	c.config.TestAccount = func(_ context.Context, a db.ExtAccount) error {
		if a.Name != "relay" {
			t.Errorf("tested %s, want relay", a.Name)
		}
		return answer
	}
	c.posted("/accounts", relay(), http.StatusSeeOther)
	c.exec(`INSERT INTO nms.notification (effect_key, to_address, subject, body_text, next_try_at) VALUES ('k', 'a@b.c', 's', 't', now() + interval '1 hour')`)
	answer = &db.AccountProblem{Kind: "certificate", Text: "x509: unknown authority"}
	c.posted("/accounts/relay/test", nil, http.StatusSeeOther)
	for _, want := range []string{"certificate is not trusted", "x509: unknown authority"} {
		if body := c.got("/accounts/relay"); !strings.Contains(body, want) {
			t.Errorf("after a test that failed the page lacks %q", want)
		}
	}
	if body := c.got("/accounts"); !strings.Contains(body, "1 of 1 external account does not work") {
		t.Error("the list does not say that the account does not work")
	}
	answer = nil
	c.posted("/accounts/relay/test", nil, http.StatusSeeOther)
	if body := c.got("/accounts/relay"); !strings.Contains(body, "connected and signed on") {
		t.Error("after a test that went well the page does not say so")
	}
	if n := c.count(`SELECT count(*) FROM nms.notification WHERE next_try_at <= now()`); n != 1 {
		t.Error("what waits for the account is not tried at once")
	}
	if n := c.count(`SELECT count(*) FROM xtk.audit WHERE entity_type = 'account' AND action = 'Tested'`); n != 2 {
		t.Errorf("got %d tests in the trail, want 2", n)
	}
}

// The list of messages, and the button that sends one again, once.
func TestMailPages(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	if body := c.got("/mail"); !strings.Contains(body, "Nothing was ever to be sent") {
		t.Error("an empty outbox does not say so")
	}
	c.exec(`
		INSERT INTO nms.notification (effect_key, workflow_name, to_address, subject, body_text, body_html, state, attempts, last_error)
		SELECT 'k' || s, 'cleanup', s || '@example.com', 'About ' || s, 'text <b>of</b> ' || s, '<p id="raw">raw</p>', s, 1, 'said ' || s
		FROM unnest(ARRAY['pending', 'sending', 'sent', 'error', 'unknown']) s`)
	body := c.got("/mail")
	for _, want := range []string{"there is no mail account", "/accounts/new?type=tech_smtp", "error@example.com", "said unknown", "/mail/4/again", "/mail/5/again"} {
		if !strings.Contains(body, want) {
			t.Errorf("the outbox lacks %q", want)
		}
	}
	if strings.Contains(body, "/mail/1/again") || strings.Contains(body, "/mail/3/again") {
		t.Error("the outbox offers to repeat what is sent or will be")
	}
	if body := c.got("/mail?state=error"); strings.Contains(body, "sent@example.com") || !strings.Contains(body, "error@example.com") {
		t.Error("the filter of a state does not hold")
	}
	if body := c.got("/mail/5"); !strings.Contains(body, "text &lt;b&gt;of&lt;/b&gt; unknown") || strings.Contains(body, `id="raw"`) {
		t.Error("a message shows its text as text, and not its HTML")
	}
	for range 2 {
		c.posted("/mail/5/again", nil, http.StatusSeeOther)
	}
	c.posted("/mail/3/again", nil, http.StatusSeeOther)
	if n := c.count(`SELECT count(*) FROM xtk.audit WHERE entity_type = 'message' AND action = 'Sent again'`); n != 1 {
		t.Errorf("got %d entries of the trail, want 1", n)
	}
	if n := c.count(`SELECT count(*) FROM nms.notification WHERE id = 5 AND state = 'pending' AND tries_left = 6`); n != 1 {
		t.Error("the message is not to be sent again")
	}
	for path, want := range map[string]int{"/mail?state=x": 400, "/mail?channel=x": 400, "/mail?before=x": 400, "/mail/99": 404, "/accounts/none": 404} {
		if got, _ := c.ask("kim", http.MethodGet, path, nil); got.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, got.StatusCode, want)
		}
	}
}

func (c *console) exec(sql string, args ...any) {
	c.t.Helper()
	if _, err := c.db.Pool.Exec(c.t.Context(), sql, args...); err != nil {
		c.t.Fatalf("%s: %v", sql, err)
	}
}
