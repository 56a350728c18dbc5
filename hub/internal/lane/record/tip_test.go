package record_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
)

type headers = map[string][]string

// behind reads a lane that holds a state record and messages behind it.
func behind(s record.State, msgs []headers) record.Tip {
	tip := record.Tip{State: s, StateSeq: 1, Last: uint64(len(msgs)) + 1}
	for _, h := range slices.Backward(msgs) {
		var found bool
		if tip, found = tip.Behind(h); found {
			break
		}
	}
	return tip
}

// The end of a lane says which row of a snapshot comes next, in the phase of the
// snapshot and in no other.
func TestTipOfASnapshot(t *testing.T) {
	live := func() headers {
		return headers{
			contract.HeaderExpectedLastSeq: {"1"},
			contract.HeaderSeq:             {"900"}, contract.HeaderEpoch: {"1"},
			contract.HeaderTime: {began().Format(time.RFC3339Nano)},
		}
	}
	row := func(n int) headers {
		h := live()
		h[contract.HeaderKey] = []string{"k" + strconv.Itoa(n)}
		h[contract.HeaderOrigin] = []string{"accounts"}
		h[contract.HeaderChunk] = []string{strconv.Itoa(n)}
		return h
	}
	in := record.State{Pos: mark(800), Phase: record.Live}.AddSnapshot(interest("b", "user", 801), mark(800), began())
	moved := in.InFill(0).AdvancedRow(3, "k3", "accounts")
	past := in
	past.Pos = mark(900)
	past.Pos.Time = began()
	for _, tt := range []struct {
		name    string
		state   record.State
		msgs    []headers
		want    record.State
		foreign int
	}{
		{"rows", in.InFill(0), []headers{row(1), row(2), row(3)}, moved, 0},
		{"an event of live copying", in, []headers{live()}, past, 0},
		{"a row where none belongs", in, []headers{live(), row(3)}, past, 1},
		{"an event among rows", in.InFill(0), []headers{row(3), live()}, moved, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tip := behind(tt.state, tt.msgs)
			if tip.Foreign != tt.foreign {
				t.Fatalf("%d foreign messages", tip.Foreign)
			}
			if diff := cmp.Diff(tt.want.Fills, tip.State.Fills); diff != "" {
				t.Errorf("fills (-want +got):\n%s", diff)
			}
			if tip.State.Pos != tt.want.Pos {
				t.Errorf("position %v, want %v", tip.State.Pos, tt.want.Pos)
			}
			data, err := record.Encode(tt.state)
			if err != nil {
				t.Fatal(err)
			}
			if read, err := record.Decode(data); err != nil || read.Form != 2 {
				t.Errorf("a record of form %d, %v: a hub that knows no snapshots would take it for another fill", read.Form, err)
			}
		})
	}
}

// A redriven copy is an old event: were it taken for where the lane stands, the lane
// would copy everything since once more. A message without the hub's headers is
// foreign.
func TestTipBehindOtherMessages(t *testing.T) {
	copied := func(seq string, more ...string) headers {
		h := headers{
			contract.HeaderEpoch: {"1"}, contract.HeaderSeq: {seq},
			contract.HeaderTime: {time.Unix(9, 0).UTC().Format(time.RFC3339Nano)},
		}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = []string{more[i+1]}
		}
		return h
	}
	single, batch := contract.HeaderExpectedLastSeq, "Nats-Batch-Id"
	for _, tt := range []struct {
		name    string
		msgs    []headers
		want    uint64
		foreign int
	}{
		{"the record is the last", nil, 1, 0},
		{"a single append", []headers{copied("9", single, "1")}, 9, 0},
		{"an atomic batch", []headers{copied("8", batch, "b"), copied("9", batch, "b")}, 9, 0},
		{"redriven copies behind it", []headers{
			copied("9", single, "1"), copied("3", single, "2", contract.HeaderRedriven, "1"), copied("4", single, "3", contract.HeaderRedriven, "2"),
		}, 9, 0},
		{"somebody else's copy of a copy", []headers{copied("9", single, "1"), copied("12")}, 9, 1},
		{"somebody else's messages", []headers{copied("9", single, "1"), {}, {"Replhub-Seq": {"x"}}}, 9, 2},
		{"nothing of the hub's", []headers{{}, {}}, 1, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tip := behind(record.First(mark(1), record.DefaultQueue(), 0), tt.msgs)
			if tip.State.Pos.Seq != tt.want || tip.Foreign != tt.foreign {
				t.Errorf("stands at %v with %d foreign messages, want %d, %d", tip.State.Pos, tip.Foreign, tt.want, tt.foreign)
			}
		})
	}
}
