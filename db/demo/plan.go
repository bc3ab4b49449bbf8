package demo

import "fmt"

// Size says how large the demo database becomes.
type Size string

// The sizes: about 50 thousand, 2 million and 20 million rows.
const (
	Small  Size = "small"
	Medium Size = "medium"
	Large  Size = "large"
)

// ParseSize reads the name of a size.
func ParseSize(name string) (Size, error) {
	switch size := Size(name); size {
	case Small, Medium, Large:
		return size, nil
	}
	return "", fmt.Errorf("size %q: want small, medium or large", name)
}

// plan is how many rows of each kind a size has. What hangs on these (steps of runs, pages of deliveries) comes on top.
type plan struct {
	deliveries, lists                                        int
	recipients, visitors, members, subscriptions             int64
	messages, exclusions, hits, webHits, providerIDs         int64
	addresses, mailServers, propositions, coupons, reactions int64
	rtEvents, batchEvents, archivedEvents, eventPeriods      int64
	rejects, logins, appSubscriptions                        int64
	pastDays                                                 int
}

func planOf(size Size) plan {
	factor := map[Size]int64{Small: 1, Medium: 46, Large: 460}[size]
	p := plan{
		recipients: 6000, visitors: 1200, members: 3000, subscriptions: 1200,
		messages: 12000, exclusions: 1800, hits: 7000, webHits: 600, providerIDs: 800,
		addresses: 1200, mailServers: 120, propositions: 2000, coupons: 400, reactions: 300,
		rtEvents: 500, batchEvents: 250, archivedEvents: 300, eventPeriods: 500,
		rejects: 500, logins: 200, appSubscriptions: 400,
	}
	for _, count := range []*int64{
		&p.recipients, &p.visitors, &p.members, &p.subscriptions,
		&p.messages, &p.exclusions, &p.hits, &p.webHits, &p.providerIDs,
		&p.addresses, &p.mailServers, &p.propositions, &p.coupons, &p.reactions,
		&p.rtEvents, &p.batchEvents, &p.archivedEvents, &p.eventPeriods,
		&p.rejects, &p.logins, &p.appSubscriptions,
	} {
		*count *= factor
	}
	p.deliveries = map[Size]int{Small: 110, Medium: 1200, Large: 5000}[size]
	p.lists = map[Size]int{Small: 20, Medium: 80, Large: 300}[size]
	p.pastDays = map[Size]int{Small: 40, Medium: 60, Large: 60}[size]
	return p
}

// pace is how much faster than the steps of the past are given in seconds a run of this size really is.
func (s Size) pace() float64 {
	return map[Size]float64{Small: 75, Medium: 10, Large: 3}[s]
}

// Rows is about how many rows a size has: what progress counts to.
func (s Size) Rows() int64 {
	return map[Size]int64{Small: 50_000, Medium: 2_000_000, Large: 20_000_000}[s]
}
