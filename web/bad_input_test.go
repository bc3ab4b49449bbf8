package web

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"nightshift/db"
)

// spoilt are values that no field, filter, cursor or id expects; the first four are tried everywhere.
func spoilt() []string {
	return []string{"\x00", "\xff\xfe", "9223372036854775807", "'; --", "", "0", "-1", "9223372036854775808", "99999999999999999999", "1e9", "NaN", "x", `%_\`,
		"2026-13-45", "0001-01-01", "9999-12-31", "10000-01-01T00:00", "infinity", "24:61", "../..", "{}", "[1,", "* * * * *", "a\u202eb\r\nc", strings.Repeat("W", 5000)}
}

const spoiltEverywhere = 4

// prober asks as kim and fails the test on an answer that is our fault. What it tries beyond what is tried everywhere
// comes in turn, so that every value meets many fields and the test stays short.
type prober struct {
	*console
	asked, turn int
}

// values are some spoilt ones: those that are tried everywhere, and the next of the others.
func (p *prober) values() []string {
	all := spoilt()
	p.turn++
	return append(slices.Clone(all[:spoiltEverywhere]), all[spoiltEverywhere+p.turn%(len(all)-spoiltEverywhere)])
}

func (p *prober) ask(method, path string, fields url.Values, change ...func(*http.Request)) (body string) {
	p.t.Helper()
	p.asked++
	got, body := p.console.ask("kim", method, path, fields, change...)
	if strings.HasPrefix(got.Header.Get("Location"), "/sign-in") { // what was asked before has ended the session
		p.tokens["kim"] = p.signedIn("kim")
		got, body = p.console.ask("kim", method, path, fields, change...)
	}
	if got.StatusCode >= http.StatusInternalServerError || strings.Contains(body, "SQLSTATE") {
		p.t.Errorf("%s %.200q with %.300q: got %d, want a refusal or a page", method, path, fields.Encode(), got.StatusCode)
	}
	return body
}

// filterRead finds where the code reads a filter of an address.
var filterRead = regexp.MustCompile(`(?:QueryParam|query\.Get|[a-z]+Param)\((?:c, )?"([a-z_]+)"`)

// filters are the names of all filters, cursors and choices in addresses, as the code of the console reads them.
func filters(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range files {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "redirect") || strings.HasPrefix(file, "api") {
			continue
		}
		for _, found := range filterRead.FindAllSubmatch(code, -1) {
			names[string(found[1])] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// sent is what a browser sends for a form that nobody has touched.
type sent struct {
	method, action string
	fields         url.Values
}

// formsOf reads the forms of a page.
func formsOf(t *testing.T, page string) []sent {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var forms []sent
	for n := range root.Descendants() {
		attributes := map[string]string{}
		for _, a := range n.Attr {
			attributes[a.Key] = a.Val
		}
		if n.Data == "form" {
			forms = append(forms, sent{strings.ToUpper(attributes["method"]), attributes["action"], url.Values{}})
		}
		if name := attributes["name"]; name != "" && len(forms) > 0 && n.Type == html.ElementNode {
			forms[len(forms)-1].fields.Add(name, attributes["value"])
		}
	}
	return forms
}

// Whatever stands in the path, the filters or the fields of a request, the answer is a page or a refusal, never an error of ours.
func TestNothingBreaks(t *testing.T) {
	t.Parallel()
	p := &prober{console: newConsole(t)}
	p.config.TestAccount = func(context.Context, db.ExtAccount) error { return nil }
	for _, sql := range someHistory {
		if _, err := p.db.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	p.write("first")
	names, placeholders := filters(t), regexp.MustCompile(`:[a-z]+`)
	for _, r := range p.routes() {
		if isAPI(r.path) || r.path == "/sign-out" {
			continue
		}
		if strings.Contains(r.path, ":") {
			for _, value := range spoilt() {
				p.ask(r.method, placeholders.ReplaceAllLiteralString(r.path, url.PathEscape(orElse(value, "%"))), url.Values{})
			}
		}
		for _, name := range names {
			if r.method == http.MethodGet {
				values := p.values() // the first two are refused in an address before a route is looked up
				p.ask(r.method, filled(r.path)+"?"+url.Values{name: {values[2]}}.Encode(), nil)
				p.ask(r.method, filled(r.path)+"?"+url.Values{name: {values[spoiltEverywhere]}}.Encode(), nil)
			}
		}
	}
	seen, pages := map[string]bool{}, p.pagesOf()
	for _, r := range p.routes() {
		if r.method == http.MethodGet && !isAPI(r.path) && !r.background {
			pages = append(pages, filled(r.path))
		}
	}
	for _, order := range []string{"stop", "unconditional-stop", "restart", "purge-history", "simulate", "wakeup", "run"} {
		pages = append(pages, "/workflows/cleanup/"+order)
	}
	for _, path := range pages {
		for _, form := range formsOf(t, p.ask(http.MethodGet, path, nil)) {
			if id := form.method + form.action; !seen[id] && form.action != "/sign-out" {
				seen[id] = true
				p.spoil(form)
			}
		}
	}
	if len(names) < 20 || len(seen) < 20 {
		t.Errorf("got %d filters and %d forms, want those of the console", len(names), len(seen))
	}
	t.Logf("%d requests, %d filters, %d forms", p.asked, len(names), len(seen))
}

// spoil sends a form with one field spoilt at a time, and in ways in which no browser sends it.
func (p *prober) spoil(form sent) {
	for name := range form.fields {
		for _, value := range p.values() {
			fields := maps.Clone(form.fields)
			fields[name] = []string{value}
			if form.method == http.MethodPost {
				p.ask(form.method, form.action, fields)
			} else {
				p.ask(http.MethodGet, form.action+"?"+fields.Encode(), nil)
			}
		}
	}
	if form.method != http.MethodPost {
		return
	}
	for _, kind := range []string{"", "application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain", "application/x-www-form-urlencoded; charset=utf-7", "/;"} {
		p.ask(form.method, form.action, form.fields, func(r *http.Request) { r.Header.Set("Content-Type", kind) })
	}
	p.ask(form.method, form.action+"?"+form.fields.Encode()+"&x=%zz;y", url.Values{})
	big := url.Values{"x": {strings.Repeat("x", bodyLimit)}}
	if got, _ := p.console.ask("kim", form.method, form.action, big); got.StatusCode != http.StatusRequestEntityTooLarge && got.StatusCode != http.StatusSeeOther {
		p.t.Errorf("%s with %s: got %d, want 413", form.action, fmt.Sprint(bodyLimit, " bytes and more"), got.StatusCode)
	}
}
