package hub

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// awayTTL is how long an instance's word of an outage holds; it sends one every
	// second.
	awayTTL = 5 * time.Second
	// maxAway bounds the instances that are remembered, of all services.
	maxAway = 10_000
)

// away remembers which instances wait for something that their handlers need. Each
// hub hears all instances, and keeps nothing.
type away struct {
	mu    sync.Mutex                     // guards what follows
	words map[string]map[string]awayWord // by service and instance
	count int                            // of words
}

type awayWord struct {
	contract.Unavailable

	heard time.Time
}

func newAway() *away { return &away{words: make(map[string]map[string]awayWord)} }

// hear takes an instance's word. One that is none is passed over: nobody waits for
// an answer.
func (a *away) hear(m *nats.Msg) {
	service, err := subjects.ParseName(strings.TrimPrefix(m.Subject, contract.SubjectUnavailable))
	if err != nil {
		return
	}
	var word contract.Unavailable
	if err := json.Unmarshal(m.Data, &word); err != nil || !idGrammar.MatchString(word.Instance) {
		return
	}
	word.Error = cut(word.Error, contract.MaxUnavailableError)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	name := service.String()
	if _, known := a.words[name][word.Instance]; known {
		a.count--
		delete(a.words[name], word.Instance)
	}
	if word.Over {
		return
	}
	if a.count >= maxAway {
		for other := range a.words {
			a.forget(other, now)
		}
	}
	if a.count >= maxAway {
		return
	}
	if a.words[name] == nil {
		a.words[name] = make(map[string]awayWord)
	}
	a.words[name][word.Instance] = awayWord{word, now}
	a.count++
}

// of are the instances of a service that wait, by their names.
func (a *away) of(service subjects.Name) []contract.Unavailable {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(service.String(), time.Now())
	var list []contract.Unavailable
	for _, word := range a.words[service.String()] {
		list = append(list, word.Unavailable)
	}
	slices.SortFunc(list, func(x, y contract.Unavailable) int { return strings.Compare(x.Instance, y.Instance) })
	return list
}

// forget removes what is too old of a service.
func (a *away) forget(service string, now time.Time) {
	for instance, word := range a.words[service] {
		if now.Sub(word.heard) > awayTTL {
			delete(a.words[service], instance)
			a.count--
		}
	}
	if len(a.words[service]) == 0 {
		delete(a.words, service)
	}
}
