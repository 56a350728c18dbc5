package hub

import (
	"strings"

	"github.com/replhub/replhub/internal/contract"
)

// trouble puts the reason of a lane's trouble, which is a sentence for people,
// under one of a few words: a label with sentences would have no end of values.
func trouble(state, reason string) string {
	for _, t := range []struct{ state, part, word string }{
		{contract.LaneDetached, "ingest is ", contract.TroubleIngestFull},
		{contract.LaneDetached, "gone from ingest", contract.TroubleTrimmed},
		{contract.LaneStalled, "lane full", contract.TroubleLaneFull},
		{contract.LaneStalled, "dead letters are full", contract.TroubleLettersFull},
		{contract.LaneStalled, "restart nats-server", contract.TroubleDisk},
		{contract.LaneStalled, "state record has", contract.TroubleRecordTooLarge},
		{contract.LaneStalled, "timeout", contract.TroubleNotReachable},
		{contract.LaneStalled, "deadline exceeded", contract.TroubleNotReachable},
		{contract.LaneStalled, "no response", contract.TroubleNotReachable},
		{contract.LaneStalled, "disconnected", contract.TroubleNotReachable},
		{contract.LaneStalled, "a newer replhub", contract.TroubleNewerRecord},
		{contract.LaneParked, "newer", contract.TroubleNewerRecord},
	} {
		if state == t.state && strings.Contains(reason, t.part) {
			return t.word
		}
	}
	return contract.TroubleOther
}
