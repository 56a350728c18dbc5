package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/replhub/replhub/internal/contract"
)

// errContents: a lane does not hold each event once and in order, so its rate
// means nothing.
var errContents = errors.New("wrong contents")

// checker judges the copies of one lane, in the lane's order: each of 1 to want
// has to come once and in order.
type checker struct {
	want uint64
	last uint64
}

// add takes the number of the next copy.
func (c *checker) add(n uint64) error {
	switch {
	case n == 0 || n > c.want:
		return fmt.Errorf("%w: event %d was never published", errContents, n)
	case n == c.last:
		return fmt.Errorf("%w: event %d twice", errContents, n)
	case n < c.last:
		return fmt.Errorf("%w: event %d behind %d: twice or out of order", errContents, n, c.last)
	case n > c.last+1:
		return fmt.Errorf("%w: event %d follows %d: %d missing or out of order", errContents, n, c.last, n-c.last-1)
	}
	c.last = n
	return nil
}

// done is asked after the lane's last copy.
func (c *checker) done() error {
	if c.last != c.want {
		return fmt.Errorf("%w: ends with event %d of %d", errContents, c.last, c.want)
	}
	return nil
}

// sequenceOf reads the ingest sequence that a copy's headers name, in the manner
// of the one who made the copy. Nil is for copies that name none.
type sequenceOf func(h nats.Header) (uint64, error)

func hubSequence(h nats.Header) (uint64, error) {
	_, seq, err := contract.ParsePosition(h.Get(contract.HeaderPosition))
	return seq, err
}

// sourcedSequence reads the server's "<stream> <sequence> <filter> …".
func sourcedSequence(h nats.Header) (uint64, error) {
	fields := strings.Fields(h.Get("Nats-Stream-Source"))
	if len(fields) < 2 || fields[0] != contract.StreamIngest {
		return 0, fmt.Errorf("source header %q", fields)
	}
	return strconv.ParseUint(fields[1], 10, 64)
}

// sameSequence checks that the headers name the event that the payload carries:
// event n was published as ingest sequence n.
func sameSequence(sequence sequenceOf, h nats.Header, n uint64) error {
	if sequence == nil {
		return nil
	}
	seq, err := sequence(h)
	if err != nil {
		return fmt.Errorf("%w: event %d: %w", errContents, n, err)
	}
	if seq != n {
		return fmt.Errorf("%w: the headers of event %d name sequence %d", errContents, n, seq)
	}
	return nil
}

// checkedAtOnce is how many lanes are read at a time.
const checkedAtOnce = 4

// checkWithin bounds the reading of all lanes: a copy that the server counts and
// does not deliver must not hold the run up.
const checkWithin = 5 * time.Minute

// checkAll reads every lane and checks that it holds each of n events
// once, in order.
func checkAll(ctx context.Context, js jetstream.JetStream, lanes []laneStream, events int, sequence sequenceOf) error {
	ctx, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(checkedAtOnce)
	for _, l := range lanes {
		group.Go(func() error {
			if err := checkLane(ctx, js, l, events, sequence); err != nil {
				return fmt.Errorf("check %s: %w", l.name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

func checkLane(ctx context.Context, js jetstream.JetStream, l laneStream, events int, sequence sequenceOf) error {
	consumer, err := js.CreateConsumer(ctx, l.name, jetstream.ConsumerConfig{
		FilterSubject: l.copies, AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true,
	})
	if err != nil {
		return err
	}
	if have := consumer.CachedInfo().NumPending; have != uint64(events) {
		return fmt.Errorf("%w: %d copies of %d events", errContents, have, events)
	}
	msgs, err := consumer.Messages(jetstream.PullMaxMessages(4000))
	if err != nil {
		return err
	}
	defer msgs.Stop()
	c := checker{want: uint64(events)}
	for range events {
		m, err := msgs.Next(jetstream.NextContext(ctx))
		if err != nil {
			return err
		}
		n, err := numberIn(m.Data())
		if err != nil {
			return err
		}
		if err := sameSequence(sequence, m.Headers(), n); err != nil {
			return err
		}
		if err := c.add(n); err != nil {
			return err
		}
	}
	return c.done()
}
