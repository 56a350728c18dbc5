package inbox_test

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// step is one delivery and what is to become of it.
type step struct {
	op      replhub.Op
	seq     uint64
	origin  string
	version int64
	want    inbox.Outcome
	name    string // the user's afterwards; "" is no row
}

func TestOutcomes(t *testing.T) {
	const a, b = "accounts", "billing"
	const keepsVersion = "a change without a version keeps that of before"
	cases := map[string][]step{
		"in order": {
			{replhub.Create, 1, a, 0, inbox.Applied, "e1"},
			{replhub.Update, 2, a, 0, inbox.Applied, "e2"},
			{replhub.Update, 2, a, 0, inbox.Duplicate, "e2"},
			{replhub.Create, 1, a, 0, inbox.Stale, "e2"},
		},
		"a late update does not bring a row back, a newer one may": {
			{replhub.Create, 1, a, 0, inbox.Applied, "e1"},
			{replhub.Delete, 3, a, 0, inbox.Applied, ""},
			{replhub.Update, 2, a, 0, inbox.Stale, ""},
			{replhub.Delete, 3, a, 0, inbox.Duplicate, ""},
			{replhub.Create, 4, a, 0, inbox.Applied, "e4"},
		},
		"a delete that comes first": {
			{replhub.Delete, 3, a, 0, inbox.Applied, ""},
			{replhub.Create, 1, a, 0, inbox.Stale, ""},
		},
		"versions before positions": {
			{replhub.Create, 1, a, 2, inbox.Applied, "e1"},
			{replhub.Update, 5, a, 1, inbox.Stale, "e1"},
			{replhub.Update, 6, a, 2, inbox.Duplicate, "e1"},
			{replhub.Update, 7, a, 3, inbox.Applied, "e7"},
			{replhub.Update, 2, a, 4, inbox.Applied, "e2"},
		},
		"versions of another origin say nothing": {
			{replhub.Create, 2, a, 9, inbox.Applied, "e2"},
			{replhub.Update, 1, b, 10, inbox.Stale, "e2"},
			{replhub.Update, 3, b, 1, inbox.Applied, "e3"},
		},
		keepsVersion: {
			{replhub.Create, 1, a, 5, inbox.Applied, "e1"},
			{replhub.Update, 2, a, 0, inbox.Applied, "e2"},
			{replhub.Update, 3, a, 4, inbox.Stale, "e2"},
			{replhub.Update, 4, a, 6, inbox.Applied, "e4"},
			{replhub.Update, 5, b, 0, inbox.Applied, "e5"},
			{replhub.Update, 6, a, 1, inbox.Applied, "e6"},
		},
		"a snapshot loses against its watermark and after": {
			{replhub.Update, 10, a, 0, inbox.Applied, "e10"},
			{replhub.Create, 10, a, 0, inbox.Duplicate, "e10"},
			{replhub.Create, 9, a, 0, inbox.Stale, "e10"},
			{replhub.Create, 11, a, 0, inbox.Applied, "e11"},
		},
	}
	for name, policy := range map[string]inbox.Policy{"by default": nil, "by lock": inbox.Newest} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, dialect database.Dialect) {
				r := newReplica(t, inbox.Config{Dialect: dialect, Policy: policy})
				for name, steps := range cases {
					if policy != nil && name == keepsVersion {
						continue // what a row keeps of its origin is the default rule's alone
					}
					t.Run(name, func(t *testing.T) { play(t, r, name, steps) })
				}
				if n := r.count(t, "SELECT count(*) FROM replhub_inbox"); n > len(cases) {
					t.Errorf("%d rows in the inbox for %d keys", n, len(cases))
				}
			})
		})
	}
}

// play delivers steps of one key.
func play(t *testing.T, r *replica, key string, steps []step) {
	want := r.inbox.Stats()
	effects := r.count(t, "SELECT count(*) FROM effects")
	for _, s := range steps {
		d := user(s.op, key, s.seq)
		d.Origin, d.Version = s.origin, s.version
		r.mustDo(t, d, s.want)
		if got := r.rows(t)[key]; got != s.name {
			t.Fatalf("after %+v the user is %q", s, got)
		}
		switch s.want {
		case inbox.Applied:
			want.Applied++
			effects++
			if s.op == replhub.Delete {
				want.Tombstones++
			}
		case inbox.Duplicate:
			want.Duplicate++
		case inbox.Stale:
			want.Stale++
		}
	}
	if got := r.inbox.Stats(); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if n := r.count(t, "SELECT count(*) FROM effects"); n != effects {
		t.Errorf("%d effects, want %d", n, effects)
	}
}

func TestEpochBeforeSequence(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		r.mustDo(t, user(replhub.Update, "k", 90), inbox.Applied)
		later := user(replhub.Update, "k", 3)
		later.Position.Epoch = 2
		r.mustDo(t, later, inbox.Applied)
		r.mustDo(t, user(replhub.Update, "k", 91), inbox.Stale)
	})
}

// Keys are told apart byte by byte, and entities too.
func TestKeysAreBytes(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		longest := strings.Repeat("k", inbox.MaxKey)
		for _, key := range []string{"a", "A", "a ", "ä", "a\x00", "\xff", longest, longest[1:]} {
			for _, entity := range []string{"user", "tenant"} {
				d := user(replhub.Delete, key, 1)
				d.Entity = entity
				outcome, err := r.inbox.Do(t.Context(), r.DB, d, func(context.Context, *sql.Tx) error { return nil })
				if err != nil || outcome != inbox.Applied {
					t.Errorf("key %.20q of %s: %v, %v", key, entity, outcome, err)
				}
			}
		}
	})
}

