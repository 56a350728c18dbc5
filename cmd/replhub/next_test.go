package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// withHub is a bench on which a hub serves.
func withHub(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	clearEnvironment(t)
	t.Setenv(contract.EnvNATSURL, b.server.URL())
	t.Setenv(contract.EnvIngestMaxBytes, "64MiB")
	t.Setenv(contract.EnvDLQMaxBytes, "16MiB")
	start(t, "serve").stdout.await(t, "msg=ready")
	return b
}

func (b *bench) client(t *testing.T, service string) *replhub.Client {
	t.Helper()
	client, err := replhub.Connect(t.Context(), replhub.Config{URL: b.server.URL(), Service: service})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// must runs a command that has to be done, and returns its output.
func must(t *testing.T, args ...string) string {
	t.Helper()
	o := execute(t.Context(), "", args...)
	if o.code != exitDone {
		t.Fatalf("%v: exit %d: %s", args, o.code, o.stderr)
	}
	return o.stdout
}

// publish publishes events that count up, n of them for each key in turn.
func (b *bench) publish(t *testing.T, n int, keys ...string) {
	t.Helper()
	client := b.client(t, "")
	for i := range n {
		for _, key := range keys {
			publishOne(t, client, key, i)
		}
	}
}

func publishOne(t *testing.T, client *replhub.Client, key string, n int) {
	t.Helper()
	event := replhub.Event{Entity: "user", Op: replhub.Update, Key: key, Data: []byte(strconv.Itoa(n))}
	if _, err := client.Publish(t.Context(), event); err != nil {
		t.Error(err)
	}
}

// shown is what the tests look at in a line of next --json.
type shown struct {
	Seq       uint64              `json:"seq"`
	Delivered int                 `json:"delivered"`
	Headers   map[string][]string `json:"headers"`
	Payload   int                 `json:"payload"`
}

func (s shown) key() string { return nats.Header(s.Headers).Get(contract.HeaderKey) }

func shownIn(t *testing.T, output string) []shown {
	t.Helper()
	var all []shown
	for line := range strings.Lines(output) {
		var s shown
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, s)
	}
	return all
}

// inOrder fails unless the copies of each key are those that count up from 0.
func inOrder(t *testing.T, copies []shown, each int, keys ...string) {
	t.Helper()
	next := map[string]int{}
	for _, c := range copies {
		if c.Payload != next[c.key()] || c.Delivered != 1 {
			t.Errorf("key %s: got %d, delivery %d, want %d, delivery 1", c.key(), c.Payload, c.Delivered, next[c.key()])
		}
		next[c.key()] = c.Payload + 1
	}
	for _, key := range keys {
		if next[key] != each {
			t.Errorf("key %s: %d copies, want %d", key, next[key], each)
		}
	}
}

func TestNext(t *testing.T) {
	b := withHub(t)
	must(t, "register", "sharing", "user")
	b.golden(t, "next-none", execute(t.Context(), "", "next", "sharing", "--wait", "100ms"))
	b.golden(t, "next-none-json", execute(t.Context(), "", "next", "sharing", "--wait", "100ms", "--json"))
	b.golden(t, "next-unknown", execute(t.Context(), "", "next", "nobody"))
	must(t, "pub", "user", "create", `{"id":"42","name":"Ada"}`, "--origin", "profile", "-H", "x: y", "--id", "e1")
	must(t, "pub", "user", "update", "plain \x1b text", "--key", "42", "--id", "e2")
	b.golden(t, "next-no-ack", execute(t.Context(), "", "next", "sharing", "--no-ack"))
	b.golden(t, "next", execute(t.Context(), "", "next", "sharing"))
	b.golden(t, "next-json", execute(t.Context(), "", "next", "sharing", "--json", "--count", "5", "--wait", "100ms"))
	b.golden(t, "next-all-done", execute(t.Context(), "", "next", "sharing", "--wait", "100ms"))
}

