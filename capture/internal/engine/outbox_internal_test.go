package engine

import (
	"encoding/binary"
	"testing"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
)

// oneRow is an outbox of one column.
type oneRow struct{}

func (oneRow) Event(t change.Tuple) (contract.Emitted, error) {
	return contract.Emitted{Entity: "team", Op: "update", Data: []byte(`"` + string(t[0].Text) + `"`)}, nil
}

func (oneRow) Spent() []int { return []int{0} }

// A row of an outbox that comes again is an event up to the last one that is stored, and
// no further; it is deleted all the same.
func TestOutboxRowThatComesAgain(t *testing.T) {
	message := func(kind byte, text string) []byte {
		data := binary.BigEndian.AppendUint32([]byte{kind}, 1)
		data = binary.BigEndian.AppendUint16(append(data, 'N'), 1)
		return append(binary.BigEndian.AppendUint32(append(data, 't'), uint32(len(text))), text...)
	}
	var events, spends int
	d := &decoder{
		counts: new(Counts), spends: true, commit: 100, stored: captured.Position{Commit: 100, Change: 50, Number: 2},
		relations: map[uint32]*relation{1: {Relation: change.Relation{OID: 1, Columns: []change.Column{{Name: "id"}}}, outbox: oneRow{}}},
		emit:      func(event) { events++ },
		spend:     func(*spent) { spends++ },
	}
	for n, step := range []struct {
		lsn            captured.LSN
		kind           byte
		events, spends int
	}{{40, msgInsert, 0, 1}, {50, msgInsert, 0, 2}, {50, msgInsert, 0, 3}, {50, msgInsert, 1, 3}, {60, msgInsert, 2, 3}, {70, msgUpdate, 2, 3}} {
		if err := d.message(t.Context(), step.lsn, message(step.kind, "a")); err != nil {
			t.Fatal(err)
		}
		if events != step.events || spends != step.spends {
			t.Errorf("step %d: %d events, %d rows to delete", n, events, spends)
		}
	}
}
