package deliverability

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	maxMask    = 255
	maxPattern = 1000
)

// Check says what is wrong with the rules; nil: they are complete, and can be stored as they are. Whether a regular
// expression is one is left to whoever searches with it.
func (r *Rules) Check() error {
	switch {
	case r.Version == "" || len(r.Version) > 100 || !printable(r.Version) || strings.ContainsRune(r.Version, '"'):
		return fmt.Errorf("%.100q is no version", r.Version)
	case r.MX == nil:
		return errors.New("no mx_rules")
	case r.Inbound == nil:
		return errors.New("no inbound_rules")
	case r.Domains == nil:
		return errors.New("no domain_rules")
	case r.Suppression == nil || r.Suppression.Addresses == nil || r.Suppression.Domains == nil:
		return errors.New("no suppression list")
	}
	for _, check := range []func() error{r.checkMX, r.checkInbound, r.checkDomains, r.Suppression.check} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkMX asks for a rule for servers that have none of their own, besides what each rule must be.
func (r *Rules) checkMX() error {
	orders, keys, generic := map[int32]bool{}, map[string]bool{}, false
	for _, rule := range r.MX {
		key := rule.Mask + " " + rule.IDRange
		name := fmt.Sprintf("MX rule %d (%.60q)", rule.Order, rule.Mask)
		switch {
		case !mask(rule.Mask):
			return fmt.Errorf("%s: its mask is no mask", name)
		case !idRange(rule.IDRange):
			return fmt.Errorf("%s: %.40q is no range of public addresses", name, rule.IDRange)
		case rule.TLS != "default" && rule.TLS != "disabled" && rule.TLS != "opportunistic":
			return fmt.Errorf("%s: %.40q is no mode of TLS", name, rule.TLS)
		case orders[rule.Order] || rule.Order < 0:
			return fmt.Errorf("%s: its order is below 0 or taken", name)
		case keys[key]:
			return fmt.Errorf("%s: the mask and range of an earlier rule", name)
		}
		for _, limit := range []*int32{rule.MaxConnections, rule.MaxMessagesPerConnection, rule.MessagesPerHour,
			rule.ConnectTimeout, rule.DataTimeout, rule.Timeout} {
			if limit != nil && *limit < 0 {
				return fmt.Errorf("%s: a limit below 0", name)
			}
		}
		orders[rule.Order], keys[key] = true, true
		generic = generic || rule.Mask == "*" && rule.IDRange == ""
	}
	if !generic {
		return errors.New(`no MX rule "*" for the servers that have none of their own`)
	}
	return nil
}

func (r *Rules) checkInbound() error {
	orders, keys := map[int32]bool{}, map[string]bool{}
	for _, rule := range r.Inbound {
		name := fmt.Sprintf("inbound rule %d (%.60q)", rule.Order, rule.Pattern)
		switch {
		case strings.TrimSpace(rule.Pattern) == "" || len(rule.Pattern) > maxPattern || !printable(rule.Pattern):
			return fmt.Errorf("%s: its text is empty, too long or not printable", name)
		case !FailureType(rule.Type):
			return fmt.Errorf("%s: %.40q is no failure type", name, rule.Type)
		case !FailureReason(rule.Reason):
			return fmt.Errorf("%s: %d is no failure reason", name, rule.Reason)
		case orders[rule.Order] || rule.Order < 0:
			return fmt.Errorf("%s: its order is below 0 or taken", name)
		case keys[rule.Pattern]:
			return fmt.Errorf("%s: the text of an earlier rule", name)
		}
		orders[rule.Order], keys[rule.Pattern] = true, true
	}
	return nil
}

func (r *Rules) checkDomains() error {
	keys := map[string]bool{}
	for _, rule := range r.Domains {
		name := fmt.Sprintf("domain rule %.60q", rule.Mask)
		switch {
		case !mask(rule.Mask):
			return fmt.Errorf("%s: its mask is no mask", name)
		case rule.RelayHost != "" && !mask(rule.RelayHost) || rule.RelayPort < 0 || rule.RelayPort > 65535:
			return fmt.Errorf("%s: no such relay", name)
		case keys[rule.Mask]:
			return fmt.Errorf("%s: the mask of an earlier rule", name)
		}
		keys[rule.Mask] = true
	}
	return nil
}

func (s *Suppression) check() error {
	for _, list := range [][]Suppressed{s.Addresses, s.Domains} {
		seen := make(map[string]bool, len(list))
		for _, one := range list {
			digest, err := hex.DecodeString(one.Hash)
			if err != nil || len(digest) < 16 || len(digest) > 64 || one.Hash != strings.ToLower(one.Hash) || seen[one.Hash] {
				return fmt.Errorf("suppression list: %.60q is no hash, or is there twice", one.Hash)
			}
			if one.Date != "" {
				if _, err := time.Parse(time.DateOnly, one.Date); err != nil {
					return fmt.Errorf("suppression list: %.20q is no date", one.Date)
				}
			}
			seen[one.Hash] = true
		}
	}
	return nil
}

// mask reports a name of a server or domain in which * and ? may stand for other characters.
func mask(text string) bool {
	return text != "" && len(text) <= maxMask && printable(text) && !strings.ContainsAny(text, " \t")
}

var ranges = regexp.MustCompile(`^(\d{1,6})(?:-(\d{1,6}))?$`)

func idRange(text string) bool {
	if text == "" {
		return true
	}
	found := ranges.FindStringSubmatch(text)
	if found == nil {
		return false
	}
	from, _ := strconv.Atoi(found[1])
	to, err := strconv.Atoi(found[2])
	return err != nil || from <= to
}
