package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/permissions"
	"github.com/replhub/replhub/subjects"
)

func newAuth(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "auth",
		GroupID: groupHub,
		Short:   "Print the NATS permissions that a role needs",
		Long: `Print the NATS permissions that a role needs, and no others: as part of a
nats-server configuration, as nsc commands, or as JSON. The command contacts no
server.

Each role has its own inbox prefix, that is, its own prefix of reply subjects. The SDK
and the hub use the prefix of their role by themselves. For the command line, set
--inbox-prefix, or inbox_prefix in the context.

Permissions do not limit the reply subject that a request names. Only accounts do:
'replhub auth account' prints what the hub's account and the services' account
share. docs/security.md describes the whole set-up, and how far each role is
trusted.`,
		Example: `  replhub auth hub > hub.conf
  replhub auth service sharing --publishes user,tenant --snapshots user
  replhub auth service sharing --nsc --account SERVICES --js-domain replhub
  replhub auth operator --deletes user
  replhub auth operator --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuthHub(a), newAuthService(a), newAuthOperator(a), newAuthObserver(a), newAuthAccount(a))
	return cmd
}

// authForm is the form in which permissions are printed.
type authForm struct {
	nsc           bool
	account, user string
}

func (f *authForm) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.nsc, "nsc", false, "print commands of nsc")
	cmd.Flags().StringVar(&f.account, "account", permissions.AccountHub, "the account that the user is in, with --nsc")
	cmd.Flags().StringVar(&f.user, "name", "", "the user's name, with --nsc (default: the role, or the service)")
}

// check refuses flags that contradict each other.
func (f *authForm) check(a *app, cmd *cobra.Command) error {
	switch {
	case f.nsc && a.json:
		return usagef("--nsc and --json exclude each other")
	case !f.nsc && (cmd.Flags().Changed("account") || cmd.Flags().Changed("name")):
		return usagef("--account and --name go with --nsc")
	}
	return nil
}

// authRole makes the command of a role that takes no further words.
func authRole(a *app, role, short, long string, compute func(domain string) permissions.Permissions) *cobra.Command {
	var form authForm
	cmd := &cobra.Command{
		Use:   role,
		Short: short,
		Long:  long,
		Example: `  replhub auth ` + role + `
  replhub auth ` + role + ` --nsc`,
		Args: cobra.NoArgs,
	}
	form.register(cmd)
	cmd.RunE = a.verb(func(context.Context, []string) error {
		if err := form.check(a, cmd); err != nil {
			return err
		}
		return a.printPermissions(compute(a.conn.domain), form, role, "the "+role)
	})
	return cmd
}

func newAuthHub(a *app) *cobra.Command {
	return authRole(a, "hub", "Print the permissions of a hub",
		`Print the permissions of a hub. A hub creates and deletes streams, so give it an account
without other streams.`, permissions.Hub)
}

func newAuthOperator(a *app) *cobra.Command {
	var deletes []string
	cmd := authRole(a, "operator", "Print the permissions of an operator",
		`Print the permissions of an operator, who registers, pauses, rewinds and drops services,
redrives and removes dead letters, and erases the events of keys. An operator can read
the payloads of dead letters, and no other payloads. An operator cannot publish events,
except deletes of the entities in --deletes, as 'replhub erase --publish-delete' does.`, func(domain string) permissions.Permissions {
			entities, err := parseEntities("deletes", deletes)
			if err != nil {
				return permissions.Permissions{}
			}
			return permissions.Operator(domain, entities...)
		})
	cmd.Flags().StringSliceVar(&deletes, "deletes", nil, "entities whose deletes may be published, separated by commas")
	a.completeFlags(cmd, map[string]completer{"deletes": knownEntities})
	printed := cmd.RunE
	cmd.RunE = a.verb(func(_ context.Context, args []string) error {
		if _, err := parseEntities("deletes", deletes); err != nil {
			return err
		}
		return printed(cmd, args)
	})
	return cmd
}

func newAuthObserver(a *app) *cobra.Command {
	return authRole(a, "observer", "Print the permissions of an observer",
		`Print the permissions of an observer, who changes nothing: ls, watch, describe, who,
explain, status, and policy without changes. An observer cannot read payloads.`, func(string) permissions.Permissions { return permissions.Observer() })
}

func newAuthService(a *app) *cobra.Command {
	var form authForm
	var publishes, snapshots, policies []string
	var pauses bool
	var captures captureRole
	cmd := &cobra.Command{
		Use:   "service <name>",
		Short: "Print the permissions of a service's instances",
		Long: `Print the permissions of a service's instances. They may register the service, take
and acknowledge its copies, store its dead letters, publish events of the entities
in --publishes, and state the policies of the entities in --policies.

A service that runs 'replhub capture' needs --captures, and the captured entities in
--publishes and --snapshots. It can then read all of ingest, that is, every entity of
every service: a capture reads its stored changes, and NATS cannot limit that permission
to some subjects.`,
		Example: `  replhub auth service sharing
  replhub auth service user-profile --publishes user,tenant --snapshots user
  replhub auth service user-profile --publishes user --snapshots user --captures`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeService,
	}
	cmd.Flags().StringSliceVar(&publishes, "publishes", nil, "entities whose events the service publishes, separated by commas")
	cmd.Flags().StringSliceVar(&snapshots, "snapshots", nil, "entities whose rows the service serves (ServeSnapshot), separated by commas")
	cmd.Flags().StringSliceVar(&policies, "policies", nil, "entities whose policy the service states (replhub policy), separated by commas")
	cmd.Flags().BoolVar(&pauses, "pauses", false, "the service may pause its own workers, as replhub push does when its endpoint is gone")
	captures.flags(cmd)
	a.completeFlags(cmd, map[string]completer{"publishes": knownEntities, "snapshots": knownEntities, "policies": knownEntities})
	form.register(cmd)
	cmd.RunE = a.verb(func(_ context.Context, args []string) error {
		if err := form.check(a, cmd); err != nil {
			return err
		}
		role, err := serviceRole(args[0], publishes, snapshots, policies)
		if err != nil {
			return err
		}
		role.Pauses = pauses
		if role.Records, err = captures.records(role.Name); err != nil {
			return err
		}
		return a.printPermissions(permissions.Service(role, a.conn.domain), form, role.Name.String(), "the service "+role.Name.String())
	})
	return cmd
}

// captureRole says whether a service captures, and from which slot.
type captureRole struct {
	on   bool
	slot string
}

func (c *captureRole) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.on, "captures", false, "the service runs replhub capture; it can then read all of ingest")
	cmd.Flags().StringVar(&c.slot, "slot", "", "replication slot of the service's capture, with --captures (default replhub_ and the service's name)")
}

// records are the subjects of the capture's records. A slot with a "*" in its name would
// permit the records of all.
func (c *captureRole) records(service subjects.Name) ([]string, error) {
	slot := cmp.Or(c.slot, captured.DefaultSlot(service.String()))
	switch {
	case !c.on && c.slot != "":
		return nil, usagef("--slot goes with --captures")
	case !c.on:
		return nil, nil
	case !captured.ValidSlot(slot):
		return nil, usagef("--slot %q: a slot's name has 1 to 63 lower-case letters, digits and underscores", slot)
	}
	return []string{captured.Subject(slot)}, nil
}

// serviceRole parses the names that a service's role has.
func serviceRole(service string, publishes, snapshots, policies []string) (role permissions.ServiceRole, err error) {
	if role.Name, err = subjects.ParseName(service); err != nil {
		return role, refuse(contract.FieldErrorf(contract.CodeInvalidName, "service", "%v", err))
	}
	if role.Publishes, err = parseEntities("publishes", publishes); err != nil {
		return role, err
	}
	if role.Snapshots, err = parseEntities("snapshots", snapshots); err != nil {
		return role, err
	}
	role.Policies, err = parseEntities("policies", policies)
	return role, err
}

func parseEntities(field string, names []string) ([]subjects.Name, error) {
	entities := make([]subjects.Name, 0, len(names))
	for _, name := range names {
		entity, err := subjects.ParseName(name)
		if err != nil {
			return nil, refuse(contract.FieldErrorf(contract.CodeInvalidName, field, "%v", err))
		}
		entities = append(entities, entity)
	}
	return entities, nil
}

// printPermissions prints permissions in the form that was asked for.
func (a *app) printPermissions(p permissions.Permissions, form authForm, user, who string) error {
	switch {
	case a.json:
		text, err := p.JSON()
		if err != nil {
			return err
		}
		return a.printJSON(text)
	case form.nsc:
		if form.user != "" {
			user = form.user
		}
		_, err := fmt.Fprint(a.out, p.NSC(form.account, user))
		return err
	}
	_, err := fmt.Fprintf(a.out, "# What %s needs. Its inbox prefix is %s.\n%s", who, p.InboxPrefix, p.NATSConfig())
	return err
}

func newAuthAccount(a *app) *cobra.Command {
	var nsc bool
	cmd := &cobra.Command{
		Use:   "account <hub|services>",
		Short: "Print the exports and imports of the hub's and the services' account",
		Long: `Print the exports and imports of the hub's account or of the services' account: as
part of a nats-server configuration (the fields of an account), or as nsc commands
that export what one account shares and import it into the other.

The reply to a request between accounts stays in the account that sent the request.
So a service cannot make the server publish an event, or a request to another
service's work queue, by naming that subject as the reply subject. In one shared
account it can. The services' account has no JetStream of its own. Its users use
the domain ` + permissions.DomainServices + ` (Config.Domain, --js-domain).`,
		Example: `  replhub auth account hub > hub-account.conf
  replhub auth account services > services-account.conf
  replhub auth account hub --nsc`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completed(false, oneOf("hub", "services")),
	}
	cmd.Flags().BoolVar(&nsc, "nsc", false, "print commands of nsc")
	cmd.RunE = a.verb(func(_ context.Context, args []string) error {
		hub, services := permissions.Accounts()
		account, ok := map[string]permissions.Account{"hub": hub, "services": services}[args[0]]
		switch {
		case !ok:
			return usagef("account %q: want hub or services", args[0])
		case nsc && a.json:
			return usagef("--nsc and --json exclude each other")
		case a.json:
			return a.printValue(account)
		case nsc:
			_, err := fmt.Fprint(a.out, account.NSC())
			return err
		}
		_, err := fmt.Fprintf(a.out, "# What the account %s shares with %s.\n%s", account.Name, account.Other, account.NATSConfig())
		return err
	})
	return cmd
}
