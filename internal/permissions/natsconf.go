package permissions

import (
	"fmt"
	"strings"
)

// NATSConfig writes permissions as a part of nats-server's configuration: the
// field "permissions" of a user.
func (p *Permissions) NATSConfig() string {
	var b strings.Builder
	b.WriteString("permissions: {\n")
	rules := func(name string, r Rules) {
		fmt.Fprintf(&b, "  %s: {\n", name)
		configList(&b, "allow", r.Allow)
		if len(r.Deny) > 0 {
			configList(&b, "deny", r.Deny)
		}
		b.WriteString("  }\n")
	}
	rules("publish", p.Publish)
	rules("subscribe", p.Subscribe)
	if r := p.AllowResponses; r != (Responses{}) {
		fmt.Fprintf(&b, "  allow_responses: {max: %d, expires: %q}\n", r.Max, r.Expires)
	}
	b.WriteString("}\n")
	return b.String()
}

func configList(b *strings.Builder, name string, patterns []string) {
	fmt.Fprintf(b, "    %s: [\n", name)
	for _, subject := range patterns {
		fmt.Fprintf(b, "      %q\n", subject)
	}
	b.WriteString("    ]\n")
}

// NATSConfig writes what an account shares as a part of nats-server's
// configuration: the account's fields "exports" and "imports".
func (a Account) NATSConfig() string {
	var b strings.Builder
	b.WriteString("exports: [\n")
	for _, s := range a.Exports {
		fmt.Fprintf(&b, "  {%s: %q, accounts: [%s]", s.kind(), s.Subject, a.Other)
		if s.Many {
			b.WriteString(", response_type: stream")
		}
		b.WriteString("}\n")
	}
	b.WriteString("]\nimports: [\n")
	for _, s := range a.Imports {
		fmt.Fprintf(&b, "  {%s: {account: %s, subject: %q}", s.kind(), a.Other, s.Subject)
		if s.As != "" {
			fmt.Fprintf(&b, ", to: %q", s.As)
		}
		b.WriteString("}\n")
	}
	b.WriteString("]\n")
	return b.String()
}
