package web

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"nightshift/db"
)

// What matters needs a password of the last ten minutes; without it nothing is done, and nothing that was typed is lost.
func TestPasswordAgain(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	typed := url.Values{"login": {"eve"}, "value": {"9"}, "reason": {`the "big" sale & more`}, "authority": {"line 1\nline 2"}, "group": {"a", "b"}}
	for _, r := range c.routes() {
		if !r.confirmed {
			continue
		}
		c.tokens["kim"] = c.signedInLongAgo("kim")
		before := c.state()
		got, body := c.ask("kim", r.method, filled(r.path), typed)
		if got.StatusCode != http.StatusForbidden || c.state() != before {
			t.Errorf("%s %s: got %d, want 403 and nothing changed", r.method, r.path, got.StatusCode)
		}
		if action, fields := sentOn(t, body); action != filled(r.path) || fields.Encode() != typed.Encode() {
			t.Errorf("%s %s: got %s to %s, want %s to the same address", r.method, r.path, fields.Encode(), action, typed.Encode())
		}
	}
}

// The password is asked for until it is right; then the form is sent as it was typed.
func TestConfirmationSendsOn(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	c.tokens["kim"] = c.signedInLongAgo("kim")
	from := func(r *http.Request) { r.Header.Set("Referer", "http://"+host+"/operators/new") }
	_, body := c.ask("kim", http.MethodPost, "/operators", url.Values{"login": {"eve"}, "label": {"Eve <Kim>"}, "right": {db.WorkflowRight}}, from)
	for _, wrong := range []string{"wrong", ""} {
		action, fields := sentOn(t, body)
		fields.Set("confirm_password", wrong)
		fields.Set("confirm_back", "/operators/new")
		got, again := c.ask("kim", http.MethodPost, action, fields)
		if body = again; got.StatusCode != http.StatusUnprocessableEntity || c.count(`SELECT count(*) FROM xtk.operator WHERE login = 'eve'`) > 0 {
			t.Fatalf("password %q: got %d, want 422 and nothing done", wrong, got.StatusCode)
		}
		if !strings.Contains(body, `class="button plain" href="/operators/new"`) || strings.Contains(body, `value="wrong"`) {
			t.Errorf("password %q: want the way back to the form kept, and the password in no page", wrong)
		}
	}
	action, fields := sentOn(t, body)
	fields.Set("confirm_password", password)
	if got, _ := c.ask("kim", http.MethodPost, action, fields); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the password: got %d, want the operator added", got.StatusCode)
	}
	if eve, err := c.db.OperatorByLogin(t.Context(), "eve"); err != nil || eve.Label != "Eve <Kim>" || len(eve.Rights) != 1 {
		t.Errorf("got %q with %v, %v; want what was typed", eve.Label, eve.Rights, err)
	}
	if got, _ := c.ask("kim", http.MethodPost, "/operators", url.Values{"login": {"adam"}}); got.StatusCode != http.StatusSeeOther {
		t.Errorf("the next form: got %d, want it taken without asking", got.StatusCode)
	}
}

// A secret that was typed is in no page: it is asked for again with the password.
func TestConfirmationShowsNoSecret(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	typed := url.Values{"type": {"tech_smtp"}, "name": {"letters"}, "label": {"Letters"}, "server": {"mail.example"}, "port": {"587"},
		"encryption": {"starttls"}, "from": {"night@mail.example"}, "login": {"night"}, "secret": {"rosebud-42"}, "active": {"on"}}
	c.tokens["kim"] = c.signedInLongAgo("kim")
	_, body := c.ask("kim", http.MethodPost, "/accounts", typed)
	if strings.Contains(body, "rosebud-42") || !strings.Contains(body, `name="secret"`) {
		t.Fatal("want the secret asked for again, and not in the page")
	}
	action, fields := sentOn(t, body)
	fields.Set("confirm_password", password)
	fields.Set("secret", "rosebud-42")
	if got, _ := c.ask("kim", http.MethodPost, action, fields); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("got %d, want the account added", got.StatusCode)
	}
	account, err := c.db.AccountByName(t.Context(), "letters")
	if err != nil || !account.HasSecret() || account.Server != "mail.example" || account.Params["from"] != "night@mail.example" {
		t.Errorf("got %+v, %v; want what was typed, with its secret", account, err)
	}
	typed.Del("secret")
	c.tokens["kim"] = c.signedInLongAgo("kim")
	if _, body := c.ask("kim", http.MethodPost, "/accounts/letters", typed); strings.Contains(body, `name="secret"`) {
		t.Error("none was typed: want none asked for")
	}
}

var (
	confirmForm = regexp.MustCompile(`(?s)<form class="form" method="post" action="([^"]*)">.*?</form>`)
	unseenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// sentOn reads from the page that asks for the password where the form goes, and what it carries but for the way back.
func sentOn(t *testing.T, page string) (action string, fields url.Values) {
	t.Helper()
	found := confirmForm.FindStringSubmatch(page)
	if found == nil {
		t.Fatal("got no form that asks for the password")
	}
	fields = url.Values{}
	for _, field := range unseenField.FindAllStringSubmatch(found[0], -1) {
		if field[1] != "confirm_back" {
			fields.Add(field[1], html.UnescapeString(field[2]))
		}
	}
	return html.UnescapeString(found[1]), fields
}

// signedInLongAgo opens a session whose password was given more than ten minutes ago.
func (c *console) signedInLongAgo(login string) string {
	token := c.signedIn(login)
	ctx, err := c.sessions.Load(db.WithVisit(c.t.Context(), &db.Visit{}), token)
	if err != nil {
		c.t.Fatal(err)
	}
	c.sessions.Put(ctx, "confirmed", time.Now().Add(-11*time.Minute).Unix())
	if _, _, err := c.sessions.Commit(ctx); err != nil {
		c.t.Fatal(err)
	}
	return token
}
