package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/replhub/replhub/internal/contract"
)

// registerFlags are a registration's definition, shared by all its entities.
type registerFlags struct {
	file       string
	interest   contract.Interest
	start      string
	queue      contract.Queue
	ackWait    time.Duration
	maxBytes   byteSize
	ofInterest []string
	ofQueue    []string
}

func newRegister(a *app) *cobra.Command {
	f := registerFlags{
		ofInterest: []string{"ops", "filter", "fields", "start", "echo"},
		ofQueue:    []string{"order", "partitions", "ack-wait", "max-deliver"},
	}
	cmd := &cobra.Command{
		Use:     "register <service> <entity>...",
		GroupID: groupServices,
		Short:   "Register a service's interest in entities",
		Long: `Register a service's interest in entities. After the reply, every matching event
from the sequence shown on reaches the stream SUB_<service>.

The command can be repeated. Without --ops, --filter, --fields, --start and --echo,
an entity that is already registered does not change. With one of these flags, its
definition is replaced. --file takes the whole request as JSON, with a definition
for each entity.`,
		Example: `  replhub register sharing user tenant
  replhub register app user --fields id,name,address.city --filter "data.tenant == 'acme'"
  replhub register search product --start all --order key --partitions 4
  replhub register billing user --start snapshot
  replhub register audit --file interests.json
  echo '{"interests":[{"entity":"user","ops":["delete"]}]}' | replhub register gdpr --file -`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completed(true, knownServices, knownEntities),
	}
	f.register(cmd)
	a.completeFlags(cmd, map[string]completer{"ops": opWords, "start": startWords(), "order": orderWords(), "fields": oneOf(), "filter": oneOf()})
	cmd.RunE = a.verb(func(ctx context.Context, args []string) error {
		req, err := f.request(a, cmd.Flags(), args[1:])
		if err != nil {
			return err
		}
		return exchange(ctx, a, contract.VerbRegister, args[0], req, showRegistered)
	})
	return cmd
}

func (f *registerFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.file, "file", "", "the request as JSON: a file, or - for standard input")
	flags.StringSliceVar(&f.interest.Ops, "ops", nil, "operations to receive (default create,update,delete)")
	flags.StringVar(&f.interest.Filter, "filter", "", "CEL over data, entity, op, key, headers and time")
	flags.StringSliceVar(&f.interest.Fields, "fields", nil, "JSON paths that copies keep (default all)")
	flags.StringVar(&f.start, "start", "", "new, all, snapshot, an RFC 3339 time, a duration before now as in 24h, or a sequence; counts at the first registration only (default new)")
	flags.BoolVar(&f.interest.Echo, "echo", false, "also send the service the events that it published")
	flags.StringVar(&f.queue.Order, "order", "", "none or key (default none)")
	flags.IntVar(&f.queue.Partitions, "partitions", 0, "number of queues, with order by key (default 1)")
	flags.DurationVar(&f.ackWait, "ack-wait", 0, "time after which an unacknowledged copy is delivered again (default 30s)")
	flags.IntVar(&f.queue.MaxDeliver, "max-deliver", 0, "deliveries before a dead letter (default 10)")
	flags.Var(&f.maxBytes, "max-bytes", "limit of the service's stream, as in 512MiB (default 1GiB)")
}

// request is the request that flags and entities make, or the file's as it is:
// the hub judges it.
func (f *registerFlags) request(a *app, flags *pflag.FlagSet, entities []string) (any, error) {
	if f.file != "" {
		if len(entities) > 0 || slices.ContainsFunc(slices.Concat(f.ofInterest, f.ofQueue, []string{"max-bytes"}), flags.Changed) {
			return nil, usagef("--file is the whole request: put entities, filters and fields into the file")
		}
		return f.fromFile(a.in)
	}
	f.interest.Ops, f.interest.Fields = trimmed(f.interest.Ops), trimmed(f.interest.Fields)
	for _, name := range []string{"ops", "filter", "fields"} {
		// An empty variable in a script would otherwise register for everything.
		if flag := flags.Lookup(name); flag.Changed && strings.Trim(flag.Value.String(), "[] \t") == "" {
			return nil, usagef("--%s is empty: leave it out for its default", name)
		}
	}
	var req contract.Register
	if !slices.ContainsFunc(f.ofInterest, flags.Changed) {
		req.Entities = entities
	} else {
		f.interest.Start = contract.Start(f.start)
		for _, entity := range entities {
			interest := f.interest
			interest.Entity = entity
			req.Interests = append(req.Interests, interest)
		}
	}
	if slices.ContainsFunc(f.ofQueue, flags.Changed) {
		f.queue.AckWait = contract.Duration(f.ackWait)
		req.Queue = &f.queue
	}
	if len(entities) == 0 && req.Queue == nil && f.maxBytes == 0 {
		return nil, usagef("the entities are missing: name entities, or give --file, or a flag that changes the service")
	}
	req.MaxBytes = int64(f.maxBytes)
	return req, nil
}

func (f *registerFlags) fromFile(stdin io.Reader) (json.RawMessage, error) {
	read := func() ([]byte, error) { return os.ReadFile(f.file) }
	if f.file == "-" {
		read = func() ([]byte, error) { return io.ReadAll(stdin) }
	}
	text, err := read()
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("read the request: %s is not JSON", f.file)
	}
	return text, nil
}

func showRegistered(w io.Writer, r *contract.Registered) error {
	t := newTable("ENTITY", "DUE FROM")
	for _, entity := range slices.Sorted(maps.Keys(r.Since)) {
		t.row(entity, count(r.Since[entity]))
	}
	if err := t.print(w); err != nil {
		return err
	}
	if !r.Complete {
		if _, err := fmt.Fprintln(w, "\nincomplete: older events are no longer held"); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s is in force from event %d (epoch %d) in the stream %s\n", r.Service, r.Seq, r.Epoch, r.Stream)
	if err == nil && len(r.Consumers) > 0 {
		_, err = fmt.Fprintf(w, "  work:  %s\n", workCommand(r))
	}
	for _, warning := range r.Warnings {
		if err == nil {
			_, err = fmt.Fprintf(w, "\nwarning: %s\n", printable(warning))
		}
	}
	return err
}

// workCommand is what to type to see the service's copies. The partitions of a
// queue that keeps keys in order belong to instances, so that the nats CLI gets
// nothing from them.
func workCommand(r *contract.Registered) string {
	if slices.Contains(r.Consumers, contract.ConsumerWorkers) {
		return fmt.Sprintf("nats consumer next %s %s", r.Stream, contract.ConsumerWorkers)
	}
	return "replhub next " + r.Service
}
