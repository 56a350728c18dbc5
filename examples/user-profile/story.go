package main

import (
	"encoding/json"
	"strconv"

	"github.com/replhub/replhub"
)

// user is what this service knows of one. Its events carry all of it; who gets
// which fields is the hub's matter.
type user struct {
	ID           string  `json:"id"`
	Tenant       string  `json:"tenant"`
	Name         string  `json:"name"`
	Profile      profile `json:"profile"`
	PasswordHash string  `json:"password_hash"`
}

type profile struct {
	Email string `json:"email"`
}

func (u user) json() ([]byte, error) { return json.Marshal(u) }

// change is one change of the story.
type change struct {
	op   replhub.Op
	user user
}

// story is the n-th change, from 0 on: rounds of three people, one of whom leaves
// again.
func story(n int) change {
	const changes, people = 6, 3
	person := func(k int, tenant, name, email string) user {
		return user{
			ID: strconv.Itoa(n/changes*people + k), Tenant: tenant, Name: name,
			Profile: profile{Email: email}, PasswordHash: "$2b$10$" + strconv.Itoa(n),
		}
	}
	switch n % changes {
	case 0:
		return change{replhub.Create, person(1, "acme", "Ada", "ada@acme.example")}
	case 1:
		return change{replhub.Create, person(2, "globex", "Grace", "grace@globex.example")}
	case 2:
		return change{replhub.Update, person(1, "acme", "Ada Lovelace", "lovelace@acme.example")}
	case 3:
		return change{replhub.Create, person(3, "acme", "Alan", "alan@acme.example")}
	case 4:
		return change{replhub.Update, person(2, "globex", "Grace Hopper", "hopper@globex.example")}
	default:
		return change{replhub.Delete, person(3, "acme", "", "")}
	}
}
