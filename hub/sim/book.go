package sim

import (
	"errors"
	"maps"
	"time"

	"github.com/replhub/replhub/hub/internal/lane/record"
	registrar "github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/internal/tree"
)

// book is the registry as one hub knows it.
type book struct {
	// entries are this hub's copy, replaced with each change; connected says that the
	// registry was read in this session, as far as the hub knows.
	entries            map[string]tree.Entry
	connected, loading bool
	looking            bool
	// session is the number of the present session.
	session int
	// mine are the versions of records that the hub wrote through.
	mine registrar.Versions
}

// watching is the process that keeps the copy.
func (h *hub) watching() *process { return &process{name: h.name + "/watch", hub: h} }

// load reads all records and begins a session.
func (h *hub) load() {
	if h.book.loading {
		return
	}
	h.book.loading = true
	h.book.session++
	w, session := h.w, h.book.session
	var entries map[string]tree.Entry
	w.ask(h.watching(), registryStream, "load", func() error {
		entries = maps.Clone(w.registry.records.Entries)
		w.registry.sessions[h] = session
		return nil
	}, func(err error) {
		if h.book.loading = false; err != nil {
			h.lostSession(session) // the next look loads it
			return
		}
		h.book.entries, h.book.connected = entries, true
	})
}

// watched sends a change to the hub. If it gets lost, the session is over.
func (h *hub) watched(session int, change func(entries map[string]tree.Entry)) {
	h.w.ask(h.watching(), "", "change", func() error { return nil }, func(err error) {
		switch {
		case session != h.book.session:
		case err != nil:
			h.lostSession(session)
		case h.book.connected:
			h.book.entries = maps.Clone(h.book.entries)
			change(h.book.entries)
		}
	})
}

// lostSession notes that a session is over.
func (h *hub) lostSession(session int) {
	if h.w.registry.sessions[h] == session {
		delete(h.w.registry.sessions, h)
	}
	if h.book.session == session {
		h.book.session++
		h.book.connected = false
	}
}

// expire ends the hub's session at the registry, of which the hub learns later.
func (h *hub) expire() {
	if session, is := h.w.registry.sessions[h]; is {
		delete(h.w.registry.sessions, h)
		h.w.ask(h.watching(), "", "expired", func() error { return nil }, func(error) { h.lostSession(session) })
	}
}

// writeThrough writes the records of a lane's new state, as record.Book does. answered is
// the id of the request in the registry that led to it, if one did.
func (h *hub) writeThrough(s service, state record.State, answered string) {
	if h.book.connected {
		p := &process{name: h.name + "/" + s.text + ".write", hub: h}
		h.writeNext(p, registrar.Through(h.book.entries, h.book.mine, s.name, state, answered))
	}
}

func (h *hub) writeNext(p *process, writes []registrar.Written) {
	if len(writes) == 0 {
		return
	}
	one := writes[0]
	var version tree.Version
	h.w.ask(p, registryStream, "put", func() (err error) {
		version, err = h.w.registry.writeThrough(one.Path, one.Value, one.Expect)
		return err
	}, func(err error) {
		if err != nil {
			h.book.mine.Forget(one.Path)
		} else {
			h.book.wrote(one.Path, version)
		}
		if err == nil || errors.Is(err, tree.ErrConflict) {
			h.writeNext(p, writes[1:])
		}
	})
}

// wrote notes the version of a record that the hub wrote.
func (b *book) wrote(path string, version tree.Version) {
	if b.mine == nil {
		b.mine = make(registrar.Versions)
	}
	b.mine.Wrote(path, version)
}

// known is the version of a record, as far as the hub knows.
func (b *book) known(path string) tree.Version { return b.mine.Known(b.entries, path) }

// removeRecord removes the record of an interest that was ended.
func (h *hub) removeRecord(s service, entity string) {
	path := registrar.InterestPath(entity, s.name)
	expect := h.book.known(path)
	if !h.book.connected || expect == tree.Absent {
		return
	}
	h.book.mine.Forget(path)
	p := &process{name: h.name + "/" + s.text + ".write", hub: h}
	var answered time.Time
	h.w.ask(p, registryStream, "remove", func() error { return h.w.registry.removeThrough(path, expect, answered) }, func(error) { answered = h.w.now })
}
