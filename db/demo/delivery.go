package demo

import (
	"context"
	"fmt"
	"html"
	"time"
)

func loadDeliveries(ctx context.Context, l *loader) error {
	if err := l.readMappings(ctx); err != nil {
		return err
	}
	l.makeDeliveries()
	proofed := map[string]int64{}
	for _, d := range l.deliveries {
		proofed[d.label] = d.id
	}
	// The provider that carries some deliveries. It has no address: nothing of the demo is asked of another machine.
	err := l.exec(ctx, `
		INSERT INTO nms.ext_account (id, internal_name, label, type, active, delivery_mode, last_ok, created, last_modified)
		VALUES (1, 'defaultEmailMid', 'Mid-sourcing e-mail', 'mid_sourcing', true, 'mid_sourcing', $1, $2, $2)`, l.ago(hour), l.ago(500*day))
	if err != nil {
		return err
	}
	return l.copy(ctx, "nms.delivery", `id internal_name label is_model proofed_delivery_id message_type delivery_mode state delete_status delete_date
		mapping_id provider_id contact_date validity web_validity need_mirror_page web_res_purged broad_start start_date message_size
		to_deliver targeted processed sent success error recipient_open total_recipient_open recipient_click total_recipient_click
		created last_modified`,
		numbered(int64(len(l.deliveries)), func(i int64) []any { return l.deliveries[i].row(proofed) }))
}

// readMappings finds the ids of the installed delivery mappings.
func (l *loader) readMappings(ctx context.Context) error {
	rows, err := l.tx.Query(ctx, `SELECT internal_name, id FROM nms.delivery_mapping`)
	if err != nil {
		return err
	}
	l.mappings = map[string]int64{}
	var name string
	var id int64
	for rows.Next() {
		if err := rows.Scan(&name, &id); err != nil {
			return err
		}
		l.mappings[name] = id
	}
	return rows.Err()
}

func (d *delivery) row(ids map[string]int64) []any {
	n := int32(d.messages)
	toDeliver, processed := d.toDeliver, d.processed
	if toDeliver == 0 {
		toDeliver, processed = n, n
		if d.open() {
			processed = n * 6 / 10
		}
	}
	var mirror int16
	if d.mirror {
		mirror = 1
	}
	var proof, provider, started any
	if d.proofOf != "" {
		proof = ids[d.proofOf]
	}
	if d.provider {
		provider = int64(1)
	}
	if d.messages > 0 {
		started = d.contact
	}
	return []any{d.id, fmt.Sprintf("DM%d", d.id), d.label, d.model, proof, d.messageType, d.mode, d.state, d.deleteStatus, orNull(d.deleted),
		d.mapping, provider, d.contact, d.validity, d.webValidity, mirror, d.purged, started, started, int32(20_000 + mix(d.id, 7)%90_000),
		toDeliver, toDeliver + toDeliver/20, processed, processed, processed * 95 / 100, processed * 4 / 100, processed / 4, processed / 3,
		processed / 20, processed / 16, d.contact.Add(-3 * day), d.modified}
}

// open: it is being sent, so some of its messages wait.
func (d *delivery) open() bool {
	switch d.state {
	case "message_ready", "ready", "start_pending", "in_progress", "recovery_pending", "recovery_in_progress", "pause_requested", "pause_in_progress",
		"paused", "stopped":
		return true
	}
	return false
}

// orNull writes a zero moment as NULL.
func orNull(moment time.Time) any {
	if moment.IsZero() {
		return nil
	}
	return moment
}

