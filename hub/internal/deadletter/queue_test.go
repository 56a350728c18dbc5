package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/deadletter"
	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/internal/contract"
)

// poisonous fails the copies of some keys and acknowledges the others.
func poisonous(keys ...string) func(jetstream.Msg) error {
	return func(m jetstream.Msg) error {
		if slices.Contains(keys, m.Headers().Get(contract.HeaderKey)) {
			return m.Nak()
		}
		return m.Ack()
	}
}

func keysOf(found []*jetstream.RawStreamMsg) string {
	var keys []string
	for _, m := range found {
		keys = append(keys, m.Header.Get(contract.HeaderKey))
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}

func TestExhaustedDeliveryBecomesALetter(t *testing.T) {
	for name, c := range map[string]struct {
		queue    contract.Queue
		consumer string
		attempts string
	}{
		"workers":          {contract.Queue{Order: "none", Partitions: 1, MaxDeliver: 3}, "workers", "3"},
		"pinned partition": {contract.Queue{Order: "key", Partitions: 2, MaxDeliver: 2}, "workers-0", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPost(t, c.queue)
			o := p.open()
			p.run(o)
			p.copies(5)
			p.work(c.consumer, poisonous("2", "5"))
			found := p.letters(2, o)
			if keysOf(found) != "2 5" {
				t.Errorf("letters of %s", keysOf(found))
			}
			for _, m := range found {
				want := map[string]string{
					contract.HeaderReason: contract.ReasonMaxDeliver, contract.HeaderAttempts: c.attempts,
					contract.HeaderPosition: "1-" + m.Header.Get(contract.HeaderKey), "X-Trace": "abc",
				}
				for name, value := range want {
					if got := m.Header.Get(name); got != value {
						t.Errorf("header %s is %q, want %q", name, got, value)
					}
				}
				if m.Header.Get(contract.HeaderError) == "" || string(m.Data) != `{"id":"`+m.Header.Get(contract.HeaderKey)+`"}` {
					t.Errorf("letter %v %s", m.Header, m.Data)
				}
				if m.Subject != "dlq.sharing.user.update" {
					t.Errorf("subject %s", m.Subject)
				}
			}
			p.copies(1)
			p.work(c.consumer, poisonous())
			info := p.info(c.consumer)
			if info.NumAckPending != 0 || info.NumRedelivered != 0 || info.AckFloor.Stream != 6 {
				t.Errorf("the poison events hold the consumer up: %+v", info)
			}
		})
	}
}

func TestTerminatedDeliveryIsParked(t *testing.T) {
	p := newPost(t, contract.Queue{Order: "none", Partitions: 1, MaxDeliver: 3})
	o := p.open()
	p.copies(2)
	p.work("workers", func(m jetstream.Msg) error {
		if m.Headers().Get(contract.HeaderKey) == "1" {
			return m.TermWithReason("no such\ntenant")
		}
		return m.Ack()
	})
	p.eventually("the advisory holds the copy", func() error {
		if hold := p.hold(o); hold != 1 {
			return fmt.Errorf("hold %d", hold)
		}
		return nil
	})
	p.run(o)
	m := p.letters(1, o)[0]
	if m.Header.Get(contract.HeaderReason) != contract.ReasonParked || m.Header.Get(contract.HeaderError) != "no such tenant" ||
		m.Header.Get(contract.HeaderAttempts) != "1" {
		t.Errorf("letter %v", m.Header)
	}
}

// Letters' ids are the stream's: a service that stores a letter of its own under the
// id of another's must not have that one taken for stored.
func TestLetterUnderAnIDThatAnotherServiceHasTaken(t *testing.T) {
	p := newPost(t, contract.Queue{Order: "none", Partitions: 1, MaxDeliver: 2})
	o := p.open()
	id := "sharing/1-1/" + contract.ReasonMaxDeliver
	if _, err := p.js.Publish(t.Context(), "dlq.intruder.user.update", nil, jetstream.WithMsgID(id)); err != nil {
		t.Fatal(err)
	}
	p.run(o)
	p.copies(1)
	p.work("workers", poisonous("1"))
	if found := p.letters(2, o)[1]; found.Subject != "dlq.sharing.user.update" || found.Header.Get(contract.HeaderKey) != "1" {
		t.Errorf("the letter is %s, %v", found.Subject, found.Header)
	}
}

