package static

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
)

// Each vendored file is the one that VENDOR.md names.
func TestVendoredFilesAreThoseOfTheirTable(t *testing.T) {
	t.Parallel()
	table, err := files.ReadFile("VENDOR.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\S+\.js) \| .* \| ([0-9a-f]{64}) \|$`).FindAllStringSubmatch(string(table), -1)
	if len(rows) == 0 {
		t.Fatal("VENDOR.md: got no file, want at least htmx.min.js")
	}
	for _, row := range rows {
		content, err := files.ReadFile(row[1])
		if err != nil {
			t.Errorf("%s: %s", row[1], err)
			continue
		}
		sum := sha256.Sum256(content)
		if got := hex.EncodeToString(sum[:]); got != row[2] {
			t.Errorf("%s: got sha256 %s, want %s", row[1], got, row[2])
		}
	}
}

// A first visit is cheap: what a browser loads beside the list of runs stays under 31 kB, so that with the list (7 kB) and
// the heads of four answers it is under 40 KB.
func TestFirstVisitIsSmall(t *testing.T) {
	t.Parallel()
	sum := 0
	for _, name := range []string{"app.css", "app.js", "glyphs.svg", "favicon.svg"} {
		sum += len(all()[name].Brotli)
	}
	if sum > 31_000 {
		t.Errorf("all files, compressed: got %d bytes, want at most 31,000", sum)
	}
}

func TestNamesCarryTheirHash(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"app.css", "app.js", "heat.css", "heat.js", "glyphs.svg", "favicon.svg"} {
		file, ok := Find(strings.TrimPrefix(Path(name), Prefix))
		if !ok || len(file.Content) < 100 || file.Type == "" {
			t.Errorf("Find(%s): got %v, %d bytes (%d packed), type %q, want the file", Path(name), ok, len(file.Content), len(file.Gzip), file.Type)
		}
	}
	if _, ok := Find("app.000000000000.css"); ok {
		t.Error("Find of another hash: got a file, want none")
	}
}

// The content policy forbids scripts that make code from text.
func TestOwnScriptMakesNoCode(t *testing.T) {
	t.Parallel()
	content, err := files.ReadFile("app.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"eval(", "new Function", "document.write"} {
		if strings.Contains(string(content), word) {
			t.Errorf("app.js: got %q, want none", word)
		}
	}
}
