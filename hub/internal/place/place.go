// Package place finds other installations of replhub in the hub's account. A leafnode
// connects servers that may each have a JetStream (domain) of their own. The subjects
// of the account then reach all these JetStreams. If two of them have the hub's
// streams, every event and every copy is stored twice, and a client cannot tell which
// JetStream has acknowledged. It is not promised that streams are found whose server
// does not answer.
package place

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Subject is the subject on which each hub answers with its Self. It has the form of a
// request to one hub, because hubs have the permission for such subjects. No hub has
// the id "@all".
const Subject = "replhub._to.@all.place.hub"

// Self is a hub's description of itself.
type Self struct {
	// Installation is the installation's id, Domain its JetStream domain.
	Installation string `json:"installation"`
	Domain       string `json:"domain,omitempty"`
	Hub          string `json:"hub"`
	// Version is the hub's, and Time its clock; for people, and absent in earlier versions.
	Version string    `json:"version,omitempty"`
	Time    time.Time `json:"time,omitzero"`
}

// Found are the answers to one question to the account.
type Found struct {
	// Hubs are the running hubs, including this one if it already answers.
	Hubs []Self
	// Takers are the streams that take the ledger's subject, by their names.
	Takers []string
}

// noStream is the expected stream of a message that no stream may store: each stream
// that takes the subject refuses the message, and names itself in the refusal.
const noStream = "-"

// Ask asks for hubs, and for streams that take the subject of the ledger. It listens
// for the given time, or until it knows that there is no hub and no such stream.
func Ask(ctx context.Context, nc *nats.Conn, ledger string, listen time.Duration) (*Found, error) {
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox + ".*")
	if err != nil {
		return nil, fmt.Errorf("ask for other installations: %w", err)
	}
	defer func() {
		_ = sub.Unsubscribe() // fails only where the connection is closed, which also ends the subscription
	}()
	hubs, streams := inbox+".hub", inbox+".stream"
	probe := nats.NewMsg(ledger)
	probe.Reply = streams
	probe.Header.Set(jetstream.ExpectedStreamHeader, noStream)
	for _, m := range []*nats.Msg{{Subject: Subject, Reply: hubs}, probe} {
		if err := nc.PublishMsg(m); err != nil {
			return nil, fmt.Errorf("ask for other installations: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, listen)
	defer cancel()
	found := new(Found)
	for nobody := 0; nobody < 2; {
		m, err := sub.NextMsgWithContext(ctx)
		switch {
		case ctx.Err() != nil:
			return found, nil
		case errors.Is(err, nats.ErrNoResponders):
			nobody++
		case err != nil:
			return nil, fmt.Errorf("ask for other installations: %w", err)
		case m.Subject == hubs:
			found.addHub(m.Data)
		default:
			found.addTaker(m.Data)
		}
	}
	return found, nil
}

// addHub adds a hub's answer. Other messages are ignored.
func (f *Found) addHub(data []byte) {
	var self Self
	if json.Unmarshal(data, &self) == nil && self.Installation != "" {
		f.Hubs = append(f.Hubs, self)
	}
}

// addTaker adds a stream's answer: a refusal that names the stream.
func (f *Found) addTaker(data []byte) {
	var ack struct {
		Stream string `json:"stream"`
	}
	if json.Unmarshal(data, &ack) == nil && ack.Stream != "" {
		f.Takers = append(f.Takers, ack.Stream)
	}
}
