package lane

import (
	"context"
	"fmt"
)

// notAcknowledged is why most full lanes are full.
const notAcknowledged = "are not acknowledged; have workers catch up, raise max_bytes, or unregister"

// heldBack is called when a lane is full though its history was purged. What is
// kept because a dead letter might be missing is looked into, and purged when none
// is. It returns how much the lane holds then, and why.
func (l *Lane) heldBack(ctx context.Context, have int64) (now int64, why string, err error) {
	if l.env.Prove == nil {
		return have, l.notAcknowledged(), nil
	}
	why, err = l.env.Prove(ctx, l.service, l.standings.last())
	switch {
	case err != nil:
		return have, "", err
	case why != "":
		return have, "are kept: " + why, nil
	}
	if err := l.purgeHistory(ctx); err != nil {
		return have, "", err
	}
	have, err = l.measure(ctx)
	return have, l.notAcknowledged(), err
}

// notAcknowledged says in words why copies of a full lane are kept for its workers.
func (l *Lane) notAcknowledged() string {
	if name := l.standings.behind(); name != "" {
		return fmt.Sprintf("stay until the server has confirmed that they are acknowledged: consumer %s has nothing to do, but its ack floor is behind; the lane goes on once that has stood still for %v", name, standsAfter)
	}
	return notAcknowledged
}
