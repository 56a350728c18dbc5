package lane

import (
	"encoding/base64"
	"strings"
	"testing"
)

// The process that sealed a place goes on there. Any other one goes on behind the last row
// that the service got, and the service reads no key but that row's.
func TestPlacesHideTheRowsOfOthers(t *testing.T) {
	p, other := NewPlaces(), NewPlaces()
	at := place{read: "tenant-7-secret", got: "tenant-1-row", looked: 300}
	sealed, err := p.seal(at, "s/user")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.open(sealed, "s/user"); err != nil || got != at {
		t.Errorf("the hub itself is at %+v, %v", got, err)
	}
	own := place{read: at.got, got: at.got}
	if got, err := other.open(sealed, "s/user"); err != nil || got != own {
		t.Errorf("another hub is at %+v, %v", got, err)
	}
	if got, err := p.open(sealed, "s2/user"); err != nil || got != own {
		t.Errorf("of another service %+v, %v", got, err)
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(sealed, sealedPlace), ".") {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || strings.Contains(string(raw), "tenant-7") {
			t.Errorf("the service reads %q, %v", raw, err)
		}
	}
	shorter, err := p.seal(place{read: "t", got: at.got}, "s/user")
	if err != nil || len(shorter) != len(sealed) {
		t.Errorf("the length of a place tells that of a key: %d and %d, %v", len(shorter), len(sealed), err)
	}
	if got, err := p.open("a.key", "s/user"); err != nil || got != (place{read: "a.key", got: "a.key"}) {
		t.Errorf("a key is the place %+v, %v", got, err)
	}
	if _, err := p.open(sealedPlace+"%", "s/user"); err == nil {
		t.Error("no error for a place that is damaged")
	}
}
