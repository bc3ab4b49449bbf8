package views

import (
	"net/url"
	"strconv"
	"time"
)

// Deliverability is the page of the rules that say how mails are sent and what bounces mean, and of the texts of bounces.
type Deliverability struct {
	Page
	Version   string // of the rules; empty: as installed
	Waiting   int64  // texts that wait for a decision
	Many      bool   // more than that
	Monitored bool
	Sets      []RuleSetRow
	Host      Field
	Ruled     MXFinding
	Status    string
	Statuses  []Option
	Texts     []BounceRow
	Paging    Paging
}

// RuleSetRow is a set of rules, and whether it is up to date.
type RuleSetRow struct {
	Name, Label, Mode string
	State             State
	Word, Version     string
	Rules             int64
	Hidden            bool // of its rules only the number is shown
	At                time.Time
}

// MXFinding is the rule for the server that was asked for; Host is empty when none was.
type MXFinding struct {
	Host, Mask string // Mask is empty when there is no rule
	Order      int
	Limits     []string
}

// BounceRow is a text of bounces in the list.
type BounceRow struct {
	ID                 int64
	Text, Meaning, Why string
	Rule               string
	Hits               int64
	Capped             bool // it came at least so often
	Waits              bool
	Modified           time.Time
}

// BounceForm is the page of one text, with the decision on it.
type BounceForm struct {
	Page
	BounceRow
	First, Word  string
	State        State
	Seen         string // the status that the form was made with
	Decision     Field
	Type, Reason Field
	Trouble      string
	Created      time.Time
	Log          []AuditLine
}

func (p Deliverability) finding() string {
	if p.Version == "" {
		return p.texts("deliverability.installed")
	}
	return p.texts("deliverability.version", p.Version)
}

// texts adds to a finding on the rules how many texts wait.
func (p Deliverability) texts(rules string, args ...any) string {
	waiting := p.T("deliverability.waiting_none")
	if p.Waiting > 0 {
		waiting = p.N("deliverability.waiting", p.Waiting)
	}
	if p.Many {
		waiting = p.T("deliverability.waiting_over", Number(p.Waiting))
	}
	return p.T(rules, args...) + " · " + waiting
}

func (p Deliverability) at(status string) string {
	if status == "to_qualify" {
		return "/deliverability#texts"
	}
	return "/deliverability?" + url.Values{"status": {status}}.Encode() + "#texts"
}

func bouncePath(id int64) string { return "/deliverability/texts/" + strconv.FormatInt(id, 10) }

// hits is how often the text came; above what is counted, at least so often.
func (r BounceRow) hits() string {
	if r.Capped {
		return Number(r.Hits) + "+"
	}
	return Number(r.Hits)
}

func (r BounceRow) verb() string {
	if r.Waits {
		return "bounce.decide_row"
	}
	return "bounce.change"
}
