package inbox_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

func TestPolicies(t *testing.T) {
	at := func(epoch, seq uint64, origin string, version int64, second int64) inbox.Stamp {
		return inbox.Stamp{Position: replhub.Position{Epoch: epoch, Seq: seq}, Origin: origin, Version: version, Time: time.Unix(second, 0)}
	}
	for _, c := range []struct {
		name              string
		current, incoming inbox.Stamp
		wins              string // the policies under which incoming does
	}{
		{"later in all", at(1, 1, "a", 1, 1), at(1, 2, "a", 2, 2), "newest position time version"},
		{"earlier in all", at(1, 2, "a", 2, 2), at(1, 1, "a", 1, 1), ""},
		{"late copy of an old version", at(1, 1, "a", 2, 1), at(1, 2, "a", 1, 1), "position time"},
		{"version of another origin", at(1, 2, "a", 1, 1), at(1, 1, "b", 2, 1), "version"},
		{"no version", at(1, 1, "a", 7, 1), at(1, 2, "a", 0, 1), "newest position time"},
		{"earlier time", at(1, 1, "a", 0, 9), at(1, 2, "b", 0, 1), "newest position version"},
		{"later epoch", at(1, 9, "a", 0, 1), at(2, 1, "b", 0, 1), "newest position time version"},
		{"equal version", at(1, 1, "a", 3, 1), at(1, 2, "a", 3, 1), "position time version"},
	} {
		var wins []string
		for _, p := range []struct {
			name   string
			policy inbox.Policy
		}{
			{"newest", inbox.Newest},
			{"position", inbox.ByPosition},
			{"time", inbox.ByTime},
			{"version", inbox.ByVersion},
		} {
			if p.policy(c.current, c.incoming) {
				wins = append(wins, p.name)
			}
		}
		if got := strings.Join(wins, " "); got != c.wins {
			t.Errorf("%s: incoming wins by %q, want %q", c.name, got, c.wins)
		}
	}
}

// The policies that promise a total order have one, whatever the stamps; Newest
// has one for an origin that always gives versions, or never.
func FuzzPoliciesAreTotalOrders(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s [3]inbox.Stamp
		for i := range s {
			if len(raw) < 4 {
				return
			}
			// Few values, so that many are equal; positions differ.
			s[i] = inbox.Stamp{
				Position: replhub.Position{Epoch: uint64(raw[0] % 2), Seq: uint64(raw[1]%4)*3 + uint64(i)},
				Version:  int64(raw[2] % 3), Time: time.Unix(int64(raw[3]%3), 0), Origin: string(rune('a' + raw[3]>>4%2)),
			}
			raw = raw[4:]
		}
		total := func(name string, policy inbox.Policy, a, b, c inbox.Stamp) {
			if policy(a, b) == policy(b, a) {
				t.Errorf("%s: %+v and %+v: neither wins, or both", name, a, b)
			}
			if policy(a, b) && policy(b, c) && !policy(a, c) {
				t.Errorf("%s goes in a circle: %+v, %+v, %+v", name, a, b, c)
			}
		}
		for _, o := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			a, b, c := s[o[0]], s[o[1]], s[o[2]]
			total("ByPosition", inbox.ByPosition, a, b, c)
			total("ByTime", inbox.ByTime, a, b, c)
			total("ByVersion", inbox.ByVersion, a, b, c)
			a.Origin, b.Origin, c.Origin = "a", "a", "a"
			a.Version, b.Version, c.Version = 0, 0, 0
			total("Newest without versions", inbox.Newest, a, b, c)
			a.Version, b.Version, c.Version = int64(o[0])+1, int64(o[1])+1, int64(o[2])+1
			total("Newest with versions", inbox.Newest, a, b, c)
		}
	})
}

// row is what a naive inbox keeps of a key.
type row struct {
	epoch, seq uint64
	origin     string
	version    int64
	deleted    bool
}

// naive applies d to r by the default rule, in the words of its documentation.
func (r *row) naive(d *replhub.Delivery) inbox.Outcome {
	in := row{d.Position.Epoch, d.Position.Seq, d.Origin, d.Version, d.Op == replhub.Delete}
	ofSnapshot := d.Row > 0
	if r.seq > 0 {
		samePlace := in.epoch == r.epoch && in.seq == r.seq
		earlier := in.epoch < r.epoch || in.epoch == r.epoch && in.seq < r.seq
		bothVersions := in.origin == r.origin && in.version > 0 && r.version > 0
		same := samePlace && !bothVersions || bothVersions && in.version == r.version
		switch {
		case same && ofSnapshot && !r.deleted:
			// A row that is not older is written again.
		case same || samePlace && (!bothVersions || in.version <= r.version):
			return inbox.Duplicate
		case bothVersions && in.version < r.version, !bothVersions && earlier:
			return inbox.Stale
		}
		if in.version == 0 && in.origin == r.origin {
			in.version = r.version
		}
		if ofSnapshot && earlier {
			in.epoch, in.seq = r.epoch, r.seq
		}
	}
	*r = in
	return inbox.Applied
}

// FuzzOutcome holds the decision, made in SQL, against the naive one.
func FuzzOutcome(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 1, 1, 0, 2, 2, 2, 1, 0})
	f.Add([]byte{9, 9, 9, 9, 8, 8, 8, 8, 7, 7, 7, 7, 9, 9, 9, 9})
	f.Add([]byte{6, 1, 1, 2, 16, 0, 1, 0, 2, 2, 1, 2, 16, 3, 1, 1, 24, 3, 1, 1})
	r := newReplica(f, inbox.Config{Dialect: database.SQLite})
	key := 0
	f.Fuzz(func(t *testing.T, raw []byte) {
		key++
		againstNaive(t, r, fmt.Sprintf("k%d", key), raw)
	})
}

// The same on every database, with stamps at random.
func TestOutcomeAgainstNaive(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		r := newReplica(t, inbox.Config{Dialect: dialect})
		rng := rand.New(rand.NewPCG(1, 2))
		for key := range 40 {
			raw := binary.LittleEndian.AppendUint64(nil, rng.Uint64())
			for range 4 {
				raw = binary.LittleEndian.AppendUint64(raw, rng.Uint64())
			}
			againstNaive(t, r, fmt.Sprintf("k%d", key), raw)
		}
	})
}

// againstNaive applies deliveries made of raw, four bytes each, to key. An
// event's position is made of its other values, for two events never share one;
// that of a snapshot's row is some event's.
func againstNaive(t *testing.T, r *replica, key string, raw []byte) {
	var model row
	for ; len(raw) >= 4; raw = raw[4:] {
		epoch, place, origin, version := uint64(raw[0]%2), uint64(raw[1]%4), uint64(raw[2]%2), uint64(raw[3]%4)
		d := user(replhub.Update, key, 1+place*8+origin*4+version)
		d.Position.Epoch, d.Version, d.Origin = epoch, int64(version), string(rune('a'+origin))
		switch raw[0] / 2 % 4 {
		case 0:
			asRow(d)
			d.Version = int64(raw[0] / 8 % 4)
		case 1:
			d.Op, d.Data = replhub.Delete, nil
		}
		want := model.naive(d)
		r.mustDo(t, d, want)
		if got := r.rows(t)[key]; (got == "") != model.deleted {
			t.Fatalf("after %s at %v the user is %q", d.Op, d.Position, got)
		}
	}
}

// asRow makes d a row of a snapshot.
func asRow(d *replhub.Delivery) *replhub.Delivery {
	d.Row = 1
	return d
}
