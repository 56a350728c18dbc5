package reconcile

import (
	"fmt"

	"github.com/replhub/replhub/hub/internal/alarm"
)

// maxMisnamed bounds the alarms about misnamed records, so that a folder of foreign
// records leaves room for other alarms.
const maxMisnamed = 20

// recordAlarms are the alarms about the registry's records that one look raises. An
// alarm that the look before raised and this one does not is over: the record was
// corrected or deleted. It must be used by one goroutine.
type recordAlarms struct {
	alarms *alarm.Set
	// up has the alarms that the last look left raised, now those that this look
	// raises, by path.
	up, now  map[string]bool
	misnamed int
}

func (a *recordAlarms) begin() { a.now, a.misnamed = make(map[string]bool), 0 }

func (a *recordAlarms) raise(path, text string) {
	a.now[path] = true
	a.alarms.Raise(about(path), text)
}

// raiseMisnamed is raise, for a record of which there may be very many.
func (a *recordAlarms) raiseMisnamed(path, text string) {
	if a.misnamed++; a.misnamed <= maxMisnamed {
		a.raise(path, text)
	}
}

// keep keeps the alarm of a record that a look could not judge.
func (a *recordAlarms) keep(path string) {
	if a.up[path] {
		a.now[path] = true
	}
}

// end clears the alarms that are over.
func (a *recordAlarms) end() {
	more := alarm.About{Kind: alarm.MoreMisnamed}
	if n := a.misnamed - maxMisnamed; n > 0 {
		a.alarms.Raise(more, fmt.Sprintf("%d more registry records are ignored for their names", n))
	} else {
		a.alarms.Clear(more)
	}
	for path := range a.up {
		if !a.now[path] {
			a.alarms.Clear(about(path))
		}
	}
	a.up = a.now
}

func about(path string) alarm.About { return alarm.About{Kind: alarm.Record, Name: path} }
