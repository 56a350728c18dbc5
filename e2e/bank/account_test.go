package main

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/replhub/replhub"
)

// Money comes with an account that is opened and goes with one that is closed;
// what a transaction moves, it takes from somebody.
func TestDecide(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	ops := make(map[replhub.Op]int)
	for range 1000 {
		var accounts []*account
		for n := range 1 + r.IntN(4) {
			accounts = append(accounts, &account{id: string(rune('a' + n)), changes: int64(n), there: r.IntN(3) > 0, balance: 500})
		}
		updated, moved := 0, int64(0)
		for i, before := range decided(r, accounts) {
			a := accounts[i]
			ops[a.op]++
			if a.changes != before.changes+1 || before.there == (a.op == replhub.Create) {
				t.Fatalf("%+v became %+v", before, a)
			}
			if a.op == replhub.Update {
				updated++
				moved += a.balance - before.balance
			}
		}
		if updated%2 == 0 && moved != 0 {
			t.Fatalf("%d updates made %d out of nothing", updated, moved)
		}
	}
	for _, op := range []replhub.Op{replhub.Create, replhub.Update, replhub.Delete} {
		if ops[op] < 100 {
			t.Errorf("%d of %s", ops[op], op)
		}
	}
}

// decided has accounts decided on, and returns what they were.
func decided(r *rand.Rand, accounts []*account) []account {
	before := make([]account, len(accounts))
	for i, a := range accounts {
		before[i] = *a
	}
	decide(r, accounts)
	return before
}

func TestEvent(t *testing.T) {
	a := account{id: "k1", changes: 4, name: "Ada", city: "London", balance: 7, op: replhub.Update, eventID: "e"}
	ev, err := a.event()
	if err != nil {
		t.Fatal(err)
	}
	var p payload
	if err := json.Unmarshal(ev.Data, &p); err != nil {
		t.Fatal(err)
	}
	if want := (payload{ID: "k1", Change: 4, Balance: 7, Owner: owner{Name: "Ada", City: "London"}, PIN: "1234", Event: "e"}); p != want {
		t.Errorf("got %+v, want %+v", p, want)
	}
	a.op = replhub.Delete
	if ev, err = a.event(); err != nil || ev.Data != nil || ev.Key != "k1" {
		t.Errorf("a delete by its key alone is %+v, %v", ev, err)
	}
	// What the ledger did not ask for may not get into its row.
	if whole, part := ledgerRow(p), ledgerRow(payload{ID: "k1", Change: 4, Balance: 7}); whole == part {
		t.Errorf("the ledger takes the whole for its part: %q", part)
	}
}
