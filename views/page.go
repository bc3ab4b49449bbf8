package views

import (
	"strings"
	"time"

	"nightshift/views/locale"
)

// Page is what the layout shows around every page, and what all components need to write times and words.
// Page structs embed it.
type Page struct {
	Lang  locale.Lang
	Theme Theme
	Now   time.Time      // the moment the page was made; the needle stands on it
	Zone  *time.Location // zone of every time on the page

	Title   string  // of the browser's tab
	Section Section // the rail's open word
	Path    string  // path and query of this page, to come back to after a change of language or theme
	Crumbs  []Crumb

	Instance string
	Operator *Operator // nil: nobody is signed in
	Nodes    int       // processes alive
	TickAge  time.Duration
	Needs    int // workflows that need someone; shown in red in the rail when above 0
	Tape     Tape
	Frozen   Frozen // the freeze in force
	Hindered Hindered

	Flash     []Flash
	Live      bool          // the page follows what happens through one event stream
	Refresh   time.Duration // the page asks again this often; 0: never
	Updated   bool          // a list or overview: the head says when it was read
	RequestID string
	Version   string
}

// Operator is the person who looks at the page.
type Operator struct {
	Login string
	Name  string // shown; the login when it is empty
	Right string // the highest right or group, in words; may be empty
	Admin bool   // holds ADMINISTRATION
}

// Shown is the operator's name, or login when there is no name.
func (o Operator) Shown() string {
	if o.Name != "" {
		return o.Name
	}
	return o.Login
}

// Theme is what the operator chose; empty follows the system.
type Theme string

// The themes.
const (
	FollowSystem Theme = ""
	Light        Theme = "light"
	Dark         Theme = "dark"
)

// Section is a word of the rail.
type Section string

// The words of the rail, in its order.
const (
	SectionOverview   Section = "overview"
	SectionRunning    Section = "running"
	SectionNext       Section = "next"
	SectionWorkflows  Section = "workflows"
	SectionRuns       Section = "runs"
	SectionStatement  Section = "statement"
	SectionMonitoring Section = "monitoring"
	SectionBilling    Section = "billing"
	SectionCalendar   Section = "calendar"
	SectionHeat       Section = "heat"
	SectionSending    Section = "deliverability"
	SectionOptions    Section = "options"
	SectionAccounts   Section = "accounts"
	SectionMail       Section = "mail"
	SectionAbout      Section = "about"
	SectionOperators  Section = "operators"
	SectionAudit      Section = "audit"
	SectionAccount    Section = "account"
)

// Crumb is a step of the way to the page. The last one has no link.
type Crumb struct {
	Text string
	Href string
}

// Flash is a message of the last order, shown once on top of the page: "**Tracking is paused** until 02:00 CEST."
type Flash struct {
	State State // its glyph and colour
	Text  Rich
	Link  Link // undo, connect …; may be empty
}

// Link is a word that leads somewhere.
type Link struct {
	Text string
	Href string
}

// Rich is a text in which **words** are strong and `words` are code. Everything in it is escaped.
type Rich string

// T is the text of a key in the page's language.
func (p Page) T(key string, args ...any) string { return locale.T(p.Lang, key, args...) }

// N is the text for a number of things in the page's language.
func (p Page) N(key string, n int64, args ...any) string { return locale.N(p.Lang, key, n, args...) }

// R is a text of a key that carries marks for strong words and code.
// Marks in the arguments are data and stay text.
func (p Page) R(key string, args ...any) Rich {
	plain := make([]any, len(args))
	for i, arg := range args {
		plain[i] = arg
		if text, ok := arg.(string); ok {
			plain[i] = unmarked.Replace(text)
		}
	}
	return Rich(locale.T(p.Lang, key, plain...))
}

// unmarked parts two asterisks by a joiner that is not seen, and takes the look-alike of a backtick.
var unmarked = strings.NewReplacer("**", "*\u2060*", "`", "\u02cb")

// railGroup is a heading of the rail with its words; the first has no heading.
type railGroup struct {
	heading string
	items   []railItem
}

type railItem struct {
	section   Section
	href      string
	adminOnly bool
}

// rail lists what this version has, in the order of the rail.
func rail() []railGroup {
	return []railGroup{
		{"", []railItem{{SectionOverview, "/", false}, {SectionRunning, "/runs?state=running", false}, {SectionNext, "/#next", false}}},
		{"work", []railItem{{SectionWorkflows, "/workflows", false}, {SectionRuns, "/runs", false}, {SectionStatement, "/statement", false}, {SectionCalendar, "/calendar", false}, {SectionHeat, "/heat-map", true}}},
		{"platform", []railItem{{SectionBilling, "/billing", true}, {SectionSending, "/deliverability", true}, {SectionMail, "/mail", true}, {SectionAccounts, "/accounts", true}, {SectionOptions, "/options", true}, {SectionMonitoring, "/monitoring", false}, {SectionAbout, "/about", false}}},
		{"people", []railItem{{SectionOperators, "/operators", true}, {SectionAudit, "/audit", true}}},
	}
}

// administered reports whether who looks at the page holds ADMINISTRATION.
func (p Page) administered() bool { return p.Operator != nil && p.Operator.Admin }

// railFor leaves out the words that lead to a refusal for this operator.
func (p Page) railFor() []railGroup {
	var shown []railGroup
	for _, group := range rail() {
		var items []railItem
		for _, item := range group.items {
			if !item.adminOnly || p.administered() {
				items = append(items, item)
			}
		}
		if len(items) > 0 {
			shown = append(shown, railGroup{group.heading, items})
		}
	}
	return shown
}