func TestNextShowsManyWithoutAcknowledging(t *testing.T) {
	for _, order := range []string{"none", "key"} {
		t.Run(order, func(t *testing.T) {
			b := withHub(t)
			must(t, "register", "sharing", "user", "--order", order)
			b.publish(t, 3, "a", "b")
			got := shownIn(t, must(t, "next", "sharing", "--no-ack", "--count", "9", "--wait", "300ms", "--json"))
			inOrder(t, got, 3, "a", "b")
			again := shownIn(t, must(t, "next", "sharing", "--count", "6", "--json"))
			for i := range got {
				got[i].Delivered++
			}
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("what was given back does not come again, in order (-want +got):\n%s", diff)
			}
		})
	}
}

// Run again and again, next delivers nothing that it does not show: a delivery
// too many, and a copy becomes a dead letter that nobody has seen.
func TestNextTakesNothingAhead(t *testing.T) {
	b := withHub(t)
	must(t, "register", "sharing", "user", "--order", "key", "--partitions", "4", "--max-deliver", "3")
	keys := []string{"a", "b", "c", "d", "e", "f"}
	b.publish(t, 2, keys...)
	var got []shown
	for range 5 {
		got = append(got, shownIn(t, must(t, "next", "sharing", "--json"))...)
	}
	got = append(got, shownIn(t, must(t, "next", "sharing", "--json", "--count", "99", "--wait", "300ms"))...)
	inOrder(t, got, 2, keys...)
}

// recorder takes what an instance of the SDK's and next get, in one order.
type recorder struct {
	t    *testing.T
	mu   sync.Mutex // guards what follows
	next map[string]int
	by   map[string]int
	came chan struct{} // has a token when something came
}

func (r *recorder) take(who, key string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n != r.next[key] {
		r.t.Errorf("%s gets %d of key %s, want %d", who, n, key, r.next[key])
	}
	r.next[key] = n + 1
	r.by[who]++
	select {
	case r.came <- struct{}{}:
	default:
	}
}

// await waits until the given number of copies of each key came.
func (r *recorder) await(each int, keys ...string) {
	r.t.Helper()
	late := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		missing := slices.ContainsFunc(keys, func(key string) bool { return r.next[key] < each })
		r.mu.Unlock()
		if !missing {
			return
		}
		select {
		case <-r.came:
		case <-late:
			r.t.Fatalf("not all of %d came: %v", each, r.next)
		}
	}
}

// Write takes the lines of next --json as they are printed.
func (r *recorder) Write(line []byte) (int, error) {
	var s shown
	if err := json.Unmarshal(line, &s); err != nil {
		return 0, err
	}
	r.take("next", s.key(), s.Payload)
	return len(line), nil
}

