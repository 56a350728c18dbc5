package captured_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/subjects"
)

// ledger is ingest with the log of the capture "a".
type ledger struct {
	t   *testing.T
	js  jetstream.JetStream
	log *captured.Log
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	js := natstest.Start(t).JetStream()
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: contract.StreamIngest, Subjects: subjects.IngestSubjects()})
	if err != nil {
		t.Fatal(err)
	}
	log, err := captured.Open(t.Context(), captured.Config{JS: js, Entity: captured.Entity("a"), Writer: "w", Service: "s"})
	if err != nil {
		t.Fatal(err)
	}
	return &ledger{t, js, log}
}

func at(commit int) captured.Position {
	return captured.Position{Commit: captured.LSN(commit), Change: 1}
}

// change publishes a change of a capture, under a record of the capture a unless that
// is 0.
func (l *ledger) change(entity, capture string, commit int, under uint64) error {
	l.t.Helper()
	m := &nats.Msg{Subject: "db." + entity + ".update", Header: nats.Header{}}
	if capture != "" {
		m.Header[contract.HeaderCaptured] = []string{captured.Mark(captured.Entity(capture), at(commit))}
	}
	if under > 0 {
		m.Header[contract.HeaderExpectedLastSubjectSeq] = []string{strconv.FormatUint(under, 10)}
		m.Header[contract.HeaderExpectedLastSubject] = []string{l.log.Subject()}
	}
	answer, err := l.js.Conn().RequestMsg(m, 5*time.Second)
	if err != nil {
		l.t.Fatal(err)
	}
	_, err = captured.Stored(answer.Data)
	return err
}

func (l *ledger) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *ledger) write(r captured.Record, behind uint64) captured.Held {
	l.t.Helper()
	r.ID, r.System = captured.NewID(), "7"
	held, err := l.log.Write(l.t.Context(), r, behind)
	l.must(err)
	return held
}

func (l *ledger) claim() (captured.Held, captured.Position) {
	l.t.Helper()
	held, stored, err := l.log.Claim(l.t.Context())
	l.must(err)
	return held, stored
}

func (l *ledger) purge(below uint64) {
	l.t.Helper()
	stream, err := l.js.Stream(l.t.Context(), contract.StreamIngest)
	l.must(err)
	l.must(stream.Purge(l.t.Context(), jetstream.WithPurgeSequence(below)))
}

// What a claim says to be stored is the last change of this capture, whoever else writes
// the same entities.
func TestClaimReadsBackWhatIsStored(t *testing.T) {
	tests := []struct {
		name   string
		events func(l *ledger, under uint64)
		want   int
	}{
		{"nothing", func(*ledger, uint64) {}, 5},
		{"one change", func(l *ledger, under uint64) { l.must(l.change("user", "a", 6, under)) }, 6},
		{"several entities", func(l *ledger, under uint64) {
			l.must(l.change("user", "a", 6, under))
			l.must(l.change("team", "a", 7, under))
			l.must(l.change("user", "a", 8, under))
			l.must(l.change("team", "a", 9, under))
		}, 9},
		{"others behind it", func(l *ledger, under uint64) {
			l.must(l.change("user", "a", 6, under))
			l.must(l.change("user", "a", 7, under))
			l.must(l.change("user", "", 0, 0))
			l.must(l.change("user", "b", 99, 0))
			l.must(l.change("team", "b", 99, 0))
		}, 7},
		{"others alone", func(l *ledger, _ uint64) {
			l.must(l.change("user", "b", 99, 0))
			l.must(l.change("team", "", 0, 0))
		}, 5},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLedger(t)
			l.must(l.change("user", "a", 4, 0)) // before the record, which knows better
			held := l.write(captured.Record{Position: at(5), Confirm: 5}.WithEntity("user").WithEntity("team"), 0)
			test.events(l, held.Seq)
			_, stored := l.claim()
			if stored != at(test.want) {
				t.Errorf("stored up to %+v, want %d", stored, test.want)
			}
			// A process that dies here leaves the next one the same question.
			if _, again := l.claim(); again != stored {
				t.Errorf("then %+v", again)
			}
		})
	}
}

