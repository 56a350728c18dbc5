package registration

import (
	"context"
	"fmt"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

// Unregister answers replhub.unregister.
func (r *Registrar) Unregister(ctx context.Context, service subjects.Name, req contract.Unregister) (any, error) {
	for i, name := range req.Entities {
		if _, err := request.Name(name, fmt.Sprintf("entities[%d]", i)); err != nil {
			return nil, err
		}
	}
	l, err := r.cfg.Lanes.Existing(ctx, service)
	if err != nil {
		return nil, err
	}
	ended := []string{}
	state, err := l.Change(ctx, func(_ context.Context, tip lane.Tip) (lane.State, bool, error) {
		s := tip.State
		ended = ended[:0] // an edit may be called again
		names := req.Entities
		if len(names) == 0 {
			names = request.Entities(s.Interests)
		}
		for _, entity := range names {
			if s.Find(entity) == nil {
				continue
			}
			s = s.End(entity)
			ended = append(ended, entity)
		}
		return s, len(ended) > 0, nil
	})
	if err != nil {
		return nil, err
	}
	r.cfg.Lanes.Announce(service)
	// A record may be left of an interest that the lane does not know.
	r.cfg.Book.Remove(ctx, record.InterestPaths(append(ended, req.Entities...), service))
	return contract.Unregistered{Service: service.String(), Ended: ended, Entities: request.Entities(state.Interests)}, nil
}
