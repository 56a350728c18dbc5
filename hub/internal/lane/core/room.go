package core

import (
	"errors"
	"fmt"
)

// ErrFull: the lane holds its limit in copies that nobody has acknowledged.
var ErrFull = errors.New("lane full")

// room is how room is made in a full lane: it is measured, its history purged and it is
// measured again; then what is kept for dead letters is looked into, and what that
// lets go of is purged. The zero room is not full as far as is known.
type room struct {
	stage  roomStage
	first  uint64 // message of the lane
	keep   uint64 // of its messages the first to stay
	purged bool
	proved bool
	free   bool
	why    string // the lane stays full
}

type roomStage int

const (
	roomUnasked roomStage = iota
	roomMeasured
	roomFound // history
	roomPurged
)

// ensureRoom keeps the lane's limit: allowed is how many bytes may be appended, of which
// the last message may pass the limit. Acknowledged history goes first; what is not
// acknowledged never goes, so the lane stalls with full. 0 bytes and no error mean that
// step comes first, or another decision.
func (l *Lane) ensureRoom() (allowed int, next Step, full error) {
	limit := l.tip.State.MaxBytes
	if limit <= 0 {
		return maxAppendBytes, nil, nil
	}
	r := &l.room
	switch r.stage {
	case roomUnasked:
		switch {
		case !l.full():
			return l.allowed(), nil, nil
		case l.open != nil:
			return 0, l.settle(), nil
		}
		return 0, Measure{}, nil
	case roomMeasured:
		switch {
		case l.bytes < limit:
			l.room = room{}
			return l.allowed(), nil, nil
		case !r.purged || r.free:
			r.free = false
			return 0, FindHistory{}, nil
		case !r.proved:
			return 0, Prove{}, nil
		}
		full := fmt.Errorf("%w: %d bytes of at most %d %s", ErrFull, l.bytes, limit, r.why)
		l.room = room{}
		return 0, nil, full
	case roomFound:
		switch {
		case r.keep <= r.first:
			r.purged = true
			return 0, Measure{}, nil
		case l.tip.StateSeq < r.keep:
			return 0, l.record(l.tip.State, WhyRoom), nil
		}
		return 0, Purge{Below: min(r.keep, l.tip.StateSeq)}, nil
	default:
		return 0, Measure{}, nil
	}
}

func (l *Lane) allowed() int { return int(min(l.tip.State.MaxBytes-l.bytes, maxAppendBytes)) }

// full reports whether an append has to ask for room.
func (l *Lane) full() bool {
	limit := l.tip.State.MaxBytes
	return limit > 0 && (l.bytes == 0 || l.bytes >= limit)
}

// Measured answers Measure.
func (l *Lane) Measured(bytes int64) {
	take[Measure](l)
	l.bytes = max(bytes, 1) // 0 means unknown
	l.room.stage = roomMeasured
}

// HistoryFound answers FindHistory: every worker has dealt with the messages below
// keep, and no dead letter of them may be missing. first is the lane's first message.
func (l *Lane) HistoryFound(first, keep uint64) {
	take[FindHistory](l)
	l.room.first, l.room.keep, l.room.stage = first, keep, roomFound
}

// Purged answers Purge.
func (l *Lane) Purged() {
	take[Purge](l)
	l.room.purged, l.room.stage = true, roomPurged
}

// Proved answers Prove: free says that copies were let go of, why in words what keeps
// those that are there.
func (l *Lane) Proved(free bool, why string) {
	take[Prove](l)
	l.room.proved, l.room.free, l.room.why, l.room.stage = true, free, why, roomMeasured
}
