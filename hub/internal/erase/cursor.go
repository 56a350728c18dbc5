package erase

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// phase is a part of the work.
type phase int

// The phases, in order. Ingest comes first: a lane that is behind would copy from it what
// was removed from the lane. Dead letters come before the lanes, because a redrive puts
// them back into lanes, and again after the lanes, because a copy can become a dead letter
// while the lanes are worked on.
const (
	events phase = iota
	letters
	copies
	lettersAgain
	finished
)

// cursor is where a request continues: the After of a page. Programs take it as it is.
type cursor struct {
	id string
	// end is the last event of ingest when the request began. Later events are not its
	// subject.
	end   event.Position
	phase phase
	// seq is the last sequence of the stream that is done; in a lane, service's.
	seq     uint64
	service subjects.Name
	// behind says that service's lane is done.
	behind bool
}

// doneWord ends the text of a cursor behind a lane.
const doneWord = "done"

// String is "<id>.<epoch>-<end>.<phase>.<seq>", and in a lane also ".<service>", or behind
// it ".<service>.done".
func (c cursor) String() string {
	text := fmt.Sprintf("%s.%s.%d.%d", c.id, c.end, c.phase, c.seq)
	if c.phase == copies && c.service != (subjects.Name{}) {
		text += "." + c.service.String()
		if c.behind {
			text += "." + doneWord
		}
	}
	return text
}

// parseCursor reads what String wrote.
func parseCursor(text string) (c cursor, err error) {
	refused := contract.FieldErrorf(contract.CodeInvalidValue, "after", "is not the next of a reply: send the request without after")
	words := strings.Split(text, ".")
	if len(words) < 4 || len(words) > 6 || len(words) == 6 && words[5] != doneWord || len(text) > 256 {
		return cursor{}, refused
	}
	end, ok := event.ParsePosition(words[1])
	part, errPart := strconv.Atoi(words[2])
	seq, errSeq := strconv.ParseUint(words[3], 10, 64)
	if !ok || errPart != nil || errSeq != nil || part < int(events) || part > int(lettersAgain) {
		return cursor{}, refused
	}
	c = cursor{id: words[0], end: end, phase: phase(part), seq: seq}
	if c.behind = len(words) == 6; len(words) > 4 {
		if c.service, err = subjects.ParseName(words[4]); err != nil || c.phase != copies {
			return cursor{}, refused
		}
	}
	return c, nil
}

// next is the beginning of the next phase.
func (c cursor) next() cursor { return cursor{id: c.id, end: c.end, phase: c.phase + 1} }

// lane is the beginning of a lane.
func (c cursor) lane(service subjects.Name) cursor {
	return cursor{id: c.id, end: c.end, phase: copies, service: service}
}

// past reports whether a lane is done. Lanes are worked on in the order of their names.
func (c cursor) past(service subjects.Name) bool {
	order := strings.Compare(service.String(), c.service.String())
	return order < 0 || order == 0 && c.behind
}
