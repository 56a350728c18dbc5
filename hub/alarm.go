package hub

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// maxAlarms bounds the alarms kept: a flood of garbage is one fault.
const maxAlarms = 100

// alarms are what an operator should look at, by the thing they speak of. Each
// is logged when it is raised first.
type alarms struct {
	mu   sync.Mutex // guards text
	text map[string]string
}

func (a *alarms) raise(log *slog.Logger, about, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.text == nil {
		a.text = make(map[string]string)
	}
	if a.text[about] == text || len(a.text) >= maxAlarms {
		return
	}
	a.text[about] = text
	log.Error("alarm", "about", about, "text", text)
}

func (a *alarms) clear(about string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.text, about)
}

// clearAll removes the alarms about things with a prefix, but for those to keep.
func (a *alarms) clearAll(prefix string, keep func(about string) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.text, func(about, _ string) bool { return strings.HasPrefix(about, prefix) && !keep(about) })
}

func (a *alarms) list() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var texts []string
	for _, about := range slices.Sorted(maps.Keys(a.text)) {
		texts = append(texts, a.text[about])
	}
	return texts
}
