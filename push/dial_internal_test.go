package push

import (
	"errors"
	"net/netip"
	"testing"
)

// Only addresses that are known to be public count as such, in every form of writing.
func TestIsPublic(t *testing.T) {
	for _, text := range []string{
		"0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
		"::", "::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:127.0.0.1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1",
		"ff02::1", "ff0e::1", "2001:db8::1", "2001::1", "100::1", "3fff::1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a9fe:a9fe::", "5f00::1", "4000::1",
	} {
		if isPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s counts as public", text)
		}
	}
	for _, text := range []string{
		"1.1.1.1", "8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "223.255.255.255", "168.63.129.15",
		"::ffff:8.8.8.8", "2606:4700:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8", "2002:808:808::1",
	} {
		if !isPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s does not count as public", text)
		}
	}
}

func TestAddressRule(t *testing.T) {
	private, public := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("8.8.8.8")
	for name, tt := range map[string]struct {
		rule addressRule
		addr netip.Addr
		ok   bool
	}{
		"a public address":              {addressRule{}, public, true},
		"a private address":             {addressRule{}, private, false},
		"a private address allowed":     {addressRule{allowPrivate: true}, private, true},
		"both allowed":                  {addressRule{allowPrivate: true}, public, true},
		"http to a private address":     {addressRule{allowPrivate: true, plain: true}, private, true},
		"http to a public address":      {addressRule{allowPrivate: true, plain: true}, public, false},
		"http that nothing has allowed": {addressRule{plain: true}, private, false},
	} {
		if err := tt.rule.check(tt.addr); (err == nil) != tt.ok || err != nil && !errors.Is(err, errAddress) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, address := range []string{"", "nowhere", "example.com:443", "[fe80::1%eth0]:443"} {
		if err := (addressRule{}).control(t.Context(), "tcp", address, nil); !errors.Is(err, errAddress) {
			t.Errorf("%q: %v", address, err)
		}
	}
	if err := (addressRule{}).control(t.Context(), "tcp", "8.8.8.8:443", nil); err != nil {
		t.Error(err)
	}
}
