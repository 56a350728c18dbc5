package world

import (
	"context"
	"time"

	"github.com/replhub/replhub/e2e/soak/tally"
)

// directors is how many work at the same time, each on services of its own.
const directors = 3

// direct asks something of one of its services after the other until ctx ends.
// One of which a request ended otherwise than it should is then left alone.
func direct(ctx context.Context, services []*service, every time.Duration, odd *oddities) {
	if len(services) == 0 {
		return
	}
	r := services[0].rand
	for pause(ctx, time.Duration(float64(every)*(0.5+r.Float64()))) {
		s := services[r.IntN(len(services))]
		if s.broken {
			continue
		}
		if err := s.step(ctx); err != nil {
			s.broken = true
			s.tell("error", "%v", err)
			odd.note("%v", err)
		}
	}
}

// step does one thing by chance.
func (s *service) step(ctx context.Context) error {
	have := s.registered()
	switch n := s.rand.IntN(20); {
	case n < 5 && len(have) > 0:
		return s.change(have[s.rand.IntN(len(have))])
	case n < 9 && len(have) < tally.Entities:
		return s.registerAnother()
	case n < 11 && len(have) > 1:
		return s.unregister(have[s.rand.IntN(len(have))])
	case n < 12 && len(have) > 0: // to and fro
		entity := have[s.rand.IntN(len(have))]
		if err := s.unregister(entity); err != nil {
			return err
		}
		return s.register(entity, s.startOf(entity), false)
	case n < 15:
		return s.rewind()
	case n < 16:
		return s.halt()
	case n < 17:
		return s.resume()
	case n < 18 && !s.away:
		return s.drop(ctx)
	case !s.away:
		s.counts.add("bounce")
		s.crew.bounce(s.rand.IntN(instances))
	}
	return nil
}

// registerAnother registers an entity that is not.
func (s *service) registerAnother() error {
	for _, entity := range s.rand.Perm(tally.Entities) {
		if s.interests[entity] == nil {
			return s.register(entity, s.startOf(entity), false)
		}
	}
	return nil
}

func (s *service) startOf(entity int) string {
	if s.onlyNew && s.former[entity] {
		return "new"
	}
	return s.start()
}
