package deliverability

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRulesThatCannotBeStored(t *testing.T) {
	t.Parallel()
	negative := int32(-1)
	hash := strings.Repeat("ab", 32)
	for name, spoil := range map[string]func(*Rules){
		"no generic rule":      func(r *Rules) { r.MX[2].Mask = "*.com" },
		"generic for some":     func(r *Rules) { r.MX[2].IDRange = "1-3" },
		"empty MX mask":        func(r *Rules) { r.MX[0].Mask = "" },
		"mask with a blank":    func(r *Rules) { r.MX[0].Mask = "a b" },
		"mask with a zero":     func(r *Rules) { r.MX[0].Mask = "a\x00" },
		"long mask":            func(r *Rules) { r.MX[0].Mask = strings.Repeat("a", 256) },
		"mode of TLS":          func(r *Rules) { r.MX[0].TLS = "always" },
		"MX order twice":       func(r *Rules) { r.MX[0].Order = 2 },
		"MX order below 0":     func(r *Rules) { r.MX[0].Order = -1 },
		"MX key twice":         func(r *Rules) { r.MX[0].Mask = r.MX[1].Mask },
		"limit below 0":        func(r *Rules) { r.MX[0].MessagesPerHour = &negative },
		"range backwards":      func(r *Rules) { r.MX[0].IDRange = "5-2" },
		"range of letters":     func(r *Rules) { r.MX[0].IDRange = "a-b" },
		"inbound order twice":  func(r *Rules) { r.Inbound[0].Order = 2 },
		"inbound text twice":   func(r *Rules) { r.Inbound[0].Pattern = "quota" },
		"inbound text empty":   func(r *Rules) { r.Inbound[0].Pattern = " " },
		"inbound text long":    func(r *Rules) { r.Inbound[0].Pattern = strings.Repeat("a", 1001) },
		"type of failure":      func(r *Rules) { r.Inbound[0].Type = "undefined" },
		"reason of failure":    func(r *Rules) { r.Inbound[0].Reason = 13 },
		"domain twice":         func(r *Rules) { r.Domains = append(r.Domains, r.Domains[0]) },
		"relay port":           func(r *Rules) { r.Domains[0].RelayPort = 70000 },
		"hash":                 func(r *Rules) { r.Suppression.Addresses = []Suppressed{{Hash: "kim@example.com"}} },
		"hash twice":           func(r *Rules) { r.Suppression.Domains = []Suppressed{{Hash: hash}, {Hash: hash}} },
		"date":                 func(r *Rules) { r.Suppression.Domains = []Suppressed{{Hash: hash, Date: "24/07/2026"}} },
		"version with a quote": func(r *Rules) { r.Version = `a"b` },
	} {
		rules := threeTwoOne("v1")
		if err := rules.Check(); err != nil {
			t.Fatalf("before: got %v, want rules that can be stored", err)
		}
		spoil(&rules)
		if err := rules.Check(); err == nil {
			t.Errorf("%s: got no error, want a refusal", name)
		}
	}
	same := threeTwoOne("v1")
	same.MX[0].Mask, same.MX[0].IDRange, same.MX[1].IDRange = same.MX[1].Mask, "1-3", "4"
	if err := same.Check(); err != nil {
		t.Errorf("one mask for two ranges: got %v, want it taken", err)
	}
}

// Whatever a document says, it is refused, or what it holds can be stored: unique, bounded and printable.
func FuzzRules(f *testing.F) {
	whole, err := json.Marshal(threeTwoOne("v1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"version":"v","mx_rules":[{"mx_mask":"*","tls":"default"}],"inbound_rules":[],"domain_rules":[],"suppression":{"addresses":[],"domains":[]}}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, document []byte) {
		var rules Rules
		if json.Unmarshal(document, &rules) != nil || rules.Check() != nil {
			return
		}
		generic, orders := false, map[int32]bool{}
		for _, rule := range rules.MX {
			generic = generic || rule.Mask == "*"
			orders[rule.Order] = true
			if len(rule.Mask) > maxMask || strings.ContainsRune(rule.Mask, 0) {
				t.Errorf("got the mask %q, want it refused", rule.Mask)
			}
		}
		if !generic || len(orders) != len(rules.MX) {
			t.Errorf("got %d orders of %d MX rules, generic %t", len(orders), len(rules.MX), generic)
		}
		texts := map[string]bool{}
		for _, rule := range rules.Inbound {
			texts[rule.Pattern] = true
			if !FailureType(rule.Type) || !FailureReason(rule.Reason) || strings.ContainsRune(rule.Pattern, 0) {
				t.Errorf("got the rule %+v, want it refused", rule)
			}
		}
		if len(texts) != len(rules.Inbound) || rules.Version == "" {
			t.Errorf("got %d texts of %d inbound rules, version %q", len(texts), len(rules.Inbound), rules.Version)
		}
	})
}
