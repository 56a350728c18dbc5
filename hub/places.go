package hub

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/control"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/place"
	"github.com/replhub/replhub/hub/internal/retry"
)

const (
	// placesEvery is the time between two questions for other installations.
	placesEvery = 5 * time.Second
	// placesStart and placesListen are how long answers are awaited, at the start and
	// later. A start beside streams that exist waits that long, unless it is
	// recorded that the installation was alone; where there are no streams, no answer is awaited.
	// An answer of another region takes a few round trips.
	placesStart  = 500 * time.Millisecond
	placesListen = time.Second
	// placesTimes is how many questions in a row must find another installation: while
	// the leader of a stream changes, the old one and the new one may both answer.
	placesTimes = 3
)

// refuseOthers refuses a start beside another installation in the same account, before
// this hub has created a stream. It does not ask where the last hub of this installation
// was alone: the watch asks as soon as the hub runs, and a start that waits for answers
// would delay every copy after a restart.
func (h *Hub) refuseOthers(ctx context.Context) error {
	last, err := ingest.LookUp(ctx, h.js, h.domain)
	if err != nil || last.Alone {
		return err
	}
	return h.findOthers(ctx, placesStart, func() (place.Here, error) {
		p, err := ingest.LookUp(ctx, h.js, h.domain)
		return place.Here{
			Self: place.Self{Installation: p.Installation, Domain: h.domain, Hub: h.cfg.ID}, Ledger: p.Ledger, Ingest: p.Events,
		}, err
	})
}

// findOthers asks for other installations until one question finds none, or
// placesTimes questions in a row find one. It returns the answer that says most: the other
// hub may end by itself between two questions. here is called after each question: a hub of
// this installation may have begun it meanwhile.
func (h *Hub) findOthers(ctx context.Context, listen time.Duration, here func() (place.Here, error)) error {
	var other *place.OtherError
	for range placesTimes {
		found, err := place.Ask(ctx, h.nc, ingest.LedgerSubject, listen)
		if err != nil {
			return err
		}
		at, err := here()
		if err != nil {
			return err
		}
		one := found.Judge(at)
		if one == nil {
			return nil
		}
		if other == nil || other.Hub == nil {
			other = one
		}
	}
	return other
}

// watchPlaces ends the hub when another installation comes into its account, for example
// by a leafnode that was connected after the start: every further copy could be stored
// in both, and the acknowledgement of either would count.
func (h *Hub) watchPlaces(ctx context.Context) error {
	sub, err := h.nc.Subscribe(place.Subject, func(m *nats.Msg) { h.answerPlace(ctx, m) })
	if err != nil {
		return err
	}
	defer func() {
		_ = sub.Unsubscribe() // fails only where the connection is closed, which also ends the subscription
	}()
	for {
		err := h.findOthers(ctx, min(placesListen, h.cfg.TrimEvery), func() (place.Here, error) {
			self, err := h.self(ctx)
			return place.Here{Self: self, Ledger: true, Ingest: true}, err
		})
		if _, other := errors.AsType[*place.OtherError](err); other {
			// The next start then asks before it copies.
			if unknown := h.ingest.SetAlone(ctx, h.domain, false); unknown != nil {
				h.log.Warn("the next start will copy before it asks for other installations", "err", unknown)
			}
			return err
		}
		if err != nil && ctx.Err() == nil {
			h.log.Debug("ask for other installations", "err", err) // the next question tells
		}
		if err := retry.Sleep(ctx, min(placesEvery, h.cfg.TrimEvery)); err != nil {
			return nil
		}
	}
}

// self reads this hub's installation from the ledger: another hub may have restored it.
func (h *Hub) self(ctx context.Context) (place.Self, error) {
	ctx, cancel := context.WithTimeout(ctx, placesListen)
	defer cancel()
	id, err := h.ingest.Installation(ctx)
	return place.Self{Installation: id, Domain: h.domain, Hub: h.cfg.ID}, err
}

// answerPlace tells another hub who this one is. A hub that cannot read the ledger does
// not answer.
func (h *Hub) answerPlace(ctx context.Context, m *nats.Msg) {
	if !control.Answerable(m.Reply) {
		return
	}
	self, err := h.self(ctx)
	if err != nil {
		h.log.Debug("answer where this hub is", "err", err)
		return
	}
	self.Version, self.Time = h.cfg.Version, time.Now()
	data, err := json.Marshal(self)
	if err == nil {
		err = h.nc.Publish(m.Reply, data)
	}
	if err != nil {
		h.log.Debug("answer where this hub is", "err", err)
	}
}
