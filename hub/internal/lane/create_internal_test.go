package lane

import (
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/subjects"
)

// A stream of a cluster that was just created answers nothing before it has a
// leader. Here it answers nothing because it has no subjects yet.
func TestCreateWaitsForAnAnswer(t *testing.T) {
	js := natstest.Start(t).JetStream()
	a, err := NewAppender(js, Fast)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	service, err := subjects.ParseName("s")
	if err != nil {
		t.Fatal(err)
	}
	first, err := stateMessage(service, "h", First(ingest.Mark{}, DefaultQueue(), 0))
	if err != nil {
		t.Fatal(err)
	}
	cfg := StreamConfig(service, 1, true)
	cfg.Metadata = map[string]string{contract.MetadataKey: contract.MetadataValue}
	silent := cfg
	silent.Subjects = []string{"elsewhere"}
	if _, err := js.CreateStream(t.Context(), silent); err != nil {
		t.Fatal(err)
	}
	sent := func() uint64 { return js.Conn().Stats().OutMsgs }
	before := sent()
	done := make(chan error, 1)
	go func() { done <- a.appendFirst(t.Context(), cfg.Name, first) }()
	// Two attempts.
	for sent() < before+2 {
		select {
		case err := <-done:
			t.Fatalf("gave up at once: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if tip, err := ReadTip(t.Context(), js, service); err != nil || tip.Last != 1 {
		t.Errorf("the lane has %d messages, %v; want its first state", tip.Last, err)
	}
}
