package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// lettersAtOnce is how many letters a list shows by default.
const lettersAtOnce = 100

// letterLine is one letter of a list: all but its payload and further headers,
// which dlq show has.
type letterLine struct {
	Seq      uint64    `json:"seq"`
	Service  string    `json:"service"`
	Entity   string    `json:"entity,omitempty"`
	Op       string    `json:"op,omitempty"`
	Key      string    `json:"key,omitempty"`
	ID       string    `json:"id,omitempty"`
	Reason   string    `json:"reason"`
	Error    string    `json:"error,omitempty"`
	Attempts int       `json:"attempts,omitempty"`
	Time     time.Time `json:"time"`
	Bytes    int       `json:"bytes"`
}

// letterPage is a bounded part of the letters, oldest first. Next is what to give
// as --after for those that follow; 0 when there are none.
type letterPage struct {
	Letters []letterLine `json:"letters"`
	Next    uint64       `json:"next,omitempty"`
}

// letterPage reads at most limit letters behind a sequence.
func (a *app) letterPage(ctx context.Context, args []string, after uint64, limit int) (letterPage, error) {
	page := letterPage{Letters: []letterLine{}}
	err := a.visitLetters(ctx, args, after, func(msg jetstream.Msg, meta *jetstream.MsgMetadata) bool {
		page.Letters = append(page.Letters, newLetterLine(msg, meta))
		if len(page.Letters) < limit {
			return true
		}
		if meta.NumPending > 0 {
			page.Next = meta.Sequence.Stream
		}
		return false
	})
	return page, err
}

func newLetterLine(msg jetstream.Msg, meta *jetstream.MsgMetadata) letterLine {
	kind, header := kindOf(msg), msg.Headers()
	line := letterLine{
		Seq: meta.Sequence.Stream, Service: kind.Service, Entity: kind.Entity, Reason: kind.Reason,
		Key: header.Get(contract.HeaderKey), ID: cmp.Or(header.Get(contract.HeaderID), header.Get(contract.HeaderPosition)), Error: header.Get(contract.HeaderError), Time: meta.Timestamp.UTC(),
	}
	if _, _, op, err := subjects.ParseDeadLetter(msg.Subject()); err == nil {
		line.Op = op.String()
	}
	// What the hub and the server wrote parses; where it does not, 0 says nothing.
	line.Attempts, _ = strconv.Atoi(header.Get(contract.HeaderAttempts))
	line.Bytes, _ = strconv.Atoi(header.Get(nats.MsgSize))
	return line
}

func (a *app) showLetters(page letterPage) error {
	if len(page.Letters) == 0 {
		_, err := fmt.Fprintln(a.out, "no dead letters")
		return err
	}
	t := newTable("SEQUENCE", "SERVICE", "ENTITY", "OP", "KEY", "REASON", "ATTEMPTS", "STORED", "ERROR")
	for i := range page.Letters {
		l := &page.Letters[i]
		t.row(count(l.Seq), l.Service, l.Entity, l.Op, l.Key, l.Reason, count(l.Attempts), humanTime(l.Time), l.Error)
	}
	if err := t.print(a.out); err != nil || page.Next == 0 {
		return err
	}
	_, err := fmt.Fprintf(a.out, "there are more: --after %d\n", page.Next)
	return err
}
