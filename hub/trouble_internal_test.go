package hub

import (
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub/wire"
)

func TestTroubleIsOneOfAFewWords(t *testing.T) {
	words := []string{
		wire.TroubleLaneFull, wire.TroubleLettersFull, wire.TroubleIngestFull, wire.TroubleTrimmed,
		wire.TroubleNewerRecord, wire.TroubleNotReachable, wire.TroubleRecordTooLarge, wire.TroubleOther,
	}
	for _, state := range wire.LaneStates() {
		for _, reason := range []string{"", "lane full", "x\"y\n", strings.Repeat("z", 10_000)} {
			if got := trouble(state, reason); !slices.Contains(words, got) {
				t.Errorf("%s %.20q: %q", state, reason, got)
			}
		}
	}
	if got := trouble(wire.LaneDetached, "ingest is 91% full (1 of 2 bytes) of events"); got != wire.TroubleIngestFull {
		t.Error(got)
	}
}
