package subjects

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/replhub/replhub/internal/contract"
)

// MaxPartitions bounds the partition in a copy's subject: 0 to MaxPartitions-1.
const MaxPartitions = 1 << 16

// SubjectError refuses a subject. It unwraps to the *NameError or *OpError that
// is at fault, if one is.
type SubjectError struct {
	// Value is the whole text that was refused, as it came.
	Value string
	// Want is the form that it should have.
	Want string
	// Err is the token that is at fault; nil when the form itself is.
	Err error
}

// Error implements error; the value is quoted as in a NameError.
func (e *SubjectError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("subject %s: want %s: %v", contract.Quote(e.Value), e.Want, e.Err)
	}
	return fmt.Sprintf("subject %s: want %s", contract.Quote(e.Value), e.Want)
}

// Unwrap gives the error of the token at fault.
func (e *SubjectError) Unwrap() error { return e.Err }

// Event is the subject under which an event is published: db.<entity>.<op>.
// Events are comparable; the zero Event is none.
type Event struct {
	s      string
	entity Name
	op     Op
}

// ParseEvent parses "db.<entity>.<op>". Its error is a *SubjectError. The Event
// shares s's memory.
func ParseEvent(s string) (Event, error) {
	rest, ok := strings.CutPrefix(s, "db.")
	if !ok {
		return Event{}, badEvent(s, nil)
	}
	entity, op, err := cutEntityOp(rest)
	if err != nil {
		return Event{}, badEvent(s, err)
	}
	return Event{s: s, entity: entity, op: op}, nil
}

// NewEvent makes the subject of an event. Both must have been parsed: of a zero
// Name or Op it makes a subject that does not parse.
func NewEvent(entity Name, op Op) Event {
	return Event{s: "db." + entity.s + "." + op.String(), entity: entity, op: op}
}

// Entity is what changed.
func (e Event) Entity() Name { return e.entity }

// Op is how it changed.
func (e Event) Op() Op { return e.op }

// String is the subject.
func (e Event) String() string { return e.s }

// IsZero reports whether e is no event.
func (e Event) IsZero() bool { return e.s == "" }

// Copy is the subject of an event's copy in a lane:
// sub.<service>.<entity>.<op>.<partition>. Copies are comparable.
type Copy struct {
	s         string
	service   Name
	entity    Name
	op        Op
	partition int
}

// ParseCopy parses "sub.<service>.<entity>.<op>.<partition>", the partition
// decimal, without leading zeros and below MaxPartitions. Its error is a
// *SubjectError. The Copy shares s's memory.
func ParseCopy(s string) (Copy, error) {
	rest, ok := strings.CutPrefix(s, "sub.")
	if !ok {
		return Copy{}, badCopy(s, nil)
	}
	dot := strings.LastIndexByte(rest, '.')
	if dot < 0 {
		return Copy{}, badCopy(s, nil)
	}
	partition, ok := parsePartition(rest[dot+1:])
	if !ok {
		return Copy{}, badCopy(s, nil)
	}
	service, entity, op, err := cutServiceEntityOp(rest[:dot])
	if err != nil {
		return Copy{}, badCopy(s, err)
	}
	return Copy{s: s, service: service, entity: entity, op: op, partition: partition}, nil
}

// NewCopy makes the subject of a copy. Names and op must have been parsed, and
// the partition be from 0 to MaxPartitions-1.
func NewCopy(service, entity Name, op Op, partition int) Copy {
	return Copy{
		s:       "sub." + service.s + "." + entity.s + "." + op.String() + "." + strconv.Itoa(partition),
		service: service, entity: entity, op: op, partition: partition,
	}
}

// Service is whose lane the copy is in.
func (c Copy) Service() Name { return c.service }

// Entity is what changed.
func (c Copy) Entity() Name { return c.entity }

// Op is how it changed.
func (c Copy) Op() Op { return c.op }

// Partition is which of the service's queues it goes to.
func (c Copy) Partition() int { return c.partition }

// String is the subject.
func (c Copy) String() string { return c.s }

// IsZero reports whether c is no copy.
func (c Copy) IsZero() bool { return c.s == "" }

// DeadLetter is the subject of a service's dead letter:
// dlq.<service>.<entity>.<op>.
func DeadLetter(service, entity Name, op Op) string {
	return "dlq." + service.s + "." + entity.s + "." + op.String()
}

// ParseDeadLetter parses "dlq.<service>.<entity>.<op>". Its error is a
// *SubjectError. The names share s's memory.
func ParseDeadLetter(s string) (service, entity Name, op Op, err error) {
	rest, ok := strings.CutPrefix(s, "dlq.")
	if !ok {
		return Name{}, Name{}, 0, badDeadLetter(s, nil)
	}
	service, entity, op, err = cutServiceEntityOp(rest)
	if err != nil {
		return Name{}, Name{}, 0, badDeadLetter(s, err)
	}
	return service, entity, op, nil
}

// cutServiceEntityOp parses "<service>.<entity>.<op>".
func cutServiceEntityOp(s string) (service, entity Name, op Op, err error) {
	first, rest, ok := strings.Cut(s, ".")
	if !ok {
		return Name{}, Name{}, 0, errTokens
	}
	if service, err = ParseName(first); err != nil {
		return Name{}, Name{}, 0, err
	}
	entity, op, err = cutEntityOp(rest)
	return service, entity, op, err
}

// cutEntityOp parses "<entity>.<op>".
func cutEntityOp(s string) (Name, Op, error) {
	first, rest, ok := strings.Cut(s, ".")
	if !ok {
		return Name{}, 0, errTokens
	}
	entity, err := ParseName(first)
	if err != nil {
		return Name{}, 0, err
	}
	op, err := ParseOp(rest)
	if err != nil {
		return Name{}, 0, err
	}
	return entity, op, nil
}

// parsePartition parses a partition in the one form that NewCopy prints.
func parsePartition(s string) (int, bool) {
	if len(s) == 0 || len(s) > 5 || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, n < MaxPartitions
}
