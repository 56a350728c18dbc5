package inbox

import (
	"cmp"
	"slices"

	"github.com/replhub/replhub"
)

// rowKey is whose row of the inbox a delivery is about.
type rowKey struct{ entity, key string }

// slot is a batch's deliveries of one row, in their order, and what becomes of
// the row.
type slot struct {
	rowKey

	records []record
	places  []int // of the records' deliveries in the batch

	// known says that the inbox has a row; Current makes one without a stamp. Of
	// what is applied, stamp is what the row is left with, and last the place of the
	// delivery; last is -1 where nothing is.
	known bool
	stamp Stamp
	last  int
}

// slots sorts a batch by row. Rows are in one order everywhere, so that two
// transactions that lock some of the same do not wait for each other.
func (i *Inbox) slots(batch []*replhub.Delivery) ([]*slot, error) {
	byRow := make(map[rowKey]*slot, len(batch))
	all := make([]*slot, 0, len(batch))
	for place, d := range batch {
		r, err := i.record(d)
		if err != nil {
			return nil, err
		}
		row := rowKey{r.entity, r.key}
		s := byRow[row]
		if s == nil {
			s = &slot{rowKey: row}
			byRow[row] = s
			all = append(all, s)
		}
		s.records = append(s.records, r)
		s.places = append(s.places, place)
	}
	slices.SortFunc(all, func(a, b *slot) int {
		return cmp.Or(cmp.Compare(a.entity, b.entity), cmp.Compare(a.key, b.key))
	})
	return all, nil
}

// settle decides on the slot's deliveries one after the other, as if each had a
// transaction of its own. Only the last that wins is applied: it is the whole
// entity, and those before it are stale by the time anybody could see them.
func (s *slot) settle(i *Inbox, current Stamp, outcomes []Outcome) {
	s.stamp, s.last = current, -1
	for n, r := range s.records {
		var outcome Outcome
		s.stamp, outcome = i.resolve(s.stamp, r)
		outcomes[s.places[n]] = outcome
		if outcome == Applied {
			if s.last >= 0 {
				outcomes[s.last] = Stale
			}
			s.last = s.places[n]
		}
	}
}
