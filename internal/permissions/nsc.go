package permissions

import (
	"cmp"
	"fmt"
	"strings"
)

// NSC writes permissions as a command of nsc that adds the user, in the account
// that it is to be in.
func (p *Permissions) NSC(account, user string) string {
	args := []string{"nsc add user", "--account " + account, "--name " + user}
	list := func(flag string, patterns []string) {
		for _, subject := range patterns {
			args = append(args, "--"+flag+" "+quote(subject))
		}
	}
	list("allow-pub", p.Publish.Allow)
	list("deny-pub", p.Publish.Deny)
	list("allow-sub", p.Subscribe.Allow)
	list("deny-sub", p.Subscribe.Deny)
	if r := p.AllowResponses; r != (Responses{}) {
		args = append(args, fmt.Sprintf("--allow-pub-response=%d", r.Max), "--response-ttl "+r.Expires.String())
	}
	return strings.Join(args, " \\\n  ") + "\n"
}

// NSC writes the commands of nsc that export what an account shares, and import it
// into the other one. Both accounts must exist.
func (a Account) NSC() string {
	var b strings.Builder
	for _, s := range a.Exports {
		fmt.Fprintf(&b, "nsc add export --account %s --name %s --subject %s%s", a.Name, quote(s.Name), quote(s.Subject), s.serviceFlag())
		if s.Many {
			b.WriteString(" --response-type Stream")
		}
		b.WriteByte('\n')
	}
	for _, s := range a.Exports {
		fmt.Fprintf(&b, "nsc add import --account %s --name %s --src-account %s --remote-subject %s --local-subject %s%s\n",
			a.Other, quote(s.Name), a.Name, quote(s.Subject), quote(cmp.Or(s.As, s.Subject)), s.serviceFlag())
	}
	return b.String()
}

func (s Share) serviceFlag() string {
	if s.Stream {
		return ""
	}
	return " --service"
}

// quote keeps a shell from reading "$", "*" and ">".
func quote(s string) string { return "'" + s + "'" }
