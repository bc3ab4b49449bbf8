package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// clientIP is the address of who asks: that of the connection, or what a trusted proxy says it was. Headers of others
// are not believed.
func (s *Server) clientIP(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address := peer.Addr().Unmap()
	if !s.trusted(address) {
		return address
	}
	// From the right: each proxy appends whom it saw; the first that is not ours is the client.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		seen, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return address
		}
		if address = seen.Unmap(); !s.trusted(address) {
			return address
		}
	}
	return address
}

// house is who is counted: an address or, as a house has many of them, a network of IPv6.
func (s *Server) house(r *http.Request) string {
	ip := s.clientIP(r)
	if ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}

func (s *Server) trusted(address netip.Addr) bool {
	return slices.ContainsFunc(s.config.TrustedProxies, func(network netip.Prefix) bool { return network.Contains(address) })
}

// ourHost reports whether a request asks for the console by its own name. The monitoring paths, which show nothing, may
// be asked for by any, and the redirection by the names that its options give it.
func (s *Server) ourHost(r *http.Request) bool {
	if s.config.URL == nil || slices.Contains([]string{"/healthz", "/readyz", "/r/test", "/metrics"}, r.URL.Path) {
		return true
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	own := strings.ToLower(s.config.URL.Hostname())
	if own == "localhost" && slices.Contains([]string{"127.0.0.1", "::1"}, host) {
		return true
	}
	return host == own || ofRedirection(r.URL.Path) && s.targets.named(host)
}

// ofRedirection are the paths that messages lead to, what the pages there load, and where other instances fetch the logs.
func ofRedirection(path string) bool {
	return strings.HasPrefix(path, "/r/") || strings.HasPrefix(path, "/static/") || isAPI(path)
}

// local makes an address to come back to safe: a path of this console, else the first page.
func local(back string) string {
	if len(back) < 2 || len(back) > 2000 || back[0] != '/' || back[1] == '/' || back[1] == '\\' || strings.ContainsFunc(back, odd) {
		return "/"
	}
	target, err := url.Parse(back)
	if err != nil || target.Host != "" || target.Scheme != "" || target.Opaque != "" || target.User != nil {
		return "/"
	}
	// A path that is written in a roundabout way is not one of ours.
	if strings.HasPrefix(target.Path, "//") || strings.Contains(target.Path, "\\") || strings.Contains(target.Path, "..") ||
		strings.ContainsFunc(target.Path, odd) {
		return "/"
	}
	return target.RequestURI()
}

func odd(r rune) bool {
	return unicode.IsControl(r) || unicode.IsSpace(r) || !unicode.IsPrint(r)
}
