package lanes

import (
	"context"
	"slices"
	"sync"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/subjects"
)

// nearTail is how far, in events, lanes may lie apart at a start for the tail
// to begin at the last lane's position.
const nearTail = 20_000

// StartOfTail is where the tail begins: at the lowest of the positions near the
// furthest one, so that lanes which stand together read ingest once. Lanes far
// behind read by themselves.
func (s *Set) StartOfTail(ctx context.Context, g *ingest.Ingest, services []subjects.Name) (ingest.Mark, error) {
	var mu sync.Mutex // guards marks and epoch
	var marks []ingest.Mark
	var epoch uint64
	s.Each(ctx, services, func(ctx context.Context, service subjects.Name) {
		tip, err := lane.ReadTip(ctx, s.cfg.JS, service)
		if err != nil {
			return // the lane's own loop will report what is wrong
		}
		_, needs := tip.State.Lowest()
		var m ingest.Mark
		if needs {
			m, err = g.Resume(ctx, tip.State.Pos)
		}
		mu.Lock()
		defer mu.Unlock()
		epoch = max(epoch, tip.State.Epoch())
		if needs && err == nil {
			marks = append(marks, m)
		}
	})
	if err := g.KnowEpoch(ctx, epoch); err != nil {
		return ingest.Mark{}, err
	}
	if len(marks) == 0 {
		end, _, err := g.End(ctx)
		return end, err
	}
	compare := func(a, b ingest.Mark) int { return a.Compare(b.Position) }
	furthest := slices.MaxFunc(marks, compare)
	near := event.Position{Epoch: furthest.Epoch, Seq: furthest.Seq - min(furthest.Seq, nearTail)}
	marks = slices.DeleteFunc(marks, func(m ingest.Mark) bool { return m.Before(near) })
	return slices.MinFunc(marks, compare), nil
}
