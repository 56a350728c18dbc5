package consumers

import (
	"testing"
	"time"

	"github.com/replhub/replhub/subjects"
)

// Missing consumers are created when two looks with some time between them miss as
// many: somebody else may be creating them one by one.
func TestMissingConsumersAreCreatedAtTheSecondLook(t *testing.T) {
	const again = time.Second
	service, err := subjects.ParseName("s")
	if err != nil {
		t.Fatal(err)
	}
	type look struct {
		after   time.Duration // the look before
		missing int
		create  bool
	}
	for name, looks := range map[string][]look{
		"deleted by hand":      {{0, 1, false}, {again, 1, true}},
		"looked at too soon":   {{0, 2, false}, {again / 2, 2, false}, {again / 2, 2, true}},
		"created one by one":   {{0, 3, false}, {again, 2, false}, {again, 1, false}, {again, 1, true}},
		"deleted further":      {{0, 1, false}, {again, 2, true}},
		"still not there then": {{0, 1, false}, {again, 1, true}, {0, 1, true}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &Watch{since: map[subjects.Name]lack{}}
			now := time.Now()
			for i, l := range looks {
				now = now.Add(l.after)
				if got := w.notes(service, l.missing, now, again); got != l.create {
					t.Errorf("look %d: create %v, want %v", i+1, got, l.create)
				}
			}
		})
	}
}
