package demo

import (
	"context"
	"fmt"
	"time"
)

// message is what happened to message k of a delivery: it depends on the two alone.
type message struct {
	status        string
	failure       any
	reason        int16
	created, last time.Time
}

func (d *delivery) message(k int64) message {
	h := mix(d.id, k, 9)
	m := message{status: "sent", created: d.contact.Add(time.Duration(k%600) * time.Second)}
	m.last = m.created.Add(time.Duration(h>>40%3600) * time.Second)
	if d.instant {
		m.created, m.last = d.contact, d.contact
	}
	switch kind := h % 100; {
	case d.open() && kind < 40:
		m.status, m.last = "pending", m.created
	case kind < 2:
		m.status, m.failure, m.reason = "failed", "hard", 1
	case kind < 4:
		m.status, m.failure, m.reason = "failed", "soft", 5
	case kind < 5:
		m.status, m.failure, m.reason = "ignored", "ignored", 8
	case d.messageType == 1 && kind < 60:
		m.status = "received"
	}
	// Bounces arrive for days.
	if m.status == "failed" && !d.instant {
		m.last = m.created.Add(time.Duration(h>>32%96) * time.Hour)
	}
	return m
}

func loadLogs(ctx context.Context, l *loader) error {
	err := l.copy(ctx, "nms.broad_log", "id delivery_id recipient_id address status failure_type failure_reason event_date created last_modified", l.logs())
	if err != nil {
		return err
	}
	return l.copy(ctx, "nms.provider_msg_id", "broad_log_id provider_id created", l.providerIDs())
}

func (l *loader) logs() func(yield func([]any) bool) {
	return func(yield func([]any) bool) {
		for i := range l.deliveries {
			d := &l.deliveries[i]
			for k := range d.messages {
				m, recipient := d.message(k), d.recipient(k, l.plan.recipients)
				p := personOf(recipient)
				address := p.email
				if d.messageType == 1 {
					address = p.mobile
				}
				created, last := l.past(m.created), l.past(m.last)
				if !yield([]any{d.firstMessage + k, d.id, recipient, address, m.status, m.failure, m.reason, last, created, last}) {
					return
				}
			}
		}
	}
}

// providerIDs: every so many messages went by a provider that gives them numbers.
func (l *loader) providerIDs() func(yield func([]any) bool) {
	every := max(1, (l.nextMessage-1)/l.plan.providerIDs)
	return func(yield func([]any) bool) {
		for i := range l.deliveries {
			d := &l.deliveries[i]
			for k := range d.messages {
				if id := d.firstMessage + k; id%every == 0 || d.instant && k == 0 {
					if !yield([]any{id, fmt.Sprintf("p-%016x", mix(id, 10)), l.past(d.message(k).created)}) {
						return
					}
				}
			}
		}
	}
}

// loadExclusions: a twentieth or so of the people targeted were left out when the delivery was analysed.
func loadExclusions(ctx context.Context, l *loader) error {
	reasons := []int16{8, 9, 10, 12}
	return l.copy(ctx, "nms.exclude_log", "id delivery_id recipient_id address failure_reason event_date last_modified",
		func(yield func([]any) bool) {
			id := int64(0)
			for i := range l.deliveries {
				d := &l.deliveries[i]
				for k := range d.messages * l.plan.exclusions / l.nextMessage {
					id++
					recipient, at := 1+int64(mix(d.id, k, 11)%uint64(l.plan.recipients)), l.past(d.contact.Add(-hour))
					if !yield([]any{id, d.id, recipient, personOf(recipient).email, pick(reasons, mix(id, 12)), at, at}) {
						return
					}
				}
				if d.instant {
					id++
					if !yield([]any{id, d.id, int64(1), personOf(1).email, reasons[0], d.contact, d.contact}) {
						return
					}
				}
			}
		})
}

var userAgents = []struct{ browser, system, device string }{
	{"Chrome", "Windows", "desktop"}, {"Safari", "iOS", "phone"}, {"Samsung Internet", "Android", "phone"}, {"Firefox", "Linux", "desktop"},
	{"Whale", "Windows", "desktop"}, {"Safari", "macOS", "desktop"},
}

func loadTracking(ctx context.Context, l *loader) error {
	err := l.copy(ctx, "nms.user_agent", "hash_key browser_name os_name device",
		numbered(int64(len(userAgents)), func(i int64) []any {
			return []any{i + 1, userAgents[i].browser, userAgents[i].system, userAgents[i].device}
		}))
	if err != nil {
		return err
	}
	if err := l.copy(ctx, "nms.tracking_log", "id broad_log_id delivery_id recipient_id url_id user_agent_id source_id raw_id log_date", l.hits()); err != nil {
		return err
	}
	err = l.copy(ctx, "nms.web_tracking_log", "id amount article delivery_id",
		numbered(int64(len(l.webHits)), func(i int64) []any {
			return []any{l.webHits[i].hit, int64(1000 + mix(i, 13)%90000), int32(1 + i%3), l.webHits[i].delivery}
		}))
	if err != nil {
		return err
	}
	return l.copy(ctx, "nms.tracking_stats", "id start_date end_date delivery_id url_id total_clicks", l.buckets())
}

// hits: opens and clicks, most of them within a day of the message.
func (l *loader) hits() func(yield func([]any) bool) {
	return func(yield func([]any) bool) {
		l.nextHit = 1
		every := l.plan.hits / l.plan.webHits
		for i := range l.deliveries {
			d := &l.deliveries[i]
			if d.contact.After(l.now) {
				continue
			}
			n := d.messages * l.plan.hits / l.nextMessage
			if d.instant {
				n = max(n, 5)
			}
			for j := range n {
				h := mix(d.id, j, 14)
				k := int64(h % uint64(d.messages))
				at, url := d.hitAt(h), int64(1)
				if h>>8%4 == 0 {
					url = urlOf(d.id, int64(h>>10%urlsEach))
				}
				recipient := d.recipient(k, l.plan.recipients)
				if !yield([]any{l.nextHit, d.firstMessage + k, d.id, recipient, url, int64(1 + h>>12%uint64(len(userAgents))),
					fmt.Sprintf("u%x", mix(recipient, 15)), fmt.Sprintf("trk1-%d", l.nextHit), l.past(at)}) {
					return
				}
				if l.nextHit%every == 0 {
					l.webHits = append(l.webHits, webHit{l.nextHit, d.id})
				}
				l.nextHit++
			}
		}
	}
}

func (d *delivery) hitAt(h uint64) time.Time {
	if d.instant {
		return d.contact
	}
	at := d.contact.Add(15*time.Minute + time.Duration(h>>20%86400)*time.Second)
	if h>>50%10 == 0 {
		at = at.Add(time.Duration(h>>40%14) * day)
	}
	return at
}

// buckets: four stretches of five minutes for each link of a delivery.
func (l *loader) buckets() func(yield func([]any) bool) {
	return func(yield func([]any) bool) {
		id := int64(0)
		for i := range l.deliveries {
			d := &l.deliveries[i]
			if d.messages == 0 {
				continue
			}
			for j := range int64(urlsEach * 4) {
				id++
				start := l.past(d.contact.Add(hour)).Truncate(5 * time.Minute).Add(time.Duration(-j/urlsEach) * 5 * time.Minute)
				if !yield([]any{id, start, start.Add(5 * time.Minute), d.id, urlOf(d.id, j%urlsEach), int32(1 + mix(id, 16)%20)}) {
					return
				}
			}
		}
	}
}
