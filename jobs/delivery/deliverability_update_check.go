package delivery

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"nightshift/jobs/external/deliverability"
)

// The rule sets that the service keeps up to date.
const (
	mxRules      = "defaultMXRules"
	inboundRules = "defaultInMail"
	domainRules  = "defaultDomainRules"
	suppressions = "defaultSuppression"
	custom       = "custom"
	rulesVersion = "NmsDeliverability_RulesVersion"
	rulesChannel = "nightshift_rules"
	maxUnusable  = 20
)

// storedSet is a rule set as it is stored.
type storedSet struct {
	id            int64
	mode, version string
	synchronised  bool
	rules         int64 // without those that came with the installation
}

// readSets reads the state of the rule sets, and which version they have in common.
func (u *refresh) readSets(ctx context.Context) error {
	u.sets = map[string]storedSet{}
	err := u.Query(ctx, func(rows pgx.Rows) error {
		var name string
		var set storedSet
		err := rows.Scan(&name, &set.id, &set.mode, &set.version, &set.synchronised, &set.rules)
		u.sets[name] = set
		return err
	}, `
		SELECT s.internal_name, s.id, s.mode, COALESCE(s.version, ''), s.synchronised_at IS NOT NULL,
		       CASE s.internal_name
		       WHEN 'defaultMXRules' THEN (SELECT count(*) FROM nms.mx_rule r WHERE r.rule_set_id = s.id)
		       WHEN 'defaultInMail' THEN (SELECT count(*) FROM nms.mail_rule r WHERE r.rule_set_id = s.id AND r.origin <> 'builtin')
		       WHEN 'defaultDomainRules' THEN (SELECT count(*) FROM nms.domain_rule r WHERE r.rule_set_id = s.id)
		       WHEN 'defaultSuppression' THEN (SELECT count(*) FROM nms.suppression)
		       END
		FROM nms.rule_set s
		WHERE s.internal_name IN ('defaultMXRules', 'defaultInMail', 'defaultDomainRules', 'defaultSuppression')`)
	if err != nil {
		return fmt.Errorf("rule sets: %w", err)
	}
	stored, _, err := u.Option(ctx, rulesVersion)
	if err != nil {
		return err
	}
	u.known = stored
	for _, name := range []string{mxRules, inboundRules, domainRules, suppressions} {
		set, ok := u.sets[name]
		if !ok {
			return fmt.Errorf("the rule set %s does not exist", name)
		}
		if set.mode != custom && set.version != stored {
			u.known = "" // it was left alone in another night
		}
	}
	return nil
}

// initialised reports whether all sets were synchronised once. A custom set is the customer's own.
func (u *refresh) initialised() bool {
	for _, set := range u.sets {
		if !set.synchronised && set.mode != custom {
			return false
		}
	}
	return true
}

// check looks at the fetched rules before anything is written: expressions that cannot be used are left out, and a set of
// which more than half would be gone is refused, unless the run is forced.
func (u *refresh) check(ctx context.Context) error {
	if err := u.fetch(ctx); err != nil {
		return err
	}
	if u.rules == nil || u.checked {
		return nil
	}
	u.leaveOut()
	_, forced := u.Arg("force")
	for _, set := range []struct {
		name, label string
		rules       int
	}{{mxRules, "MX rules", len(u.rules.MX)}, {inboundRules, "inbound rules", len(u.rules.Inbound)},
		{domainRules, "domain rules", len(u.rules.Domains)}, {suppressions, "suppressed addresses and domains", suppressed(u.rules)}} {
		was := u.sets[set.name]
		if int64(set.rules)*2 >= was.rules || was.mode == custom {
			continue
		}
		if !forced {
			return fmt.Errorf("version %s has %d %s where %d are stored: refused, nothing was changed; the parameter force takes it",
				u.rules.Version, set.rules, set.label, was.rules)
		}
		u.Warn("%d %s where %d are stored: taken by force", set.rules, set.label, was.rules)
	}
	u.checked = true
	u.Say("MX %d, inbound %d, domains %d, suppression %d", len(u.rules.MX), len(u.rules.Inbound), len(u.rules.Domains), suppressed(u.rules))
	return nil
}

func suppressed(rules *deliverability.Rules) int {
	return len(rules.Suppression.Addresses) + len(rules.Suppression.Domains)
}

// leaveOut drops inbound rules whose expression is none of RE2, with a warning each, the first of them.
func (u *refresh) leaveOut() {
	skipped := 0
	u.rules.Inbound = slices.DeleteFunc(u.rules.Inbound, func(rule deliverability.InboundRule) bool {
		_, err := compileBounce(rule.Pattern, rule.Regex)
		if err == nil {
			return false
		}
		if skipped++; skipped <= maxUnusable {
			u.Warn("inbound rule %d left out: %s", rule.Order, err)
		}
		return true
	})
	if skipped > maxUnusable {
		u.Warn("… and %d more inbound rules left out", skipped-maxUnusable)
	}
}
