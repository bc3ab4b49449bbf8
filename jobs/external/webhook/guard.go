package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// ErrPrivate says that an endpoint's name leads to an address of our own network.
var ErrPrivate = errors.New("the address is one of our own network")

// inside are the networks that an endpoint is not in, besides those that netip knows: of carriers, of documentation and
// tests, and those in which an address of the first kinds can hide.
var inside = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10")

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// allowed decides about an address. Those of the link, where clouds keep the keys of a machine, are never allowed.
func allowed(address netip.Addr, private bool) bool {
	address = address.Unmap().WithZone("")
	if address.IsLinkLocalUnicast() || address.IsMulticast() || address.IsUnspecified() {
		return false
	}
	if private {
		return true
	}
	if address.IsLoopback() || address.IsPrivate() {
		return false
	}
	for _, network := range inside {
		if network.Contains(address) {
			return false
		}
	}
	return true
}

// guard refuses a connection before it is made.
func guard(private bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrPrivate, err)
		}
		if !allowed(to.Addr(), private) {
			return ErrPrivate
		}
		return nil
	}
}
