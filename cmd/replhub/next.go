package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// errNothingCame ends a wait for the next copy.
var errNothingCame = errors.New("nothing came in time")

// nextOptions are the flags of replhub next.
type nextOptions struct {
	count int
	wait  time.Duration
	noAck bool
}

func newNext(a *app) *cobra.Command {
	var o nextOptions
	ack := true
	cmd := &cobra.Command{
		Use:     "next <service>",
		GroupID: groupEvents,
		Short:   "Take a service's next copy, as one of its instances does",
		Long: `Show the next copy in a service's work queue and acknowledge it, so that no other
instance gets it. With --no-ack, show the copy and return it to the queue.

If the queue orders copies by key, this command is an instance of the service while
it runs. It waits for its share of the partitions, takes the copies that another
instance left unfinished first, and gives its partitions back at the end. It takes
one copy at a time, and shows each copy that it takes.

The exit code is 0 if at least one copy came within --wait, else 1. A copy that is
returned counts as delivered: it becomes a dead letter when it reaches the queue's
max_deliver.`,
		Example: `  replhub next sharing
  replhub next sharing --no-ack
  replhub next sharing --count 100 --wait 2s --json | jq .payload`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeService,
	}
	flags := cmd.Flags()
	flags.IntVar(&o.count, "count", 1, "maximum number of copies to show")
	flags.DurationVar(&o.wait, "wait", 10*time.Second, "maximum wait for each copy")
	flags.BoolVar(&ack, "ack", true, "acknowledge each copy that is shown")
	flags.BoolVar(&o.noAck, "no-ack", false, "return each copy that is shown to the queue")
	cmd.RunE = a.verb(func(ctx context.Context, args []string) error {
		if flags.Changed("ack") && flags.Changed("no-ack") {
			return usagef("--ack and --no-ack exclude each other")
		}
		o.noAck = o.noAck || !ack
		return a.next(ctx, args[0], o)
	})
	return cmd
}

// workQueue is a service's queue as this instance sees it. One copy at a time is
// taken; it belongs to the one goroutine that takes it.
type workQueue interface {
	// next waits for a copy until ctx ends, whose cause it returns.
	next(ctx context.Context) (jetstream.Msg, error)
	// ack settles the copy that was taken last.
	ack(ctx context.Context, m jetstream.Msg) error
	// keep holds it, unacknowledged, until the queue is closed.
	keep(m jetstream.Msg)
	// nothing says why none came, as far as that can be told.
	nothing(ctx context.Context) string
	// close gives back what is held, and leaves.
	close() error
}

func (a *app) next(ctx context.Context, service string, o nextOptions) error {
	name, err := subjects.ParseName(service)
	if err != nil {
		return refuse(contract.FieldErrorf(contract.CodeInvalidName, "service", "%v", err))
	}
	l, err := a.connect()
	if err != nil {
		return err
	}
	defer l.close()
	queue, err := l.openQueue(ctx, name)
	if err != nil {
		return err
	}
	err = a.showNext(ctx, name, queue, o)
	if closeErr := queue.close(); err == nil {
		err = closeErr
	}
	return err
}

// showNext shows each copy before it is acknowledged: where the output fails,
// the copy comes again.
func (a *app) showNext(ctx context.Context, service subjects.Name, queue workQueue, o nextOptions) error {
	for shown := range o.count {
		waiting, cancel := context.WithTimeoutCause(ctx, o.wait, errNothingCame)
		m, err := queue.next(waiting)
		cancel()
		if errors.Is(err, errNothingCame) {
			if shown > 0 {
				return nil
			}
			return failf(codeTimeout, "%s: no copy within %s: %s", service, o.wait, queue.nothing(ctx))
		}
		if err != nil {
			return err
		}
		if err := a.showCopy(m, shown); err != nil {
			queue.keep(m) // nobody saw it
			return err
		}
		done := "given back at the end"
		if o.noAck {
			queue.keep(m)
		} else {
			done = "acknowledged"
			if err := queue.ack(ctx, m); err != nil {
				return fmt.Errorf("acknowledge the copy: %w; it is delivered again", err)
			}
		}
		if a.json {
			continue
		}
		if _, err := fmt.Fprintf(a.out, "\n%s\n", done); err != nil {
			return err
		}
	}
	return nil
}

// openQueue finds the service's queue and takes part in it.
func (l *connection) openQueue(ctx context.Context, service subjects.Name) (workQueue, error) {
	js, err := l.jetStream()
	if err != nil {
		return nil, err
	}
	asked, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	stream := subjects.LaneStream(service)
	for _, name := range []string{contract.ConsumerWorkers, partitionConsumer(0)} {
		consumer, err := js.Consumer(asked, stream, name)
		switch {
		case errors.Is(err, jetstream.ErrStreamNotFound):
			return nil, refuse(contract.Errorf(contract.CodeNotFound, "no service %s is registered", service))
		case errors.Is(err, jetstream.ErrConsumerNotFound):
			continue
		case err != nil:
			return nil, fmt.Errorf("open the queue of %s: %w", service, err)
		case name == contract.ConsumerWorkers:
			return &plainQueue{connection: l, consumer: consumer}, nil
		}
		return joinQueue(ctx, l, js, service)
	}
	return nil, refuse(contract.Errorf(contract.CodeNotFound, "%s has no work queue on the stream %s", service, stream))
}

// shownCopy is a copy as --json prints it, a line each. Of the payload forms one
// is set, as in letter.
type shownCopy struct {
	letter

	Delivered uint64 `json:"delivered"`
}

func (a *app) showCopy(m jetstream.Msg, before int) error {
	meta, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("read the copy: %w", err)
	}
	headers := maps.Clone(m.Headers())
	maps.DeleteFunc(headers, func(name string, _ []string) bool { return strings.HasPrefix(name, "Nats-") }) // the server's and the fence's
	raw := &jetstream.RawStreamMsg{Subject: m.Subject(), Sequence: meta.Sequence.Stream, Header: headers, Data: m.Data(), Time: meta.Timestamp}
	if a.json {
		line, err := json.Marshal(shownCopy{letter: newLetter(raw), Delivered: meta.NumDelivered})
		if err != nil {
			return fmt.Errorf("print JSON: %w", err)
		}
		_, err = a.out.Write(append(line, '\n'))
		return err
	}
	return printTo(a.out, strings.Repeat("\n", min(before, 1)), func(w io.Writer) error {
		t := newTable("subject", raw.Subject)
		t.pair("copy", fmt.Sprintf("%d in %s, delivery %d", raw.Sequence, meta.Stream, meta.NumDelivered))
		t.pair("stored", humanTime(raw.Time))
		for _, name := range slices.Sorted(maps.Keys(headers)) {
			t.pair(name, strings.Join(headers[name], ", "))
		}
		if err := t.print(w); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "\n%s\n", payloadText(raw.Data))
		return err
	})
}
