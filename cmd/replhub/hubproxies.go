package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/opshttp"
)

// httpSettings are those of the hub's HTTP.
type httpSettings struct {
	opshttp.Settings

	// Proxies encrypt in front of the listener.
	Proxies []string
}

// Validate checks the settings without reading a file.
func (s httpSettings) Validate() error {
	for _, text := range s.Proxies {
		if _, err := parseRange(text); err != nil {
			return fmt.Errorf("%s=%s: must be addresses or ranges, as in 10.0.0.7 or 10.0.0.0/24", contract.EnvHTTPProxies, text)
		}
	}
	return s.Settings.Validate()
}

// Listen binds the address. Beyond this machine it demands a token, and TLS or proxies.
func (s httpSettings) Listen(ctx context.Context) (net.Listener, error) {
	s.Behind = len(s.Proxies) > 0
	return s.Settings.Listen(ctx)
}

// ranges are those of the proxies' addresses; Validate has refused all others.
func (s httpSettings) ranges() []netip.Prefix {
	var ranges []netip.Prefix
	for _, text := range s.Proxies {
		if r, err := parseRange(text); err == nil {
			ranges = append(ranges, r)
		}
	}
	return ranges
}

// parseRange reads a range of addresses, or one address.
func parseRange(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}
