package lane

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/lane/history"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/subjects"
)

// A copy that was erased in the middle of a lane is not taken for history that is already
// purged: the younger copies before it stay.
func TestErasedCopyIsNoHistory(t *testing.T) {
	service, err := subjects.ParseName("sharing")
	if err != nil {
		t.Fatal(err)
	}
	js := natstest.Start(t).JetStream()
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "SUB_sharing", Subjects: []string{"sub.sharing.>"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := js.Publish(t.Context(), "sub.sharing.user.update.0", nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.SecureDeleteMsg(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s := seen{lane: &Lane{service: service, stream: "SUB_sharing"}, stream: stream, look: history.NewLook(now.Add(-time.Hour))}
	s.look.StreamSeen(1, 5, 4, now.Add(-2*time.Hour))
	s.look.ConsumersSeen(nil)
	s.look.RecordSeen(nil, nil)
	for {
		switch step := s.look.Next().(type) {
		case history.SeeTime:
			if err := s.see(t.Context(), step); err != nil {
				t.Fatal(err)
			}
		case history.Found:
			if step.Keep > 1 {
				t.Errorf("copies below %d would go", step.Keep)
			}
			return
		default:
			t.Fatalf("%T: some copies would go", step)
		}
	}
}
