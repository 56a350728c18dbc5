package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/contract"
)

// TestStormOfRegistrations sends registrations as fast as they are answered, of many services
// and entities, some of them refused. Each is answered or refused with a code, the hub stays
// alive, and the other lanes miss nothing meanwhile.
func TestStormOfRegistrations(t *testing.T) {
	w := harness.New(t, harness.Options{Binary: binary, Seed: 65})
	hub := w.StartHub("h1")
	w.Register("plain", want("user"), want("tenant"))
	w.Register("filtered", acmeOnly("user"))
	writers := w.Write(harness.Load{Every: time.Millisecond}, 0)
	lasts, clients, services := 2*time.Second, 16, 50
	if lengthy {
		lasts, clients, services = time.Minute, 64, 1000
	}
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	var answered, refused, unanswered atomic.Int64
	var all sync.WaitGroup
	for c := range clients {
		nc := w.Connect()
		all.Go(func() {
			for i := c; ctx.Err() == nil; i += clients {
				request := fmt.Sprintf(`{"interests":[{"entity":"e%d","filter":"data.n > %d"}]}`, i%97, i)
				if i%3 == 0 {
					request = fmt.Sprintf(`{"interests":[{"entity":"e%d","filter":"data.n >"}]}`, i%97)
				}
				m, err := nc.Request(fmt.Sprintf("replhub.register.storm%d", i%services), []byte(request), 20*time.Second)
				switch {
				case err != nil:
					unanswered.Add(1)
				case m.Header.Get("Nats-Service-Error-Code") != "":
					refused.Add(1)
					var r contract.Refusal
					if err := json.Unmarshal(m.Data, &r); err != nil || r.Error == nil || r.Error.Code == contract.CodeInternal {
						t.Errorf("refused with %q", m.Data)
					}
				default:
					answered.Add(1)
				}
			}
		})
	}
	all.Wait()
	if !hub.Running() {
		t.Fatal("the hub has ended")
	}
	w.AwaitAcked(100, settleWithin)
	writers.Stop()
	t.Logf("ROW storm: %d registrations answered, %d refused, %d unanswered in %s, by %d clients, %d services", answered.Load(), refused.Load(), unanswered.Load(), lasts, clients, services)
	if answered.Load() == 0 || refused.Load() == 0 || unanswered.Load() > 0 {
		t.Errorf("%d answered, %d refused, %d unanswered", answered.Load(), refused.Load(), unanswered.Load())
	}
	w.Finish("storm of registrations", 0, settleWithin)
}
