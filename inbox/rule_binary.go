package inbox

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// binaryRule is that of binary columns: a string is the bytes in standard base64,
// padded, as encoding/json writes a []byte.
type binaryRule struct {
	// bytes bounds the value; 0 is no bound.
	bytes int
	// fixed says that the column has exactly that many.
	fixed bool
}

func (b binaryRule) store(v jsonValue) (any, error) {
	if v.kind != jsonString {
		return nil, refusedKind(v, "a binary column")
	}
	raw, err := base64.StdEncoding.DecodeString(v.text)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != v.text {
		return nil, errors.New("a string for a binary column must be standard base64 with padding; inbox.Hex as the column's Convert reads hexadecimal digits")
	}
	if n := len(raw); b.bytes > 0 && (n > b.bytes || b.fixed && n < b.bytes) {
		return nil, fmt.Errorf("it has %d bytes, and the column %d", n, b.bytes)
	}
	return raw, nil
}

func (b binaryRule) key(text string) (any, error) { return b.store(stringValue(text)) }

// uuidRule is that of UUID types, which are read back in lower case with dashes.
type uuidRule struct{}

func (uuidRule) store(v jsonValue) (any, error) {
	if v.kind != jsonString {
		return nil, refusedKind(v, "a UUID column")
	}
	if !canonicalUUID(v.text) {
		return nil, errors.New("it is no UUID in lower case with dashes, the form in which it is read back; inbox.LowerUUID as the column's Convert takes the others")
	}
	return v.text, nil
}

func (u uuidRule) key(text string) (any, error) { return u.store(stringValue(text)) }

func canonicalUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i, c := range []byte(text) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdef", rune(c)) {
			return false
		}
	}
	return true
}

// addressRule is that of PostgreSQL's inet, and with network of cidr: addresses
// and networks as they are read back.
type addressRule struct{ network bool }

func (a addressRule) store(v jsonValue) (any, error) {
	if v.kind != jsonString {
		return nil, refusedKind(v, "a column of a network address")
	}
	if a.canonical(v.text) {
		return v.text, nil
	}
	return nil, errors.New("it is no address in the form in which it is read back, such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::1")
}

func (a addressRule) canonical(text string) bool {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		whole := prefix.Bits() == prefix.Addr().BitLen()
		return prefix.String() == text && !prefix.Addr().Is4In6() &&
			(a.network && prefix.Masked() == prefix || !a.network && !whole)
	}
	address, err := netip.ParseAddr(text)
	return err == nil && !a.network && address.String() == text && address.Zone() == "" && !address.Is4In6()
}
