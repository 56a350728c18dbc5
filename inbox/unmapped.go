package inbox

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
)

// Unmapped is a name that the payloads of an entity and a table's columns do not
// share.
type Unmapped struct {
	Entity string
	// Member is where it is in the payload, its levels parted by dots.
	Member string
	// Column is the column whose member is missing in payloads; empty for a member
	// that no column takes.
	Column string
	// Deliveries counts the deliveries that were written to the table without the
	// member or column.
	Deliveries uint64
}

// mostUnmapped bounds what is told apart: a payload may have members without end,
// such as ids.
const mostUnmapped = 1000

// unmappedNames counts. It is safe for concurrent use.
type unmappedNames struct {
	mu     sync.Mutex // guards the rest
	counts map[Unmapped]uint64
	// more counts what came when there were mostUnmapped names.
	more uint64
}

// note counts one, and reports whether it is the first of its name.
func (u *unmappedNames) note(name Unmapped) (first bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	n, known := u.counts[name]
	if !known && len(u.counts) == mostUnmapped {
		u.more++
		return u.more == 1
	}
	if u.counts == nil {
		u.counts = map[Unmapped]uint64{}
	}
	u.counts[name] = n + 1
	return !known
}

// Unmapped returns the counts since NewTable of payload members that no column takes,
// and of columns whose member payloads lack. The first occurrence of each was logged
// (Config.Logger). A delivery that comes again counts again; the member "id" and that
// of the key's column are the key's and do not count. At most 1000 names are counted
// separately; all others are counted in one more, without an entity. They are in the
// order of entity, member and column.
func (t *Table) Unmapped() []Unmapped {
	u := &t.unmapped
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make([]Unmapped, 0, len(u.counts)+1)
	for name, n := range u.counts {
		name.Deliveries = n
		all = append(all, name)
	}
	if u.more > 0 {
		all = append(all, Unmapped{Deliveries: u.more})
	}
	slices.SortFunc(all, func(a, b Unmapped) int {
		return cmp.Or(cmp.Compare(a.Entity, b.Entity), cmp.Compare(a.Member, b.Member), cmp.Compare(a.Column, b.Column))
	})
	return all
}

// tell counts what a change that was made left out, and logs what is new.
func (t *Table) tell(c change) {
	for _, member := range c.unmapped {
		member = shown(member)
		if t.unmapped.note(Unmapped{Entity: c.entity, Member: member}) {
			t.inbox.cfg.Logger.Info("no column takes a member of the payload",
				slog.String(keyTable, t.cfg.Table), slog.String(keyEntity, c.entity), slog.String(keyMember, member))
		}
	}
	for _, n := range c.missing {
		column := t.columns[n]
		if t.unmapped.note(Unmapped{Entity: c.entity, Member: column.Path, Column: column.Name}) {
			t.inbox.cfg.Logger.Warn("the payload lacks the member of a column, which got its default or NULL",
				slog.String(keyTable, t.cfg.Table), slog.String(keyEntity, c.entity), slog.String(keyMember, column.Path), slog.String(keyColumn, column.Name))
		}
	}
}

// Keys of the log's attributes.
const (
	keyTable   = "table"
	keyEntity  = "entity"
	keyMember  = "member"
	keyColumn  = "column"
	keyOrigin  = "origin"
	keyRow     = "key"
	keyVersion = "version"
	keyApplied = "applied"
)
