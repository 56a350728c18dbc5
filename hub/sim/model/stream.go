package model

import (
	"slices"
	"strings"
	"time"
)

// StreamConfig are the settings of a stream that the hub uses. A stream with MaxBytes
// refuses new messages when it is full.
type StreamConfig struct {
	Name string
	// MaxBytes is how much the stream may hold; 0 is no limit.
	MaxBytes int64
	// OnePerSubject keeps the last message of a subject only. Such a stream has no
	// MaxBytes.
	OnePerSubject bool
	// Duplicates is how long a message's id is remembered.
	Duplicates time.Duration
}

// Message is a stored message.
type Message struct {
	Seq     uint64
	Subject string
	ID      string
	Data    string
	// Value is the publisher's Value.
	Value any
	Time  time.Time
	size  int64
}

// Publish is a message on its way into a stream.
type Publish struct {
	Subject, ID, Data string
	// Value travels with the message for those who use the model; the server has no
	// such thing.
	Value any
	// Last is the sequence that must be the stream's last, where it is given, and
	// LastSubject that of the subject's last message, 0 for none.
	Last, LastSubject *uint64
	// HeaderBytes is how long the encoded header is; 0 for none.
	HeaderBytes int
}

// size is what the server counts for a message in a file (nats-server 2.15.2,
// filestore.go, fileStoreMsgSizeRaw).
func (p Publish) size() int64 {
	const record, hash, headerLength = 22, 8, 4
	n := int64(record + len(p.Subject) + len(p.Data) + hash)
	if p.HeaderBytes > 0 {
		n += int64(headerLength + p.HeaderBytes)
	}
	return n
}

// Ack says where a message was stored.
type Ack struct {
	Seq       uint64
	Duplicate bool
}

// Stream is one stream. It is not safe for concurrent use.
type Stream struct {
	cfg     StreamConfig
	created time.Time
	// msgs are what it holds, ascending; messages may be missing in between.
	msgs      []Message
	first     uint64
	last      uint64
	bytes     int64
	seen      map[string]seen
	consumers map[string]*Consumer
	pins      int // given out to requesters of its consumers
}

// seen is a message by its id.
type seen struct {
	seq  uint64
	when time.Time
}

// NewStream makes an empty stream.
func NewStream(cfg StreamConfig, now time.Time) *Stream {
	return &Stream{cfg: cfg, created: now, seen: make(map[string]seen), consumers: make(map[string]*Consumer)}
}

// Limit changes how much the stream may hold. It removes nothing.
func (s *Stream) Limit(maxBytes int64) { s.cfg.MaxBytes = maxBytes }

// Full reports whether the stream is at its limit.
func (s *Stream) Full() bool { return s.cfg.MaxBytes > 0 && s.bytes >= s.cfg.MaxBytes }

// Info is what the server tells of a stream.
type Info struct {
	Created           time.Time
	First, Last, Msgs uint64
	Bytes             int64
	FirstTime         time.Time
	Consumers         int
}

// Info tells how the stream stands.
func (s *Stream) Info() Info {
	info := Info{Created: s.created, First: s.first, Last: s.last, Msgs: uint64(len(s.msgs)), Bytes: s.bytes, Consumers: len(s.consumers)}
	if len(s.msgs) > 0 {
		info.FirstTime = s.msgs[0].Time
	}
	return info
}

// Publish stores a message.
func (s *Stream) Publish(p Publish, now time.Time) (Ack, error) {
	if ack, err := s.check(p, now); err != nil || ack.Duplicate {
		return ack, err
	}
	return s.store(p, now), nil
}

// Atomic stores all messages of an atomic batch behind a stated last sequence, or
// none. It returns the sequence of the last one.
func (s *Stream) Atomic(last uint64, msgs []Publish, now time.Time) (Ack, error) {
	if last != s.last {
		return Ack{}, &Error{Code: CodeWrongLast, Last: s.last}
	}
	var size int64
	for _, p := range msgs {
		size += p.size()
	}
	if s.cfg.MaxBytes > 0 && s.bytes+size > s.cfg.MaxBytes {
		return Ack{}, &Error{Code: CodeStoreFailed}
	}
	var ack Ack
	for _, p := range msgs {
		ack = s.store(p, now)
	}
	return ack, nil
}

// check decides what becomes of a message, in the server's order: the id and the
// stated last sequence, the subject's last one, the room.
func (s *Stream) check(p Publish, now time.Time) (Ack, error) {
	if p.Last != nil && *p.Last != s.last {
		return Ack{}, &Error{Code: CodeWrongLast, Last: s.last}
	}
	if known, ok := s.seen[p.ID]; ok && p.ID != "" && now.Sub(known.when) < s.cfg.Duplicates {
		return Ack{Seq: known.seq, Duplicate: true}, nil
	}
	if p.LastSubject != nil {
		var last uint64
		if m, err := s.GetLast(p.Subject); err == nil {
			last = m.Seq
		}
		if last != *p.LastSubject {
			return Ack{}, &Error{Code: CodeWrongLast, Last: last}
		}
	}
	if s.cfg.MaxBytes > 0 && s.bytes+p.size() > s.cfg.MaxBytes {
		return Ack{}, &Error{Code: CodeStoreFailed}
	}
	return Ack{}, nil
}

