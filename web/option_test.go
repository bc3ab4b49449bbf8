package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// TestUserAgentRulesAreEdited: the rules are a field of several lines. One that is wrong is refused with its reason and what was
// typed; one that was stored by other means is said to be left out.
func TestUserAgentRulesAreEdited(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	const path = "/options/NmsTracking_UserAgentRules"
	if body := c.got(path); !strings.Contains(body, "<textarea") || !strings.Contains(body, "OurReader") {
		t.Error("the empty field has no example in several lines")
	}
	body := c.posted(path, url.Values{"value": {`[{"pattern": "a"},` + "\r\n" + `{"pattern": "(", "browser_name": "x"}]`}}, http.StatusUnprocessableEntity)
	wants(t, body, "The rules cannot be read: rule 1: pattern and browser_name are needed", "&#34;a&#34;")
	c.posted(path, url.Values{"value": {`[{"pattern": "a", "browser_name": "A"},` + "\r\n" + `{"pattern": "b", "browser_name": "B"}]`}}, http.StatusSeeOther)
	wants(t, c.got("/options?q=UserAgentRules"), "2 rules")
	c.run(`UPDATE xtk.option SET string_value = '[{"pattern": "a", "browser_name": "A"}, 7]' WHERE name = 'NmsTracking_UserAgentRules'`)
	wants(t, c.got("/options?q=UserAgentRules"), "1 rule", "Wrong rules are left out: rule 2: json: cannot unmarshal number", "1 stored value does not count")
	c.posted(path, url.Values{"value": {""}}, http.StatusSeeOther)
	c.got(path)
}

// TestOptionUnits: one thing has its own word, many seconds say what they come to, and a stored default is not called another.
func TestOptionUnits(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	tracking := text(t, c.got("/options?q=NmsTracking_"))
	wants(t, tracking, "1 minute ", "2,592,000 seconds 30 d")
	lacks(t, tracking, "1 minutes")
	wants(t, text(t, c.got("/options/NmsTracking_IndicatorsDuration")), "0 to 315,360,000 seconds; default 2,592,000 (30 d).")
	const idle = "/options/XtkSession_IdleTimeoutSec"
	c.posted(idle, url.Values{"value": {"5400"}}, http.StatusSeeOther)
	wants(t, text(t, c.got("/options?q=IdleTimeout")), "5,400 seconds 1 h 30 m default 1,800")
	c.posted(idle, url.Values{"value": {"1800"}}, http.StatusSeeOther)
	lacks(t, text(t, c.got("/options?q=IdleTimeout")), "default 1,800")
	c.tokens["kim"] = c.signedIn("kim")
	c.run(`UPDATE xtk.operator SET language = 'ko' WHERE login = 'kim'`)
	wants(t, text(t, c.got("/options?q=NmsTracking_")), "2,592,000 초 30일")
}

func lacks(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("got %q in the page, want it not there", text)
		}
	}
}

// text is what a page says, its spaces of every width as one.
func text(t *testing.T, page string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	return strings.Join(words, " ")
}
