package e2e_test

import (
	"errors"
	"testing"

	"github.com/playwright-community/playwright-go"

	"nightshift/views/locale"
)

// Kim opens a folded package with the keyboard. The list renews itself and says so: the package is still open and the
// keyboard still there. The keys are shown by ? and put away by Escape.
func TestListStaysAsItIsLeft(t *testing.T) {
	t.Parallel()
	p, _ := operatorAt(t, locale.English)
	p.open("/workflows")
	const folded = "#package-line"
	if err := p.Locator(folded + " > summary").Focus(); err != nil {
		t.Fatal(err)
	}
	before, err := p.Locator("#read-at").TextContent()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Keyboard().Press("Enter"); err != nil {
		t.Fatal(err)
	}
	p.finds(folded + "[open]")
	if err := playwright.NewPlaywrightAssertions(20_000).Locator(p.Locator("#read-at")).Not().ToHaveText(before); err != nil {
		t.Fatalf("the list does not renew itself: %s", err)
	}
	p.finds(folded + "[open]")
	p.finds(folded + " > summary:focus")
	keys := playwright.NewPlaywrightAssertions(10_000).Locator(p.Locator("#keys"))
	if err := errors.Join(p.Keyboard().Press("?"), keys.ToBeVisible()); err != nil {
		t.Errorf("the keys after ?: %s", err)
	}
	if err := errors.Join(p.Keyboard().Press("Escape"), keys.Not().ToBeVisible()); err != nil {
		t.Errorf("the keys after Escape: %s", err)
	}
}