// The server publishes an advisory once, to its present subscribers.
func TestAuditFindsLostAdvisories(t *testing.T) {
	for name, c := range map[string]struct {
		maxDeliver int
		pending    bool
		restart    bool
		inspect    time.Duration
		poison     []string
	}{
		"in the middle":           {maxDeliver: 2, poison: []string{"2", "4"}, inspect: time.Hour},
		"at the ack floor":        {maxDeliver: 2, poison: []string{"6"}, inspect: time.Hour},
		"server restarted":        {maxDeliver: 2, poison: []string{"1", "3"}, restart: true, inspect: time.Hour},
		"redelivered but pending": {maxDeliver: 3, poison: []string{"2"}, pending: true, inspect: 50 * time.Millisecond},
		"max_deliver 1":           {maxDeliver: 1, poison: []string{"2", "6"}, inspect: 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPost(t, contract.Queue{Order: "none", Partitions: 1, MaxDeliver: c.maxDeliver})
			p.copies(6)
			p.loseAdvisories()
			handle := poisonous(c.poison...)
			p.work("workers", func(m jetstream.Msg) error {
				if c.pending && m.Headers().Get(contract.HeaderKey) == "5" {
					meta, err := m.Metadata()
					switch {
					case err != nil:
						return err
					case meta.NumDelivered == 1:
						return m.Nak()
					}
					return errHeld
				}
				return handle(m)
			})
			if c.restart {
				p.server.Stop()
				p.server.Start()
				p.eventually("the server's answer", func() error { // a request may be lost with the old server
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					_, err := p.js.Stream(ctx, contract.StreamDLQ)
					return err
				})
			}
			o := p.open(func(cfg *deadletter.Config) { cfg.InspectEvery = c.inspect })
			if hold := p.hold(o); hold > 2 {
				t.Errorf("hold %d before it is known which delivery failed", hold)
			}
			p.run(o)
			var found []*jetstream.RawStreamMsg
			p.eventually("letters", func() error {
				if found = p.stored(); len(found) < len(c.poison) {
					return fmt.Errorf("%d so far", len(found))
				}
				return nil
			})
			if keysOf(found) != strings.Join(c.poison, " ") {
				t.Errorf("letters of %s, want %v", keysOf(found), c.poison)
			}
			if got := found[0].Header.Get(contract.HeaderAttempts); got != strconv.Itoa(c.maxDeliver) {
				t.Errorf("attempts %s", got)
			}
			if c.pending {
				p.eventually("the copy at the worker alone is held", func() error {
					if hold := p.hold(o); hold != 5 {
						return fmt.Errorf("hold %d", hold)
					}
					return nil
				})
				return
			}
			if c.maxDeliver > 1 {
				p.letters(len(c.poison), o)
			}
		})
	}
}

