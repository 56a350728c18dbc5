package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// judgePlace judges whether one installation is alone in the account.
func judgePlace(f *facts, r *Report) {
	if f.cfg.Conn == nil {
		return // told as server.reachable
	}
	g := r.group(GroupPlace)
	domain := "no domain"
	if f.account.Domain != "" {
		domain = "domain " + f.account.Domain
	}
	if f.accountErr == nil {
		g.pass("place.domain", "", "JetStream has "+domain)
	}
	if f.hubsErr != nil {
		do := "use the hub's credentials"
		if !errors.Is(f.hubsErr, errDenied) {
			do = "look again"
		}
		g.unseen("place.installations", "", fmt.Sprintf("other installations in the account: %v", f.hubsErr), do)
		return
	}
	var found []string
	for _, h := range f.hubs {
		id := fmt.Sprintf("%s in domain %q", h.Installation, h.Domain)
		if !slices.Contains(found, id) {
			found = append(found, id)
		}
	}
	switch {
	case len(found) > 1:
		g.fail("place.installations", "", "hubs of several installations run in this account: "+strings.Join(found, "; "),
			"keep one installation in an account (docs/operations.md, Several places)")
	case len(found) == 1:
		g.pass("place.installations", "", "one installation: "+found[0])
		if f.accountErr == nil && f.hubs[0].Domain != f.account.Domain {
			g.fail("place.domain", "", fmt.Sprintf("the hubs work in domain %q, and this connection asks %s", f.hubs[0].Domain, domain),
				"name the hubs' domain with --js-domain")
		}
	}
}
