package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// planned is a delivery of the provisional calendar: it goes out some days from now, at ten in the morning.
type planned struct {
	label       string
	days        int
	messageType int16
	state       string
	weight      any // nil: none of its own
	target      string
}

// plans fill four weeks with more than the typology lets one person get.
var plans = []planned{
	{"Weekly newsletter 1 주간 뉴스레터", 2, 0, "target_ready", nil, ""},
	{"Service calls 고객 안부 전화", 3, 2, "editing", nil, `{"query": "r.country_code = 'KR'", "limit": 300}`},
	{"Offer of the week 1", 4, 0, "editing", 3, `{"query": "r.country_code = 'KR'", "limit": 900}`},
	{"Members' evening 회원의 밤", 6, 0, "editing", 10, `{"lists": ["readers"]}`},
	{"Weekly newsletter 2 주간 뉴스레터", 9, 0, "editing", nil, `{"query": "r.language = 'ko'", "limit": 1500}`},
	{"New in the shop", 10, 0, "editing", nil, `{"query": "r.birth > DATE '1980-01-01'", "limit": 1500}`},
	{"Offer of the week 2", 11, 0, "editing", 3, `{"query": "r.country_code = 'KR'", "limit": 1500}`},
	{"Weekly newsletter 3 주간 뉴스레터", 16, 0, "editing", nil, `{"query": "r.language = 'ko'", "limit": 1500}`},
	{"Delivery news by SMS", 17, 1, "editing", nil, `{"query": "r.mobile_phone IS NOT NULL", "limit": 400}`},
	{"Offer of the week 3", 18, 0, "editing", 3, `{"query": "r.country_code = 'KR'", "limit": 1500}`},
	{"Members' sale 회원 할인", 24, 0, "editing", 10, `{"lists": ["readers"], "query": "r.language = 'ko'"}`},
}

// preparedMessages is how many messages wait in the delivery whose target is ready.
const preparedMessages = 400

// loadCalendar makes what forecasting looks at: a typology whose rules leave out people on the denylist, limit e-mails to
// three in two weeks and calls to what the call centre can make, and deliveries scheduled for the weeks ahead.
func loadCalendar(ctx context.Context, l *loader) error {
	if err := l.exec(ctx, `
		INSERT INTO nms.typology (id, internal_name, label, created, last_modified)
		VALUES (1, 'standard', 'Standard typology', $1, $1)`, l.ago(500*day)); err != nil {
		return err
	}
	if err := l.exec(ctx, `
		INSERT INTO nms.typology_rule (id, internal_name, label, rule_type, message_type, rule_order, params, created, last_modified)
		VALUES (101, 'denylist', 'Denylisted addresses', 'filtering', 0, 10, '{"filter": "r.black_list_email"}', $1, $1),
		       (102, 'pressure', 'Max 3 e-mails in 2 weeks', 'pressure', 0, 50,
		        '{"threshold": 3, "period_days": 14, "grouping": "week", "use_calendar": true}', $1, $1),
		       (103, 'callCentre', 'Call centre', 'capacity', 2, 60,
		        '{"schedule": {"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "17:00", "minutes": 60}, "quantity": 6, "exclude_excess": true, "spread": true}', $1, $1)`,
		l.ago(500*day)); err != nil {
		return err
	}
	if err := l.exec(ctx, `INSERT INTO nms.typology_rule_rel (typology_id, rule_id) VALUES (1, 101), (1, 102), (1, 103)`); err != nil {
		return err
	}
	readers := fmt.Sprintf("grp%d", slices.IndexFunc(listKinds, func(kind listKind) bool { return kind.label == "Newsletter readers 서울" })+1)
	first := int64(len(l.deliveries)) + 1
	if err := l.copy(ctx, "nms.delivery", `id internal_name label message_type state typology_id mapping_id schedule_mode contact_date validity weight
		target_def to_deliver targeted created last_modified`, numbered(int64(len(plans)), func(i int64) []any {
		p, id := plans[i], first+i
		contact := l.now.Truncate(day).Add(time.Duration(p.days)*day + 10*hour)
		target, messages := any(nil), int32(preparedMessages)
		if p.target != "" {
			target, messages = strings.ReplaceAll(p.target, "readers", readers), 0
		}
		return []any{id, fmt.Sprintf("DM%d", id), p.label, p.messageType, p.state, int64(1), l.mappings["mapRecipient"], "scheduled", contact, contact.Add(5 * day),
			p.weight, target, messages, messages, l.ago(3 * day), l.ago(day)}
	})); err != nil {
		return err
	}
	begin := l.nextMessage
	l.nextMessage += preparedMessages
	return l.copy(ctx, "nms.broad_log", "id delivery_id recipient_id address status created last_modified", numbered(preparedMessages, func(k int64) []any {
		return []any{begin + k, first, k + 1, personOf(k + 1).email, "pending", l.ago(hour), l.ago(hour)}
	}))
}
