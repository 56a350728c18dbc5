package hub

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/subjects"
	"github.com/replhub/replhub/wire"
)

const (
	// awayTTL is how long an instance's word of an outage holds; it sends one every
	// second.
	awayTTL = 5 * time.Second
	// maxAway bounds the instances that are remembered, of all services.
	maxAway = 10_000
)

// away remembers which instances wait for something that their handlers need. Each
// hub hears all of them, and keeps nothing.
type away struct {
	mu    sync.Mutex // guards words
	words map[instanceName]awayWord
}

type instanceName struct{ service, instance string }

type awayWord struct {
	wire.Unavailable

	heard time.Time
}

func newAway() *away { return &away{words: make(map[instanceName]awayWord)} }

// hear takes an instance's word. One that is none is passed over: nobody waits for
// an answer.
func (a *away) hear(m *nats.Msg) {
	service, err := subjects.ParseName(strings.TrimPrefix(m.Subject, wire.SubjectUnavailable))
	if err != nil {
		return
	}
	var word wire.Unavailable
	if err := json.Unmarshal(m.Data, &word); err != nil || !idGrammar.MatchString(word.Instance) {
		return
	}
	word.Error = cut(word.Error, wire.MaxUnavailableError)
	name := instanceName{service.String(), word.Instance}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(time.Now())
	if word.Over {
		delete(a.words, name)
		return
	}
	if _, known := a.words[name]; known || len(a.words) < maxAway {
		a.words[name] = awayWord{word, time.Now()}
	}
}

// of are the instances of a service that wait, by their names.
func (a *away) of(service subjects.Name) []wire.Unavailable {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(time.Now())
	var list []wire.Unavailable
	for name, word := range a.words {
		if name.service == service.String() {
			list = append(list, word.Unavailable)
		}
	}
	slices.SortFunc(list, func(x, y wire.Unavailable) int { return strings.Compare(x.Instance, y.Instance) })
	return list
}

// forget removes what is too old.
func (a *away) forget(now time.Time) {
	for name, word := range a.words {
		if now.Sub(word.heard) > awayTTL {
			delete(a.words, name)
		}
	}
}
