package core

import (
	"errors"
	"fmt"
)

// ErrFull means that unacknowledged copies fill the lane up to its limit.
var ErrFull = errors.New("lane full")

// room is the procedure that makes room in a full lane. The lane is measured, its
// history purged, and it is measured again. Then the copies kept for dead letters are
// examined, and those no longer needed are purged. The zero room means that the lane
// is not known to be full.
type room struct {
	stage  roomStage
	first  uint64 // message of the lane
	keep   uint64 // the lane's first message to keep
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

// ensureRoom keeps the lane's limit. allowed is how many bytes may be appended; the
// last message may exceed the limit. Acknowledged history is purged to make room.
// Unacknowledged copies never are, so the lane stalls as full. 0 bytes without an
// error mean that step, or another decision, comes first.
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

// HistoryFound answers FindHistory: every worker is done with the messages below
// keep, and none of these lacks a dead letter. first is the lane's first message.
func (l *Lane) HistoryFound(first, keep uint64) {
	take[FindHistory](l)
	l.room.first, l.room.keep, l.room.stage = first, keep, roomFound
}

// Purged answers Purge.
func (l *Lane) Purged() {
	take[Purge](l)
	l.room.purged, l.room.stage = true, roomPurged
}

// Proved answers Prove: free says that copies were released, and why describes what
// keeps the others.
func (l *Lane) Proved(free bool, why string) {
	take[Prove](l)
	l.room.proved, l.room.free, l.room.why, l.room.stage = true, free, why, roomMeasured
}