func TestFullLettersStall(t *testing.T) {
	p := newPost(t, contract.Queue{Order: "none", Partitions: 1, MaxDeliver: 2})
	o := p.open(func(cfg *deadletter.Config) { cfg.MaxBytes, cfg.ServiceMaxBytes = 1, 1<<20 })
	p.run(o)
	p.copies(4)
	p.work("workers", poisonous("1", "2", "3", "4"))
	p.eventually("the advisories of all", func() error {
		s, err := p.js.Stream(t.Context(), contract.StreamAdvisories)
		if err != nil {
			return err
		}
		if n := s.CachedInfo().State.Msgs; n != 4 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	if hold := p.hold(o); hold != 1 {
		t.Errorf("hold %d while no letter is stored", hold)
	}
	if n := len(p.stored()); n != 0 {
		t.Fatalf("%d letters in a full stream", n)
	}
	room := p.open()
	if found := p.letters(4, room); keysOf(found) != "1 2 3 4" {
		t.Errorf("letters of %s", keysOf(found))
	}
}

func TestTwoQueuesWriteOneLetter(t *testing.T) {
	p := newPost(t, contract.Queue{Order: "none", Partitions: 1, MaxDeliver: 2})
	a, b := p.open(), p.open()
	p.run(a)
	p.run(b)
	p.copies(20)
	var all []string
	for i := range 20 {
		all = append(all, strconv.Itoa(i+1))
	}
	p.work("workers", poisonous(all...))
	p.letters(20, a)
	// A hub that died before it acknowledged the advisory leaves it to another.
	again := fmt.Sprintf(`{"timestamp":%q,"stream":"SUB_sharing","consumer":"workers","stream_seq":7,"deliveries":2}`, time.Now().UTC().Format(time.RFC3339Nano))
	if _, err := p.js.Publish(t.Context(), "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.SUB_sharing.workers", []byte(again)); err != nil {
		t.Fatal(err)
	}
	p.letters(20, a)
}

// Advisories of streams that are none of the hub's must not stay in the work
// queue.
func TestForeignAdvisoriesAreIgnored(t *testing.T) {
	p := newPost(t, contract.Queue{Order: "none", Partitions: 1, MaxDeliver: 2})
	o := p.open()
	if _, err := p.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHER", Subjects: []string{"other"}}); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{
		"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.OTHER.workers",
		"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.SUB_sharing.mine",
		"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.SUB_gone.workers",
		"$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.SUB_sharing.workers", // a copy that is gone
	} {
		body := fmt.Sprintf(`{"timestamp":%q,"stream":"SUB_gone","consumer":"workers","stream_seq":99}`, time.Now().UTC().Format(time.RFC3339Nano))
		if _, err := p.js.Publish(t.Context(), subject, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.js.Publish(t.Context(), "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.SUB_sharing.workers", []byte("garbage")); err != nil {
		t.Fatal(err)
	}
	p.run(o)
	p.eventually("an empty work queue", func() error {
		s, err := p.js.Stream(t.Context(), contract.StreamAdvisories)
		if err != nil {
			return err
		}
		if n := s.CachedInfo().State.Msgs; n != 0 {
			return fmt.Errorf("%d advisories", n)
		}
		return nil
	})
	if n := len(p.stored()); n != 0 {
		t.Errorf("%d letters", n)
	}
}

// A copy as large as the server takes has no room for a letter's headers.
func TestLetterWithoutRoomForThePayload(t *testing.T) {
	for name, c := range map[string]struct {
		header, payload int
		reason          string
		kept            bool
	}{
		"headers too large": {header: 64_900, payload: 10, reason: contract.ReasonMaxDeliver, kept: true},
		"payload too large": {header: 10, payload: 1<<20 - 250, reason: contract.ReasonTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPost(t, contract.Queue{Order: "none", Partitions: 1, MaxDeliver: 2})
			o := p.open()
			p.run(o)
			m := p.copyMsg(strings.Repeat("h", c.header), []byte(strings.Repeat("x", c.payload)))
			if _, err := p.js.PublishMsg(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			p.work("workers", poisonous("1"))
			found := p.letters(1, o)[0]
			if got := found.Header.Get(contract.HeaderReason); got != c.reason || (len(found.Data) > 0) != c.kept {
				t.Errorf("reason %s, %d bytes", got, len(found.Data))
			}
		})
	}
}

func TestLetterIsStoredAgainAfterItWasRemoved(t *testing.T) {
	p := newPost(t, contract.Queue{Order: "none", Partitions: 1, MaxDeliver: 2})
	o := p.open()
	e, err := event.Decode(event.Position{Epoch: 1, Seq: 7}, time.Now(), "db.user.update", nil, []byte(`{`))
	if err != nil {
		t.Fatal(err)
	}
	put := func() {
		t.Helper()
		if _, err := o.Add(t.Context(), p.service, e, contract.ReasonNotJSON, errors.New("not JSON")); err != nil {
			t.Fatal(err)
		}
	}
	put()
	put()
	if n := len(p.stored()); n != 1 {
		t.Fatalf("%d letters, want 1", n)
	}
	for range 2 {
		l, err := o.Next(t.Context(), p.service, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Remove(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if err := o.Remove(t.Context(), l); err != nil {
			t.Errorf("removed twice: %v", err)
		}
		if _, err := o.Letter(t.Context(), p.service, l.Seq); !errors.Is(err, deadletter.ErrNoLetter) {
			t.Errorf("removed letter: %v", err)
		}
		put()
		put()
		if n := len(p.stored()); n != 1 {
			t.Fatalf("%d letters, want 1", n)
		}
	}
}

// erasing deletes a copy when its letter is about to be stored.
type erasing struct {
	jetstream.JetStream
	erase func(key string) error
}

func (e erasing) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if strings.HasPrefix(m.Subject, "dlq.") {
		if err := e.erase(m.Header.Get(contract.HeaderKey)); err != nil {
			return nil, err
		}
	}
	return e.JetStream.PublishMsg(ctx, m, opts...)
}

// An erasure deletes a copy, and looks at the letters for the last time, while the copy's
// letter is under way: the letter goes, and that of another copy stays.
func TestLetterOfACopyThatIsErasedMeanwhile(t *testing.T) {
	p := newPost(t, contract.Queue{Order: "none", Partitions: 1, MaxDeliver: 1})
	js := erasing{p.js, func(key string) error {
		if key != "2" {
			return nil
		}
		s, err := p.js.Stream(t.Context(), p.stream)
		if err != nil {
			return err
		}
		return hubstream.Erase(t.Context(), s, 2)
	}}
	p.run(p.open(func(c *deadletter.Config) { c.JS = js }))
	p.copies(5)
	p.work("workers", poisonous("2", "5"))
	p.eventually("the letter of 5 alone", func() error {
		if got := keysOf(p.stored()); got != "5" {
			return fmt.Errorf("letters of %q", got)
		}
		if info := p.info("workers"); info.NumRedelivered > 0 || info.NumAckPending > 0 {
			return fmt.Errorf("not settled: %d redelivered, %d pending", info.NumRedelivered, info.NumAckPending)
		}
		return nil
	})
}
