package lane_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/subjects"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// emptyLane starts a server with the stream of a lane.
func emptyLane(t *testing.T) (jetstream.JetStream, jetstream.Stream) {
	t.Helper()
	js := natstest.Start(t).JetStream()
	service, err := subjects.ParseName("s")
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), lane.StreamConfig(service, 1, true))
	if err != nil {
		t.Fatal(err)
	}
	return js, stream
}

func messages(texts ...string) []lane.Message {
	list := make([]lane.Message, len(texts))
	for i, text := range texts {
		list[i] = lane.Message{Subject: "sub.s.user.create.0", Header: event.NewHeader(make(map[string][]string)), Data: []byte(text)}
	}
	return list
}

// content is what the lane's stream holds.
func content(t *testing.T, stream jetstream.Stream) string {
	t.Helper()
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		m, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(m.Data))
	}
	return strings.Join(texts, " ")
}

// When another writer has taken the slot that an append expects, nothing of
// the append is stored: not the messages behind the refused one either, whose
// own expectations the other writer's message makes fit.
func TestAppendIsFencedAsAWhole(t *testing.T) {
	for _, kind := range []lane.Kind{lane.Fast, lane.Atomic} {
		for n := 1; n <= 3; n++ {
			t.Run(fmt.Sprintf("%s of %d", kind, n), func(t *testing.T) {
				js, stream := emptyLane(t)
				a, err := lane.NewAppender(js, kind)
				if err != nil {
					t.Fatal(err)
				}
				defer a.Close()
				if _, err := a.Append(t.Context(), "SUB_s", 0, messages("a", "b", "c")); err != nil {
					t.Fatal(err)
				}
				if _, err := a.Append(t.Context(), "SUB_s", 3, messages("rival")); err != nil {
					t.Fatal(err)
				}
				_, err = a.Append(t.Context(), "SUB_s", 3, messages("x", "y", "z")[:n])
				if !errors.Is(err, lane.ErrFenced) {
					t.Errorf("appending where another has been: %v", err)
				}
				if _, err := a.Append(t.Context(), "SUB_s", 4, messages("d", "e")); err != nil {
					t.Error(err)
				}
				if got, want := content(t, stream), "a b c rival d e"; got != want {
					t.Errorf("the lane holds %q, want %q", got, want)
				}
			})
		}
	}
}

// An append that stays open ends where another writer has been: what was sent
// behind is not stored, although each of its messages fits by the time it comes.
func TestOpenAppendIsFenced(t *testing.T) {
	js, stream := emptyLane(t)
	a, err := lane.NewAppender(js, lane.Fast)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	failed := make(chan struct{})
	b := a.Open("SUB_s", 0, func() { close(failed) })
	defer b.Drop()
	if err := b.Send(t.Context(), messages("a", "b")); err != nil {
		t.Fatal(err)
	}
	rival, err := lane.NewAppender(js, lane.Fast)
	if err != nil {
		t.Fatal(err)
	}
	defer rival.Close()
	if _, err := rival.Append(t.Context(), "SUB_s", 2, messages("rival")); err != nil {
		t.Fatal(err)
	}
	if err := b.Send(t.Context(), messages("x", "y", "z")); err != nil {
		t.Fatal(err)
	}
	<-failed
	if err := b.Send(t.Context(), messages("w")); !errors.Is(err, lane.ErrFenced) {
		t.Errorf("sending behind another writer: %v", err)
	}
	if err := b.Settle(t.Context()); err == nil {
		t.Error("settled, with messages that are not stored")
	}
	if got, want := content(t, stream), "a b rival"; got != want {
		t.Errorf("the lane holds %q, want %q", got, want)
	}
}

// Settling answers for every message sent, however many are under way.
func TestSettleStoresAll(t *testing.T) {
	js, stream := emptyLane(t)
	a, err := lane.NewAppender(js, lane.Fast)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b := a.Open("SUB_s", 0, func() {})
	defer b.Drop()
	const sends, each = 7, 900
	for range sends {
		if err := b.Send(t.Context(), messages(make([]string, each)...)); err != nil {
			t.Fatal(err)
		}
		if b.Unstored() > 2*1000 {
			t.Fatalf("%d messages under way", b.Unstored())
		}
	}
	if err := b.Settle(t.Context()); err != nil || b.Unstored() != 0 {
		t.Errorf("settled with %d left: %v", b.Unstored(), err)
	}
	info, err := stream.Info(t.Context())
	if err != nil || info.State.Msgs != sends*each {
		t.Errorf("the lane holds %d, %v; want %d", info.State.Msgs, err, sends*each)
	}
}
