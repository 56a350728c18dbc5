package lane_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/testenv/cluster"
	"github.com/replhub/replhub/subjects"
)

// serversWithFastIngest are the releases on which open appends are tried: the
// first one with fast ingest, and the one in go.mod (""). REPLHUB_NATS_VERSIONS
// names others, separated by commas; "task servers" does that.
func serversWithFastIngest() []string {
	if list := os.Getenv("REPLHUB_NATS_VERSIONS"); list != "" {
		return strings.Split(list, ",")
	}
	return []string{"v2.14.0", ""}
}

// withoutFastIngest takes each message of an open append as a single one.
const withoutFastIngest = "v2.12.0"

// appending is a lane's stream on a server, and a writer with a connection of its
// own for each append that is open.
type appending struct {
	t      *testing.T
	server *cluster.NATS
	stream jetstream.Stream
}

func startAppending(t *testing.T, version string, options ...cluster.NATSOption) *appending {
	t.Helper()
	if version != "" {
		options = append(options, cluster.NATSVersion(version))
	}
	a := &appending{t: t, server: cluster.StartNATS(t, options...)}
	service, err := subjects.ParseName("s")
	if err != nil {
		t.Fatal(err)
	}
	cfg := lane.StreamConfig(service, 1, version != withoutFastIngest)
	if a.stream, err = a.jetStream().CreateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *appending) jetStream() jetstream.JetStream {
	a.t.Helper()
	nc, err := nats.Connect(a.server.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		a.t.Fatal(err)
	}
	return js
}

func (a *appending) writer() *lane.Appender {
	a.t.Helper()
	w, err := lane.NewAppender(a.jetStream(), lane.Fast)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(w.Close)
	return w
}

// open begins an append behind a sequence.
func (a *appending) open(last uint64) *lane.OpenAppend {
	a.t.Helper()
	b := a.writer().Open("SUB_s", last, func() {})
	a.t.Cleanup(b.Drop)
	return b
}

// awaits waits until the lane holds as many messages: sending does not wait for
// the last ones, and other writers have other connections.
func (a *appending) awaits(n uint64) {
	a.t.Helper()
	for ctx := answered(a.t); ; {
		info, err := a.stream.Info(ctx)
		if err != nil {
			a.t.Fatal(err)
		}
		if info.State.Msgs == n {
			return
		}
	}
}

