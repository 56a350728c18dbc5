package hub_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/hub"
)

// gate holds a step of the hub until it is opened.
type gate struct {
	step    string
	once    sync.Once
	reached chan struct{}
	open    chan struct{}
}

func newGate(step string) *gate {
	return &gate{step: step, reached: make(chan struct{}), open: make(chan struct{})}
}

func (g *gate) pass(step string) {
	if step == g.step {
		g.once.Do(func() { close(g.reached) })
		<-g.open
	}
}

// A lane that is behind has events of the key in memory. It copies some before it has read
// that they are erased, and none afterwards.
func TestEraseBeforeALaneThatIsBehind(t *testing.T) {
	w := newWorld(t)
	appends, fenced := newGate("append"), newGate("erase lane")
	close(fenced.open)
	stop := w.startHub()
	w.register("sharing", `{"entities":["user"]}`)
	w.user("1")
	w.copies("sharing", 1)
	stop()
	const events = 2500
	for i := range events {
		if _, err := w.js.PublishAsync("db.user.update", fmt.Appendf(nil, `{"id":"%d"}`, map[bool]int{true: 42, false: i + 100}[i%100 == 7 || i == events-1])); err != nil {
			t.Fatal(err)
		}
	}
	<-w.js.PublishAsyncComplete()
	w.startHub(func(cfg *hub.Config) {
		cfg.Failpoint = func(step string) { fenced.pass(step); appends.pass(step) }
	})
	<-appends.reached
	go func() {
		<-fenced.reached
		close(appends.open)
	}()
	if done := w.erase("42", false); done.Events != 26 {
		t.Errorf("erased %+v", done)
	}
	w.copies("sharing", 1+events-26)
	if found := w.erase("42", true); found.Events+found.Copies != 0 {
		t.Errorf("still there: %+v", found)
	}
	w.healthy()
}

// Rows of a snapshot that were fetched before the owner deleted one of them: none is copied
// after the erasure, and the snapshot brings all others.
func TestEraseBesideASnapshot(t *testing.T) {
	w := newWorld(t)
	appends, fenced := newGate("append"), newGate("erase lane")
	close(fenced.open)
	w.startHub(func(cfg *hub.Config) {
		cfg.Failpoint = func(step string) { fenced.pass(step); appends.pass(step) }
	})
	u := newUsers(3 * few)
	second := make(chan struct{})
	var once sync.Once
	w.serve("accounts", func(ctx context.Context, after string, yield func(replhub.Event) error) error {
		err := u.snapshot(ctx, after, yield)
		if after == "k000199" {
			once.Do(func() { close(second) })
		}
		return err
	})
	w.register("s", wantSnapshot)
	<-appends.reached
	<-second
	u.mu.Lock()
	delete(u.rows, "k000100") // is being appended
	delete(u.rows, "k000300") // is fetched
	u.mu.Unlock()
	go func() {
		<-fenced.reached
		close(appends.open)
	}()
	for _, key := range []string{"k000300", "k000100"} {
		w.erase(key, false)
	}
	copies := w.settled("s")
	if got := replica(t, copies); len(got) != 3*few-2 || got["k000100"] != "" || got["k000300"] != "" {
		t.Errorf("%d rows, %q and %q", len(got), got["k000100"], got["k000300"])
	}
	w.gone("k000300", "SUB_s")
	w.healthy()
}
