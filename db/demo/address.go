package demo

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// addressKind is a state of an address and how long ago it last failed.
type addressKind struct {
	kind, status string
	reason       any
	age          time.Duration
}

// addressLimits lie on both sides of the rules that forgive an error or forget an address.
var addressLimits = []addressKind{
	{"email", "with_errors", "unreachable", 11 * day},
	{"email", "with_errors", "unreachable", 7 * day},
	{"email", "with_errors", "mailbox_full", 31 * day},
	{"email", "with_errors", "mailbox_full", 27 * day},
	{"email", "quarantine", "mailbox_full", 31 * day},
	{"email", "quarantine", "mailbox_full", 27 * day},
	{"email", "quarantine", "user_unknown", 5 * 365 * day},
	{"email", "quarantine", "invalid_domain", 400 * day},
	{"email", "denylisted", "denylisted", 800 * day},
	{"email", "allowlisted", nil, 800 * day},
	{"email", "valid", nil, hour},
	{"mobile", "quarantine", "user_unknown", 300 * day},
	{"ios", "quarantine", "user_unknown", 186 * day},
	{"ios", "quarantine", "user_unknown", 182 * day},
	{"android", "quarantine", "account_disabled", 186 * day},
	{"android", "quarantine", "account_disabled", 182 * day},
}

func loadAddresses(ctx context.Context, l *loader) error {
	limits := int64(len(addressLimits))
	return l.copy(ctx, "nms.address", "id address type status quarantine_reason quarantine_text consecutive_error last_error created last_modified",
		numbered(l.plan.addresses, func(i int64) []any {
			kind := addressLimits[i%limits]
			// Beyond three rows of each, the ages spread: the young ones have failed lately, the old ones stay.
			if i >= 3*limits && kind.status != "valid" {
				kind.age += time.Duration(l.rng.Int64N(int64(20 * day)))
			}
			p := personOf(1 + i*3%l.plan.recipients)
			address := p.email
			switch kind.kind {
			case "mobile":
				address = p.mobile
			case "ios", "android":
				address = fmt.Sprintf("token-%016x", mix(i, 21))
			}
			at := l.ago(kind.age)
			var text any
			if kind.reason != nil {
				text = fmt.Sprintf("550 5.%d.1 %v", 1+i%3, kind.reason)
			}
			return []any{i + 1, address, kind.kind, kind.status, kind.reason, text, int32(1 + i%6), at, at.Add(-30 * day), at}
		}))
}

// loadMailServers: cleanup sums the errors since its last run, keeps servers with twenty or more and forgets the others,
// of which a last error and a domain are known too. The addresses are those reserved for measuring networks.
func loadMailServers(ctx context.Context, l *loader) error {
	var stats, last, domains [][]any
	for i := range l.plan.mailServers {
		ip := netip.AddrFrom4([4]byte{198, byte(18 + i>>16&1), byte(i >> 8), byte(i)})
		last = append(last, []any{ip, int32(1), int32(421), "421 4.7.0 Try again later", l.within(20 * day)})
		domains = append(domains, []any{ip, fmt.Sprintf("mx%d.example", i), "mx.example", int32(i % 100)})
		if i%4 == 3 {
			continue // known, but nothing was counted lately
		}
		for j := range int64(3) {
			errors := int32(1 + mix(i, 22)%6)
			if i%3 == 0 {
				errors += 8
			}
			stats = append(stats, []any{int64(len(stats) + 1), ip, int32(1), l.ago(time.Duration(2+j*5) * hour), errors * 20, errors, errors / 2, int32(400)})
		}
		if i%5 == 0 {
			stats = append(stats, []any{int64(len(stats) + 1), ip, int32(1), l.ago(3 * day), int32(2000), int32(40), int32(11), int32(1900)})
		}
	}
	if err := l.copy(ctx, "nms.email_error_stat", "id mx_ip public_id stat_date total_connections total_errors message_errors sent_messages", listed(stats)); err != nil {
		return err
	}
	if err := l.copy(ctx, "nms.email_error", "mx_ip public_id last_reply_code last_reply_message last_date", listed(last)); err != nil {
		return err
	}
	if err := l.copy(ctx, "nms.mx_domain", "mx_ip domain mx hit_count", listed(domains)); err != nil {
		return err
	}
	// Where the last summing up ended.
	return l.exec(ctx, `
		INSERT INTO xtk.option (name, data_type, timestamp_value)
		VALUES ('NmsLastErrorStatCoalesce', 'timestamp', $1)
		ON CONFLICT (name) DO NOTHING`, l.ago(day))
}
