package web

import (
	"os"
	"strings"
	"testing"
)

// Every library that go.mod asks for directly stands on the page of what runs here, with its licence.
func TestLicences(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "require (")
	block, _, _ = strings.Cut(block, ")")
	for line := range strings.Lines(block) {
		module, version, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.Contains(version, "// indirect") || strings.Contains(module, "playwright") {
			continue
		}
		if licences[module] == "" {
			t.Errorf("%s: got no licence, want one", module)
		}
	}
}
