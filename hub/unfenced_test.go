package hub_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/ingest/retention"
	"github.com/replhub/replhub/internal/contract"
)

// A lane that can be read and not written keeps what its unfinished registration pinned.
// Everything else is trimmed, and the lane is named.
func TestTrimBesideALaneThatCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	w.startHub(eager)
	w.register("sealed", `{"entities":["user"]}`)
	if err := w.call("replhub.unregister.sealed", "", nil); err != nil { // then the lane needs no event
		t.Fatal(err)
	}
	w.resize("SUB_sealed", 1)
	w.changeLedger(func(l *retention.Ledger) {
		l.Pins = map[string]retention.Pin{"sealed/1": {Seq: 50, Until: time.Now().Add(-time.Minute)}}
		l.Pinnings++
	})
	if err := w.publishAll(t.Context(), "user", 100); err != nil {
		t.Fatal(err)
	}
	w.eventually("a trim up to the pin", func() error { return w.begins(50) })
	w.eventually("the lane to be named", func() error {
		var status contract.Status
		if err := w.call("replhub.status", "", &status); err != nil {
			return err
		}
		if text := strings.Join(status.Degraded, "\n"); !strings.Contains(text, "make stream SUB_sealed writable again") {
			return fmt.Errorf("degraded: %s", text)
		}
		return nil
	})
	w.resize("SUB_sealed", -1)
	w.eventually("a trim beyond the pin", func() error { return w.begins(100) })
}

// resize bounds the messages that a stream takes, by hand.
func (w *world) resize(stream string, most int32) {
	w.t.Helper()
	cfg := w.stream(stream).CachedInfo().Config
	cfg.MaxMsgSize = most
	if _, err := w.js.UpdateStream(w.t.Context(), cfg); err != nil {
		w.t.Fatal(err)
	}
}

// changeLedger changes the ledger by compare-and-set, as a hub does.
func (w *world) changeLedger(change func(*retention.Ledger)) {
	w.t.Helper()
	w.eventually("the ledger to be changed", func() error {
		m, err := w.stream(contract.StreamLedger).GetLastMsgForSubject(w.t.Context(), "replhub._ledger")
		if err != nil {
			return err
		}
		var l retention.Ledger
		if err := json.Unmarshal(m.Data, &l); err != nil {
			return err
		}
		change(&l)
		data, err := retention.Encode(l)
		if err != nil {
			return err
		}
		_, err = w.js.Publish(w.t.Context(), "replhub._ledger", data, jetstream.WithExpectLastSequencePerSubject(m.Sequence))
		return err
	})
}

// begins is nil if ingest begins at a sequence.
func (w *world) begins(first uint64) error {
	if have := w.stream(contract.StreamIngest).CachedInfo().State.FirstSeq; have != first {
		return fmt.Errorf("ingest begins at %d, want %d", have, first)
	}
	return nil
}
