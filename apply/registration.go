package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/bridge"
)

// defaultPartitions is how many instances can share the work of a service unless the
// config says more.
const defaultPartitions = 8

// wish is what an entity's interest has to have.
type wish struct {
	entity, where string
	fields        []string // none: whole rows
	// unmade says that the table does not exist, so that its fields are not known.
	unmade bool
}

// planned is a registration, and what it changes.
type planned struct {
	registration replhub.Registration
	// changes says for people what becomes of interests that are registered already.
	changes []string
	// widened are the entities whose earlier copies lack fields.
	widened []string
	// fresh are the entities that were not registered, which a dry run unregisters.
	fresh []string
}

// planRegistration decides what to register. was is nil where the service never
// registered. What is registered and not wished otherwise stays: filter, ops and echo.
// Pure.
func planRegistration(cfg Config, was *replhub.Status, wishes []wish) (planned, []string) {
	var p planned
	var f FindingsError
	if was != nil && was.State == replhub.StateDetached && cfg.Start != replhub.StartSnapshot() && cfg.Start != replhub.StartAll() {
		f.addf("the lane of %s is detached and has missed events (%s): begin again with --start snapshot, or with --start earliest if the table may lack what ingest no longer holds",
			cfg.Service, was.Reason)
	}
	for _, w := range wishes {
		in := replhub.Interest{Entity: w.entity, Filter: w.where, Fields: w.fields, Start: cfg.Start}
		old := interestOf(was, w.entity)
		if old == nil {
			p.fresh = append(p.fresh, w.entity)
			p.registration.Interests = append(p.registration.Interests, in)
			continue
		}
		in.Ops, in.Echo = old.Ops, old.Echo
		if w.where == "" {
			in.Filter = old.Filter
		}
		if w.unmade {
			in.Fields = old.Fields // the table does not exist yet: its columns are made of these fields
		}
		p.note(*old, in)
		p.registration.Interests = append(p.registration.Interests, in)
	}
	if was != nil {
		for _, entity := range was.Entities {
			if !slices.ContainsFunc(wishes, func(w wish) bool { return w.entity == entity }) {
				f.addf("service %[1]s is registered for %[2]s too, for which no table is named: add --table %[2]s=<table>, or end it with 'replhub unregister %[1]s %[2]s'",
					cfg.Service, entity)
			}
		}
	}
	p.queue(cfg, was, &f)
	return p, f.All
}

// note says what a definition changes.
func (p *planned) note(old, now replhub.Interest) {
	if !slices.Equal(sorted(old.Fields), sorted(now.Fields)) {
		p.changes = append(p.changes, fmt.Sprintf("%s: fields %s instead of %s", now.Entity, fieldText(now.Fields), fieldText(old.Fields)))
	}
	if old.Filter != now.Filter {
		p.changes = append(p.changes, fmt.Sprintf("%s: filter %q instead of %q", now.Entity, now.Filter, old.Filter))
	}
	if !covers(old.Fields, now.Fields) || old.Filter != now.Filter && old.Filter != "" {
		p.widened = append(p.widened, now.Entity)
	}
}

func sorted(all []string) []string {
	all = slices.Clone(all)
	slices.Sort(all)
	return all
}

func fieldText(fields []string) string {
	if len(fields) == 0 {
		return "(the whole row)"
	}
	return fmt.Sprint(fields)
}

