package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
)

func newPolicy(a *app) *cobra.Command {
	f := new(policyFlags)
	cmd := &cobra.Command{
		Use:     "policy [entity]",
		GroupID: groupServices,
		Short:   "State or show which services may have an entity",
		Long: `State which services may have an entity, and which part of it. A service that the policy
does not name gets nothing of the entity. Without a policy every service may have
everything, unless the hub runs with ` + contract.EnvPolicy + `=required.

The flags state the whole policy and replace the policy before: what the flags do not
name is no longer allowed. --allow names a service and the fields that it may see, or
"*" for all fields; the service "*" is every service that is not named. --ops and
--filter narrow a service that --allow names.

The command returns when the policy is in force in every lane. Copies that were made
before stay in the services' streams. A service gets the part of its interest that the
policy allows. If a later policy allows more, the service gets more from then on.

Without a flag the command shows the policy of the entity, or all policies.`,
		Example: `  replhub policy user --allow sharing=id,name --allow 'audit=*'
  replhub policy user --allow 'sharing=id,address.city' --ops sharing=create,update,delete --filter 'sharing=data.country == "DE"'
  replhub policy user --allow '*=id'
  replhub policy user --none
  replhub policy user --clear
  replhub policy --json | jq -r '.policies[].entity'`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completed(false, knownEntities),
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.allow, "allow", nil, "<service>=<fields>: a service and the fields that it may see, separated by commas, or * for all; repeatable")
	flags.StringArrayVar(&f.ops, "ops", nil, "<service>=<operations> that the service may get (default all); repeatable")
	flags.StringArrayVar(&f.filter, "filter", nil, "<service>=<CEL> that events for the service must pass; repeatable")
	flags.BoolVar(&f.none, "none", false, "allow nothing to any service")
	flags.BoolVar(&f.clear, "clear", false, "end the policy")
	flags.BoolVar(&f.show, "show", false, "show the policy (the default without other flags)")
	a.completeFlags(cmd, map[string]completer{"allow": oneOf(), "ops": oneOf(), "filter": oneOf()})
	cmd.RunE = a.verb(func(ctx context.Context, args []string) error {
		entity := ""
		if len(args) > 0 {
			entity = args[0]
		}
		req, show, err := f.request(entity)
		if err != nil {
			return err
		}
		if show {
			return exchangePages(ctx, a, policyPages(entity), showPolicies)
		}
		return exchange(ctx, a, contract.VerbPolicy, entity, req, showPolicySet)
	})
	return cmd
}

// policyFlags are what is stated of a policy.
type policyFlags struct {
	allow, ops, filter []string
	none, clear, show  bool
}

