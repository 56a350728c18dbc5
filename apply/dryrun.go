package apply

import (
	"context"
	"fmt"
	"time"

	"github.com/replhub/replhub"
)

// dryRun shows the tables that would be made. It changes nothing that exists: rows can
// only be seen by registering and taking deliveries, and these are a live service's own.
// So it samples only where the service has no interest yet, and ends the one that it makes.
func (a *Applier) dryRun(ctx context.Context) error {
	was, err := a.registered(ctx)
	if err != nil {
		return err
	}
	p, found := planRegistration(a.cfg, was, a.wishes())
	if len(found) > 0 {
		return &FindingsError{All: found}
	}
	if inUse(was) {
		a.changes = p.changes
		a.unsampled = fmt.Sprintf("service %s is registered already, so a dry run takes none of its rows, and cannot show the tables that do not exist; to see them, run it for a service that does not exist yet", a.cfg.Service)
		return nil
	}
	if was != nil {
		p.registration.Queue = replhub.Queue{} // as it is
	}
	// Also where no answer comes: the hub may have registered it.
	defer a.unregister(ctx, p.fresh)
	if _, err := a.client.Register(ctx, p.registration); err != nil {
		return fmt.Errorf("register %s: %w", a.cfg.Service, err)
	}
	return a.sample(ctx)
}

// inUse reports whether a service gets events. One without an interest is as a dry run has
// left it.
func inUse(was *replhub.Status) bool { return was != nil && len(was.Entities) > 0 }

// unregister ends the interests that a dry run has registered.
func (a *Applier) unregister(ctx context.Context, fresh []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := a.client.Unregister(ctx, fresh...); err != nil {
		a.log.Warn("the dry run's registration could not be ended; run replhub unregister", keyService, a.cfg.Service, keyErr, err)
	}
}
