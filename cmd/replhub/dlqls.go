package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// letterKind is what letters are grouped by.
type letterKind struct {
	Service string `json:"service"`
	Reason  string `json:"reason"`
	Entity  string `json:"entity"`
}

// letterGroup is the letters of one kind. First and Last are the sequences of
// its oldest and latest.
type letterGroup struct {
	letterKind

	Count  int       `json:"count"`
	First  uint64    `json:"first_seq"`
	Last   uint64    `json:"last_seq"`
	Oldest time.Time `json:"oldest"`
	Latest time.Time `json:"latest"`
}

func newDLQLs(a *app) *cobra.Command {
	var single bool
	var after uint64
	var limit int
	cmd := &cobra.Command{
		Use:     "ls [service]",
		Aliases: []string{"list"},
		Short:   "Count dead letters by service, reason and entity, or list them",
		Long: `Count dead letters by service, reason and entity, with the sequences and times of
the oldest and the latest. With --letters, list the dead letters one by one, oldest
first, at most --limit. If there are more, the last line is the command for the next
page.`,
		Example: `  replhub dlq ls
  replhub dlq ls sharing --letters
  replhub dlq ls --letters --after 1700 --limit 500 --json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeService,
	}
	flags := cmd.Flags()
	flags.BoolVarP(&single, "letters", "l", false, "list the dead letters one by one")
	flags.Uint64Var(&after, "after", 0, "list dead letters after this sequence")
	flags.IntVar(&limit, "limit", lettersAtOnce, "maximum number of dead letters to list")
	takesZero(flags, "after")
	cmd.RunE = a.verb(func(ctx context.Context, args []string) error {
		if single {
			page, err := a.letterPage(ctx, args, after, limit)
			if err != nil {
				return err
			}
			if a.json {
				return a.printValue(page)
			}
			return a.showLetters(page)
		}
		if flags.Changed("after") || flags.Changed("limit") {
			return usagef("--after and --limit go with --letters")
		}
		groups, err := a.letterGroups(ctx, args)
		if err != nil {
			return err
		}
		if a.json {
			return a.printValue(map[string]any{"groups": groups})
		}
		return a.showGroups(groups)
	})
	return cmd
}

func (a *app) letterGroups(ctx context.Context, args []string) ([]*letterGroup, error) {
	groups := map[letterKind]*letterGroup{}
	err := a.visitLetters(ctx, args, 0, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) bool {
		kind := kindOf(msg)
		g := groups[kind]
		if g == nil {
			g = &letterGroup{letterKind: kind, First: meta.Sequence.Stream, Oldest: meta.Timestamp.UTC()}
			groups[kind] = g
		}
		g.Count++
		g.Last, g.Latest = meta.Sequence.Stream, meta.Timestamp.UTC()
		return true
	})
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(groups), func(a, b *letterGroup) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Entity, b.Entity))
	}), nil
}

// visitLetters visits a service's letters behind a sequence, or all services'
// when args are empty, until visit says that it has enough.
func (a *app) visitLetters(ctx context.Context, args []string, after uint64, visit func(jetstream.Msg, *jetstream.MsgMetadata) bool) error {
	filter, err := letterFilter(args)
	if err != nil {
		return err
	}
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer l.close()
	stream, err := l.letters(ctx)
	if err != nil {
		return err
	}
	if err := l.eachLetter(ctx, stream, filter, after, visit); err != nil {
		return fmt.Errorf("read the stream %s: %w", contract.StreamDLQ, err)
	}
	return nil
}

func kindOf(msg jetstream.Msg) letterKind {
	kind := letterKind{Reason: msg.Headers().Get(contract.HeaderReason)}
	service, entity, _, err := subjects.ParseDeadLetter(msg.Subject())
	if err != nil {
		// Not the hub's: shown by its subject rather than hidden.
		kind.Service = msg.Subject()
		return kind
	}
	kind.Service, kind.Entity = service.String(), entity.String()
	return kind
}

// eachLetter visits the letters that are there now behind a sequence, oldest
// first, without their payloads, until visit says that it has enough.
func (l *connection) eachLetter(
	ctx context.Context, stream jetstream.Stream, filter string, after uint64, visit func(jetstream.Msg, *jetstream.MsgMetadata) bool,
) error {
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{filter}, HeadersOnly: true, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
	})
	if err != nil {
		return err
	}
	if consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextMaxWait(l.timeout))
		if err != nil {
			return err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return err
		}
		if !visit(msg, meta) || meta.NumPending == 0 {
			return ctx.Err()
		}
	}
}

func (a *app) showGroups(groups []*letterGroup) error {
	if len(groups) == 0 {
		_, err := fmt.Fprintln(a.out, "no dead letters")
		return err
	}
	t := newTable("SERVICE", "REASON", "ENTITY", "COUNT", "SEQUENCES", "OLDEST", "LATEST")
	for _, g := range groups {
		t.row(g.Service, g.Reason, g.Entity, count(g.Count), fmt.Sprintf("%d-%d", g.First, g.Last), humanTime(g.Oldest), humanTime(g.Latest))
	}
	return t.print(a.out)
}
