package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// RuleSet is a set of rules of the sending servers, as it is stored.
type RuleSet struct {
	Name, Kind, Mode string
	Version          string
	Synchronised     time.Time // zero: as installed
	Rules            int64
}

// RuleSets lists the sets that the deliverability service keeps up to date, and says whether deliverability monitoring
// is installed: without it they are fetched once only.
func (d *DB) RuleSets(ctx context.Context) (sets []RuleSet, monitored bool, err error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT s.internal_name, s.kind, s.mode, COALESCE(s.version, ''), COALESCE(s.synchronised_at, 'epoch'),
		       CASE s.kind
		       WHEN 'mx' THEN (SELECT count(*) FROM nms.mx_rule r WHERE r.rule_set_id = s.id)
		       WHEN 'inbound' THEN (SELECT count(*) FROM nms.mail_rule r WHERE r.rule_set_id = s.id AND r.active)
		       WHEN 'domain' THEN (SELECT count(*) FROM nms.domain_rule r WHERE r.rule_set_id = s.id)
		       ELSE (SELECT count(*) FROM nms.suppression)
		       END
		FROM nms.rule_set s
		WHERE s.kind IN ('mx', 'inbound', 'domain', 'suppression')
		ORDER BY array_position(ARRAY['mx', 'inbound', 'domain', 'suppression'], s.kind), s.id`)
	if err == nil {
		sets, err = pgx.CollectRows(rows, pgx.RowToStructByPos[RuleSet])
	}
	if err == nil {
		err = d.Pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM xtk.package_install WHERE name = 'deliverability')`).Scan(&monitored)
	}
	if err != nil {
		return nil, false, fmt.Errorf("rule sets: %w", err)
	}
	for i := range sets {
		if sets[i].Synchronised.Unix() == 0 {
			sets[i].Synchronised = time.Time{}
		}
	}
	return sets, monitored, nil
}

// RulesChecked is when a run last asked the service for its rules and ended well; zero: never, as far as the history goes.
func (d *DB) RulesChecked(ctx context.Context) (at time.Time, err error) {
	err = d.Pool.QueryRow(ctx, `
		SELECT t.completion_date
		FROM xtk.workflow_task t
		JOIN xtk.workflow w ON w.id = t.workflow_id
		WHERE w.internal_name = 'deliverabilityUpdate'
		  AND t.status = 'completed'
		  AND t.mode = 'normal'
		ORDER BY t.start_date DESC
		LIMIT 1`).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return at, fmt.Errorf("last check of the rules: %w", err)
	}
	return at, nil
}

// InstallMonitoring installs deliverability monitoring: from then on the rules are refreshed every night. It cannot be
// uninstalled. Audited; installed already, it leaves no trace.
func (d *DB) InstallMonitoring(ctx context.Context, actor Actor) error {
	return d.asAdministrator(ctx, actor, AuditEntry{EntityType: "package", Entity: "deliverability", Action: "Created"}, func(tx pgx.Tx, entry AuditEntry) error {
		done, err := tx.Exec(ctx, `
			INSERT INTO xtk.package_install (name, label)
			VALUES ('deliverability', 'Deliverability monitoring (Email Deliverability)')
			ON CONFLICT (name) DO NOTHING`)
		if err != nil {
			return fmt.Errorf("install deliverability monitoring: %w", err)
		}
		if done.RowsAffected() == 0 {
			return nil
		}
		return d.Audit(ctx, tx, entry)
	})
}

// asAdministrator runs a change in one transaction; whoever may not is refused, which is audited.
func (d *DB) asAdministrator(ctx context.Context, actor Actor, entry AuditEntry, change func(pgx.Tx, AuditEntry) error) error {
	entry.Actor = actor
	if err := actor.Require(Administration); err != nil {
		return errors.Join(err, d.AuditAlone(ctx, entry))
	}
	entry.Allowed = true
	return d.inTx(ctx, func(tx pgx.Tx) error { return change(tx, entry) })
}

// MXRule says how the servers whose name fits a mask are written to. A limit of -1 is none.
type MXRule struct {
	Order                                               int
	Mask, IDRange                                       string
	Shared                                              bool
	Connections, MessagesPerConnection, MessagesPerHour int
	ConnectSeconds, DataSeconds, OtherSeconds           int
	TLS                                                 string
}

// MXRules reads the rules of the active sets, in the order in which they are tried.
func (d *DB) MXRules(ctx context.Context) ([]MXRule, error) {
	rows, err := d.Pool.Query(ctx, `
		SELECT r.rule_order, r.mx_mask, r.id_range, r.shared, COALESCE(r.max_connections, -1),
		       COALESCE(r.max_messages_per_connection, -1), COALESCE(r.messages_per_hour, -1), COALESCE(r.connect_timeout_s, -1),
		       COALESCE(r.data_timeout_s, -1), COALESCE(r.timeout_s, -1), r.tls
		FROM nms.mx_rule r
		JOIN nms.rule_set s ON s.id = r.rule_set_id
		WHERE s.kind = 'mx'
		  AND s.active
		ORDER BY s.id, r.rule_order`)
	if err != nil {
		return nil, fmt.Errorf("MX rules: %w", err)
	}
	rules, err := pgx.CollectRows(rows, pgx.RowToStructByPos[MXRule])
	if err != nil {
		return nil, fmt.Errorf("MX rules: %w", err)
	}
	return rules, nil
}

// MXRuleFor finds the rule for a server by its name, seen from one of our public addresses (0: any): the first whose
// mask and range fit.
func MXRuleFor(rules []MXRule, host string, public int) (MXRule, bool) {
	host = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(host), "."))
	i := slices.IndexFunc(rules, func(r MXRule) bool { return r.covers(public) && fits(strings.ToLower(r.Mask), host) })
	if i < 0 || host == "" {
		return MXRule{}, false
	}
	return rules[i], true
}

func (r MXRule) covers(public int) bool {
	if r.IDRange == "" || public == 0 {
		return true
	}
	var from, to int
	if n, _ := fmt.Sscanf(r.IDRange, "%d-%d", &from, &to); n < 2 {
		to = from
	}
	return from <= public && public <= to
}

// fits reports whether a name fits a mask, in which * stands for any characters and ? for one. It takes at most the
// product of both: of several *, only the last ever takes more.
func fits(mask, name string) bool {
	m, n, star, after := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case m < len(mask) && mask[m] == '*':
			star, after = m, n
			m++
		case m < len(mask) && (mask[m] == '?' || mask[m] == name[n]):
			m++
			n++
		case star >= 0:
			after++
			m, n = star+1, after
		default:
			return false
		}
	}
	return strings.Trim(mask[m:], "*") == ""
}

// Window is how many messages a rule lets through in each twelfth of an hour; -1: any number.
func (r MXRule) Window() int {
	if r.MessagesPerHour < 0 {
		return -1
	}
	return r.MessagesPerHour / 12
}
