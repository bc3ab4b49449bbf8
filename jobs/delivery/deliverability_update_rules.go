package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/external/deliverability"
)

// ruleTable says how a document's rules lie in their table: by which columns a rule is known, and what it says.
type ruleTable struct{ set, label, table, key, values, types string }

// ruleTables are the tables whose rules belong to a set.
func ruleTables() []ruleTable {
	return []ruleTable{
		{mxRules, "MX", "nms.mx_rule", "mx_mask id_range",
			"rule_order shared max_connections max_messages_per_connection messages_per_hour connect_timeout_s data_timeout_s timeout_s tls",
			"mx_mask text, id_range text, rule_order int, shared boolean, max_connections int, max_messages_per_connection int, " +
				"messages_per_hour int, connect_timeout_s int, data_timeout_s int, timeout_s int, tls text"},
		{inboundRules, "inbound", "nms.mail_rule", "pattern",
			"rule_order is_regex failure_type failure_reason origin active",
			"pattern text, rule_order int, is_regex boolean, failure_type text, failure_reason smallint, origin text, active boolean"},
		{domainRules, "domains", "nms.domain_rule", "domain_mask",
			"sender_id domain_keys dkim smime relay_host relay_port",
			"domain_mask text, sender_id boolean, domain_keys boolean, dkim boolean, smime boolean, relay_host text, relay_port int"},
	}
}

// difference is what a synchronisation changes in a set.
type difference struct {
	label                   string
	total                   int
	added, changed, removed int64
}

func (d difference) String() string {
	return fmt.Sprintf("%s %d (%d added, %d changed, %d removed)", d.label, d.total, d.added, d.changed, d.removed)
}

// replace makes the stored sets equal to the document, in one transaction with their version; senders are told. A rule
// that is still there keeps its row. A set whose mode is custom is left alone.
func (u *refresh) replace(ctx context.Context) error {
	if err := u.check(ctx); err != nil {
		return err
	}
	if u.rules == nil {
		u.Say("rules up to date")
		return nil
	}
	var told []string
	err := u.Tx(ctx, func(tx pgx.Tx) error {
		told = nil
		for _, table := range ruleTables() {
			if u.sets[table.set].mode == custom {
				told = append(told, fmt.Sprintf("%s not synchronised: mode Custom", table.label))
				continue
			}
			rows, total := u.rulesOf(table.set)
			done, err := table.replace(ctx, tx, u.sets[table.set].id, rows)
			if err != nil {
				return fmt.Errorf("%s: %w", table.set, err)
			}
			done.total = total
			told = append(told, done.String())
		}
		done, err := u.replaceSuppression(ctx, tx)
		if err != nil {
			return fmt.Errorf("%s: %w", suppressions, err)
		}
		told = append(told, done.String())
		return u.moveVersion(ctx, tx)
	})
	if err != nil {
		return err
	}
	for _, table := range ruleTables() {
		if u.sets[table.set].mode == custom {
			u.Log("%s rules not synchronised: mode Custom", table.label)
		}
	}
	u.Log("Rules version %s: %s", u.rules.Version, strings.Join(told, ", "))
	u.Say("version %s: %s", u.rules.Version, strings.Join(told, ", "))
	return nil
}

// rulesOf are the document's rules of a set, under the names of the columns.
func (u *refresh) rulesOf(set string) (rows any, total int) {
	switch set {
	case mxRules:
		return u.rules.MX, len(u.rules.MX)
	case inboundRules:
		type stored struct {
			deliverability.InboundRule
			Origin string `json:"origin"`
			Active bool   `json:"active"`
		}
		inbound := []stored{}
		for _, rule := range u.rules.Inbound {
			inbound = append(inbound, stored{rule, "service", true})
		}
		return inbound, len(inbound)
	}
	type stored struct {
		deliverability.DomainRule
		RelayHost *string `json:"relay_host"`
		RelayPort *int32  `json:"relay_port"`
	}
	domains := []stored{}
	for _, rule := range u.rules.Domains {
		one := stored{DomainRule: rule}
		if rule.RelayHost != "" {
			one.RelayHost = &rule.RelayHost
		}
		if rule.RelayPort != 0 {
			one.RelayPort = &rule.RelayPort
		}
		domains = append(domains, one)
	}
	return domains, len(domains)
}

