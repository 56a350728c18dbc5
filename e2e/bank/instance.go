package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/inbox"
)

// service is one of the two that replicate accounts.
type service struct {
	fields  []string
	ordered bool
	// applier is how it applies what it is sent.
	applier func(s settings, in *inbox.Inbox, db *sql.DB) (applier, error)
}

func serviceNamed(name string) (service, error) {
	switch name {
	case "ledger":
		return service{fields: []string{"id", "change", "balance"}, ordered: true, applier: newOwnEffects}, nil
	case "cards":
		return service{fields: []string{"id", "change", "event", "owner.city"}, applier: newTableEffects}, nil
	}
	return service{}, fmt.Errorf("no service %q", name)
}

// applier makes the effects of deliveries in one transaction, and returns what
// became of each, for the journal.
type applier interface {
	apply(ctx context.Context, batch []*replhub.Delivery) ([]string, error)
}

// instance applies what its service is sent until ctx ends.
func instance(ctx context.Context, s settings, log *slog.Logger) (err error) {
	svc, err := serviceNamed(s.service)
	if err != nil {
		return err
	}
	client, err := connect(ctx, s, s.service, log)
	if err != nil || client == nil {
		return err
	}
	defer client.Close()
	in, err := newInbox()
	if err != nil {
		return err
	}
	db, err := open(s.db, s.workers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	a, err := svc.applier(s, in, db)
	if err != nil {
		return err
	}
	var j journal = &tableJournal{db: db, instance: s.name, partitions: s.partitions}
	if s.journal != "" {
		if j, err = openJournal(s.journal); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, j.close()) }()
	subscription := subscriptionOf(svc, s)
	if s.batches {
		return client.RunBatchSubscriber(ctx, subscription, noting(j, a))
	}
	return client.RunSubscriber(ctx, subscription, one(noting(j, a)))
}

func subscriptionOf(svc service, s settings) replhub.SubscriberConfig {
	// The server's deliveries are many where so much is killed.
	queue := replhub.Queue{Order: replhub.OrderNone, AckWait: 4 * time.Second, MaxDeliver: 1000}
	if svc.ordered && s.without != withoutExclusivity {
		queue.Order, queue.Partitions = replhub.OrderKey, s.partitions
	}
	return replhub.SubscriberConfig{
		Registration: replhub.Registration{
			Interests: []replhub.Interest{{Entity: "account", Fields: svc.fields, Start: replhub.StartAll()}},
			Queue:     queue,
		},
		Workers: s.workers, Instance: s.name, MaxAttempts: 1000, MaxBackoff: time.Second,
	}
}
