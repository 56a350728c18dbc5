package place

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// JetStream returns js, whose domain is given, with a check of every acknowledgement: an
// acknowledgement from another domain does not prove that this domain has stored the
// message.
func JetStream(js jetstream.JetStream, domain string) jetstream.JetStream { return checked{js, domain} }

type checked struct {
	jetstream.JetStream

	domain string
}

func (c checked) Publish(ctx context.Context, subject string, data []byte, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	return c.check(c.JetStream.Publish(ctx, subject, data, opts...))
}

func (c checked) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	return c.check(c.JetStream.PublishMsg(ctx, m, opts...))
}

func (c checked) check(ack *jetstream.PubAck, err error) (*jetstream.PubAck, error) {
	if err == nil && ack.Domain != c.domain {
		return nil, fmt.Errorf("stream %s of another JetStream (%s) has acknowledged, and not one of this hub's (%s): keep one installation in an account (docs/operations.md, Several places)",
			ack.Stream, domainText(ack.Domain), domainText(c.domain))
	}
	return ack, err
}
