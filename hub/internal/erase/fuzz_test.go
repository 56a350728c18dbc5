package erase

import (
	"testing"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/subjects"
)

// FuzzCursor reads any text as the place of a page, which programs send back: it is refused,
// or it is a place that a hub can have written.
func FuzzCursor(f *testing.F) {
	service, err := subjects.ParseName("sharing")
	if err != nil {
		f.Fatal(err)
	}
	first := cursor{id: "Oy4RQDd91inHwzHcDEZx6H", end: event.Position{Epoch: 2, Seq: 1042}}
	for _, c := range []cursor{first, first.next(), first.lane(service), {id: "a", end: first.end, phase: copies, service: service, behind: true, seq: 7}, first.next().next().next()} {
		f.Add(c.String())
	}
	for _, text := range []string{"", "....", "a.1-2.0.3.sharing", "a.1-2.2.3.sharing.done", "a.1-2.4.0", "a.01-2.00.+3", "a.1-2.2.18446744073709551616"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text)
		if err != nil {
			return
		}
		if c.phase < events || c.phase >= finished {
			t.Errorf("%q is in phase %d", text, c.phase)
		}
		if c.behind && c.service == (subjects.Name{}) || c.service != (subjects.Name{}) && c.phase != copies {
			t.Errorf("%q is in %+v", text, c)
		}
		again, err := parseCursor(c.String())
		if err != nil || again != c {
			t.Errorf("%q is %+v, written again as %s: %+v, %v", text, c, c, again, err)
		}
	})
}
