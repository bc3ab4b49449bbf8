package e2e_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/playwright-community/playwright-go"

	"nightshift/views/locale"
)

// languages are those of the console; each task of a person is tried in all of them.
var languages = locale.All()

// person is somebody at a browser: their language, their page, and all that the browser complained about.
type person struct {
	playwright.Page
	t        *testing.T
	lang     locale.Lang
	node     *node
	mu       sync.Mutex
	expected []string
	faults   []string
}

// habit changes how a person comes to the console.
type habit func(*playwright.BrowserNewContextOptions)

// withoutScript is a browser with JavaScript off.
func withoutScript(o *playwright.BrowserNewContextOptions) {
	o.JavaScriptEnabled = playwright.Bool(false)
}

// visit opens a browser for somebody who reads the language. When the test ends, a message on the browser's console,
// a violation of the content policy or a failed script fails it.
func visit(t *testing.T, n *node, lang locale.Lang, habits ...habit) *person {
	t.Helper()
	options := playwright.BrowserNewContextOptions{Locale: playwright.String(string(lang)), BaseURL: playwright.String(n.base)}
	for _, h := range habits {
		h(&options)
	}
	session, err := browser(t).NewContext(options)
	if err != nil {
		t.Fatalf("browser context: %s", err)
	}
	session.SetDefaultTimeout(30_000)
	page, err := session.NewPage()
	if err != nil {
		t.Fatalf("page: %s", err)
	}
	p := &person{Page: page, t: t, lang: lang, node: n}
	page.OnConsole(func(m playwright.ConsoleMessage) {
		if m.Type() == "error" || m.Type() == "warning" {
			p.complain(m.Text())
		}
	})
	page.OnPageError(func(err error) { p.complain("script: " + err.Error()) })
	t.Cleanup(func() { p.leave(session) })
	return p
}

func (p *person) complain(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, text)
}

// expect allows console messages that contain the text: a page that answers 403 on purpose is one.
func (p *person) expect(text string) { p.expected = append(p.expected, text) }

func (p *person) leave(session playwright.BrowserContext) {
	if p.t.Failed() {
		if text, err := p.Locator("body").InnerText(); err == nil {
			p.t.Logf("at %s the page said:\n%s", p.URL(), text)
		}
		p.t.Logf("the node said:\n%s", p.node.log)
	}
	_ = session.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fault := range p.faults {
		if !p.allows(fault) {
			p.t.Errorf("the browser's console: got %q, want nothing", fault)
		}
	}
}

func (p *person) allows(fault string) bool {
	for _, text := range p.expected {
		if strings.Contains(fault, text) {
			return true
		}
	}
	return false
}

// says is a text of the console in the person's language.
func (p *person) says(key string, args ...any) string { return locale.T(p.lang, key, args...) }

// open goes to a path and returns the status of the answer.
func (p *person) open(path string) int {
	p.t.Helper()
	answer, err := p.Goto(path)
	if err != nil {
		p.t.Fatalf("open %s: %s", path, err)
	}
	return answer.Status()
}

// fill writes into the form field of the name.
func (p *person) fill(name, value string) {
	p.t.Helper()
	if err := p.Locator("[name=" + name + "]:visible").First().Fill(value); err != nil {
		p.t.Fatalf("field %s at %s: %s", name, p.URL(), err)
	}
}

// press clicks what the selector finds.
func (p *person) press(selector string) {
	p.t.Helper()
	if err := p.Locator(selector).Locator("visible=true").First().Click(); err != nil {
		p.t.Fatalf("press %s at %s: %s", selector, p.URL(), err)
	}
}

// sees waits until the page shows the text.
func (p *person) sees(text string) {
	p.t.Helper()
	if err := p.GetByText(text).Locator("visible=true").First().WaitFor(); err != nil {
		p.t.Fatalf("at %s: want the text %q: %s", p.URL(), text, err)
	}
}

// finds waits until the page has what the selector names.
func (p *person) finds(selector string) playwright.Locator {
	p.t.Helper()
	found := p.Locator(selector).Locator("visible=true").First()
	if err := found.WaitFor(); err != nil {
		p.t.Fatalf("at %s: want %s: %s", p.URL(), selector, err)
	}
	return found
}

// arrives waits until the address matches the pattern (playwright's glob).
func (p *person) arrives(pattern string) {
	p.t.Helper()
	if err := p.WaitForURL(pattern); err != nil {
		p.t.Fatalf("want to arrive at %s, am at %s: %s", pattern, p.URL(), err)
	}
}

// inLanguages runs a task in every language of the console, in parallel.
func inLanguages(t *testing.T, task func(t *testing.T, lang locale.Lang)) {
	t.Helper()
	for _, lang := range languages {
		t.Run(string(lang), func(t *testing.T) {
			t.Parallel()
			task(t, lang)
		})
	}
}