func TestRefused(t *testing.T) {
	r := newReplica(t, inbox.Config{Dialect: database.SQLite})
	for _, c := range []struct {
		spoil func(*replhub.Delivery)
		want  string // part of the error
	}{
		{func(d *replhub.Delivery) { d.Key = "" }, "the delivery has no key"},
		{func(d *replhub.Delivery) { d.Key = strings.Repeat("k", 1025) }, "key of 1025 bytes: must have at most 1024"},
		{func(d *replhub.Delivery) { d.Position.Seq = 0 }, "no position"},
		{func(d *replhub.Delivery) { d.Entity = "" }, `entity ""`},
		{func(d *replhub.Delivery) { d.Entity = strings.Repeat("e", 64) }, "1 to 63 bytes"},
		{func(d *replhub.Delivery) { d.Origin = strings.Repeat("o", 64) }, "at most 63 bytes"},
		{func(d *replhub.Delivery) { d.Origin = "\xff" }, `origin "\xff"`},
		{func(d *replhub.Delivery) { d.Data = []byte("<xml>") }, `effect on user "k": table users: payload as JSON`},
	} {
		d := user(replhub.Update, "k", 1)
		c.spoil(d)
		_, err := r.do(t.Context(), d)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
		if noKey := d.Key == ""; noKey != errors.Is(err, inbox.ErrNoKey) {
			t.Errorf("ErrNoKey for key %.10q: %v", d.Key, !noKey)
		}
	}
	if n := r.count(t, "SELECT count(*) FROM replhub_inbox"); n != 0 {
		t.Errorf("%d rows in the inbox, though nothing was applied", n)
	}
}

// What an effect could not do is not applied: the next delivery of it is.
func TestFailedEffect(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		d := user(replhub.Create, "k", 1)
		failure := errors.New("no")
		_, err := r.inbox.Do(t.Context(), r.DB, d, func(ctx context.Context, tx *sql.Tx) error {
			return errors.Join(r.effect(ctx, tx, d), failure)
		})
		if !errors.Is(err, failure) {
			t.Fatalf("got %v", err)
		}
		func() {
			defer func() { _ = recover() }()
			r.inbox.Do(t.Context(), r.DB, d, func(ctx context.Context, tx *sql.Tx) error {
				if err := r.effect(ctx, tx, d); err != nil {
					t.Error(err)
				}
				panic("killed")
			})
		}()
		if got := r.rows(t); len(got) != 0 {
			t.Fatalf("there are %v", got)
		}
		r.mustDo(t, d, inbox.Applied)
		r.mustDo(t, d, inbox.Duplicate)
		if got, want := r.inbox.Stats(), (inbox.Stats{Applied: 1, Duplicate: 1}); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
		if n := r.count(t, "SELECT count(*) FROM effects"); n != 1 {
			t.Errorf("%d effects", n)
		}
	})
}

// Events without a key can be told apart by their ids, at the price of a row each.
func TestKeyFunction(t *testing.T) {
	r := newReplica(t, inbox.Config{Dialect: database.SQLite, Key: func(d *replhub.Delivery) string { return d.ID }})
	effects := 0
	for _, want := range []inbox.Outcome{inbox.Applied, inbox.Duplicate} {
		for seq := uint64(3); seq > 0; seq-- {
			outcome, err := r.inbox.Do(t.Context(), r.DB, user(replhub.Create, "", seq), func(context.Context, *sql.Tx) error {
				effects++
				return nil
			})
			if err != nil || outcome != want {
				t.Errorf("event %d: %v, %v, want %v", seq, outcome, err, want)
			}
		}
	}
	if effects != 3 {
		t.Errorf("%d effects of 3 events", effects)
	}
}

func TestPurge(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		r.mustDo(t, user(replhub.Create, "stays", 1), inbox.Applied)
		r.mustDo(t, user(replhub.Delete, "goes", 5), inbox.Applied)
		for _, c := range []struct {
			olderThan time.Duration
			want      int64
		}{{time.Hour, 0}, {-time.Second, 1}, {-time.Second, 0}} {
			if n, err := r.inbox.Purge(t.Context(), r.DB, c.olderThan); err != nil || n != c.want {
				t.Errorf("older than %v: purged %d, %v, want %d", c.olderThan, n, err, c.want)
			}
		}
		// The documented risk: what comes late now brings the row back.
		r.mustDo(t, user(replhub.Update, "goes", 4), inbox.Applied)
		r.mustDo(t, user(replhub.Create, "stays", 1), inbox.Duplicate)
		if got, want := r.rows(t), map[string]string{"stays": "e1", "goes": "e4"}; !maps.Equal(got, want) {
			t.Errorf("there are %v, want %v", got, want)
		}
	})
}

// Current is what was applied last; a row that it made holds nothing up.
func TestCurrent(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		at := time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC)
		for name, policy := range map[string]inbox.Policy{"default": nil, "by version": inbox.ByVersion} {
			t.Run(name, func(t *testing.T) {
				r := newReplica(t, inbox.Config{Dialect: dialect, Policy: policy})
				if got := r.current(t, "k"); got != (inbox.Stamp{}) {
					t.Fatalf("nothing was applied, and current is %+v", got)
				}
				d := user(replhub.Delete, "k", 1)
				d.Version, d.Time = 4, at
				r.mustDo(t, d, inbox.Applied)
				want := inbox.Stamp{Position: d.Position, Origin: "accounts", Version: 4, Time: at, Deleted: true}
				if got := r.current(t, "k"); got != want {
					t.Errorf("current is %+v, want %+v", got, want)
				}
			})
		}
	})
}

func (r *replica) current(t testing.TB, key string) inbox.Stamp {
	t.Helper()
	tx, err := r.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	stamp, err := r.inbox.Current(t.Context(), tx, "user", key)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return stamp
}
