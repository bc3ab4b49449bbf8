package views

import "time"

// Billing is the list of stored activity reports, newest first.
type Billing struct {
	Page
	Rows   []BillingRow
	Paging Paging
}

// BillingRow is one report in the list, and the head of its page.
type BillingRow struct {
	Name, Href, From, To string // dates in the zone of the report
	Manual               bool
	Actions, Profiles    int64
	SentTo               string    // empty: its mail waits for an address
	SentAt, Made         time.Time // zero: not sent
}

// BillingReport is the page of one report.
type BillingReport struct {
	Page
	BillingRow
	Customer, Zone string
	DatabaseBytes  int64
	BySchema       []BillingSchema
	Groups         []BillingGroup
	CSV            string
}

// BillingSchema is how many profiles of one schema were active.
type BillingSchema struct {
	Schema string
	Count  int64
}

// BillingGroup is what one type of message sent. Hidden counts the lines that only the file has.
type BillingGroup struct {
	Title, Note             string
	Lines                   []BillingLine
	Volume, Messages, Count int64
	Hidden                  int
}

// BillingLine is a delivery, or the small ones of a day. Volumes are in bytes.
type BillingLine struct {
	Start, Label                                 string
	Volume, Average, Messages, Multiplier, Count int64
}

// figure is a number under its column's word, "billing.…".
type figure struct {
	word string
	n    int64
}

// figures are the columns of numbers of a line.
func (l BillingLine) figures() []figure {
	return []figure{{"volume", l.Volume}, {"average", l.Average}, {"messages", l.Messages}, {"multiplier", l.Multiplier}, {"count", l.Count}}
}

func (r BillingRow) kind() string {
	if r.Manual {
		return "billing.manual"
	}
	return "billing.scheduled"
}
