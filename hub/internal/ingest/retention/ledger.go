package retention

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
)

// ErrNewer means that a newer version of replhub wrote the ledger, in a form that this
// version does not know. The hub then neither changes the ledger nor trims ingest.
var ErrNewer = errors.New("a newer replhub wrote the ledger; upgrade this hub")

// The forms of ledgers written here: the lowest that can express the ledger.
const (
	// plainForm is that of a ledger without erased events and policies.
	plainForm = 1
	// ledgerForm is the newest form that this version knows. A hub that knows the plain
	// form alone would take erased events for lost ones and detach lanes, and would
	// register services beside the policies.
	ledgerForm = 2
)

// Ledger is the one document that all hubs agree on: epochs, floor and pins.
type Ledger struct {
	// Form is the version of the JSON. It matters to Decode and Encode alone; a ledger
	// without it is of form 1.
	Form int `json:"v"`
	// Installation is the id of this installation. It distinguishes the hubs of this
	// installation from hubs of another one in the same account. It is created once.
	Installation string `json:"installation,omitempty"`
	// Epochs are ascending; the last is the current one.
	Epochs []Range `json:"epochs"`
	// Floor is the sequence in the current stream below which events may be purged at
	// any time.
	Floor uint64 `json:"floor"`
	// Pins keep ingest from a sequence on while a registration is under way.
	Pins map[string]Pin `json:"pins,omitempty"`
	// Pinnings counts pins that were set, released or have expired, and marks of
	// policies. A trim that read the lanes at one count does not know of later
	// registrations.
	Pinnings uint64 `json:"pinnings,omitempty"`
	// Released are the latest pins that were released or have expired, oldest first.
	// Forgotten is the count of the latest such pin that is no longer in Released.
	Released  []Release `json:"released,omitempty"`
	Forgotten uint64    `json:"forgotten,omitempty"`
	// Lost is not zero after pins were lost, because the ledger was deleted or ingest
	// created again, until a trim has fenced all lanes. Each loss has its own number.
	Lost uint64 `json:"lost,omitempty"`
	// Replaced is the number of the last deletion of the ledger after which a hub stored it
	// again. Who knows the ledger under another number may know more of the policies.
	Replaced uint64 `json:"replaced,omitempty"`
	// Erased are the events of the present stream that were erased. Erasures counts the
	// changes that added some, and the requests. Noted are the latest requests, oldest first.
	Erased   Erased    `json:"erased,omitempty"`
	Erasures uint64    `json:"erasures,omitempty"`
	Noted    []Erasure `json:"noted,omitempty"`
	// Policies has the entities that have a policy.
	Policies map[string]PolicyMark `json:"policies,omitempty"`

	// unknown are the members that this version does not know. They stay in the document,
	// because an older hub beside a newer one must not take from it what it noted.
	unknown map[string]json.RawMessage
}

// Range is one epoch: the events from First to the next range's First, in the stream
// created at Created.
type Range struct {
	Epoch   uint64    `json:"epoch"`
	First   uint64    `json:"first"`
	Created time.Time `json:"created"`
}

// Encode returns the document of a ledger.
func Encode(l Ledger) ([]byte, error) {
	if l.Form = plainForm; len(l.Erased) > 0 || len(l.Policies) > 0 {
		l.Form = ledgerForm
	}
	data, err := json.Marshal(l)
	if err == nil && len(l.unknown) > 0 {
		data, err = join(data, l.unknown)
	}
	if err != nil {
		return nil, fmt.Errorf("encode the ledger: %w", err)
	}
	return data, nil
}

