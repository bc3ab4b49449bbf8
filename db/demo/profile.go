package demo

import (
	"context"
	"fmt"
	"time"
)

func loadRecipients(ctx context.Context, l *loader) error {
	return l.copy(ctx, "nms.recipient",
		"id email email_format black_list_email first_name last_name gender birth mobile_phone company city country_code language origin account external_id created last_modified",
		numbered(l.plan.recipients, func(i int64) []any {
			id := i + 1
			p := personOf(id)
			created := l.within(3 * 365 * day)
			modified := l.past(created.Add(time.Duration(l.rng.Int64N(int64(400 * day)))))
			// A few were touched since the last cleansing of aliases, which looks at those.
			if i%150 == 0 {
				modified = l.ago(time.Duration(1+i%20) * hour)
			}
			var external any
			if i%3 == 0 {
				external = fmt.Sprintf("CRM-%08d", id)
			}
			return []any{id, p.email, "html", mix(id, 3)%50 == 0, p.first, p.last, p.gender, p.birth, p.mobile, companyOf(id), p.city, p.country,
				p.language, pick(origins, mix(id, 4)), fmt.Sprintf("A%07d", id), external, created, modified}
		}))
}

// loadVisitors: cleanup removes visitors of the web whom nobody recognised within 30 days. Some of every other kind are as old.
func loadVisitors(ctx context.Context, l *loader) error {
	return l.copy(ctx, "nms.visitor", "id origin external_id recipient_id email first_name last_name lang created last_modified",
		numbered(l.plan.visitors, func(i int64) []any {
			origin, recipient := int16(0), any(nil)
			switch {
			case i >= 10 && i%5 == 0:
				recipient = 1 + l.rng.Int64N(l.plan.recipients)
			case i >= 10 && i%7 == 0:
				origin = 1
			}
			modified := l.ago(l.age(i, 30*day))
			p := personOf(l.plan.recipients + 1 + i)
			return []any{i + 1, origin, fmt.Sprintf("v%016x", mix(i, 5)), recipient, p.email, p.first, p.last, p.language, modified.Add(-day), modified}
		}))
}

// listKind is what cleanup looks at in a list.
type listKind struct {
	label    string
	kind     int16
	deleted  bool
	expires  time.Duration // from now; 0: never
	hasTable bool
}

var listKinds = []listKind{
	{label: "Deleted list", deleted: true},
	{label: "List that has expired", expires: -day},
	{label: "List that expires in two days", expires: 2 * day},
	{label: "Deleted list with its own table", kind: 1, deleted: true, hasTable: true},
	{label: "Expired list with its own table", kind: 1, expires: -30 * day, hasTable: true},
	{label: "Members of the club", kind: 1, hasTable: true},
	{label: "Newsletter readers 서울"},
}

func listOf(i int64) listKind {
	if i < int64(len(listKinds)) {
		return listKinds[i]
	}
	return listKind{label: fmt.Sprintf("Target group %d", i+1)}
}

func loadLists(ctx context.Context, l *loader) error {
	lists, each := int64(l.plan.lists), l.plan.members/int64(l.plan.lists)
	err := l.copy(ctx, "nms.group", "id internal_name label type delete_status delete_date expiration_date line_count created last_modified",
		numbered(lists, func(i int64) []any {
			kind := listOf(i)
			var deleteStatus int16
			var deleted, expires any
			if kind.deleted {
				deleteStatus, deleted = 1, l.ago(2*day)
			}
			if kind.expires != 0 {
				expires = l.now.Add(kind.expires)
			}
			created := l.ago(time.Duration(40+i) * day)
			return []any{i + 1, fmt.Sprintf("grp%d", i+1), kind.label, kind.kind, deleteStatus, deleted, expires, int32(each), created, created}
		}))
	if err != nil {
		return err
	}
	return l.copy(ctx, "nms.rcp_grp_rel", "group_id recipient_id created",
		numbered(each*lists, func(i int64) []any {
			list := i / each
			return []any{list + 1, 1 + (list*97+(i%each))%l.plan.recipients, l.ago(30 * day)}
		}))
}

func loadSubscriptions(ctx context.Context, l *loader) error {
	services := []string{"newsletter", "offers", "events", "app_push", "discontinued"}
	err := l.copy(ctx, "nms.service", "id internal_name label deleted created last_modified",
		numbered(int64(len(services)), func(i int64) []any {
			return []any{i + 1, services[i], "Service " + services[i], services[i] == "discontinued", l.ago(900 * day), l.ago(100 * day)}
		}))
	if err != nil {
		return err
	}
	each := l.plan.subscriptions / 4
	err = l.copy(ctx, "nms.subscription", "service_id recipient_id delete_status created",
		numbered(each*4, func(i int64) []any {
			var deleteStatus int16
			if i%25 == 0 {
				deleteStatus = 1
			}
			return []any{1 + i/each, 1 + (i%each)*3%l.plan.recipients, deleteStatus, l.within(700 * day)}
		}))
	if err != nil {
		return err
	}
	return l.copy(ctx, "nms.sub_histo", "id service_id recipient_id action event_date",
		numbered(l.plan.subscriptions/2, func(i int64) []any {
			return []any{i + 1, 1 + i%4, 1 + l.rng.Int64N(l.plan.recipients), int16(1 - i%9/8), l.within(700 * day)}
		}))
}