func (s *Stream) store(p Publish, now time.Time) Ack {
	s.last++
	m := Message{Seq: s.last, Subject: p.Subject, ID: p.ID, Data: p.Data, Value: p.Value, Time: now, size: p.size()}
	if old, err := s.GetLast(p.Subject); err == nil && s.cfg.OnePerSubject {
		defer s.remove(old.Seq)
	}
	if len(s.msgs) == 0 {
		s.first = m.Seq
	}
	s.msgs = append(s.msgs, m)
	s.bytes += m.size
	if p.ID != "" {
		s.seen[p.ID] = seen{m.Seq, now}
	}
	return Ack{Seq: m.Seq}
}

// Get is the message at a sequence.
func (s *Stream) Get(seq uint64) (Message, error) {
	if i, ok := s.find(seq); ok {
		return s.msgs[i], nil
	}
	return Message{}, &Error{Code: CodeMessageNotFound}
}

// GetNext is the first message of a subject at or behind a sequence.
func (s *Stream) GetNext(seq uint64, filter string) (Message, error) {
	i, _ := s.find(seq)
	for _, m := range s.msgs[i:] {
		if Matches(filter, m.Subject) {
			return m, nil
		}
	}
	return Message{}, &Error{Code: CodeMessageNotFound}
}

// GetLast is the last message of a subject.
func (s *Stream) GetLast(filter string) (Message, error) {
	for _, m := range slices.Backward(s.msgs) {
		if Matches(filter, m.Subject) {
			return m, nil
		}
	}
	return Message{}, &Error{Code: CodeMessageNotFound}
}

// find is where the message of a sequence stands, or the first behind it.
func (s *Stream) find(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(s.msgs, seq, func(m Message, seq uint64) int {
		switch {
		case m.Seq < seq:
			return -1
		case m.Seq > seq:
			return 1
		}
		return 0
	})
}

// Purge removes what lies below a sequence that is not behind the last one, and
// returns how many messages that were.
func (s *Stream) Purge(below uint64) uint64 {
	i, _ := s.find(below)
	s.cut(i)
	return uint64(i)
}

// PurgeAll removes all messages, as an operator does by hand.
func (s *Stream) PurgeAll() uint64 {
	n := len(s.msgs)
	s.cut(n)
	return uint64(n)
}

// cut removes the first n messages.
func (s *Stream) cut(n int) {
	for _, m := range s.msgs[:n] {
		s.bytes -= m.size
	}
	s.msgs = slices.Clone(s.msgs[n:])
	s.settleFirst()
	for _, c := range s.consumers {
		if n > 0 {
			c.forget(s.first)
		}
		c.purged(s.first)
	}
}

// Delete removes one message.
func (s *Stream) Delete(seq uint64) error {
	if _, ok := s.find(seq); !ok {
		return &Error{Code: CodeMessageNotFound}
	}
	s.remove(seq)
	return nil
}

// remove removes a message that is there.
func (s *Stream) remove(seq uint64) {
	i, _ := s.find(seq)
	s.bytes -= s.msgs[i].size
	s.msgs = slices.Delete(s.msgs, i, i+1)
	s.settleFirst()
	for _, c := range s.consumers {
		if p, ok := c.pending[seq]; ok {
			c.settle(seq, p)
		} else {
			delete(c.count, seq)
			delete(c.stored.count, seq)
		}
	}
}

func (s *Stream) settleFirst() {
	if len(s.msgs) > 0 {
		s.first = s.msgs[0].Seq
		return
	}
	if s.last > 0 {
		s.first = s.last + 1
	}
}

// Matches reports whether a subject is one of a filter's; "" and ">" are all.
func Matches(filter, subject string) bool {
	if filter == "" || filter == ">" {
		return true
	}
	have := strings.Split(subject, ".")
	for i, token := range strings.Split(filter, ".") {
		switch {
		case token == ">":
			return len(have) > i
		case i >= len(have), token != "*" && token != have[i]:
			return false
		case i == strings.Count(filter, "."):
			return len(have) == i+1
		}
	}
	return false
}

// Restart is a server that begins with what it has stored. It knows the ids of the
// messages that it still holds.
func (s *Stream) Restart(now time.Time) {
	clear(s.seen)
	for _, m := range s.msgs {
		if m.ID != "" {
			s.seen[m.ID] = seen{m.Seq, m.Time}
		}
	}
	for _, c := range s.consumers {
		c.Restart(now)
	}
}

// Until is the stream as an older copy of its disk has it: without what came behind a
// sequence. Its consumers are lost.
func (s *Stream) Until(last uint64) *Stream {
	old := NewStream(s.cfg, s.created)
	i, _ := s.find(last + 1)
	old.msgs = slices.Clone(s.msgs[:i])
	old.first, old.last = s.first, min(s.last, last)
	for _, m := range old.msgs {
		old.bytes += m.size
	}
	old.settleFirst()
	old.Restart(s.created)
	return old
}
