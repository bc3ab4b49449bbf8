package e2e_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/playwright-community/playwright-go"

	"nightshift/views/locale"
)

// withTheme asks for pages in a theme, as the operating system does.
func withTheme(scheme *playwright.ColorScheme) habit {
	return func(o *playwright.BrowserNewContextOptions) { o.ColorScheme = scheme }
}

// TestAccessible walks the pages of an administrator in both languages and both themes and lets axe look at each: it finds
// nothing against WCAG 2.2 A and AA.
func TestAccessible(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("driver/node_modules/axe-core/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	inLanguages(t, func(t *testing.T, lang locale.Lang) {
		scheme := map[locale.Lang]*playwright.ColorScheme{locale.English: playwright.ColorSchemeLight, locale.Korean: playwright.ColorSchemeDark}[lang]
		p, _ := operatorAt(t, lang, withTheme(scheme))
		for _, page := range []string{"/", "/workflows", "/workflows/cleanup", "/workflows/cleanup/pause", "/workflows/cleanup/schedule",
			"/runs", "/statement", "/calendar", "/heat-map", "/monitoring", "/freeze", "/accounts", "/accounts/new", "/mail", "/deliverability",
			"/options", "/operators", "/audit", "/billing", "/about", "/account"} {
			p.open(page)
			for _, found := range p.violations(string(rules)) {
				t.Errorf("%s in %s: %s (%s) at %v", page, lang, found.Help, found.ID, found.where())
			}
		}
	})
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

// violations runs axe on the open page.
func (p *person) violations(rules string) (found []violation) {
	p.t.Helper()
	if _, err := p.Evaluate(rules); err != nil {
		p.t.Fatalf("axe: %s", err)
	}
	answer, err := p.Evaluate(`async () => JSON.stringify((await axe.run({
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})).violations)`)
	if err != nil {
		p.t.Fatalf("axe on %s: %s", p.URL(), err)
	}
	if err := json.Unmarshal([]byte(answer.(string)), &found); err != nil {
		p.t.Fatalf("axe on %s: %s", p.URL(), err)
	}
	return found
}
