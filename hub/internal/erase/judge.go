package erase

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// subject is what a request is about.
type subject struct {
	entity subjects.Name
	key    string
}

// digest is what logs and the list of erasures have instead of the key.
func (s subject) digest() string {
	sum := sha256.Sum256([]byte(s.entity.String() + "/" + s.key))
	return hex.EncodeToString(sum[:])
}

// has reports whether a copy or dead letter is of the key, and not of an event behind end:
// a row that was created again since is not the request's. A message without a position
// was made by another client.
func (s subject) has(header map[string][]string, data []byte, end event.Position) bool {
	if event.KeyOf(header, data) != s.key {
		return false
	}
	pos, ok := event.ParsePosition(first(header, contract.HeaderPosition))
	return !ok || !end.Before(pos)
}

// standsAt reports whether a snapshot of the entity in a state record stands at the key.
func (s subject) standsAt(state lane.State) bool {
	in := state.Find(s.entity.String())
	if in == nil {
		return false
	}
	rows := state.Rows(in.ID)
	return rows != nil && rows.After == s.key
}

// bare reports whether a message is a delete that carries nothing but its key.
func bare(op subjects.Op, data []byte) bool { return op == subjects.Delete && len(data) == 0 }

func first(header map[string][]string, name string) string {
	if values := header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// mayHold reports whether a worker may hold a copy: it was delivered, and is not behind
// the acknowledged ones.
func mayHold(seq, delivered, ackFloor uint64) bool { return seq > ackFloor && seq <= delivered }
