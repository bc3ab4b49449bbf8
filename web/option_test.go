package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
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
