package stage

import (
	"context"
	"os"

	"github.com/replhub/replhub/e2e/bank/audit"
)

// handlings are what all instances of a service noted, in their order where the
// service has one table for that.
func (b *Bank) handlings(ctx context.Context, s *service) []audit.Handling {
	b.tb.Helper()
	if !b.cfg.Shared {
		return b.journals(s)
	}
	gone := make(map[string]int64)
	for _, p := range s.posts {
		for _, r := range p.runs {
			gone[r.name] = r.gone
		}
	}
	all, err := audit.ReadHandlings(ctx, s.db, gone)
	if err != nil {
		b.tb.Fatal(err)
	}
	return all
}

// journals are what all instances of a service wrote into theirs.
func (b *Bank) journals(s *service) []audit.Handling {
	b.tb.Helper()
	var all []audit.Handling
	for _, p := range s.posts {
		for _, r := range p.runs {
			f, err := os.Open(journal(p.dir, r.name))
			if os.IsNotExist(err) {
				continue // it was killed before it began
			}
			if err != nil {
				b.tb.Fatal(err)
			}
			handlings, err := audit.ReadJournal(r.name, f, r.gone)
			f.Close()
			if err != nil {
				b.tb.Fatal(err)
			}
			all = append(all, handlings...)
		}
	}
	return all
}
