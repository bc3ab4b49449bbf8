package web

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// englishOnly are the texts that the console says in English and nowhere in Korean.
func englishOnly(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]map[string]bool{"en": {}, "ko": {}}
	for lang, texts := range all {
		files, err := filepath.Glob("../views/locale/" + lang + "_*.json")
		if err != nil || len(files) == 0 {
			t.Fatalf("got %d files of texts, %v", len(files), err)
		}
		for _, file := range files {
			var some map[string]string
			if raw, err := os.ReadFile(file); err != nil || json.Unmarshal(raw, &some) != nil {
				t.Fatalf("%s: %v", file, err)
			}
			for _, text := range some {
				texts[text] = true
			}
		}
	}
	english := map[string]bool{}
	for text := range all["en"] {
		if len(text) > 3 && !strings.Contains(text, "%") && !all["ko"][text] {
			english[text] = true
		}
	}
	return english
}

// saidBy are the texts of a page and of its attributes that people read or hear. Code and the lines of a log stay English.
func saidBy(t *testing.T, page string) []string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for n := range root.Descendants() {
		if n.Type == html.TextNode && !slices.Contains([]string{"code", "script", "pre"}, n.Parent.Data) {
			said = append(said, strings.TrimSpace(n.Data))
		}
		for _, a := range n.Attr {
			if slices.Contains([]string{"title", "aria-label", "placeholder", "alt"}, a.Key) {
				said = append(said, a.Val)
			}
		}
	}
	return said
}

// In Korean no page says anything in English that the console knows to say in Korean.
func TestKoreanIsWhole(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	for _, sql := range append(slices.Clone(someHistory), `UPDATE xtk.operator SET language = 'ko'`) {
		if _, err := c.db.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	c.tokens["kim"] = c.signedIn("kim")
	english, pages := englishOnly(t), append(c.pagesOf(), "/runs?state=failed", "/heat-map?view=table", "/deliverability?status=keep", "/workflows?view=state")
	for _, r := range c.routes() {
		if r.method == http.MethodGet && !isAPI(r.path) && !r.background && !strings.Contains(r.path, ":order") {
			pages = append(pages, filled(r.path))
		}
	}
	for _, order := range []string{"stop", "unconditional-stop", "restart", "purge-history", "simulate", "wakeup", "run"} {
		pages = append(pages, "/workflows/cleanup/"+order)
	}
	for _, data := range []string{"Billing", "Monitoring", "Web applications", "marketing", "session"} { // names of operators, values of options
		delete(english, data)
	}
	read := 0
	for _, path := range pages {
		// Pages that know no session follow the browser.
		got, body := c.ask("kim", http.MethodGet, path, nil, func(r *http.Request) { r.Header.Set("Accept-Language", "ko") })
		if !strings.Contains(got.Header.Get("Content-Type"), "html") {
			continue
		}
		read++
		for _, text := range saidBy(t, body) {
			if english[text] {
				t.Errorf("%s says %q in Korean, want it in Korean", path, text)
			}
		}
	}
	if read < 50 {
		t.Errorf("got %d pages, want those of the console", read)
	}
}
