package report

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/reply"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// unavailableTTL is how long an instance's report of an outage holds; it sends one
	// every second.
	unavailableTTL = 5 * time.Second
	// maxUnavailable bounds the remembered instances of all services.
	maxUnavailable = 10_000
)

// Unavailable remembers which instances wait for something that their handlers need.
// Each hub hears all instances, and stores nothing. It may be used concurrently.
type Unavailable struct {
	mu    sync.Mutex                   // guards what follows
	told  map[string]map[string]outage // by service and instance
	count int                          // of outages
}

type outage struct {
	contract.Unavailable

	heard time.Time
}

// NewUnavailable makes an empty Unavailable.
func NewUnavailable() *Unavailable { return &Unavailable{told: make(map[string]map[string]outage)} }

// Hear takes an instance's report. It ignores a message that cannot be read, because
// the sender does not wait for an answer.
func (a *Unavailable) Hear(m *nats.Msg) {
	service, err := subjects.ParseName(strings.TrimPrefix(m.Subject, contract.SubjectUnavailable))
	if err != nil {
		return
	}
	var word contract.Unavailable
	if err := json.Unmarshal(m.Data, &word); err != nil || !request.ValidID(word.Instance) {
		return
	}
	word.Error = reply.Cut(word.Error, contract.MaxUnavailableError)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	name := service.String()
	if _, known := a.told[name][word.Instance]; known {
		a.count--
		delete(a.told[name], word.Instance)
	}
	if word.Over {
		return
	}
	if a.count >= maxUnavailable {
		for other := range a.told {
			a.forget(other, now)
		}
	}
	if a.count >= maxUnavailable {
		return
	}
	if a.told[name] == nil {
		a.told[name] = make(map[string]outage)
	}
	a.told[name][word.Instance] = outage{word, now}
	a.count++
}

// of returns the waiting instances of a service, by name.
func (a *Unavailable) of(service subjects.Name) []contract.Unavailable {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(service.String(), time.Now())
	var list []contract.Unavailable
	for _, word := range a.told[service.String()] {
		list = append(list, word.Unavailable)
	}
	slices.SortFunc(list, func(x, y contract.Unavailable) int { return strings.Compare(x.Instance, y.Instance) })
	return list
}

// forget removes a service's reports that are too old.
func (a *Unavailable) forget(service string, now time.Time) {
	for instance, word := range a.told[service] {
		if now.Sub(word.heard) > unavailableTTL {
			delete(a.told[service], instance)
			a.count--
		}
	}
	if len(a.told[service]) == 0 {
		delete(a.told, service)
	}
}
