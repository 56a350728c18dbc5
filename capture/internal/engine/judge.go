package engine

import (
	"errors"
	"fmt"

	"github.com/replhub/replhub/capture/internal/change"
	"github.com/replhub/replhub/internal/captured"
)

// Problem is a class of what is wrong with a capture.
type Problem string

// The problems.
const (
	None Problem = ""
	// NATSAway and DatabaseAway end by themselves.
	NATSAway     Problem = "nats_unavailable"
	DatabaseAway Problem = "database_unavailable"
	// IngestRefuses: it is full, or its limits do not allow an event. It is tried again.
	IngestRefuses Problem = "ingest_refuses"
	// SlotMissing and the following need somebody's decision.
	SlotMissing   Problem = "slot_missing"
	SlotLost      Problem = "slot_lost"
	SlotMoved     Problem = "slot_moved"
	OtherDatabase Problem = "other_database"
	WentBack      Problem = "database_went_back"
	NewerRecord   Problem = "newer_record"
	Trimmed       Problem = "ingest_trimmed"
	ResyncCut     Problem = "resync_cut_off"
	// Refused: ingest or the server refuses an event, or the table's rows cannot become
	// events.
	Refused Problem = "refused"
	// WasTruncated: a table was truncated, which ingest does not show.
	WasTruncated Problem = "truncated"
)

// problemError is an error of a class.
type problemError struct {
	problem Problem
	err     error
}

func (e *problemError) Error() string { return e.err.Error() }
func (e *problemError) Unwrap() error { return e.err }

func problemf(p Problem, format string, args ...any) error {
	return &problemError{p, fmt.Errorf(format, args...)}
}

// ProblemOf is the class of an error; DatabaseAway where the error has none.
func ProblemOf(err error) Problem {
	var p *problemError
	var refusal *change.RefusalError
	switch {
	case err == nil:
		return None
	case errors.As(err, &p):
		return p.problem
	case errors.As(err, &refusal):
		return Refused
	case errors.Is(err, captured.ErrTrimmed):
		return Trimmed
	case errors.Is(err, captured.ErrNewer):
		return NewerRecord
	case errors.Is(err, captured.ErrForeign):
		return Refused
	default:
		return DatabaseAway
	}
}

// lasting reports whether waiting does not help.
func (p Problem) lasting() bool {
	return p != None && p != NATSAway && p != DatabaseAway && p != IngestRefuses
}

// slot is what the database says of the slot, and of itself.
type slot struct {
	name      string
	exists    bool
	active    bool
	plugin    string
	database  string // of the slot
	walStatus string
	// confirmed is how far the slot is confirmed.
	confirmed captured.LSN
	// system, timeline and end are those of the database cluster; end is the end of its
	// log. connected is the database of the connection.
	system    string
	timeline  int32
	end       captured.LSN
	connected string
}

// resyncHint ends each problem that a resync mends.
const resyncHint = "start once with --resync, which publishes every row again"

// usable says why a slot cannot be used; nil when it can.
func (s slot) usable() error {
	switch {
	case !s.exists:
		return problemf(SlotMissing, "the replication slot %s does not exist, so that changes since then are gone: %s", s.name, resyncHint)
	case s.plugin != "pgoutput":
		return problemf(OtherDatabase, "the slot %s has the plugin %s, not pgoutput: choose another name with --slot", s.name, s.plugin)
	case s.database != s.connected:
		return problemf(OtherDatabase, "the slot %s belongs to the database %s, not to %s: choose another name with --slot", s.name, s.database, s.connected)
	case s.walStatus == "lost":
		return problemf(SlotLost, "the slot %s is lost: the server has removed log that it needed (max_slot_wal_keep_size): %s", s.name, resyncHint)
	}
	return nil
}

// origin decides, for a slot and the record in ingest, whether the changes between both
// are complete. branched is the LSN at which the record's timeline ended; 0 means that it
// is the present one.
func (s slot) origin(r captured.Record, stored captured.Position, branched captured.LSN) error {
	reached := max(r.Confirm, stored.Commit)
	switch {
	case r.Resync:
		return problemf(ResyncCut, "the last resync of the slot %s was cut off, so that rows are missing: %s", s.name, resyncHint)
	case r.System != s.system:
		return problemf(OtherDatabase, "the slot %s was captured from another database cluster (%s, this one is %s): choose another name with --slot, or, if this cluster replaces that one, %s",
			s.name, r.System, s.system, resyncHint)
	case r.WentBack:
		return problemf(WentBack, "this database was found behind changes that are in ingest (a fail-over or a restore lost the rest), and has gone on from there: %s", resyncHint)
	case branched > 0 && reached > branched:
		return problemf(WentBack, "changes up to %s are in ingest, and this database left that history at %s (a fail-over or a restore lost the rest): %s", reached, branched, resyncHint)
	case reached > s.end:
		return problemf(WentBack, "changes up to %s are in ingest, and the log of this database ends at %s (it was restored): %s", reached, s.end, resyncHint)
	case s.confirmed > r.Confirm:
		return problemf(SlotMoved, "the slot %s stands at %s, and only changes up to %s are known to be in ingest (the slot was made again or moved, or ingest has lost its end): %s",
			s.name, s.confirmed, r.Confirm, resyncHint)
	}
	return nil
}
