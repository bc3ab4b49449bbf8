package demo

import (
	"context"
	"time"
)

// bounceOfDemo is a text of bounces: how often it came, what is decided, and the order of the rule that proposes it (0: none).
type bounceOfDemo struct {
	text, first, status, kind string
	reason, rule, hits        int
}

var bouncesOfDemo = []bounceOfDemo{
	{"550 5.1.1 <*>: Recipient address rejected: User unknown in virtual mailbox table", "550 5.1.1 <seo.yeon@example.com>: Recipient address rejected: User unknown in virtual mailbox table", "to_qualify", "hard", 1, 10, 8412},
	{"452 4.2.2 <*> Mailbox full, quota exceeded by #xxx# bytes", "452 4.2.2 <minho@example.net> Mailbox full, quota exceeded by 1048576 bytes", "to_qualify", "soft", 5, 20, 3120},
	{"550 5.7.1 [*] Our system has detected that this message is likely unsolicited mail. #xxx# - gsmtp", "550 5.7.1 [198.51.100.7] Our system has detected that this message is likely unsolicited mail. k12si123456wrx.55 - gsmtp", "to_qualify", "soft", 0, 0, 2207},
	{"421 4.7.0 [TSS04] Messages from * temporarily deferred due to user complaints", "421 4.7.0 [TSS04] Messages from 198.51.100.7 temporarily deferred due to user complaints", "to_qualify", "soft", 3, 50, 1904},
	{"554 5.7.9 Message not accepted for policy reasons", "", "to_qualify", "soft", 0, 0, 611},
	{"550 5.2.1 The email account that you tried to reach is disabled", "", "to_qualify", "soft", 0, 0, 508},
	{"DNS query failed: no MX for the domain", "", "to_qualify", "soft", 2, 40, 377},
	{"550 Requested action not taken: inactive mailbox", "", "to_qualify", "soft", 4, 30, 204},
	{"554 delivery error: dd This user doesn't have an account (*)", "554 delivery error: dd This user doesn't have an account (lee@example.org)", "to_qualify", "soft", 0, 0, 199},
	{"450 4.1.8 <*>: Sender address rejected: Domain not found", "450 4.1.8 <news@example.com>: Sender address rejected: Domain not found", "to_qualify", "soft", 0, 0, 88},
	{"552 5.3.4 Message size exceeds fixed maximum message size (#xxx#)", "552 5.3.4 Message size exceeds fixed maximum message size (10240000)", "to_qualify", "soft", 0, 0, 41},
	{"451 4.7.1 Greylisting in action, please come back in #xxx#", "451 4.7.1 Greylisting in action, please come back in 00:05:00", "to_qualify", "soft", 0, 0, 37},
	{"550 5.4.1 Recipient address rejected: Access denied. AS(#xxx#)", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "to_qualify", "soft", 0, 0, 19},
	{"수신자의 메일함 용량이 초과되었습니다 (*)", "수신자의 메일함 용량이 초과되었습니다 (jiwoo@example.co.kr)", "to_qualify", "soft", 0, 0, 12},
	{"550 5.1.1 unknown or illegal alias: *", "550 5.1.1 unknown or illegal alias: kim@example.com", "keep", "hard", 1, 10, 100000},
	{"552 5.2.2 Over quota", "", "keep", "soft", 5, 0, 45210},
	{"Auto-reply: out of the office until #xxx#", "Auto-reply: out of the office until 2026-08-03", "ignore", "ignored", 25, 0, 7711},
}

// loadBounces: rules that were fetched once, and texts of bounces of which most wait for a decision. The service's
// address leads nowhere: nothing of the demo is asked of another machine.
func loadBounces(ctx context.Context, l *loader) error {
	version, fetched := l.now.AddDate(0, 0, -2).Format(time.DateOnly)+".1", l.ago(40*hour)
	for _, statement := range []struct {
		sql  string
		args []any
	}{
		{`UPDATE xtk.option SET string_value = 'demo' WHERE name = 'DmRendering_cuid'`, nil},
		{`INSERT INTO nms.ext_account (id, internal_name, label, type, active, server, account, created, last_modified)
		  SELECT max(id) + 1, 'deliverability', 'Deliverability service', 'deliverability', true, 'https://deliverability.invalid', 'demo', $1, $1
		  FROM nms.ext_account`, []any{l.ago(500 * day)}},
		{`INSERT INTO nms.mx_rule (rule_set_id, rule_order, mx_mask, max_connections, max_messages_per_connection, messages_per_hour, tls)
		  SELECT s.id, v.rule_order, v.mask, v.connections, v.messages, v.hour, 'opportunistic'
		  FROM nms.rule_set s, (VALUES (10, '*.google.com', 20, 100, 40000), (20, '*.yahoodns.net', 10, 20, 12000), (30, '*.outlook.com', 20, 100, 30000),
		       (40, 'mx?.naver.com', 10, 50, 20000), (50, '*.daum.net', 5, 50, 10000)) AS v (rule_order, mask, connections, messages, hour)
		  WHERE s.internal_name = 'defaultMXRules'`, nil},
		{`INSERT INTO nms.domain_rule (rule_set_id, domain_mask, dkim)
		  SELECT id, '*', true FROM nms.rule_set WHERE internal_name = 'defaultDomainRules'`, nil},
		{`INSERT INTO nms.suppression (scope, hash, source_date)
		  SELECT 'address', encode(sha256(n::text::bytea), 'hex'), $1::date - n FROM generate_series(1, 40) n`, []any{l.now}},
		{`INSERT INTO xtk.option (name, data_type, string_value) VALUES ('NmsDeliverability_RulesVersion', 'string', $1)`, []any{version}},
		{`UPDATE nms.rule_set SET version = $1, synchronised_at = $2 WHERE kind IN ('mx', 'inbound', 'domain', 'suppression')`, []any{version, fetched}},
	} {
		if err := l.exec(ctx, statement.sql, statement.args...); err != nil {
			return err
		}
	}
	for i, b := range bouncesOfDemo {
		at := l.ago(time.Duration(i+1) * 5 * hour)
		if err := l.exec(ctx, `
			INSERT INTO nms.broad_log_msg
			       (md5, text_normalized, first_text, qualif_status, failure_type, failure_reason, rule_id, hit_count, created, last_modified)
			VALUES (md5($1), $1, nullif($2, ''), $3, $4, $5, (SELECT id FROM nms.mail_rule WHERE rule_order = nullif($6, 0)), $7, $8, $8)`,
			b.text, b.first, b.status, b.kind, b.reason, b.rule, b.hits, at); err != nil {
			return err
		}
	}
	return nil
}
