package core_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/core"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// The words of the scripts.

func name(t *testing.T, text string) subjects.Name {
	n, err := subjects.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// parsePos reads "12", which is of epoch 1, or "2-12".
func parsePos(t *testing.T, text string) event.Position {
	epoch, seq, ok := strings.Cut(text, "-")
	if !ok {
		epoch, seq = "1", text
	}
	return event.Position{Epoch: number(t, epoch), Seq: number(t, seq)}
}

func markAt(p event.Position) ingest.Mark {
	return ingest.Mark{Position: p, Time: time.Unix(int64(p.Seq), 0).UTC()}
}

// parseEvent reads "<entity>:<position>[=<payload>]"; "~<n>" is a payload of n bytes.
func parseEvent(t *testing.T, text string) *event.Event {
	text, data, ok := strings.Cut(text, "=")
	if !ok {
		data = `{"id":"1"}`
	}
	if size, ok := strings.CutPrefix(data, "~"); ok {
		data = strings.Repeat(" ", int(number(t, size)))
	}
	entity, at, _ := strings.Cut(text, ":")
	pos := parsePos(t, at)
	e, err := event.Decode(pos, markAt(pos).Time, "db."+entity+".update", nil, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// parseState reads "interests=user,tenant@5 pos=10 phase=fill fills=user@3
// rows=tenant#2/<backfill> limit=1000": interests that are due from a sequence (1), whose ids are
// their entities' names; one with a "!" has a filter. Fills stand at an event or row.
func parseState(t *testing.T, args []string) record.State {
	s := record.State{Phase: record.Live, Pos: markAt(event.Position{Epoch: 1})}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "pos":
			s.Pos = markAt(parsePos(t, value))
		case "phase":
			s.Phase = record.Phase(value)
		case "limit":
			s.MaxBytes = int64(number(t, value))
		case "detached":
			s.Detached = &record.Detached{Reason: value}
		case "interests":
			for text := range strings.SplitSeq(value, ",") {
				s.Interests = append(s.Interests, parseInterest(t, text))
			}
		case "fills":
			for text := range strings.SplitSeq(value, ",") {
				id, at, _ := strings.Cut(text, "@")
				s.Fills = append(s.Fills, record.Fill{IDs: []string{id}, At: markAt(parsePos(t, at))})
			}
		case "rows":
			for text := range strings.SplitSeq(value, ",") {
				id, row, _ := strings.Cut(text, "#")
				row, backfill, _ := strings.Cut(row, "/")
				snapshot := &record.Snapshot{ID: backfill, Row: number(t, row), Began: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
				if snapshot.Row > 0 {
					snapshot.After = "k" + row
				}
				s.Fills = append(s.Fills, record.Fill{IDs: []string{id}, Snapshot: snapshot})
			}
		}
	}
	return s
}

func parseInterest(t *testing.T, text string) record.Interest {
	text, since, ok := strings.Cut(text, "@")
	if !ok {
		since = "1"
	}
	entity, filtered := strings.CutSuffix(text, "!")
	in := record.Interest{ID: entity, Entity: entity, Definition: contract.Definition{Ops: []string{"create", "update"}}, Since: parsePos(t, since), Rev: 1}
	if filtered {
		in.Filter = "data.id == '1'"
	}
	return in
}

func parseFailure(args []string) core.Failure {
	f := core.Failure{Refused: has(args, "refused"), NotStored: has(args, "not-stored"), Late: has(args, "late"), NewEpoch: has(args, "new-epoch")}
	if f.Err = errors.New(strings.Join(args, " ")); has(args, "newer") {
		f.Err = record.ErrNewer
	}
	return f
}

func showState(s record.State) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s", s.Phase, s.Pos.Position)
	for _, in := range s.Interests {
		fmt.Fprintf(&b, " %s", in.Entity)
	}
	for _, f := range s.Fills {
		if f.Snapshot != nil {
			fmt.Fprintf(&b, " rows(%s#%d)", f.IDs[0], f.Snapshot.Row)
		} else {
			fmt.Fprintf(&b, " fill(%s@%s)", strings.Join(f.IDs, "+"), f.At.Position)
		}
	}
	if s.MaxBytes > 0 {
		fmt.Fprintf(&b, " limit=%d", s.MaxBytes)
	}
	if s.Detached != nil {
		fmt.Fprintf(&b, " detached: %s", s.Detached.Reason)
	}
	return b.String()
}

func showMessages(msgs []core.Message) string {
	var all []string
	for _, m := range msgs {
		h := m.Header.Clone()
		text := strings.Split(m.Subject, ".")[2] + "@" + h[contract.HeaderPosition][0]
		if row := h[contract.HeaderRow]; row != nil {
			text = strings.Split(m.Subject, ".")[2] + "#" + row[0]
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func flags(pairs ...any) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == true {
			fmt.Fprintf(&b, " %s", pairs[i])
		}
	}
	return b.String()
}

// show is a step in words.
func show(step core.Step) string {
	switch s := step.(type) {
	case core.CheckCursors:
		return "CheckCursors " + showState(s.State)
	case core.ReadEvents:
		return fmt.Sprintf("ReadEvents from %s%s", s.From.Position, flags("fill", s.Fill))
	case core.Admit:
		return fmt.Sprintf("Admit %d events%s", s.Events, flags("patient", s.Patient, "again", s.Again))
	case core.StoreLetter:
		return fmt.Sprintf("StoreLetter %s@%s: %s", s.Event.Subject.Entity(), s.Event.Pos, s.Decision.Why)
	case core.Append:
		how := []string{"whole", "open", "add", "close"}[s.How]
		return fmt.Sprintf("Append %s behind %d: %s", how, s.Last, showMessages(s.Msgs))
	case core.Settle:
		return fmt.Sprintf("Settle within %s", s.Patience)
	case core.Record:
		copies := ""
		if s.Copies > 0 {
			copies = fmt.Sprintf(" and %d copies", s.Copies)
		}
		return fmt.Sprintf("Record behind %d%s (%s): %s", s.Last, copies, s.Why, showState(s.State))
	case core.Purge:
		return fmt.Sprintf("Purge below %d", s.Below)
	case core.Edit:
		return fmt.Sprintf("Edit last=%d %s", s.Tip.Last, showState(s.Tip.State))
	case core.Diagnose:
		return fmt.Sprintf("Diagnose %q%s", s.Err, flags("refused", s.Refused > 0))
	case core.Wait:
		return fmt.Sprintf("Wait %s%s", s.D, flags("jitter", s.Jitter > 0, "events", s.Events, "stand", s.Stand, "release", s.Release))
	case core.FetchRows:
		return fmt.Sprintf("FetchRows %d: %s behind row %d", s.Number, s.Interest.Entity, s.From.Row)
	case core.DropRows:
		return fmt.Sprintf("DropRows %d", s.Number)
	case core.Answer:
		return fmt.Sprintf("Answer %s, err %v%s", showState(s.State), s.Err, flags("recorded", s.Recorded))
	case core.RefuseChanges:
		return fmt.Sprintf("RefuseChanges %q", s.Err)
	default:
		return strings.TrimPrefix(fmt.Sprintf("%T", step), "core.")
	}
}

func showNote(n core.Note) string {
	kind := []string{"stall began", "stall changed", "stall over", "stall moot", "foreign messages", "state gone", "detached", "snapshot complete", "went back"}[n.Kind]
	return strings.TrimSpace(fmt.Sprintf("note: %s %s%s", kind, n.Reason, flags("known here", n.Mine)))
}

// laws watches what must hold of any lane, whatever happens to it.
type laws struct {
	t *testing.T
	// mustRead: something is in doubt, so nothing may be appended before the tip is
	// read. last is what the lane knows the stream to end with, open that an append is.
	mustRead bool
	last     uint64
	open     bool
	asked    core.Step
}

func (l *laws) began() { l.mustRead, l.open, l.asked = true, false, nil }

func (l *laws) next(step core.Step) {
	l.t.Helper()
	l.asked = step
	switch s := step.(type) {
	case core.Append:
		l.appends(s.Last)
		if whole := s.How == core.Whole || s.How == core.Open; whole == l.open {
			l.t.Errorf("%s while an append is open: %t", show(step), l.open)
		}
	case core.Record:
		l.appends(s.Last)
		if l.open {
			l.t.Errorf("a second append in doubt: %s", show(step))
		}
	case core.ReadTip:
		if l.open {
			l.t.Errorf("reads a lane with an append that is open")
		}
	}
}

func (l *laws) appends(last uint64) {
	l.t.Helper()
	if l.mustRead {
		l.t.Errorf("appends in doubt: %s", show(l.asked))
	}
	if last != l.last {
		l.t.Errorf("states last sequence %d of a lane that is known to end at %d: %s", last, l.last, show(l.asked))
	}
}

func (l *laws) tipRead(last uint64) { l.mustRead, l.last, l.open = false, last, false }

func (l *laws) grow() {
	switch s := l.asked.(type) {
	case core.Append:
		l.last += uint64(len(s.Msgs))
	case core.Record:
		l.last += uint64(s.Copies) + 1
	}
}

func (l *laws) sent()    { l.grow(); l.open = true }
func (l *laws) stored()  { l.grow(); l.open = false }
func (l *laws) settled() { l.open = false }
func (l *laws) refused() {}
func (l *laws) failed()  { l.mustRead, l.open = true, false }
