package inbox_test

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/inbox"
	"github.com/replhub/replhub/internal/contract"
)

// published is a client that remembers the first event of each key.
type published struct {
	*replhub.Client

	mu    sync.Mutex // guards first
	first map[string]replhub.Event
}

// PublishBatch implements outbox.Publisher.
func (p *published) PublishBatch(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error) {
	p.note(events)
	return p.Client.PublishBatch(ctx, events)
}

// PublishAll is what a relay takes for more than one event. It must not be the
// client's own, which notes nothing.
func (p *published) PublishAll(ctx context.Context, events []replhub.Event) ([]replhub.Ack, error) {
	p.note(events)
	return p.Client.PublishAll(ctx, events)
}

func (p *published) note(events []replhub.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ev := range events {
		if _, ok := p.first[ev.Key]; !ok {
			p.first[ev.Key] = ev
		}
	}
}

// resend publishes a key's first event once more, as a relay does that stood
// still with it for longer than the dedupe window.
func (p *published) resend(ctx context.Context, key string) error {
	p.mu.Lock()
	first, ok := p.first[key]
	p.mu.Unlock()
	if !ok {
		return nil
	}
	_, err := p.Client.PublishBatch(ctx, []replhub.Event{first})
	return err
}

// ingested are all events in ingest, in its order.
func ingested(t *testing.T, url string) []*replhub.Delivery {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), contract.StreamIngest)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := stream.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	n := int(stream.CachedInfo().State.Msgs)
	batch, err := consumer.Fetch(n, jetstream.FetchMaxWait(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	var all []*replhub.Delivery
	for m := range batch.Messages() {
		all = append(all, eventOf(t, m))
	}
	if len(all) != n {
		t.Fatalf("read %d of %d events: %v", len(all), n, batch.Error())
	}
	return all
}

func eventOf(t *testing.T, m jetstream.Msg) *replhub.Delivery {
	t.Helper()
	at, err := m.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	header := m.Headers()
	d := &replhub.Delivery{
		Op: replhub.Op(m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:]), Key: header.Get(contract.HeaderKey),
		Origin: header.Get(contract.HeaderOrigin), Data: m.Data(), Position: replhub.Position{Epoch: 1, Seq: at.Sequence.Stream},
		Time: timeOf(header, time.Time{}),
	}
	if given := header.Get(contract.HeaderVersion); given != "" {
		if d.Version, err = strconv.ParseInt(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// winners are the users that a rule makes of all that was published.
func winners(rule string, events []*replhub.Delivery) map[string]string {
	stamps, names := make(map[string]inbox.Stamp), make(map[string]string)
	for _, ev := range events {
		s := inbox.Stamp{Position: ev.Position, Origin: ev.Origin, Version: ev.Version, Time: ev.Time}
		if best, ok := stamps[ev.Key]; ok && !rules[rule].policy(best, s) {
			continue
		}
		stamps[ev.Key] = s
		if names[ev.Key] = ""; ev.Op != replhub.Delete {
			names[ev.Key] = strings.TrimSuffix(strings.TrimPrefix(string(ev.Data), `{"name":"`), `"}`)
		}
	}
	maps.DeleteFunc(names, func(_, name string) bool { return name == "" })
	return names
}
