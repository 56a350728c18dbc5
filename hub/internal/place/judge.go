package place

import (
	"fmt"
	"slices"
	"strings"

	"github.com/replhub/replhub/internal/contract"
)

// Here is what this hub knows of its own place.
type Here struct {
	Self

	// Ledger and Ingest say whether these streams exist in the hub's JetStream. A ledger
	// without an installation's id also exists.
	Ledger, Ingest bool
}

// OtherError is another installation in the account.
type OtherError struct {
	// Here is this hub. Hub is a hub of the other installation. It is nil if only streams
	// are known: then Streams are all streams that take the ledger's subject.
	Here    Self
	Hub     *Self
	Streams []string
}

// Error says in one line what is wrong, and what to do.
func (e *OtherError) Error() string {
	names := slices.Compact(slices.Sorted(slices.Values(e.Streams))) // each JetStream may have one of the same name
	what := fmt.Sprintf("streams of two JetStreams (%s) take the same subjects of this account", strings.Join(names, ", "))
	if e.Hub != nil {
		what = fmt.Sprintf("hub %s of another installation (%s) runs in this account", e.Hub.Hub, domainText(e.Hub.Domain))
	}
	return fmt.Sprintf("%s, and this hub is in %s; a leafnode may have joined the two: "+
		"each event would be stored and copied twice, and copies would be lost; keep one installation in an account: run its hubs with %s, or give the other side an account of its own (docs/operations.md, Several places)",
		what, domainText(e.Here.Domain), contract.EnvJSDomain)
}

func domainText(domain string) string {
	if domain == "" {
		return "no domain"
	}
	return fmt.Sprintf("domain %q", domain)
}

// Judge returns an error if f contains a hub or a stream of another installation, nil if not.
// Hubs of one installation have the same id and the same domain. A copy of an
// installation, such as a promoted mirror, has the same id and another domain.
//
// A ledger that was deleted has no id until a hub restores it. Until then only the
// domain distinguishes installations. Without ledger and ingest, a new installation
// begins here, and every other hub belongs to another installation.
func (f *Found) Judge(here Here) *OtherError {
	began := here.Ledger || here.Ingest
	for _, hub := range f.Hubs {
		other := hub.Domain != here.Domain || hub.Installation != here.Installation && (here.Installation != "" || !began)
		if other {
			return &OtherError{Here: here.Self, Hub: &hub}
		}
	}
	own := 0
	if here.Ledger {
		own = 1
	}
	if len(f.Takers) > own {
		streams := slices.Sorted(slices.Values(f.Takers))
		return &OtherError{Here: here.Self, Streams: streams}
	}
	return nil
}
