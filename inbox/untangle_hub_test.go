package inbox_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/database"
	"github.com/replhub/replhub/replhubtest"
)

// owner is a table of things with a unique value each, and what was published of it.
type owner struct {
	rng    *rand.Rand
	values map[string]int
	next   int
	events []replhub.Event
}

// change is one transaction of the owner's: values change hands, move on, or go with
// their row and come with another one.
func (o *owner) change() {
	keys := make([]string, 0, 3)
	for _, n := range o.rng.Perm(8)[:2+o.rng.IntN(2)] {
		keys = append(keys, "k"+strconv.Itoa(n))
	}
	first, had := o.values[keys[0]]
	for n, key := range keys {
		value, ok := first, had
		if n+1 < len(keys) {
			value, ok = o.values[keys[n+1]]
		}
		switch {
		case ok:
			o.values[key] = value
		case o.rng.IntN(3) == 0:
			delete(o.values, key)
		default:
			o.next++
			o.values[key] = o.next
		}
	}
	for _, n := range o.rng.Perm(len(keys)) {
		event := replhub.Event{Entity: "thing", Op: replhub.Delete, Key: keys[n]}
		if value, ok := o.values[keys[n]]; ok {
			event.Op, event.Data = replhub.Update, fmt.Appendf(nil, `{"g":1,"v":"w%d"}`, value)
		}
		o.events = append(o.events, event)
	}
}

// Values that change hands all the time end where the owner has them, without a dead
// letter, over two instances.
func TestUniqueValuesThroughAHub(t *testing.T) {
	for name, queue := range map[string]replhub.Queue{
		"none": {Order: replhub.OrderNone}, "key": {Order: replhub.OrderKey, Partitions: 4},
	} {
		t.Run(name, func(t *testing.T) {
			onFew(t, func(t *testing.T, dialect database.Dialect) {
				o := &owner{rng: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))), values: map[string]int{}}
				for range 50 {
					o.change()
				}
				want := map[string]string{}
				for key, value := range o.values {
					want[key] = "w" + strconv.Itoa(value)
				}
				hub := replhubtest.Start(t)
				db := open(t, dialect)
				kind := uniqueKind{columns: "g int NOT NULL, v varchar(30) NOT NULL UNIQUE"}
				create(t, db, "CREATE TABLE things (id varchar(20) PRIMARY KEY, "+kind.columns+")")
				r := &things{DB: db, t: t, kind: kind, table: "things", dialect: dialect}
				in, _ := r.process()
				if err := in.Migrate(t.Context(), db); err != nil {
					t.Fatal(err)
				}
				stop := r.subscribe(hub, queue)
				defer stop()
				hub.Publish(t, o.events...)
				hub.AwaitDrained(t, "sharing", replhubtest.Within(2*time.Minute))
				stop()
				if n := hub.DeadLetters(t, "sharing"); n > 0 {
					t.Errorf("%d dead letters", n)
				}
				if have := r.rows(); fmt.Sprint(have) != fmt.Sprint(want) {
					t.Errorf("have %v, want %v", have, want)
				}
			})
		})
	}
}

// subscribe runs two instances until stop is called.
func (r *things) subscribe(hub *replhubtest.Hub, queue replhub.Queue) (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	var running sync.WaitGroup
	for n := range 2 {
		_, table := r.process()
		client := hub.Client(r.t, "sharing", func(c *replhub.Config) { c.Logger = slog.New(slog.DiscardHandler) })
		sub := replhub.SubscriberConfig{
			Registration: replhub.Registration{Interests: []replhub.Interest{{Entity: "thing"}}, Queue: queue},
			Instance:     "instance" + strconv.Itoa(n), Workers: 4, MaxBatch: 20, MinBackoff: 5 * time.Millisecond, MaxBackoff: 100 * time.Millisecond,
		}
		s, err := replhub.NewBatchSubscriber(client, sub, table.Handler(r.DB))
		if err != nil {
			r.t.Fatal(err)
		}
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				r.t.Error(err)
			}
		})
		<-s.Ready()
	}
	return func() {
		cancel()
		running.Wait()
	}
}
