package hub_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// damage changes the file of a stream's messages while the server is stopped.
func (w *world) damage(folder string, change func([]byte) []byte) {
	w.t.Helper()
	path := filepath.Join(folder, "msgs", "1.blk")
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, change(data), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// cutAt cuts a file in front of a text, flipIn flips a bit within it.
func cutAt(text string) func([]byte) []byte {
	return func(b []byte) []byte { return b[:bytes.Index(b, []byte(text))] }
}

func flipIn(text string) func([]byte) []byte {
	return func(b []byte) []byte {
		b[bytes.Index(b, []byte(text))+1] ^= 1
		return b
	}
}

// ids publishes events with the ids from first to last.
func (w *world) ids(first, last int) {
	w.t.Helper()
	for i := first; i <= last; i++ {
		w.publish("db.user.update", fmt.Sprintf(`{"id":"n%d"}`, i))
	}
}

// The server finds a file of ingest damaged, and continues without what it cannot read. A
// lane that has not copied the lost events gets what lies before them, and is then detached.
// Hubs start, other lanes go on, and a service that begins again gets what is published.
func TestLostEventsOfIngestDetachTheirLanes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func([]byte) []byte
		before int // the copies of a lane that read up to the lost events
	}{
		"cut":                  {change: cutAt(`{"id":"n76"}`), before: 75},
		"cut at the lane":      {change: cutAt(`{"id":"n51"}`), before: 50},
		"cut before the lane":  {change: cutAt(`{"id":"n41"}`), before: 50},
		"flipped":              {change: flipIn(`{"id":"n76"}`), before: 75},
		"flipped at the lane":  {change: flipIn(`{"id":"n51"}`), before: 50},
		"flipped at its event": {change: flipIn(`{"id":"n50"}`), before: 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			stop := w.startHub()
			w.register("s", `{"entities":["user"]}`)
			w.register("t", `{"entities":["tenant"]}`)
			w.ids(1, 50)
			w.copies("s", 50)
			stop()
			w.ids(51, 100)
			w.stopServer()
			w.damage(w.ingestFolder(), c.change)
			w.startServer()
			w.startHub()
			w.ids(101, 101)
			for _, service := range []string{"s", "t"} {
				w.awaitState(service, contract.LaneDetached)
				status, err := w.describe(service)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(status.Reason, "gone from ingest") {
					t.Errorf("%s: %s", service, status.Reason)
				}
			}
			checkSequences(t, "s", w.copies("s", c.before), 1)
			since := w.register("s", `{"interests":[{"entity":"user","start":"new"}]}`).Since["user"]
			w.ids(102, 110)
			copies := w.copies("s", c.before+9)
			checkSequences(t, "s", copies[c.before:], since)
		})
	}
}

// The reader that all lanes share continues behind the lost events: neither a lane before them
// nor one behind them waits.
func TestLostEventsOfIngestStopNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["user"]}`)
	w.ids(1, 50)
	w.copies("s", 50)
	stop()
	w.ids(51, 100)
	w.stopServer()
	w.damage(w.ingestFolder(), cutAt(`{"id":"n76"}`))
	w.startServer()
	w.startHub()
	since := w.register("later", `{"entities":["user"]}`).Since["user"]
	w.ids(101, 110)
	checkSequences(t, "later", w.copies("later", 10), since)
	w.awaitState("s", contract.LaneDetached)
}

// Lanes that have copied the lost events go on. A service that asks for all events gets those
// before the lost ones, and is told. Ingest is trimmed.
func TestLostEventsThatWereCopied(t *testing.T) {
	w := newWorld(t)
	stop := w.startHub()
	w.register("s", `{"entities":["user"]}`)
	w.ids(1, 100)
	w.copies("s", 100)
	stop()
	w.stopServer()
	w.damage(w.ingestFolder(), flipIn(`{"id":"n50"}`))
	w.startServer()
	stop = w.startHub()
	w.ids(101, 150)
	checkSequences(t, "s", w.copies("s", 150), 1)
	w.register("late", `{"interests":[{"entity":"user","start":"all"}]}`)
	w.awaitState("late", contract.LaneDetached)
	checkSequences(t, "late", w.copies("late", 49), 1)
	if refusal := asRefusal(t, w.call("replhub.register.late", `{"entities":["user"]}`, nil)); refusal.Code != contract.CodeDetached {
		t.Errorf("refused with %v", refusal)
	}
	w.register("late", `{"interests":[{"entity":"user","start":51}]}`)
	checkSequences(t, "late", w.copies("late", 149)[49:], 51)
	stop()
	w.startHub(func(c *hub.Config) { c.History, c.TrimGuard, c.TrimEvery = 1, 1, 50_000_000 })
	w.eventually("ingest to be trimmed", func() error {
		if state := w.stream(contract.StreamIngest).CachedInfo().State; state.FirstSeq < 150 {
			return fmt.Errorf("it begins at %d", state.FirstSeq)
		}
		return nil
	})
}

// A lane's file is cut: the copies that the server cannot read are made again, each once.
func TestCutLaneIsCopiedAgain(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*cluster.NATS){"stopped": (*cluster.NATS).Stop, "killed": (*cluster.NATS).Kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.startHub()
			w.register("s", `{"entities":["user"]}`)
			w.ids(1, 100)
			w.copies("s", 100)
			end(w.server)
			w.damage(w.laneDir("s"), cutAt(`{"id":"n41"}`))
			w.startServer()
			w.ids(101, 110)
			checkSequences(t, "s", w.copies("s", 110), 1)
		})
	}
}
