package outbox_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/outbox"
)

func TestRekey(t *testing.T) {
	each(t, func(t *testing.T, p *place) {
		p.publishAll(user("old", `{"id":"old"}`), user("new", `{"id":"new"}`))
		tx := p.begin()
		moved := replhub.Event{Entity: "user", Data: []byte(`{"id":"new","name":"Ada"}`), ID: "own", Header: map[string][]string{"X-Why": {"merged"}}}
		if err := p.box.Rekey(t.Context(), tx, "old", moved); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		p.run(p.bus.client)
		p.emptied()
		var got []string
		for _, m := range p.bus.stored(4)[2:] {
			h := m.Headers()
			got = append(got, fmt.Sprint(m.Subject(), " ", h.Get("Replhub-Key"), " ", h.Get("Replhub-Version"), " ", h.Get("X-Why"), " ", h.Get("Nats-Msg-Id") == "own", " ", string(m.Data())))
		}
		want := []string{"db.user.delete old 2 merged false ", `db.user.create new 2 merged true {"id":"new","name":"Ada"}`}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q\nwant %q", got, want)
		}
	})
}

// Nothing is written of a change that is refused.
func TestRekeyRefuses(t *testing.T) {
	p := newPlace(t, sqlite, outbox.Config{})
	create := func(key string) replhub.Event { return replhub.Event{Entity: "user", Key: key} }
	large := create("new")
	large.Data = make([]byte, 2<<20)
	update := user("new")
	for _, c := range []struct {
		old   string
		ev    replhub.Event
		is    error
		words string
	}{
		{"", create("new"), replhub.ErrInvalidEvent, "the old one is empty"},
		{"old", create(""), replhub.ErrInvalidEvent, "the new one is empty"},
		{"same", create("same"), replhub.ErrInvalidEvent, "has not changed"},
		{"old", update, replhub.ErrInvalidEvent, "Op"},
		{"a\nb", create("new"), replhub.ErrInvalidEvent, "Key"},
		{"old", large, replhub.ErrTooLarge, "rekey user.create"},
	} {
		tx := p.begin()
		err := p.box.Rekey(t.Context(), tx, c.old, c.ev)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %q in a %v", c.words, err, c.words, c.is)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	}
	if n := p.rows(""); n != 0 {
		t.Errorf("%d rows", n)
	}
	if err := p.box.Rekey(t.Context(), p.db, "old", create("new")); !errors.Is(err, database.ErrNoTransaction) {
		t.Error(err)
	}
}
