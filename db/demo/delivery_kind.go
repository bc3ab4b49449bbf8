package demo

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// delivery is what the tables around a delivery must agree on.
type delivery struct {
	id, mapping, firstMessage, messages, offset, stride int64
	label, state, mode, deleteStatus                    string
	messageType                                         int16
	model, instant, mirror, purged, ordinary            bool
	contact, modified, deleted, validity, webValidity   time.Time // zero: none
	toDeliver, processed                                int32     // zero: as many as there are messages
	proofOf                                             string    // label of the delivery it proofs
	provider                                            bool
}

// weight is how many messages it has compared with others; those that were never sent have none.
func (d delivery) weight() float64 {
	switch d.state {
	case "editing", "target_pending", "counting", "arbitrating", "target_ready", "personalization_pending", "personalizing", "preparation_failed":
		return 0
	}
	if d.model || d.proofOf != "" {
		return 0
	}
	if !d.ordinary {
		return 0.6
	}
	return math.Exp(2 * float64(mix(d.contact.Unix())%1000) / 1000)
}

// states are all states of a delivery; those from "start_pending" on have begun to send.
var states = []string{"editing", "target_pending", "counting", "arbitrating", "target_ready", "personalization_pending", "personalizing",
	"message_ready", "preparation_failed", "ready", "start_pending", "in_progress", "recovery_pending", "recovery_in_progress", "pause_requested",
	"pause_in_progress", "paused", "stopped", "failed", "finished", "deleted"}

// everyState makes one delivery of each state, of today or planned, that no rule of cleanup concerns.
func (l *loader) everyState() []delivery {
	var all []delivery
	for i, state := range states {
		d := delivery{label: "State " + state, state: state, mode: "bulk", contact: l.now.Add(time.Duration(i+1) * day), validity: l.now.Add(2 * day)}
		if i >= slices.Index(states, "start_pending") {
			d.contact = l.ago(time.Duration(i) * hour)
		}
		if state == "deleted" {
			d.deleteStatus, d.deleted = "recycled", l.ago(4*day)
		}
		d.modified = l.past(d.contact)
		all = append(all, d)
	}
	return all
}

// atLimits makes the deliveries that lie on one side or the other of a rule of cleanup.
func (l *loader) atLimits() []delivery {
	stopped := delivery{state: "stopped", mode: "bulk", contact: l.ago(3 * day), modified: l.ago(day), validity: l.ago(day), toDeliver: 20000}
	carried := delivery{state: "stopped", mode: "mid_sourcing", contact: l.ago(22 * day), modified: l.ago(10 * day), provider: true}
	all := []delivery{
		{label: "Deleted 8 days ago", deleteStatus: "yes", deleted: l.ago(8 * day), contact: l.ago(50 * day)},
		{label: "Recycled 9 days ago", deleteStatus: "recycled", deleted: l.ago(9 * day), contact: l.ago(70 * day), mirror: true},
		{label: "Deleted without a date", deleteStatus: "yes", contact: l.ago(60 * day), modified: l.ago(20 * day)},
		{label: "Deleted while it was sent", deleteStatus: "yes", deleted: l.ago(8 * day), state: "in_progress", contact: l.ago(9 * day)},
		{label: "Proof of a deleted one", deleteStatus: "yes", deleted: l.ago(8 * day), contact: l.ago(51 * day), proofOf: "Deleted 8 days ago"},
		{label: "Deleted 4 days ago", deleteStatus: "yes", deleted: l.ago(4 * day), contact: l.ago(50 * day)},
		{label: "Web pages expired yesterday", contact: l.ago(62 * day), webValidity: l.ago(day), mirror: true},
		{label: "Web pages expired, none made", contact: l.ago(63 * day), webValidity: l.ago(2 * day)},
		{label: "Web pages valid for 2 more days", contact: l.ago(58 * day), webValidity: l.now.Add(2 * day), mirror: true},
		{label: "Logs 181 days old", contact: l.ago(181 * day), instant: true},
		{label: "Logs 177 days old", contact: l.ago(177 * day), instant: true},
		{label: "Hits 366 days old", contact: l.ago(366 * day), instant: true},
		{label: "Hits 362 days old", contact: l.ago(362 * day), instant: true},
		{label: "Template e-mail", model: true, contact: l.ago(300 * day), state: "editing"},
		{label: "Template SMS", model: true, contact: l.ago(300 * day), state: "editing", messageType: 1},
	}
	for _, state := range []string{"in_progress", "paused", "recovery_pending"} {
		all = append(all, delivery{label: "Expired yesterday, " + state, state: state, contact: l.ago(6 * day), modified: l.ago(2 * day), validity: l.ago(day)})
	}
	stopped.label, stopped.processed = "Stopped, 10,000 not sent", 10000
	all = append(all, stopped)
	stopped.label, stopped.processed = "Stopped, 9,999 not sent", 10001
	all = append(all, stopped)
	carried.label, carried.validity = "Carried elsewhere, expired 16 days ago", l.ago(16*day)
	all = append(all, carried)
	carried.label, carried.validity = "Carried elsewhere, expired 12 days ago", l.ago(12*day)
	return append(all, carried)
}

