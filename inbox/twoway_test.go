package inbox_test

import (
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/inbox"
)

// side is a service that writes users and replicates those of its peer.
type side struct {
	*replica
	name    string
	outbox  []*replhub.Delivery // committed, not yet published
	arrived []*replhub.Delivery // due here, delivered in any order
}

// rules are the ways to order writes of two services.
var rules = map[string]struct {
	policy inbox.Policy
	// stamp makes a local write newer than current, which was applied last.
	stamp func(d *replhub.Delivery, current inbox.Stamp, now time.Time)
}{
	"newest":   {nil, nil},
	"position": {inbox.ByPosition, nil},
	"version": {inbox.ByVersion, func(d *replhub.Delivery, current inbox.Stamp, _ time.Time) {
		d.Version = current.Version + 1
	}},
	"time": {inbox.ByTime, func(d *replhub.Delivery, current inbox.Stamp, now time.Time) {
		if d.Time = now; !now.After(current.Time) {
			d.Time = current.Time.Add(1)
		}
	}},
}

// write is the service's own change: its table and its outbox, in a transaction.
func (s *side) write(t *testing.T, d *replhub.Delivery, stamp func(current inbox.Stamp)) {
	t.Helper()
	tx, err := s.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if stamp != nil {
		current, err := s.inbox.Current(t.Context(), tx, d.Entity, d.Key)
		if err != nil {
			t.Fatal(err)
		}
		stamp(current)
	}
	if err := s.users.Apply(t.Context(), tx, d); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	s.outbox = append(s.outbox, d)
}

// receive applies some of what has arrived, in any order and in one batch or one by
// one, and leaves some for a second time.
func (s *side) receive(t *testing.T, rng *rand.Rand) {
	t.Helper()
	rng.Shuffle(len(s.arrived), func(i, j int) { s.arrived[i], s.arrived[j] = s.arrived[j], s.arrived[i] })
	batch := slices.Clone(s.arrived[:min(len(s.arrived), rng.IntN(8))])
	s.arrived = s.arrived[len(batch):]
	for _, d := range batch {
		if rng.IntN(4) == 0 {
			s.arrived = append(s.arrived, d)
		}
	}
	if rng.IntN(4) > 0 {
		if err := s.users.Handler(s.DB).HandleBatch(t.Context(), batch); err != nil { // and never an event of it
			t.Fatal(err)
		}
		return
	}
	for _, d := range batch {
		if err := guarded(t.Context(), s.replica, d, false); err != nil {
			t.Fatal(err)
		}
	}
}

// both lets two sides write and receive at random until all is received, and
// returns their users. Without echo, a side gets the other's events alone.
func both(t *testing.T, dialect database.Dialect, rule string, seed uint64, echo bool) (a, b map[string]string) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	sides := [2]*side{}
	for n := range sides {
		r := newReplica(t, inbox.Config{Dialect: dialect, Policy: rules[rule].policy})
		sides[n] = &side{replica: r, name: []string{"app", "crm"}[n]}
	}
	var seq uint64
	publish := func(s *side) {
		if len(s.outbox) == 0 {
			return
		}
		d := s.outbox[0]
		s.outbox = s.outbox[1:]
		seq++
		d.Position = replhub.Position{Epoch: 1, Seq: seq}
		for _, to := range sides {
			if echo || to != s {
				to.arrived = append(to.arrived, d)
			}
		}
	}
	clock := [2]time.Time{time.Unix(1000, 0), time.Unix(1060, 0)} // a minute apart
	for n := range times(400, 900) {
		who := rng.IntN(2)
		s := sides[who]
		clock[who] = clock[who].Add(time.Duration(rng.IntN(60)) * time.Second)
		switch rng.IntN(5) {
		case 0, 1:
			op := []replhub.Op{replhub.Create, replhub.Update, replhub.Update, replhub.Delete}[rng.IntN(4)]
			d := user(op, fmt.Sprintf("k%d", rng.IntN(sharedKeys)), uint64(n))
			d.Origin = s.name
			var stamp func(inbox.Stamp)
			if by := rules[rule].stamp; by != nil {
				stamp = func(current inbox.Stamp) { by(d, current, clock[who]) }
			}
			s.write(t, d, stamp)
		case 2:
			publish(s)
		default:
			s.receive(t, rng)
		}
	}
	for _, s := range sides {
		for len(s.outbox) > 0 {
			publish(s)
		}
	}
	for _, s := range sides {
		for len(s.arrived) > 0 {
			s.receive(t, rng)
		}
	}
	return sides[0].rows(t), sides[1].rows(t)
}

// Two services that write the same keys and replicate to each other end equal,
// whatever was delivered late, twice or out of order.
func TestTwoWayEndsEqual(t *testing.T) {
	onFew(t, func(t *testing.T, dialect database.Dialect) {
		for rule := range rules {
			t.Run("by "+rule, func(t *testing.T) {
				for seed := range uint64(times(1, 3)) {
					if a, b := both(t, dialect, rule, seed, true); !maps.Equal(a, b) {
						t.Errorf("seed %d: %v and %v", seed, a, b)
					}
				}
			})
		}
	})
}

// Without echo each side keeps its own last word: the check above can fail.
func TestTwoWayNeedsEcho(t *testing.T) {
	for seed := range uint64(5) {
		if a, b := both(t, database.SQLite, "position", seed, false); !maps.Equal(a, b) {
			return
		}
	}
	t.Error("both ended equal without echo")
}

// A key that was locked by Current, and to which nothing was applied yet, is one
// like any other to a batch.
func TestBatchBehindCurrent(t *testing.T) {
	onEach(t, func(t *testing.T, dialect database.Dialect) {
		for name, policy := range map[string]inbox.Policy{"default": nil, "by version": inbox.ByVersion} {
			r := newReplica(t, inbox.Config{Dialect: dialect, Policy: policy})
			err := database.InTransaction(t.Context(), r.DB, nil, func(tx *sql.Tx) error {
				_, err := r.inbox.Current(t.Context(), tx, "user", "k")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			batch := []*replhub.Delivery{user(replhub.Create, "a", 1), user(replhub.Create, "k", 2)}
			outcomes, err := r.inbox.ReplicateBatch(t.Context(), r.DB, batch, r.users)
			if err != nil || !slices.Equal(outcomes, []inbox.Outcome{inbox.Applied, inbox.Applied}) || r.rows(t)["k"] != "e2" {
				t.Errorf("%s: %v, %v, users %v", name, outcomes, err, r.rows(t))
			}
		}
	})
}
