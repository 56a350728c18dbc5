package main

import (
	"fmt"
	"strconv"
)

// demoChange is one event of the demo.
type demoChange struct{ op, key, payload string }

// demoEvent is the n-th event, from 0 on: rounds of three people, one of whom
// leaves again.
func demoEvent(n int) demoChange {
	person := func(k int) string { return strconv.Itoa(n/demoRound*demoPeople + k) }
	user := func(op, id, name, tenant, email, hash string) demoChange {
		return demoChange{op, id, fmt.Sprintf(
			`{"id":%q,"name":%q,"tenant":%q,"profile":{"email":%q},"passwordHash":%q}`, id, name, tenant, email, hash)}
	}
	switch n % demoRound {
	case 0:
		return user("create", person(1), "Ada", "acme", "ada@acme.example", "$2b$10$first")
	case 1:
		return user("create", person(2), "Grace", "globex", "grace@globex.example", "$2b$10$second")
	case 2:
		return user("update", person(1), "Ada Lovelace", "acme", "lovelace@acme.example", "$2b$10$third")
	case 3:
		return user("create", person(3), "Alan", "acme", "alan@acme.example", "$2b$10$fourth")
	case 4:
		return user("update", person(2), "Grace Hopper", "globex", "hopper@globex.example", "$2b$10$fifth")
	default:
		return demoChange{"delete", person(3), fmt.Sprintf(`{"id":%q}`, person(3))}
	}
}

const (
	// demoRound is how many events make a round, demoPeople how many users.
	demoRound  = 6
	demoPeople = 3
)
