package db

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// UserAgentRules is the option with the rules by which tracking recognises user agents that the library of the program does
// not know, or takes for another.
const UserAgentRules = "NmsTracking_UserAgentRules"

// Limits of the rules: a text of several lines, and what a rule writes into one column.
const (
	maxUserAgentRules = 20_000
	maxAgentColumn    = 100
)

// UserAgentRule says what a user agent is. Pattern is a regular expression, in any case of letters; the other members are
// columns of nms.user_agent, in which $1 is what the first group of the pattern has found. What is empty, others find out;
// only the version is empty then, since it goes with the name.
type UserAgentRule struct {
	Pattern        string `json:"pattern"`
	BrowserName    string `json:"browser_name"`
	BrowserVersion string `json:"browser_version"`
	OSName         string `json:"os_name"`
	OSFamily       string `json:"os_family"`
	Device         string `json:"device"`
	match          *regexp.Regexp
}

// userAgentDevices are those of nms.user_agent.
var userAgentDevices = []string{"", "desktop", "phone", "tablet", "robot", "other"}

// ParseUserAgentRules reads the option: a JSON list of rules, the first that matches counts. Rules that are wrong are left
// out and said.
func ParseUserAgentRules(text string) (rules []UserAgentRule, wrong []error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, []error{fmt.Errorf("not a list in JSON: %w", err)}
	}
	for i, one := range list {
		rule, err := parseUserAgentRule(one)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("rule %d: %w", i+1, err))
			continue
		}
		rules = append(rules, rule)
	}
	return rules, wrong
}

func parseUserAgentRule(text []byte) (r UserAgentRule, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return r, err
	}
	if r.Pattern == "" || r.BrowserName == "" {
		return r, fmt.Errorf("pattern and browser_name are needed")
	}
	if !slices.Contains(userAgentDevices, r.Device) {
		return r, fmt.Errorf("device %.100q is none of %s", r.Device, strings.Join(userAgentDevices[1:], ", "))
	}
	for _, column := range []string{r.BrowserName, r.BrowserVersion, r.OSName, r.OSFamily} {
		if len(column) > maxAgentColumn {
			return r, fmt.Errorf("%.20q… is longer than %d bytes", column, maxAgentColumn)
		}
	}
	if r.match, err = regexp.Compile("(?i)" + r.Pattern); err != nil {
		return r, fmt.Errorf("pattern %.100q: %w", r.Pattern, err)
	}
	return r, nil
}

// Apply reports whether a user agent is the rule's, and returns the rule with what its pattern has found put in.
func (r UserAgentRule) Apply(agent string) (UserAgentRule, bool) {
	found := r.match.FindStringSubmatchIndex(agent)
	if found == nil {
		return r, false
	}
	for _, column := range []*string{&r.BrowserName, &r.BrowserVersion, &r.OSName, &r.OSFamily} {
		*column = strings.TrimSpace(string(r.match.ExpandString(nil, *column, agent, found)))
	}
	return r, true
}