// queue orders a new service by key. A queue that exists stays, unless another number of
// partitions is wished.
func (p *planned) queue(cfg Config, was *replhub.Status, f *FindingsError) {
	switch {
	case was == nil || len(was.Entities) == 0 && was.Backlog == 0:
		p.registration.Queue = replhub.Queue{Order: replhub.OrderKey, Partitions: cfg.Partitions, MaxDeliver: bridge.NewMaxDeliver}
		if cfg.Partitions == 0 {
			p.registration.Queue.Partitions = defaultPartitions
		}
	case cfg.Partitions == 0 || was.Queue.Order == replhub.OrderKey && cfg.Partitions == was.Queue.Partitions:
	case was.Queue.Order == replhub.OrderKey:
		p.registration.Queue = replhub.Queue{Partitions: cfg.Partitions}
		p.changes = append(p.changes, fmt.Sprintf("%d partitions instead of %d", cfg.Partitions, was.Queue.Partitions))
	default:
		f.addf("service %[1]s is registered without an order by key and has no partitions: leave out --partitions, or change it with 'replhub register %[1]s --order key --partitions %[2]d'",
			cfg.Service, cfg.Partitions)
	}
}

func interestOf(was *replhub.Status, entity string) *replhub.Interest {
	if was == nil {
		return nil
	}
	for i := range was.Interests {
		if was.Interests[i].Entity == entity {
			return &was.Interests[i]
		}
	}
	return nil
}

// register puts the registration in force, and fetches rows again for what was widened.
func (a *Applier) register(ctx context.Context) (replhub.Registered, error) {
	was, err := a.registered(ctx)
	if err != nil {
		return replhub.Registered{}, err
	}
	if was != nil {
		a.lettersBefore = was.DeadLetters
	}
	p, found := planRegistration(a.cfg, was, a.wishes())
	if len(found) > 0 {
		return replhub.Registered{}, &FindingsError{All: found}
	}
	r, err := a.client.Register(ctx, p.registration)
	if err != nil {
		return replhub.Registered{}, fmt.Errorf("register %s: %w", a.cfg.Service, err)
	}
	for _, warning := range r.Warnings {
		a.log.Warn("registered, but look at this", keyService, a.cfg.Service, "warning", warning)
	}
	for _, change := range p.changes {
		a.log.Warn("the registration is changed, for events that are not yet copied", keyService, a.cfg.Service, "change", change)
	}
	if !r.Complete {
		a.log.Warn("ingest no longer holds all events: the table lacks rows that have not changed since; --start snapshot gets them", keyService, a.cfg.Service)
	}
	if was != nil && was.State == replhub.StateDetached {
		a.log.Warn("the lane was detached and begins again; rows that were deleted meanwhile stay in the table", keyService, a.cfg.Service, "reason", was.Reason)
	} else {
		a.refetch(ctx, p.widened)
	}
	return r, nil
}

// registered is how the service is registered; nil if it is not.
func (a *Applier) registered(ctx context.Context) (*replhub.Status, error) {
	was, err := a.client.Describe(ctx)
	if refused, ok := errors.AsType[*replhub.RefusedError](err); ok && refused.Code == replhub.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up how %s is registered: %w", a.cfg.Service, err)
	}
	return &was, nil
}

// refetch asks for rows again, or says how to.
func (a *Applier) refetch(ctx context.Context, entities []string) {
	for _, entity := range entities {
		if a.cfg.Start != replhub.StartSnapshot() {
			a.log.Warn("rows that were copied before do not fit the new registration: copy them again with replhub backfill",
				keyService, a.cfg.Service, keyEntity, entity)
			continue
		}
		b, err := a.client.Backfill(ctx, entity, "")
		if err != nil {
			a.log.Warn("rows that were copied before do not fit the new registration, and the request to copy them again failed: run replhub backfill later",
				keyService, a.cfg.Service, keyEntity, entity, keyErr, err)
			continue
		}
		a.log.Info("copying the owner's rows again, for the new registration", keyService, a.cfg.Service, keyEntity, entity, "backfill", b.ID)
	}
}

// wishes are the interests that the tables need as far as they are known.
func (a *Applier) wishes() []wish {
	all := make([]wish, 0, len(a.replicas))
	for _, r := range a.replicas {
		w := wish{entity: r.spec.Entity, where: r.spec.Where}
		m, table := r.known()
		if !a.cfg.WholeRows {
			w.fields, w.unmade = m.fields, table == nil
		}
		all = append(all, w)
	}
	return all
}
