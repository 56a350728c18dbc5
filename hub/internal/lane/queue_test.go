package lane_test

import (
	"sync"
	"testing"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/subjects"
)

// Registrations that change the queue side by side make and remove the same
// consumers, in which the server gets in its own way.
func TestConsumersOfChangingQueues(t *testing.T) {
	js, _ := emptyLane(t)
	service, err := subjects.ParseName("s")
	if err != nil {
		t.Fatal(err)
	}
	none, key := lane.DefaultQueue(), lane.DefaultQueue()
	key.Order, key.Partitions = lane.OrderKey, 3
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 100 {
				queue := none
				if (i+n)%2 == 0 {
					queue = key
				}
				if err := lane.EnsureConsumers(t.Context(), js, service, lane.State{Queue: queue}, nil); err != nil {
					t.Errorf("round %d: %v", n, err)
				}
			}
		})
	}
	wg.Wait()
}
