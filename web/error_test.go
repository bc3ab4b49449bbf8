package web

import (
	"net/http"
	"strings"
	"testing"
)

// From an error a stranger is led to the sign-in, an operator to the overview.
func TestNextStepFromAnError(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for who, next := range map[string]string{"": "/sign-in", "reader": "/"} {
		got, body := c.ask(who, http.MethodGet, "/nothing-here", nil)
		if want := `<p><a href="` + next + `">`; got.StatusCode != http.StatusNotFound || !strings.Contains(body, want) {
			t.Errorf("as %q: got %d without %s", who, got.StatusCode, want)
		}
	}
}