// replace makes the table's rules of a set equal to rows. The order of the three statements, and that an order may be
// taken twice within one of them, lets rules change their places.
func (t ruleTable) replace(ctx context.Context, tx pgx.Tx, set int64, rows any) (d difference, err error) {
	document, err := json.Marshal(rows)
	if err != nil {
		return d, err
	}
	d.label = t.label
	each := func(form string, names string) string {
		var parts []string
		for name := range strings.FieldsSeq(names) {
			parts = append(parts, strings.ReplaceAll(form, "?", name))
		}
		return strings.Join(parts, ", ")
	}
	source := "jsonb_to_recordset($2) AS d (" + t.types + ")"
	same := "(" + each("r.?", t.key) + ") = (" + each("d.?", t.key) + ")"
	for _, statement := range []struct {
		count *int64
		sql   string
	}{
		// What the document does not have, and what stands twice.
		{&d.removed, `
			DELETE FROM ` + t.table + ` r
			WHERE r.rule_set_id = $1
			  AND (NOT EXISTS (SELECT FROM ` + source + ` WHERE ` + same + `)
			       OR EXISTS (SELECT FROM ` + t.table + ` d
			                  WHERE d.rule_set_id = r.rule_set_id AND d.id < r.id AND ` + same + `))`},
		// What says something else now.
		{&d.changed, `
			UPDATE ` + t.table + ` r
			SET ` + each("? = d.?", t.values) + `
			FROM ` + source + `
			WHERE r.rule_set_id = $1
			  AND ` + same + `
			  AND (` + each("r.?", t.values) + `) IS DISTINCT FROM (` + each("d.?", t.values) + `)`},
		// What is new.
		{&d.added, `
			INSERT INTO ` + t.table + ` (rule_set_id, ` + each("?", t.key+" "+t.values) + `)
			SELECT $1, ` + each("d.?", t.key+" "+t.values) + `
			FROM ` + source + `
			WHERE NOT EXISTS (SELECT FROM ` + t.table + ` r WHERE r.rule_set_id = $1 AND ` + same + `)`},
	} {
		args := []any{set, json.RawMessage(document)}
		done, err := tx.Exec(ctx, statement.sql, args...)
		if err != nil {
			return d, err
		}
		*statement.count = done.RowsAffected()
	}
	return d, nil
}

// replaceSuppression makes the list of who is never written to equal to the document's.
func (u *refresh) replaceSuppression(ctx context.Context, tx pgx.Tx) (d difference, err error) {
	document, err := json.Marshal(u.rules.Suppression)
	if err != nil {
		return d, err
	}
	d.label, d.total = "suppression", suppressed(u.rules)
	const source = `
		SELECT 'address' AS scope, a.hash, nullif(a.source_date, '')::date AS source_date
		FROM jsonb_to_recordset($1::jsonb -> 'addresses') AS a (hash text, source_date text)
		UNION ALL
		SELECT 'domain', n.hash, nullif(n.source_date, '')::date
		FROM jsonb_to_recordset($1::jsonb -> 'domains') AS n (hash text, source_date text)`
	for _, statement := range []struct {
		count *int64
		sql   string
	}{
		{&d.removed, `
			WITH d AS (` + source + `)
			DELETE FROM nms.suppression s
			WHERE NOT EXISTS (SELECT FROM d WHERE d.scope = s.scope AND d.hash = s.hash)`},
		{&d.changed, `
			WITH d AS (` + source + `)
			UPDATE nms.suppression s
			SET source_date = d.source_date
			FROM d
			WHERE d.scope = s.scope
			  AND d.hash = s.hash
			  AND s.source_date IS DISTINCT FROM d.source_date`},
		{&d.added, `
			WITH d AS (` + source + `)
			INSERT INTO nms.suppression (scope, hash, source_date)
			SELECT d.scope, d.hash, d.source_date
			FROM d
			ON CONFLICT (scope, hash) DO NOTHING`},
	} {
		done, err := tx.Exec(ctx, statement.sql, json.RawMessage(document))
		if err != nil {
			return d, err
		}
		*statement.count = done.RowsAffected()
	}
	return d, nil
}

// moveVersion notes in each synchronised set, and in the option, which version it is of, and tells those who send.
func (u *refresh) moveVersion(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `
		UPDATE nms.rule_set
		SET version = $1, synchronised_at = $2
		WHERE internal_name IN ('defaultMXRules', 'defaultInMail', 'defaultDomainRules', 'defaultSuppression')
		  AND mode <> 'custom'`, u.rules.Version, u.Now()); err != nil {
		return fmt.Errorf("version of the rule sets: %w", err)
	}
	if _, err := tx.Exec(ctx, `
		INSERT INTO xtk.option AS o (name, data_type, string_value)
		VALUES ($1, 'string', $2)
		ON CONFLICT (name) DO UPDATE
		SET string_value = excluded.string_value
		WHERE o.string_value IS DISTINCT FROM excluded.string_value`, rulesVersion, u.rules.Version); err != nil {
		return fmt.Errorf("move %s: %w", rulesVersion, err)
	}
	if _, err := tx.Exec(ctx, `SELECT pg_notify($1, '')`, rulesChannel); err != nil {
		return fmt.Errorf("tell the senders: %w", err)
	}
	return nil
}
