package hub

import (
	"strings"

	"github.com/replhub/replhub/wire"
)

// trouble puts the reason of a lane's trouble, which is a sentence for people,
// under one of a few words: a label with sentences would have no end of values.
func trouble(state, reason string) string {
	for _, t := range []struct{ state, part, word string }{
		{wire.LaneDetached, "ingest is ", wire.TroubleIngestFull},
		{wire.LaneDetached, "gone from ingest", wire.TroubleTrimmed},
		{wire.LaneStalled, "lane full", wire.TroubleLaneFull},
		{wire.LaneStalled, "dead letters are full", wire.TroubleLettersFull},
		{wire.LaneStalled, "restart nats-server", wire.TroubleDisk},
		{wire.LaneStalled, "state record has", wire.TroubleRecordTooLarge},
		{wire.LaneStalled, "timeout", wire.TroubleNotReachable},
		{wire.LaneStalled, "deadline exceeded", wire.TroubleNotReachable},
		{wire.LaneStalled, "no response", wire.TroubleNotReachable},
		{wire.LaneStalled, "disconnected", wire.TroubleNotReachable},
		{wire.LaneStalled, "a newer replhub", wire.TroubleNewerRecord},
		{wire.LaneParked, "newer", wire.TroubleNewerRecord},
	} {
		if state == t.state && strings.Contains(reason, t.part) {
			return t.word
		}
	}
	return wire.TroubleOther
}
