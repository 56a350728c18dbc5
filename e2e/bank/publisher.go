package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/outbox"
)

// origin is the service that owns the accounts.
const origin = "bank"

// publish is a process of the bank: tellers, and a relay beside them.
func publish(ctx context.Context, s settings, log *slog.Logger) error {
	box, err := newOutbox()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range s.workers {
		group.Go(func() error { return tell(ctx, s, box, i) })
	}
	group.Go(func() error { return runRelay(ctx, s, box, log) })
	return group.Wait()
}

// tell runs one teller. What it chooses follows from the seed and from its name.
func tell(ctx context.Context, s settings, box *outbox.Outbox, i int) (err error) {
	t := &teller{s: s, name: fmt.Sprintf("%s.%d", s.name, i), box: box}
	h := fnv.New64a()
	h.Write([]byte(t.name))
	t.rand = rand.New(rand.NewPCG(s.seed, h.Sum64()))
	for _, conn := range []**pgx.Conn{&t.conn, &t.beside} {
		if *conn, err = pgx.Connect(ctx, s.db); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		defer func() {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			err = errors.Join(err, (*conn).Close(closing))
		}()
	}
	return t.run(ctx)
}

// relay is a process that publishes what other processes committed.
func relay(ctx context.Context, s settings, log *slog.Logger) error {
	box, err := newOutbox()
	if err != nil {
		return err
	}
	return runRelay(ctx, s, box, log)
}

func runRelay(ctx context.Context, s settings, box *outbox.Outbox, log *slog.Logger) (err error) {
	client, err := connect(ctx, s, origin, log)
	if err != nil || client == nil {
		return err
	}
	defer client.Close()
	const workers = 4
	db, err := open(s.db, workers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	r, err := box.NewRelay(outbox.RelayConfig{DB: db, Publisher: client, Workers: workers, MaxBackoff: time.Second, Logger: log})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// connect waits for NATS and a hub; no client and no error is the end of ctx.
func connect(ctx context.Context, s settings, service string, log *slog.Logger) (*replhub.Client, error) {
	client, err := replhub.Connect(ctx, replhub.Config{URL: s.nats, Service: service, WaitForHub: true, Logger: log})
	if err != nil && ctx.Err() != nil {
		return nil, nil
	}
	return client, err
}