// request is the request that the flags make; show is true without one.
func (f *policyFlags) request(entity string) (req contract.SetPolicy, show bool, err error) {
	states := len(f.allow)+len(f.ops)+len(f.filter) > 0
	kinds := 0
	for _, is := range []bool{states, f.none, f.clear, f.show} {
		if is {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		return req, false, usagef("--allow (with --ops and --filter), --none, --clear and --show exclude each other")
	case kinds == 0 || f.show:
		return req, true, nil
	case entity == "":
		return req, false, usagef("the policy of which entity?")
	case f.clear:
		return contract.SetPolicy{Clear: true}, false, nil
	}
	req.Allow = make(map[string]contract.Grant)
	if err := f.grants(req.Allow); err != nil {
		return req, false, err
	}
	return req, false, nil
}

// grants puts what the flags allow into a policy.
func (f *policyFlags) grants(allow map[string]contract.Grant) error {
	for _, text := range f.allow {
		service, fields, err := ofService("--allow", text)
		if err != nil {
			return err
		}
		if _, twice := allow[service]; twice {
			return usagef("--allow names %s twice", service)
		}
		allow[service] = contract.Grant{Fields: separated(fields)}
	}
	narrow := func(flag string, texts []string, set func(*contract.Grant, string) bool) error {
		for _, text := range texts {
			service, value, err := ofService(flag, text)
			if err != nil {
				return err
			}
			g, named := allow[service]
			if !named {
				return usagef("%s names %s, and --allow does not: say which fields it may see, or --allow '%s=*'", flag, service, service)
			}
			if !set(&g, value) {
				return usagef("%s names %s twice", flag, service)
			}
			allow[service] = g
		}
		return nil
	}
	err := narrow("--ops", f.ops, func(g *contract.Grant, value string) bool {
		first := len(g.Ops) == 0
		g.Ops = separated(value)
		return first
	})
	if err != nil {
		return err
	}
	return narrow("--filter", f.filter, func(g *contract.Grant, value string) bool {
		first := g.Filter == ""
		g.Filter = value
		return first
	})
}

// separated are the parts of a list that commas separate, without the spaces around them.
func separated(text string) []string { return trimmed(strings.Split(text, ",")) }

// trimmed removes the spaces around the parts of a list, in place.
func trimmed(parts []string) []string {
	for i, part := range parts {
		parts[i] = strings.TrimSpace(part)
	}
	return parts
}

// ofService takes "<service>=<value>" apart. Neither may be empty: an empty list of
// fields would allow all.
func ofService(flag, text string) (service, value string, err error) {
	service, value, ok := strings.Cut(text, "=")
	if !ok || service == "" || strings.TrimSpace(value) == "" {
		return "", "", usagef("%s %q: want <service>=<value>, as in %s", flag, text,
			map[string]string{"--allow": "sharing=id,name", "--ops": "sharing=create,update", "--filter": `'sharing=data.country == "DE"'`}[flag])
	}
	return service, value, nil
}

func showPolicySet(w io.Writer, r *contract.PolicySet) error {
	text := fmt.Sprintf("the policy of %s is in force (revision %d)", r.Entity, r.Rev)
	if r.Cleared {
		text = fmt.Sprintf("%s has no policy any more", r.Entity)
	}
	if _, err := fmt.Fprintln(w, text); err != nil {
		return err
	}
	t := newTable("SERVICE", "GETS", "FROM EVENT", "REASON")
	for _, s := range r.Services {
		t.row(s.Service, policyState(s.State), count(s.Seq), cmp.Or(s.Reason, "-"))
	}
	if len(r.Services) > 0 {
		if err := printTables(w, t); err != nil {
			return err
		}
	}
	if r.LeftOut > 0 {
		if _, err := fmt.Fprintf(w, "and %s more\n", plural(r.LeftOut, "service")); err != nil {
			return err
		}
	}
	for _, warning := range r.Warnings {
		if _, err := fmt.Fprintf(w, "warning: %s\n", printable(warning)); err != nil {
			return err
		}
	}
	return nil
}

func showPolicies(w io.Writer, r *contract.Policies) error {
	if len(r.Policies) == 0 {
		text := "there is no policy: every service may have everything"
		if r.Required {
			text = "there is no policy, and this hub requires one: no service may have anything"
		}
		_, err := fmt.Fprintln(w, text)
		return err
	}
	t := newTable("ENTITY", "SERVICE", "FIELDS", "OPS", "FILTER")
	for _, p := range r.Policies {
		if len(p.Allow) == 0 && p.Problem == "" {
			t.row(p.Entity, "no service", "-", "-", "-")
		}
		for _, service := range slices.Sorted(maps.Keys(p.Allow)) {
			t.row(append([]string{p.Entity, service}, cellsOfGrant(p.Allow[service])...)...)
		}
	}
	if err := printTables(w, t); err != nil {
		return err
	}
	for _, p := range r.Policies {
		if p.Problem != "" {
			if _, err := fmt.Fprintf(w, "\nthe policy of %s: %s\n", p.Entity, printable(p.Problem)); err != nil {
				return err
			}
		}
	}
	return nil
}