func (a *appending) holds(want string) {
	a.t.Helper()
	info, err := a.stream.Info(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	var texts []string
	for seq := uint64(1); seq <= info.State.LastSeq; seq++ {
		m, err := a.stream.GetMsg(a.t.Context(), seq)
		if err != nil {
			a.t.Fatal(err)
		}
		texts = append(texts, string(m.Data))
	}
	if got := strings.Join(texts, " "); got != want {
		a.t.Errorf("the lane holds %q, want %q", got, want)
	}
}

func copies(texts ...string) []lane.Message {
	list := make([]lane.Message, len(texts))
	for i, text := range texts {
		list[i] = lane.Message{Subject: "sub.s.user.create.0", Header: event.NewHeader(make(map[string][]string)), Data: []byte(text)}
	}
	return list
}

// answered bounds a wait for a server's answer.
func answered(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestOpenAppendOnEveryServer: a prefix of an open append is stored, and nothing
// behind it, whatever the server does to it.
func TestOpenAppendOnEveryServer(t *testing.T) {
	for _, version := range serversWithFastIngest() {
		t.Run(version, func(t *testing.T) {
			t.Run("another writer comes between", func(t *testing.T) { fencedAppend(t, version) })
			t.Run("refused, then forgotten", func(t *testing.T) { forgottenAppend(t, version) })
			t.Run("two at a time", func(t *testing.T) { appendsAtOnce(t, version) })
			t.Run("the server is killed", func(t *testing.T) { killedAppend(t, version) })
		})
	}
}

func fencedAppend(t *testing.T, version string) {
	a := startAppending(t, version)
	b := a.open(0)
	if err := b.Send(answered(t), copies("a", "b")); err != nil {
		t.Fatal(err)
	}
	a.awaits(2)
	if _, err := a.writer().Append(answered(t), "SUB_s", 2, copies("rival")); err != nil {
		t.Fatal(err)
	}
	if err := b.SendLast(answered(t), copies("x", "y", "z")); !errors.Is(err, lane.ErrFenced) {
		t.Errorf("sent behind another writer: %v", err)
	}
	if err := a.open(0).SendLast(answered(t), copies("x", "y", "z")); !errors.Is(err, lane.ErrFenced) {
		t.Errorf("begun where others have been: %v", err)
	}
	a.holds("a b rival")
	if err := a.open(3).SendLast(answered(t), copies("c", "d")); err != nil {
		t.Error(err)
	}
	a.holds("a b rival c d")
}

// forgottenAppend has a server that takes one batch at a time and forgets it soon.
func forgottenAppend(t *testing.T, version string) {
	a := startAppending(t, version, cluster.NATSJetStream(
		`limits: {batch: {max_inflight_per_stream: 1, timeout: "500ms"}}`))
	first := a.open(0)
	if err := first.Send(answered(t), copies("a", "b")); err != nil {
		t.Fatal(err)
	}
	a.awaits(2)
	refused := 0
	for ctx := answered(t); ; refused++ {
		err := a.open(2).SendLast(ctx, copies("c", "d"))
		if err == nil {
			break
		}
		if errors.Is(err, lane.ErrFenced) || ctx.Err() != nil {
			t.Fatalf("not taken once the other is forgotten: %v", err)
		}
	}
	if refused == 0 {
		t.Error("two batches were open at a time")
	}
	a.holds("a b c d")
	if err := first.Settle(answered(t)); err == nil {
		t.Error("settled what the server has forgotten")
	}
	if err := first.Send(answered(t), copies("x")); err == nil {
		t.Error("sent into what the server has forgotten")
	}
	a.holds("a b c d")
}

// appendsAtOnce opens a batch beside another: the server begins with an answer to
// every message then.
func appendsAtOnce(t *testing.T, version string) {
	a := startAppending(t, version)
	idle := a.open(0)
	if err := idle.Send(answered(t), copies("a")); err != nil {
		t.Fatal(err)
	}
	a.awaits(1)
	texts := slices.Repeat([]string{"x"}, 700)
	if err := a.open(1).SendLast(answered(t), copies(texts...)); err != nil {
		t.Error(err)
	}
	if err := idle.Settle(answered(t)); err != nil {
		t.Errorf("settle what was stored: %v", err)
	}
	a.holds(strings.Join(append([]string{"a"}, texts...), " "))
}

func killedAppend(t *testing.T, version string) {
	a := startAppending(t, version, cluster.NATSSyncAlways())
	b := a.open(0)
	if err := b.Send(answered(t), copies("a", "b")); err != nil {
		t.Fatal(err)
	}
	a.awaits(2)
	a.server.Kill()
	a.server.Start()
	if err := b.SendLast(answered(t), copies("x", "y")); err == nil {
		t.Error("went on with what the server has forgotten")
	}
	a.holds("a b")
	if err := a.open(2).SendLast(answered(t), copies("c", "d")); err != nil {
		t.Error(err)
	}
	a.holds("a b c d")
}

// TestAppendOnAServerWithoutFastIngest: a server that takes each message as a
// single one stores what fits, the second without the first. The writer waits
// for the answer to the first message, and so never sends the second.
func TestAppendOnAServerWithoutFastIngest(t *testing.T) {
	a := startAppending(t, withoutFastIngest)
	if err := a.open(0).Send(answered(t), copies("a", "b", "c")); err == nil {
		t.Error("sent to a server that takes single messages")
	}
	a.holds("a")
	// Here b and c would fit, without a.
	if err := a.open(0).Send(answered(t), copies("a", "b", "c")); !errors.Is(err, lane.ErrFenced) {
		t.Errorf("sent where another has been: %v", err)
	}
	a.holds("a")
}
