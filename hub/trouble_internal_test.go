package hub

import (
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub/internal/contract"
)

func TestTroubleIsOneOfAFewWords(t *testing.T) {
	words := []string{
		contract.TroubleLaneFull, contract.TroubleLettersFull, contract.TroubleIngestFull, contract.TroubleTrimmed,
		contract.TroubleNewerRecord, contract.TroubleNotReachable, contract.TroubleRecordTooLarge, contract.TroubleOther,
	}
	for _, state := range contract.LaneStates() {
		for _, reason := range []string{"", "lane full", "x\"y\n", strings.Repeat("z", 10_000)} {
			if got := trouble(state, reason); !slices.Contains(words, got) {
				t.Errorf("%s %.20q: %q", state, reason, got)
			}
		}
	}
	if got := trouble(contract.LaneDetached, "ingest is 91% full (1 of 2 bytes) of events"); got != contract.TroubleIngestFull {
		t.Error(got)
	}
}
