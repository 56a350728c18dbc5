package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/replhub/replhub/hub/internal/lane"
	"github.com/replhub/replhub/hub/internal/reconcile/agree"
	"github.com/replhub/replhub/hub/internal/record"
	"github.com/replhub/replhub/hub/internal/registration"
	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/tree"
	"github.com/replhub/replhub/subjects"
)

// interest is the record of an interest that is made to agree with its lane.
type interest struct {
	*Reconciler

	path            string
	entity, service subjects.Name
	found           record.Interest
}

// perform performs a decision about the record, step by step.
func (r *interest) perform(ctx context.Context, step agree.Step) {
	for step != nil {
		switch s := step.(type) {
		case agree.ReadLane:
			step = s.Then(r.readLane(ctx))
		case agree.Claim:
			step = s.Then(r.claim(ctx, s.Value, s.Expect))
		case agree.Register:
			step = s.Then(r.register(ctx, s.ID))
		default:
			r.settle(ctx, step)
			return
		}
	}
}

// settle performs a last step.
func (r *interest) settle(ctx context.Context, step agree.Step) {
	switch s := step.(type) {
	case agree.LookAgain:
		r.lookSoon()
	case agree.Correct:
		r.write(ctx, r.path, s.Expect, s.Value)
	case agree.Remove:
		why := "ended"
		if s.Dropped {
			why = "dropped with its lane"
		}
		r.cfg.Logger.Info("removing a registry record whose interest is not in force any more", "path", r.path, "id", r.found.ID, "why", why)
		r.remove(ctx, r.path, s.Expect)
	case agree.Unknown:
		r.alarms.raise(r.path, fmt.Sprintf("registry record %s is of an interest that is not in force: lane %s does not know its id %s; register %s again with a start, or unregister it",
			r.path, r.service, r.found.ID, r.entity))
	}
}

// readLane reads the lane's state from its stream.
func (r *interest) readLane(ctx context.Context) agree.Lane {
	state, err := r.cfg.Lanes.State(ctx, r.service)
	if errors.Is(err, lane.ErrNoLane) {
		return agree.Lane{Gone: true}
	}
	if !r.trouble.Met(r.path, err) {
		r.alarms.keep(r.path)
	}
	return agree.Lane{State: state, Err: err}
}

// claim writes an id into the record that requests an interest, if the request is valid.
func (r *interest) claim(ctx context.Context, value []byte, expect tree.Version) (stored bool) {
	_, err := r.parse()
	if err == nil {
		err = r.serviceRecord()
	}
	if err != nil {
		r.refused(err)
		return false
	}
	if err := r.cfg.Book.Overwrite(ctx, r.path, value, expect); err != nil {
		r.alarms.keep(r.path)
		r.cfg.Logger.Debug("write an id into a registry record", "path", r.path, "err", err) // the next look tries again
		return false
	}
	return true
}

func (r *interest) parse() (request.Request, error) {
	return request.Parse(r.found.Request(r.entity.String()), r.cfg.Registration.Known(r.service))
}

// register registers the interest that the record requests. The registration then writes
// the since into the record. ended says that an interest of the id was ended.
func (r *interest) register(ctx context.Context, id string) (ended bool) {
	req, err := r.parse()
	if err == nil {
		err = r.serviceRecord()
	}
	if err == nil {
		_, err = r.cfg.Registration.Apply(ctx, r.service, req.Identified(id))
		for _, warning := range req.Warnings() {
			r.cfg.Logger.Warn("registry record", "path", r.path, "warning", warning)
		}
	}
	switch {
	case errors.Is(err, registration.ErrEnded):
		return true
	case err != nil:
		r.refused(err)
	default:
		r.cfg.Logger.Info("registered from the registry", "path", r.path)
	}
	return false
}

// refused reports a record that cannot be registered.
func (r *interest) refused(err error) {
	r.alarms.raise(r.path, fmt.Sprintf("registry record %s cannot be registered: %v", r.path, record.InWords(err)))
}

// serviceRecord reports a fault in the service's record when a record made by hand
// registers an interest: the queue would then differ from the requested one.
func (r *interest) serviceRecord() error {
	path := record.ServicePath(r.service)
	_, newer, err := record.ParseService(r.cfg.Book.Snapshot().Entries[path].Value)
	if err != nil {
		return fmt.Errorf("correct registry record %s first: %w", path, err)
	}
	if newer {
		return fmt.Errorf("registry record %s was written by a newer replhub", path)
	}
	return nil
}