// loadBelongings fills what is purged with a delivery.
func loadBelongings(ctx context.Context, l *loader) error {
	for _, step := range []func(context.Context) error{l.parts, l.urls, l.coupons, l.mirrorPages, l.journals, l.statistics} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// parts: messages still to send. Those of finished and stopped deliveries, and those past their validity, are left over.
func (l *loader) parts(ctx context.Context) error {
	var rows [][]any
	id := int64(0)
	for _, d := range l.deliveries {
		if d.messages == 0 || !(d.open() || d.id%10 == 0 || d.label[0] == 'D') {
			continue
		}
		for range 3 {
			id++
			rows = append(rows, []any{id, d.id, int32(d.messages / 5), d.contact.Add(hour), d.contact, d.validity, make([]byte, 200)})
		}
	}
	return l.copy(ctx, "nms.delivery_part", "id delivery_id rcp_count next_pass start_date validity data", listed(rows))
}

const urlsEach = 3

// urls: three links a delivery, with ids that follow from the delivery's.
func (l *loader) urls(ctx context.Context) error {
	kinds := []string{"home", "offer", "opt-out"}
	return l.copy(ctx, "nms.tracking_url", "id delivery_id type source label tag_id checksum occurrence offer_id offer_space_id",
		numbered(int64(len(l.deliveries))*urlsEach, func(i int64) []any {
			d, kind := &l.deliveries[i/urlsEach], i%urlsEach
			source := fmt.Sprintf("https://www.example.com/%s?d=%d", kinds[kind], d.id)
			var offer, space any
			if kinds[kind] == "offer" {
				offer, space = d.offer(), emailSpace
			}
			return []any{urlOf(d.id, kind), d.id, []int16{1, 1, 3}[kind], source, kinds[kind], fmt.Sprintf("t%d", 1000+i), int64(mix(i, 8) >> 1), int32(1),
				offer, space}
		}))
}

func urlOf(delivery, kind int64) int64 { return 1000 + (delivery-1)*urlsEach + kind }

// coupons: handed out with messages, some of deliveries that cleanup removes.
func (l *loader) coupons(ctx context.Context) error {
	var sent []delivery
	for _, d := range l.deliveries {
		if d.messages > 0 && (d.id%4 == 0 || d.deleteStatus != "no") {
			sent = append(sent, d)
		}
	}
	return l.copy(ctx, "nms.coupon_value", "id coupon_id coupon_code status message_id",
		numbered(l.plan.coupons, func(i int64) []any {
			d := sent[i%int64(len(sent))]
			if i%5 == 0 {
				return []any{i + 1, int64(1), fmt.Sprintf("FREE-%08d", i), int16(0), nil}
			}
			return []any{i + 1, int64(1), fmt.Sprintf("GIVEN-%08d", i), int16(1), d.firstMessage + (i/int64(len(sent)))%d.messages}
		}))
}

// mirrorPages: up to twelve pages of each delivery whose pages were not purged yet.
func (l *loader) mirrorPages(ctx context.Context) error {
	var pages, searches [][]any
	for _, d := range l.deliveries {
		if !d.mirror || d.purged {
			continue
		}
		for k := range min(d.messages, 12) {
			id := int64(len(pages) + 1)
			pages = append(pages, []any{id, d.id, mirrorPage(d.label, k+1)})
			searches = append(searches, []any{d.firstMessage + k, d.id, id})
		}
	}
	if err := l.copy(ctx, "nms.mirror_page_info", "id delivery_id data", listed(pages)); err != nil {
		return err
	}
	return l.copy(ctx, "nms.mirror_page_search", "message_id delivery_id mirror_page_info_id", listed(searches))
}

// mirrorPage is a message as a browser shows it.
func mirrorPage(label string, number int64) []byte {
	label = html.EscapeString(label)
	return fmt.Appendf(nil, `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">`+
		`<title>%s</title><body style="font: 16px/1.5 sans-serif; max-width: 36em; margin: 3em auto; padding: 0 1em">`+
		`<h1>%s</h1><p>Message %d of this delivery, as it was sent.</p></body></html>`, label, label, number)
}

// journals: two lines of each delivery.
func (l *loader) journals(ctx context.Context) error {
	lines := []string{"Analysis finished", "Sending started"}
	return l.copy(ctx, "xtk.job_log", "id delivery_id message log_date",
		numbered(int64(len(l.deliveries)*2), func(i int64) []any {
			d := l.deliveries[i/2]
			return []any{i + 1, d.id, lines[i%2], l.past(d.contact)}
		}))
}

// statistics: counts per delivery, day and mail domain; exclusions per rule.
func (l *loader) statistics(ctx context.Context) error {
	var days, domains, excluded [][]any
	for _, d := range l.deliveries {
		if d.messages == 0 {
			continue
		}
		n := int32(d.messages)
		days = append(days, []any{int64(len(days) + 1), l.past(d.contact), d.id, d.label, d.messageType, d.contact, int64(n) * 40_000, n * 95 / 100, n * 4 / 100})
		for _, domain := range mailDomains[:2] {
			domains = append(domains, []any{int64(len(domains) + 1), d.id, domain, "sent", n / 3, d.modified})
		}
		excluded = append(excluded, []any{d.id, int64(1), n / 20, l.past(d.contact)})
	}
	err := l.exec(ctx, `
		INSERT INTO nms.typology_rule (id, internal_name, label, rule_type, params, created, last_modified)
		VALUES (1, 'oneMessageAWeek', 'One message a week', 'pressure', '{"threshold": 1, "period_days": 7}', $1, $1)`, l.ago(500*day))
	if err != nil {
		return err
	}
	if err := l.copy(ctx, "nms.delivery_stat", "id stat_date delivery_id delivery_label message_type first_send volume first_success first_error", listed(days)); err != nil {
		return err
	}
	if err := l.copy(ctx, "nms.delivery_log_stats", "id delivery_id domain status message_count last_update", listed(domains)); err != nil {
		return err
	}
	return l.copy(ctx, "nms.dlv_exclusion", "delivery_id typology_rule_id excluded_count applied", listed(excluded))
}
