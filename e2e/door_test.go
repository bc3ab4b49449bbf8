package e2e_test

import (
	"net/http"
	"testing"

	"nightshift/views/locale"
)

// signIn opens the console as an operator with the password of these tests.
func (p *person) signIn(login string) {
	p.t.Helper()
	p.open("/sign-in")
	p.fill("login", login)
	p.fill("password", password)
	p.press(".enter form button[type=submit]")
	p.finds("nav.rail")
}

// The first start: the printed link makes the first administrator, who is in at once; the link is then worth nothing.
func TestSetUp(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		for name, habits := range map[string][]habit{"with script": nil, "without script": {withoutScript}} {
			t.Run(name, func(t *testing.T) {
				n := start(t, empty(t).URL())
				if n.setup == "" {
					t.Fatalf("the node printed no set-up link:\n%s", n.log)
				}
				p := visit(t, n, lang, habits...)
				p.open(n.setup)
				p.sees(p.says("set_up.title"))
				p.fill("login", "kim")
				p.fill("email", "kim@example.com")
				p.fill("password", password)
				p.press(".enter form button[type=submit]")
				p.finds("nav.rail")
				p.sees(p.says("rail.workflows"))
				stranger := visit(t, n, lang, habits...)
				stranger.expect("404")
				stranger.expect("410")
				if got := stranger.open(n.setup); got < 400 {
					t.Errorf("the link, used: got status %d at %s, want it refused", got, stranger.URL())
				}
			})
		}
	})
}

// A restart prints a new link as long as there is no administrator, and none afterwards.
func TestSetUpLinkEnds(t *testing.T) {
	t.Parallel()
	d := empty(t)
	first := start(t, d.URL())
	first.stop()
	second := start(t, d.URL())
	if second.setup == "" || second.setup == first.setup {
		t.Errorf("second start: got link %q, want a new one", second.setup)
	}
	account(t, d, "kim", locale.English, "administrators")
	if third := start(t, d.URL()); third.setup != "" {
		t.Errorf("with an administrator: got link %q, want none", third.setup)
	}
}

func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		d := empty(t)
		account(t, d, "kim", lang, "administrators")
		p := visit(t, start(t, d.URL()), lang)
		p.expect("401")
		p.expect("422")
		p.expect("400")
		p.open("/workflows")
		p.arrives("**/sign-in**")
		p.fill("login", "kim")
		p.fill("password", "not the lamp at the gate")
		p.press(".enter form button[type=submit]")
		p.finds("[role=alert]")
		p.fill("login", "kim")
		p.fill("password", password)
		p.press(".enter form button[type=submit]")
		p.arrives("**/workflows")
		if got, err := p.Locator("html").GetAttribute("lang"); err != nil || got != string(lang) {
			t.Errorf("language of the page: got %q (%v), want %q", got, err, lang)
		}
		p.press("form[action='/sign-out'] button")
		p.arrives("**/sign-in**")
		p.open("/workflows")
		p.arrives("**/sign-in**")
	})
}

// An operator without ADMINISTRATION sees the workflow and no way to order; an order sent anyway is refused by the server.
func TestRefusedAsNonAdministrator(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		d := filled(t)
		account(t, d, "kim", lang, "administrators")
		account(t, d, "lee", lang, "workflowExecution")
		started(t, d, "cleanup")
		before := newestTask(t, d)
		p := visit(t, start(t, d.URL()), lang)
		p.signIn("lee")
		p.expect("403")
		p.open("/workflows/cleanup")
		if forms, _ := p.Locator("a[href='/workflows/cleanup/stop'], form[action^='/workflows/cleanup/']").Count(); forms != 0 {
			t.Errorf("ways to order as lee: got %d, want none", forms)
		}
		if got := p.open("/workflows/cleanup/run"); got != http.StatusForbidden {
			t.Errorf("the page that asks: got %d, want 403", got)
		}
		p.sees(p.says("right.ADMINISTRATION"))
		answer, err := p.Context().Request().Post(p.node.base+"/workflows/cleanup/run", sameOrigin(p.node))
		if err != nil || answer.Status() != http.StatusForbidden {
			t.Errorf("the order itself: got %v (%v), want 403", answer, err)
		}
		if found, ran := lastTask(t, d, "cleanup", before); ran {
			t.Errorf("after the refusal: got run %+v, want none", found)
		}
	})
}