// join adds members to a JSON object.
func join(object []byte, members map[string]json.RawMessage) ([]byte, error) {
	all := maps.Clone(members)
	if err := json.Unmarshal(object, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// Decode reads a document, and refuses one of a newer form with ErrNewer.
func Decode(data []byte) (Ledger, error) {
	l := Ledger{Form: plainForm}
	if err := json.Unmarshal(data, &l); err != nil {
		return Ledger{}, fmt.Errorf("decode the ledger: %w", err)
	}
	if l.Form > ledgerForm {
		return Ledger{}, fmt.Errorf("%w: it has version %d, and this replhub knows %d", ErrNewer, l.Form, ledgerForm)
	}
	if err := json.Unmarshal(data, &l.unknown); err != nil {
		return Ledger{}, fmt.Errorf("decode the ledger: %w", err)
	}
	for field := range reflect.TypeFor[Ledger]().Fields() {
		known, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		delete(l.unknown, known)
	}
	return l, nil
}

// Current returns the newest epoch. One exists from the first Identify on.
func (l *Ledger) Current() Range { return l.Epochs[len(l.Epochs)-1] }

// EpochOf is the epoch of a sequence in the stream that exists now.
func (l *Ledger) EpochOf(seq uint64) uint64 {
	cur := l.Current()
	epoch := cur.Epoch
	for _, r := range slices.Backward(l.Epochs) {
		if !r.Created.Equal(cur.Created) {
			break
		}
		epoch = r.Epoch
		if seq >= r.First {
			break
		}
	}
	return epoch
}

// PositionOf is the position of a sequence of the present stream.
func (l *Ledger) PositionOf(seq uint64) event.Position {
	return event.Position{Epoch: l.EpochOf(seq), Seq: seq}
}

// Stale reports whether a position was assigned before its event's epoch began: a
// rollback was noticed since, and Resume moves the position. Such a position cannot
// be compared with positions assigned now.
func (l *Ledger) Stale(pos event.Position) bool { return pos.Epoch < l.EpochOf(pos.Seq) }

// Was reports whether an event can have been at a position: false for an epoch that
// has not begun, and for a sequence before its epoch's first.
func (l *Ledger) Was(pos event.Position) bool {
	if pos.Epoch > l.Current().Epoch {
		return false
	}
	for _, r := range l.Epochs {
		if r.Epoch == pos.Epoch {
			return pos.Seq >= r.First
		}
	}
	return pos.Epoch > 0 // an epoch before the first that the ledger knows is accepted
}

// after returns the range that follows an epoch's, and whether the epoch is over. A
// range of an earlier stream ended before this one's first event. An epoch that the
// ledger lost is over once there is a later one.
func (l *Ledger) after(epoch uint64) (next Range, over bool) {
	for _, r := range l.Epochs {
		if r.Epoch > epoch {
			return r, true
		}
	}
	return Range{}, false
}

// brokenAt is the first sequence of the present stream that was used again after an
// epoch. It is the lowest at which a later epoch begins, because each rollback may go
// further back than the one before.
func (l *Ledger) brokenAt(epoch uint64) uint64 {
	cur := l.Current()
	first := cur.First
	for _, r := range l.Epochs {
		if r.Epoch > epoch && r.Created.Equal(cur.Created) {
			first = min(first, r.First)
		}
	}
	return max(first, 1)
}

// knows reports whether the ledger has the range of an epoch.
func (l *Ledger) knows(epoch uint64) bool {
	return slices.ContainsFunc(l.Epochs, func(r Range) bool { return r.Epoch == epoch })
}

// begin adds an epoch. In a new stream, the floor and the pins of the old stream are
// dropped.
func (l *Ledger) begin(r Range) {
	if !l.Current().Created.Equal(r.Created) {
		l.Floor = 0
		if len(l.Pins) > 0 {
			l.Lost = l.Pinnings + 1 // their registrations may be on their way into lanes
		}
		l.dropPins()
		l.Erased = nil
	}
	l.Erased = l.Erased.within(0, r.First) // the sequences from r.First on are used again
	l.Floor = min(l.Floor, r.First)        // after a rollback the events from r.First on are new
	l.Epochs = append(slices.Clip(l.Epochs), r)
}
