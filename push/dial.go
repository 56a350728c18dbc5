package push

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// errAddress means that a connection was refused because of where it would have led.
var errAddress = errors.New("requests do not go there")

// addressRule says which addresses may be connected to.
type addressRule struct {
	// allowPrivate allows every address, except that plain keeps to private ones.
	allowPrivate bool
	// plain is http, which everybody on the way can read: it stays within private
	// networks.
	plain bool
}

// control is a net.Dialer's: it sees the address that the connection is made to, behind
// all resolving. A name that resolves to another address the next time changes nothing.
func (r addressRule) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q is no address", errAddress, address)
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return fmt.Errorf("%w: %q is no address", errAddress, host)
	}
	return r.check(addr)
}

func (r addressRule) check(addr netip.Addr) error {
	switch public := isPublic(addr); {
	case !public && !r.allowPrivate:
		return fmt.Errorf("%w: %s is not a public address; allow it with AllowPrivate (--allow-private) if that is intended", errAddress, addr)
	case public && r.plain:
		return fmt.Errorf("%w: %s is a public address, and http is readable on the way; use https", errAddress, addr)
	default:
		return nil
	}
}

// isPublic reports whether an address is one of the public internet. What is not known to
// be public is not.
func isPublic(addr netip.Addr) bool {
	if addr.Zone() != "" {
		return false // of this link
	}
	addr = addr.Unmap()
	if addr.Is4() {
		return !within(addr, reserved4)
	}
	if inner, ok := inside6(addr); ok {
		return isPublic(inner)
	}
	return global6.Contains(addr) && !within(addr, reserved6)
}

func within(addr netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// The registries of special addresses (IANA, RFC 6890 and later). Cloud metadata is in
// them: 169.254.169.254 is link-local, 100.100.100.200 is shared, fd00:ec2::254 is local.
var (
	reserved4 = prefixes( //nolint:gochecknoglobals // constant
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
		"168.63.129.16/32", // Azure's host, which is no public service
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	)
	global6   = netip.MustParsePrefix("2000::/3")                                        //nolint:gochecknoglobals // constant
	reserved6 = prefixes("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20") //nolint:gochecknoglobals // constant
	nat64     = netip.MustParsePrefix("64:ff9b::/96")                                    //nolint:gochecknoglobals // constant
	sixToFour = netip.MustParsePrefix("2002::/16")                                       //nolint:gochecknoglobals // constant
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

// inside6 is the IPv4 address to which a gateway would forward an IPv6 address.
func inside6(addr netip.Addr) (netip.Addr, bool) {
	b := addr.As16()
	switch {
	case nat64.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToFour.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	default:
		return netip.Addr{}, false
	}
}
