package delivery

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// BounceRule is an inbound rule: what a bounce means in whose text something is found.
type BounceRule struct {
	ID      int64
	Pattern string
	Regex   bool
	Type    string // hard, soft or ignored
	Reason  int16
}

// Bounce is what the text of a bounce means.
type Bounce struct {
	Text   string // normalised
	MD5    string // of the normalised text, by which equal texts are one
	Type   string
	Reason int16
	RuleID int64 // the rule that says so; 0: none
	Kept   bool  // a person's decision says so; else it waits for one
}

// Qualifier says what bounces mean. It takes time in proportion to the text, whatever the rules are.
type Qualifier struct {
	rules []compiledRule
	// Kept are the texts that a person has decided to keep, by their MD5.
	Kept map[string]Bounce
}

type compiledRule struct {
	BounceRule
	search *regexp.Regexp
}

// NewQualifier prepares rules, which are tried in their order. Those that cannot be used are left out, and returned with
// why.
func NewQualifier(rules []BounceRule) (q *Qualifier, unusable []error) {
	q = &Qualifier{}
	for _, rule := range rules {
		search, err := compileBounce(rule.Pattern, rule.Regex)
		if err != nil {
			unusable = append(unusable, err)
			continue
		}
		q.rules = append(q.rules, compiledRule{rule, search})
	}
	return q, unusable
}

// compileBounce makes a search of a rule's text, whatever its case. Expressions are RE2's: what needs to go back in the
// text (look-around, references) is none.
func compileBounce(pattern string, isRegex bool) (*regexp.Regexp, error) {
	if strings.TrimSpace(pattern) == "" {
		return nil, errors.New("an empty text, which would match every bounce")
	}
	if !isRegex {
		pattern = regexp.QuoteMeta(pattern)
	}
	search, err := regexp.Compile("(?i)" + pattern)
	if err != nil {
		return nil, fmt.Errorf("%.80q is not a regular expression of RE2: %w", pattern, err)
	}
	return search, nil
}

// identify is a text as one line to search in, and normalised, by which it is known.
func identify(text string) (line string, b Bounce) {
	line = oneLine(text)
	b.Text = normalize(line)
	digest := md5.Sum([]byte(b.Text))
	b.MD5 = hex.EncodeToString(digest[:])
	return line, b
}

// Qualify says what a bounce means: what a person has decided for its normalised text; else what the first rule says
// whose search finds something in the text; else a soft failure without a reason.
func (q *Qualifier) Qualify(text string) Bounce {
	line, b := identify(text)
	if kept, ok := q.Kept[b.MD5]; ok {
		b.Type, b.Reason, b.RuleID, b.Kept = kept.Type, kept.Reason, kept.RuleID, true
		return b
	}
	for _, rule := range q.rules {
		if rule.search.MatchString(line) {
			b.Type, b.Reason, b.RuleID = rule.Type, rule.Reason, rule.ID
			return b
		}
	}
	b.Type = "soft"
	return b
}
