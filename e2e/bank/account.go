package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/replhub/replhub"
)

// account is a slot, with what is in it.
type account struct {
	id         string
	changes    int64 // of the slot, so far
	there      bool
	name, city string
	balance    int64
	op         replhub.Op // what is to be done with it
	eventID    string
}

// deposit is what a new account begins with.
const deposit = 1000

// decide says what one transaction does with accounts: it opens those that are
// not there, closes one in six, and moves money between the others.
func decide(r *rand.Rand, accounts []*account) {
	var purse int64 // taken from one, for the next
	for _, a := range accounts {
		a.changes++
		switch {
		case !a.there:
			a.op = replhub.Create
			a.name, a.city, a.balance = fmt.Sprintf("holder %d", r.IntN(1000)), fmt.Sprintf("city %d", r.IntN(100)), deposit
		case r.IntN(6) == 0:
			a.op = replhub.Delete
		default:
			a.op = replhub.Update
			amount := 1 + r.Int64N(100)
			if purse > 0 {
				amount, purse = -purse, 0
			} else {
				purse = amount
			}
			a.balance -= amount
			a.city = fmt.Sprintf("city %d", r.IntN(100))
		}
	}
}

// payload is the whole account as it is published. The services ask for parts of
// it, none for the PIN.
type payload struct {
	ID      string `json:"id"`
	Change  int64  `json:"change"`
	Balance int64  `json:"balance"`
	Owner   owner  `json:"owner"`
	PIN     string `json:"pin"`
	// Event is the id of the event.
	Event string `json:"event"`
}

type owner struct {
	Name string `json:"name"`
	City string `json:"city"`
}

// event is a change as it is enqueued. Every other delete carries its key alone.
func (a *account) event() (replhub.Event, error) {
	ev := replhub.Event{Entity: "account", Op: a.op, Key: a.id, ID: a.eventID}
	if a.op == replhub.Delete && a.changes%2 == 0 {
		return ev, nil
	}
	data, err := json.Marshal(payload{
		ID: a.id, Change: a.changes, Balance: a.balance, Owner: owner{Name: a.name, City: a.city}, PIN: "1234", Event: a.eventID,
	})
	ev.Data = data
	return ev, err
}
