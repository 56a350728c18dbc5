package retention

import (
	"slices"
	"time"
)

// maxErasures bounds the erasures that the ledger remembers.
const maxErasures = 50

// Erasure is the note of one request to erase a key's events, for operators. It has
// neither the key nor a payload.
type Erasure struct {
	// ID identifies the request, over all its pages.
	ID     string `json:"id"`
	Entity string `json:"entity"`
	// Key is the SHA-256 of the entity, a slash and the key, in hexadecimal digits.
	Key string `json:"key_sha256"`
	// Hub answered the last page.
	Hub   string    `json:"hub"`
	Begun time.Time `json:"begun"`
	// Ended is when the last page was answered; zero if the request was not continued.
	Ended time.Time `json:"ended,omitzero"`
	// Events, Copies, Letters and Records count what was removed from ingest, lanes, dead
	// letters, and the state records of lanes.
	Events  int `json:"events"`
	Copies  int `json:"copies"`
	Letters int `json:"dead_letters"`
	Records int `json:"records,omitempty"`
}

// note adds a page's counts to the note of its request, or begins the note. Times are by
// the clock of ingest's server.
func (l *Ledger) note(page Erasure, now time.Time) (begins bool) {
	ended := !page.Ended.IsZero()
	notes := slices.Clone(l.Noted)
	i := slices.IndexFunc(notes, func(e Erasure) bool { return e.ID == page.ID })
	if i < 0 {
		notes = append(notes, Erasure{ID: page.ID, Entity: page.Entity, Key: page.Key, Begun: now})
		notes = notes[max(len(notes)-maxErasures, 0):]
		i, begins = len(notes)-1, true
	}
	e := &notes[i]
	e.Hub = page.Hub
	e.Events += page.Events
	e.Copies += page.Copies
	e.Letters += page.Letters
	e.Records += page.Records
	if ended {
		e.Ended = now
	}
	l.Noted = notes
	return begins
}
