package e2e_test

import (
	"encoding/json"
	"os"
	"sync"
	"testing"

	"github.com/playwright-community/playwright-go"

	"nightshift/views/locale"
)

// withTheme asks for pages in a theme, as the operating system does.
func withTheme(scheme *playwright.ColorScheme) habit {
	return func(o *playwright.BrowserNewContextOptions) { o.ColorScheme = scheme }
}

// axe is the script that knows the rules.
var axe = sync.OnceValues(func() (string, error) {
	script, err := os.ReadFile("driver/node_modules/axe-core/axe.min.js")
	return string(script), err
})

// TestAccessible walks the pages of an administrator in both languages and both themes and lets axe look at each: it finds
// nothing against WCAG 2.2 A and AA. None is wider than a phone of 360 pixels, none cuts a
// table off on a laptop of 1,280.
func TestAccessible(t *testing.T) {
	t.Parallel()
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		scheme := map[locale.Lang]*playwright.ColorScheme{locale.English: playwright.ColorSchemeLight, locale.Korean: playwright.ColorSchemeDark}[lang]
		p, _ := operatorAt(t, lang, withTheme(scheme))
		for _, page := range []string{"/", "/workflows", "/workflows/cleanup", "/workflows/cleanup/pause", "/workflows/cleanup/schedule",
			"/runs", "/statement", "/calendar", "/heat-map", "/monitoring", "/freeze", "/accounts", "/accounts/new", "/offers", "/mail", "/deliverability",
			"/options", "/options/NmsTracking_UserAgentRules", "/operators", "/audit", "/billing", "/about", "/account",
			"/workflows/cleanup/acknowledge"} {
			p.open(page)
			p.accessible()
			p.fits()
		}
	})
}

// fits looks at the open page on a phone, where what is wider must scroll within itself, and on a small laptop, where every
// table shows all its columns.
func (p *person) fits() {
	p.t.Helper()
	was := p.ViewportSize()
	if err := p.SetViewportSize(360, 740); err != nil {
		p.t.Fatal(err)
	}
	over, err := p.Evaluate(`() => document.documentElement.scrollWidth - document.documentElement.clientWidth`)
	if err != nil || over != 0 {
		p.t.Errorf("%s in %s: got %v pixels beyond a phone (%v), want none", p.URL(), p.lang, over, err)
	}
	if err := p.SetViewportSize(1280, 740); err != nil {
		p.t.Fatal(err)
	}
	cut, err := p.Evaluate(`() => [...document.querySelectorAll(".wide")].filter(w => w.scrollWidth > w.clientWidth)
		.map(w => w.querySelector("table")?.className ?? w.className).join(", ")`)
	if err != nil || cut != "" {
		p.t.Errorf("%s in %s: on a laptop of 1280 pixels got the tables %q cut off at the right (%v), want none", p.URL(), p.lang, cut, err)
	}
	if err := p.SetViewportSize(was.Width, was.Height); err != nil {
		p.t.Fatal(err)
	}
}

// violation is a rule of axe that a page breaks, and where.
type violation struct {
	ID, Help string
	Nodes    []struct{ HTML string }
}

func (v violation) where() (parts []string) {
	for _, n := range v.Nodes {
		parts = append(parts, n.HTML)
	}
	return parts
}

// accessible lets axe look at the open page: what it finds is an error.
func (p *person) accessible() {
	p.t.Helper()
	script, err := axe()
	if err == nil {
		_, err = p.Evaluate(script)
	}
	if err != nil {
		p.t.Fatalf("axe: %s", err)
	}
	answer, err := p.Evaluate(`async () => JSON.stringify((await axe.run({
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})).violations)`)
	if err != nil {
		p.t.Fatalf("axe on %s: %s", p.URL(), err)
	}
	var found []violation
	if err := json.Unmarshal([]byte(answer.(string)), &found); err != nil {
		p.t.Fatalf("axe on %s: %s", p.URL(), err)
	}
	for _, v := range found {
		p.t.Errorf("%s in %s: %s (%s) at %v", p.URL(), p.lang, v.Help, v.ID, v.where())
	}
}