// ordinary makes the deliveries of fourteen months: a newsletter here, an offer there, more of them lately.
func (l *loader) ordinary(n int) []delivery {
	all := make([]delivery, 0, n)
	for i := range n {
		u := l.rng.Float64()
		d := delivery{ordinary: true, label: fmt.Sprintf("Newsletter %d 뉴스레터", i+1), contact: l.ago(10*day + time.Duration(u*u*float64(410*day)).Truncate(time.Minute))}
		if i%3 == 0 {
			d.label = fmt.Sprintf("Offer of the week %d", i+1)
		}
		switch {
		case i%17 == 3:
			d.state = "failed"
		case i%23 == 5:
			d.state = "stopped"
		}
		switch {
		case i%6 == 1:
			d.messageType = 1
		case i%19 == 2:
			d.messageType, d.mode = 3, "external"
		}
		d.webValidity, d.mirror, d.purged = d.contact.Add(60*day), d.messageType == 0, d.contact.Before(l.ago(60*day))
		all = append(all, d)
	}
	return all
}

// makeDeliveries puts all deliveries in the order of their dates, numbers them, and shares out the messages: a sequence
// of ids in the order of time, as a log has.
func (l *loader) makeDeliveries() {
	all := slices.Concat(l.everyState(), l.atLimits(), l.ordinary(l.plan.deliveries))
	slices.SortStableFunc(all, func(a, b delivery) int { return a.contact.Compare(b.contact) })
	sum := 0.0
	for i := range all {
		all[i].complete(l, int64(i+1))
		sum += all[i].weight()
	}
	l.nextMessage = 1
	for i := range all {
		d := &all[i]
		if w := d.weight(); w > 0 {
			d.messages = min(5+int64(w/sum*float64(l.plan.messages)), l.plan.recipients)
		}
		d.firstMessage, l.nextMessage = l.nextMessage, l.nextMessage+d.messages
	}
	l.deliveries = all
}

// complete gives a delivery its number and what its kind leaves open.
func (d *delivery) complete(l *loader, id int64) {
	d.id, d.offset, d.stride = id, int64(mix(id, 6)%uint64(l.plan.recipients)), 7919
	d.mapping = l.mappings["mapRecipient"]
	if d.state == "" {
		d.state = "finished"
	}
	if d.mode == "" {
		d.mode = "bulk"
	}
	if d.deleteStatus == "" {
		d.deleteStatus = "no"
	}
	if d.validity.IsZero() {
		d.validity = d.contact.Add(5 * day)
	}
	if d.webValidity.IsZero() {
		d.webValidity = l.now.Add(30 * day)
	}
	if d.modified.IsZero() {
		d.modified = l.past(d.contact.Add(6 * day))
	}
}

// recipient is whom message k of the delivery goes to: nobody twice, because the stride is a prime that divides no
// number of recipients.
func (d *delivery) recipient(k, recipients int64) int64 { return 1 + (d.offset+k*d.stride)%recipients }
