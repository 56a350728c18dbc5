package deadletter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/hub/internal/episode"
	"github.com/replhub/replhub/hub/internal/hubstream"
	"github.com/replhub/replhub/hub/internal/retry"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/subjects"
)

const (
	// captureConsumer is shared by all hubs: each advisory is one hub's work.
	captureConsumer = "letters"
	// captureAckWait is the time after which another hub takes over an unfinished
	// advisory.
	captureAckWait = 30 * time.Second
	// captureAhead bounds the advisories fetched ahead, so those that wait for
	// captureAckWait when a hub dies.
	captureAhead = 50
	// captureRetry is the wait after a letter that could not be stored.
	captureRetry = time.Second
	// quotaRetry is the time until an advisory of a service over its quota is
	// delivered again.
	quotaRetry = 10 * time.Second
	// settleTime bounds the wait for the server to confirm a settlement.
	settleTime = 2 * time.Second
)

// capture makes letters of advisories.
type capture struct {
	js         jetstream.JetStream
	advisories *advisories
	quotas     *quotas
	log        *slog.Logger
	trouble    *episode.Log
}

// run turns advisories into letters until ctx ends.
func (c *capture) run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := c.work(ctx)
		if ctx.Err() == nil {
			c.trouble.Met(err)
			_ = retry.Sleep(ctx, captureRetry) // the loop looks at ctx
		}
	}
	return nil
}

// work captures until the advisories cannot be read. The letter is stored
// before its advisory is acknowledged: a crash in between does it again, and
// the letter is recognised.
func (c *capture) work(ctx context.Context) error {
	if _, err := c.advisories.stream.Look(ctx); err != nil {
		return err
	}
	consumer, err := c.js.CreateOrUpdateConsumer(ctx, contract.StreamAdvisories, jetstream.ConsumerConfig{
		Durable:     captureConsumer,
		Description: "replhub: makes dead letters of failed deliveries",
		AckPolicy:   jetstream.AckExplicitPolicy,
		AckWait:     captureAckWait,
		MaxDeliver:  -1,
		// Advisories of services over their quota wait, and must not hold back those
		// of others.
		MaxAckPending: -1,
	})
	if err != nil {
		return fmt.Errorf("create consumer %s of %s: %w", captureConsumer, contract.StreamAdvisories, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(captureAhead), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return fmt.Errorf("read %s: %w", contract.StreamAdvisories, err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read %s: %w", contract.StreamAdvisories, err)
		}
		err = c.handle(ctx, msg)
		if errors.Is(err, ErrQuota) {
			// Only that service's advisory waits; the others continue.
			_ = msg.NakWithDelay(quotaRetry)
			continue
		}
		c.trouble.Met(err)
		if err != nil {
			// Whether or not this arrives, the advisory comes again.
			_ = msg.NakWithDelay(captureRetry)
			_ = retry.Sleep(ctx, captureRetry) // the loop looks at ctx
			continue
		}
		if err := msg.Ack(); err != nil {
			return fmt.Errorf("acknowledge an advisory: %w", err)
		}
	}
}

// handle settles one advisory.
func (c *capture) handle(ctx context.Context, msg jetstream.Msg) error {
	f, service, ours, err := decodeAdvisory(msg.Subject(), msg.Data())
	switch {
	case err != nil:
		c.log.Error("an advisory cannot be read; the audit will find the delivery", "err", err)
		return nil
	case !ours:
		return nil
	}
	return c.store(ctx, service, f)
}

// store stores the letter of a failed delivery, and then settles the delivery
// with its consumer.
func (c *capture) store(ctx context.Context, service subjects.Name, f failed) error {
	if err := c.quotas.refused(service); err != nil {
		return err
	}
	log := c.log.With("service", service.String(), "consumer", f.consumer, "seq", f.seq)
	stream, err := c.js.Stream(ctx, f.stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil // dropped, and its copies with it
	}
	if err != nil {
		return fmt.Errorf("look up lane %s: %w", service, err)
	}
	info := stream.CachedInfo()
	if !hubstream.Is(info.Config) || info.Created.After(f.at) {
		return nil // not the hub's, or not the lane that the advisory speaks of
	}
	copied, err := stream.GetMsg(ctx, f.seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		level := slog.LevelWarn
		if f.text == deletedReason {
			level = slog.LevelDebug // erased while a worker held it
		}
		log.Log(ctx, level, "a failed delivery has no dead letter: its copy is gone from the lane", "reason", f.reason)
		return c.settle(ctx, stream, f)
	}
	if err != nil {
		return fmt.Errorf("read lane %s at %d: %w", service, f.seq, err)
	}
	subject, err := subjects.ParseCopy(copied.Subject)
	if err != nil || subject.Service() != service {
		log.Error("a failed delivery has no dead letter: its message is not a copy of the hub", "subject", copied.Subject)
		return c.settle(ctx, stream, f)
	}
	letter, id := letterOf(subject, copied, f, c.js.Conn().MaxPayload())
	seq, _, err := c.quotas.appendWithin(ctx, service, letter, id)
	if err != nil {
		return err
	}
	if dropped, err := c.dropped(ctx, service, info.Created); err != nil {
		return err
	} else if dropped {
		return c.quotas.store.Remove(ctx, &Letter{Seq: seq})
	}
	if erased, err := erasedMeanwhile(ctx, stream, f.seq); err != nil {
		return err
	} else if erased {
		log.Debug("dead letter removed: its copy was erased meanwhile", "reason", f.reason)
		if err := c.quotas.store.Remove(ctx, &Letter{Seq: seq}); err != nil {
			return err
		}
		return c.settle(ctx, stream, f)
	}
	log.Debug("dead letter stored", "reason", f.reason)
	return c.settle(ctx, stream, f)
}

// settle acknowledges an exhausted delivery in its consumer's name. The message is no
// longer pending there; the acknowledgement makes the consumer forget its redelivery
// count, the only trace that it has no letter (nats-server 2.15.2, consumer.go,
// processAckMsgLocked). If the acknowledgement is lost, the audit does it again.
func (c *capture) settle(ctx context.Context, stream jetstream.Stream, f failed) error {
	if f.reason != contract.ReasonMaxDeliver {
		return nil // the consumer already counts it as acknowledged
	}
	consumer, err := stream.Consumer(ctx, f.consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up consumer %s of %s: %w", f.consumer, f.stream, err)
	}
	if consumer.CachedInfo().Created.After(f.at) {
		return nil // created again: there the message may be with a worker
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	// $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time>.<pending>;
	// the consumer goes by the stream sequence alone.
	subject := "$JS.ACK." + f.stream + "." + f.consumer + ".1." + strconv.FormatUint(f.seq, 10) + ".0.0.0"
	if _, err := c.js.Conn().RequestWithContext(ctx, subject, []byte("+ACK")); err != nil {
		c.log.Debug("settle an exhausted delivery; the audit will settle it", "stream", f.stream, "seq", f.seq, "err", err)
	}
	return nil
}