// After a claim, nothing is stored that was sent under an earlier record.
func TestClaimFencesEarlierWriters(t *testing.T) {
	l := newLedger(t)
	old := l.write(captured.Record{}.WithEntity("user"), 0)
	l.must(l.change("user", "a", 1, old.Seq))
	held, stored := l.claim()
	if err := l.change("user", "a", 2, old.Seq); !errors.Is(err, captured.ErrFenced) {
		t.Errorf("a late change was stored (%v)", err)
	}
	if _, err := l.log.Write(t.Context(), captured.Record{ID: "late", System: "7"}, old.Seq); !errors.Is(err, captured.ErrFenced) {
		t.Errorf("a late record was stored (%v)", err)
	}
	l.must(l.change("user", "a", 2, held.Seq))
	if _, now := l.claim(); now != at(2) || stored != at(1) {
		t.Errorf("stored %+v, then %+v", stored, now)
	}
}

// A record that was stored, although its answer did not come, is found.
func TestWriteFindsItsOwnRecord(t *testing.T) {
	l := newLedger(t)
	held := l.write(captured.Record{Confirm: 3}, 0)
	again, err := l.log.Write(t.Context(), held.Record, 0)
	if err != nil || again.Seq != held.Seq {
		t.Errorf("written again: %+v, %v", again, err)
	}
}

// A claim does not guess what a trim has removed, and a capture without a record says so.
func TestClaimWithoutARecordOrItsEvents(t *testing.T) {
	l := newLedger(t)
	if _, _, err := l.log.Claim(t.Context()); !errors.Is(err, captured.ErrNone) {
		t.Errorf("without a record: %v", err)
	}
	held := l.write(captured.Record{}.WithEntity("user"), 0)
	l.must(l.change("user", "a", 1, held.Seq))
	claimed, _ := l.claim()
	l.purge(claimed.Seq)
	if _, _, err := l.log.Claim(t.Context()); !errors.Is(err, captured.ErrTrimmed) {
		t.Errorf("without the events behind it: %v", err)
	}
}

// An event of another publisher is no record, and needs none of what a trim removes.
func TestEventsOfOthersAreNoRecords(t *testing.T) {
	l := newLedger(t)
	held := l.write(captured.Record{}.WithEntity("user"), 0)
	for _, entity := range []string{"capture-orders", "capture-copied"} {
		data := []byte(`{"id":42}`)
		if entity == "capture-copied" { // a record under another name
			var err error
			data, err = held.Record.Encode()
			l.must(err)
		}
		_, err := l.js.PublishMsg(t.Context(), &nats.Msg{Subject: "db." + entity + ".update", Header: nats.Header{contract.HeaderKey: {"42"}}, Data: data})
		l.must(err)
		log, err := captured.Open(t.Context(), captured.Config{JS: l.js, Entity: entity})
		l.must(err)
		if _, _, err := log.Claim(t.Context()); !errors.Is(err, captured.ErrForeign) {
			t.Errorf("%s: %v", entity, err)
		}
	}
	stream, err := l.js.Stream(t.Context(), contract.StreamIngest)
	l.must(err)
	end := stream.CachedInfo().State.LastSeq
	if below, err := captured.Keep(t.Context(), l.js, end+1, "w"); err != nil || below != end+1 {
		t.Errorf("a trim below %d stops at %d (%v)", end+1, below, err)
	}
	if stream, err = l.js.Stream(t.Context(), contract.StreamIngest); err != nil || stream.CachedInfo().State.LastSeq != end+2 {
		t.Errorf("a claim and a record of the capture a were to follow %d, and %d does (%v)", end, stream.CachedInfo().State.LastSeq, err)
	}
}