// An instance at work, and next beside it: between them every change comes once,
// those of a key in order, and the instance has it all again afterwards.
func TestNextBesideAnInstance(t *testing.T) {
	b := withHub(t)
	must(t, "register", "sharing", "user", "--order", "key", "--partitions", "4")
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	r := &recorder{t: t, next: map[string]int{}, by: map[string]int{}, came: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	sub, err := replhub.NewSubscriber(b.client(t, "sharing"), replhub.SubscriberConfig{}, replhub.HandlerFunc(func(ctx context.Context, d *replhub.Delivery) error {
		n, err := strconv.Atoi(string(d.Data))
		r.take("instance", d.Key, n)
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- sub.Run(ctx) }()
	<-sub.Ready()
	// Changes come until next has had its ten.
	feeding, enough := context.WithCancel(t.Context())
	fed := make(chan int)
	go func() {
		client := b.client(t, "")
		each := 0
		for ; feeding.Err() == nil; each++ {
			for _, key := range keys {
				publishOne(t, client, key, each)
			}
		}
		fed <- each
	}()
	var stderr bytes.Buffer
	a := &app{in: strings.NewReader(""), out: r, errOut: &stderr, isTerminal: func(any) bool { return false }}
	if code := a.run(t.Context(), []string{"next", "sharing", "--count", "10", "--json"}); code != exitDone {
		t.Errorf("next: exit %d: %s", code, stderr.String())
	}
	enough()
	r.await(<-fed, keys...)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if r.by["next"] != 10 {
		t.Errorf("shares %v, want 10 for next", r.by)
	}
}

// What an instance has taken and left comes first, and in order.
func TestNextTakesWhatWasLeftFirst(t *testing.T) {
	b := withHub(t)
	must(t, "register", "sharing", "user", "--order", "key")
	b.publish(t, 4, "a", "b")
	gone := b.server.Connect()
	js, err := jetstream.New(gone)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.Consumer(t.Context(), "SUB_sharing", partitionConsumer(0))
	if err != nil {
		t.Fatal(err)
	}
	left, err := fetch(consumer, 5, jetstream.FetchPriorityGroup(contract.GroupWorkers))
	if err != nil || len(left) != 5 {
		t.Fatalf("%d copies, %v", len(left), err)
	}
	if err := left[2].DoubleAck(t.Context()); err != nil { // the second of key a
		t.Fatal(err)
	}
	gone.Close()
	var got []string
	for _, s := range shownIn(t, must(t, "next", "sharing", "--count", "7", "--json")) {
		got = append(got, s.key()+strconv.Itoa(s.Payload))
	}
	if diff := cmp.Diff([]string{"a0", "b0", "b1", "a2", "b2", "a3", "b3"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An interrupted next leaves: the next one need not wait until the hub misses it.
func TestNextLeavesWhenInterrupted(t *testing.T) {
	b := withHub(t)
	must(t, "register", "sharing", "user", "--order", "key", "--partitions", "2")
	r := start(t, "next", "sharing", "--count", "2", "--wait", "1m", "--no-ack", "--json")
	b.publish(t, 1, "a")
	r.stdout.await(t, "\n")
	r.stop()
	if code := r.ended(t); code != exitFailed || !strings.Contains(r.stderr.String(), "interrupted") {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
	began := time.Now()
	got := shownIn(t, must(t, "next", "sharing", "--json"))
	if len(got) != 1 || got[0].Delivered != 2 {
		t.Errorf("got %+v", got)
	}
	if took := time.Since(began); took > 2500*time.Millisecond {
		t.Errorf("it took %s: the partitions were still held", took)
	}
}

// Where there are more instances than partitions, next says so, and takes none
// from who has it.
func TestNextWithoutAPartition(t *testing.T) {
	b := withHub(t)
	must(t, "register", "sharing", "user", "--order", "key")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	sub, err := replhub.NewSubscriber(b.client(t, "sharing"), replhub.SubscriberConfig{}, replhub.HandlerFunc(func(context.Context, *replhub.Delivery) error {
		return errors.New("nothing was published")
	}))
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- sub.Run(ctx) }()
	<-sub.Ready()
	b.awaitMembers(t, "sharing", 1)
	b.golden(t, "next-no-partition", execute(t.Context(), "", "next", "sharing", "--wait", "1s"))
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// awaitMembers waits until a service has the given number of instances.
func (b *bench) awaitMembers(t *testing.T, service string, n int) {
	t.Helper()
	js := b.jetStream(t)
	ask := time.NewTicker(5 * time.Millisecond)
	defer ask.Stop()
	for {
		stream, err := js.Stream(t.Context(), contract.StreamMembers)
		if err == nil {
			var m *jetstream.RawStreamMsg
			if m, err = stream.GetLastMsgForSubject(t.Context(), "replhub._members."+service); err == nil {
				var roster struct{ Holders []string }
				if err = json.Unmarshal(m.Data, &roster); err == nil && len(roster.Holders) >= n && roster.Holders[0] != "" {
					return
				}
			}
		}
		select {
		case <-ask.C:
		case <-t.Context().Done():
			t.Fatal(err)
		}
	}
}
