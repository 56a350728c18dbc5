package model_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/sim/model"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

var (
	seed  = flag.Uint64("seed", 1, "seed of the random operations")
	steps = flag.Int("steps", 600, "how many operations are run on the model and on the server")
)

// TestModelIsTheServer runs the same random operations on the model and on a real
// server, and compares every answer.
func TestModelIsTheServer(t *testing.T) {
	t.Parallel()
	for s := range uint64(4) {
		t.Run(fmt.Sprint("seed ", *seed+s), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, *seed+s)
			for p.step = range *steps {
				p.operate()
				if t.Failed() {
					return
				}
			}
		})
	}
}

// pair is the model and the server, side by side.
type pair struct {
	t      *testing.T
	random *rand.Rand
	step   int
	// did is the operation under way, story the last ones.
	did    string
	story  []string
	server *natstest.Server
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
	model  *model.Stream
	// ledger keeps one message per subject.
	ledger      jetstream.Stream
	modelLedger *model.Stream
	// replies are where deliveries are settled, by consumer and sequence; those that
	// were settled before stay, so that they are settled again.
	replies map[string]map[uint64]string
	copied  copied
}

const (
	streamName = "S"
	ackWait    = time.Hour
	maxBytes   = 4000
)

func newPair(t *testing.T, seed uint64) *pair {
	server := natstest.Start(t)
	p := &pair{t: t, server: server, random: rand.New(rand.NewPCG(seed, 0)), nc: server.Connect(nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond)), replies: make(map[string]map[uint64]string)}
	var err error
	if p.js, err = jetstream.New(p.nc); err != nil {
		t.Fatal(err)
	}
	p.stream, err = p.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: streamName, Subjects: []string{"s.>"}, MaxBytes: maxBytes, Discard: jetstream.DiscardNew, Duplicates: time.Hour,
		MaxMsgs: -1, AllowAtomicPublish: true, AllowBatchPublish: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.ledger, err = p.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "L", Subjects: []string{"l.>"}, MaxBytes: -1, MaxMsgs: -1, MaxMsgsPerSubject: 1, Discard: jetstream.DiscardOld, Duplicates: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	p.modelLedger = model.NewStream(model.StreamConfig{Name: "L", OnePerSubject: true, Duplicates: time.Hour}, time.Now())
	p.model = model.NewStream(model.StreamConfig{Name: streamName, MaxBytes: maxBytes, Duplicates: time.Hour}, time.Now())
	return p
}

var (
	subjects  = []string{"s.a.x", "s.a.y", "s.b.x", "s.b.y"}
	filters   = []string{"s.>", "s.a.*", "s.*.x", "s.b.y", ">"}
	consumers = []string{"one", "two", "three"}
)

func pick[T any](p *pair, of []T) T { return of[p.random.IntN(len(of))] }

func (p *pair) operate() {
	switch n := p.random.IntN(100); {
	case n < 27:
		p.publish()
	case n < 28:
		p.batch()
	case n < 29:
		p.fastBatch()
	case n < 30 && p.random.IntN(10) == 0:
		p.restart()
	case n < 31 && p.random.IntN(3) == 0:
		p.copyStore()
	case n < 32 && p.random.IntN(3) == 0:
		p.restore()
	case n < 34:
		p.read()
	case n < 37:
		p.purge()
	case n < 38:
		p.deleteMessage()
	case n < 40:
		p.record()
	case n < 43:
		p.createConsumer()
	case n < 44 && p.random.IntN(2) == 0:
		p.limit()
	case n < 44:
		p.deleteConsumer()
	case n < 70:
		p.deliver()
	default:
		p.settle()
	}
	p.compareInfo()
}

// now notes what is done.
func (p *pair) now(format string, args ...any) {
	p.did = fmt.Sprintf(format, args...)
	p.story = append(p.story, fmt.Sprintf("%d %s", p.step, p.did))
	if len(p.story) > 40 {
		p.story = p.story[1:]
	}
}

// same fails when the server's answer is another one.
func (p *pair) same(what string, server, model any) {
	p.t.Helper()
	if diff := cmp.Diff(server, model); diff != "" {
		p.t.Fatalf("step %d, %s, %s: the server (-) and the model (+):\n%s\n%s", p.step, p.did, what, diff, strings.Join(p.story, "\n"))
	}
}

// code is an answer's error as both give it; 0 is none.
func code(err error) int {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return int(api.ErrorCode)
	}
	if refused, ok := errors.AsType[*model.Error](err); ok {
		return refused.Code
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return model.CodeMessageNotFound
	default:
		return -1
	}
}
