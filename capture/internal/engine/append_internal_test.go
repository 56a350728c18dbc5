package engine

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/subjects"
)

// Events are appended in order under the writer's record, and not at all once another
// record is there: one by one, by fast batches, by atomic batches, and by both in turn.
func TestAppendsAreFenced(t *testing.T) {
	for name, how := range map[string]how{"singly": singly, "fast batch": fastBatch, "atomic batch": atomicBatch, "fast and atomic": fastBatch} {
		t.Run(name, func(t *testing.T) {
			js := natstest.Start(t).JetStream()
			stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
				Name: contract.StreamIngest, Subjects: subjects.IngestSubjects(), AllowBatchPublish: true, AllowAtomicPublish: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			log, err := captured.Open(t.Context(), captured.Config{JS: js, Entity: captured.Entity("a")})
			if err != nil {
				t.Fatal(err)
			}
			held, err := log.Write(t.Context(), captured.Record{ID: "1", System: "7"}.WithEntity("user"), 0)
			if err != nil {
				t.Fatal(err)
			}
			batches, err := newBatches(js.Conn())
			if err != nil {
				t.Fatal(err)
			}
			defer batches.close()
			a := &appender{nc: js.Conn(), how: how, entity: log.Entity(), subject: log.Subject(), batches: batches, patience: 20 * time.Second, bulk: name == "fast and atomic"}
			a.under(held.Seq)
			next := 0
			events := func(n int) (all []*event) {
				for range n {
					next++
					all = append(all, &event{
						at: captured.Position{Commit: captured.LSN(next)}, entity: "user", op: subjects.Update, data: []byte(strconv.Itoa(next)),
					})
				}
				return all
			}
			for _, n := range []int{1, 2, 30, 1200, 30} {
				if err := a.append(t.Context(), events(n)); err != nil {
					t.Fatalf("%d events: %v", n, err)
				}
			}
			if err := a.settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			stored := next
			if _, at, err := log.Claim(t.Context()); err != nil || at.Commit != captured.LSN(stored) {
				t.Fatalf("stored up to %+v, want %d (%v)", at, stored, err)
			}
			for _, n := range []int{1, 30, 300} {
				err := a.append(t.Context(), events(n))
				if err == nil {
					err = a.settle(t.Context())
				}
				if !errors.Is(err, captured.ErrFenced) {
					t.Errorf("%d late events: %v", n, err)
				}
			}
			info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter("db.user.update"))
			if err != nil || info.State.Subjects["db.user.update"] != uint64(stored) {
				t.Errorf("%d events are stored, want %d (%v)", info.State.Subjects["db.user.update"], stored, err)
			}
			for i := 1; i <= stored; i++ {
				m, err := stream.GetMsg(t.Context(), uint64(i+1))
				if err != nil || string(m.Data) != strconv.Itoa(i) {
					t.Fatalf("event %d is %s (%v)", i, m.Data, err)
				}
			}
		})
	}
}
