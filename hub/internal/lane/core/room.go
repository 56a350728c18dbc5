package core

import (
	"errors"
	"fmt"
)

// maxAppendBytes bounds one append, and so the memory that a lane needs beside the
// events.
const maxAppendBytes = 4 << 20

// ErrFull means that unacknowledged copies fill the lane up to its limit.
var ErrFull = errors.New("lane full")

// room keeps the lane's limit.
type room struct {
	view   *view
	window *window

	bytes  int64 // what the stream holds, about; 0 is unknown
	search search
}

// search is the procedure that makes room in a full lane. The lane is measured, its
// history purged, and it is measured again. Then the copies kept for dead letters are
// examined, and those no longer needed are purged. The zero search means that the lane
// is not known to be full.
type search struct {
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

// end ends the search: the lane may be full again when it is next asked for.
func (r *room) end() { r.search = search{} }

// ensure keeps the lane's limit. allowed is how many bytes may be appended; the
// last message may exceed the limit. Acknowledged history is purged to make room.
// Unacknowledged copies never are, so the lane stalls as full. 0 bytes without an
// error mean that step, or another decision, comes first.
func (r *room) ensure() (allowed int, next Step, full error) {
	limit := r.view.tip.State.MaxBytes
	if limit <= 0 {
		return maxAppendBytes, nil, nil
	}
	s := &r.search
	switch s.stage {
	case roomUnasked:
		if !r.full() {
			return r.allowed(), nil, nil
		}
		return 0, r.window.settleBefore(Measure{}), nil
	case roomMeasured:
		switch {
		case r.bytes < limit:
			r.end()
			return r.allowed(), nil, nil
		case !s.purged || s.free:
			s.free = false
			return 0, FindHistory{}, nil
		case !s.proved:
			return 0, Prove{}, nil
		}
		full := fmt.Errorf("%w: %d bytes of at most %d %s", ErrFull, r.bytes, limit, s.why)
		r.end()
		return 0, nil, full
	case roomFound:
		switch {
		case s.keep <= s.first:
			s.purged = true
			return 0, Measure{}, nil
		case r.view.tip.StateSeq < s.keep:
			return 0, draft{State: r.view.tip.State, Why: WhyRoom}, nil
		}
		return 0, Purge{Below: min(s.keep, r.view.tip.StateSeq)}, nil
	default:
		return 0, Measure{}, nil
	}
}

func (r *room) allowed() int { return int(min(r.view.tip.State.MaxBytes-r.bytes, maxAppendBytes)) }

// full reports whether an append has to ask for room.
func (r *room) full() bool {
	limit := r.view.tip.State.MaxBytes
	return limit > 0 && (r.bytes == 0 || r.bytes >= limit)
}

// Measured answers Measure.
func (l *Lane) Measured(bytes int64) {
	take[Measure](l)
	l.room.bytes = max(bytes, 1) // 0 means unknown
	l.room.search.stage = roomMeasured
}

// HistoryFound answers FindHistory: every worker is done with the messages below
// keep, and none of these lacks a dead letter. first is the lane's first message.
func (l *Lane) HistoryFound(first, keep uint64) {
	take[FindHistory](l)
	s := &l.room.search
	s.first, s.keep, s.stage = first, keep, roomFound
}

// Purged answers Purge.
func (l *Lane) Purged() {
	take[Purge](l)
	s := &l.room.search
	s.purged, s.stage = true, roomPurged
}

// Proved answers Prove: free says that copies were released, and why describes what
// keeps the others.
func (l *Lane) Proved(free bool, why string) {
	take[Prove](l)
	s := &l.room.search
	s.proved, s.free, s.why, s.stage = true, free, why, roomMeasured
}
