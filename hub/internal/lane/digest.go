package lane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/hub/internal/ingest"
	"github.com/replhub/replhub/hub/internal/lane/record"
	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/digest"
	"github.com/replhub/replhub/subjects"
)

const (
	// digestTime is how long rows are read for one digest. It leaves a caller that waits for
	// five seconds time for the answer.
	digestTime = 3 * time.Second
	// digestList bounds the list in a digest, in bytes.
	digestList = 256 << 10
)

// DigestOf says of which rows a digest is made.
type DigestOf struct {
	Conn     *nats.Conn
	Ingest   *ingest.Ingest
	Service  subjects.Name
	Interest Interest
	// Places are those of this process.
	Places *Places
}

// whose says for whom a place is sealed.
func (d DigestOf) whose() string { return d.Service.String() + "/" + d.Interest.Entity }

// Digest makes a digest of the rows that an owner has behind a place, as the service would
// get them. Where the service gets every row, and the first level of each path whole or
// not at all, the owner makes the digest, and no row is sent. Otherwise, and for an owner
// of an earlier version, the rows come to this hub, which applies filter and fields.
func (d DigestOf) Digest(ctx context.Context, after string, query contract.DigestQuery) (contract.Digested, error) {
	ready, err := d.Interest.ForRows(nil).Compile()
	if err != nil {
		return contract.Digested{}, fmt.Errorf("compile the interest in %s: %w", d.Interest.Entity, err)
	}
	from, err := d.Places.open(after, d.whose())
	if err != nil {
		return contract.Digested{}, err
	}
	o := owner{nc: d.Conn, ingest: d.Ingest, service: d.Service, interest: d.Interest}
	at, err := watermark(ctx, d.Ingest)
	if err != nil {
		return contract.Digested{}, err
	}
	made, to, done := contract.Digested{}, place{}, false
	if len(query.Keys) > 0 {
		if query.Keys = query.Keys[min(from.looked, len(query.Keys)):]; len(query.Keys) == 0 {
			return contract.Digested{End: true}, nil
		}
	}
	if columns, ok := ready.Narrow(query.Columns); ok && !ready.Judges() {
		narrowed := query
		narrowed.Columns = columns
		if made, done, err = o.digest(ctx, from.read, narrowed); err != nil {
			return contract.Digested{}, err
		}
		to.looked = from.looked + made.Looked
	}
	switch {
	case done:
	case len(query.Keys) > 0:
		made, to, err = o.digestKeysHere(ctx, ready, from, query)
	default:
		made, to, err = o.digestHere(ctx, ready, from, query)
	}
	if err == nil && (!done || made.Looked > 0) {
		made.After, err = d.Places.seal(to, d.whose())
	}
	if err != nil {
		return contract.Digested{}, err
	}
	made.Epoch, made.Seq, made.Looked = at.Epoch, at.Seq, 0
	return made, nil
}

// digest has the owner make a digest. done is false where the owner answers with rows.
func (o owner) digest(ctx context.Context, after string, query contract.DigestQuery) (made contract.Digested, done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*digestTime+silenceTime)
	defer cancel()
	sub, err := o.request(contract.SnapshotRequest{
		After: after, Limit: 1, MaxBytes: o.listBytes(), Timeout: contract.Duration(2 * digestTime), Digest: &query,
		Lookup: after == "" && len(query.Keys) > 0,
	})
	if err != nil {
		return made, false, fmt.Errorf("ask for a digest of %s: %w", o.interest.Entity, err)
	}
	// It fails only where the connection is closed, which also ends the subscription.
	defer func() { _ = sub.Unsubscribe() }()
	for {
		m, err := o.next(ctx, sub)
		if err != nil {
			return made, false, err
		}
		switch m.Header.Get(contract.HeaderSnapshot) {
		case contract.SnapshotWait:
			continue
		case contract.SnapshotError:
			return made, false, fmt.Errorf("the owner of %s has no answer: %s", o.interest.Entity, record.Clip(m.Header.Get(contract.HeaderError)))
		case contract.SnapshotEnd:
			return made, done, o.own(m.Header.Get(contract.HeaderOrigin))
		}
		if m.Header.Get(contract.HeaderDigest) == "" {
			return made, false, nil // a row
		}
		if err := json.Unmarshal(m.Data, &made); err != nil {
			return made, false, fmt.Errorf("read a digest of the owner of %s: %w", o.interest.Entity, err)
		}
		done = true
	}
}

// own refuses the rows of a service that does not get what it publishes itself.
func (o owner) own(origin string) error {
	if origin == o.service.String() && !o.interest.Echo {
		return contract.FieldErrorf(contract.CodeConflict, "entity", "%s owns the rows of %s itself, and gets no rows without echo", o.service, o.interest.Entity)
	}
	return nil
}

func (o owner) listBytes() int { return min(digestList, int(o.nc.MaxPayload())/4) }

// digestHere makes a digest of rows that come to this hub, behind a place. It counts the
// rows that the service gets, and returns the place up to which all rows were read.
func (o owner) digestHere(ctx context.Context, ready *match.Interest, from place, query contract.DigestQuery) (made contract.Digested, to place, err error) {
	collector, err := digest.NewCollector(query, o.listBytes())
	if err != nil {
		return made, from, err
	}
	answer := func(end bool) (contract.Digested, place, error) {
		made, err := collector.Answer(end)
		return made, to, err
	}
	table := match.New(o.service, 1, []*match.Interest{ready})
	to = from
	for until := time.Now().Add(digestTime); ; {
		c, err := o.ask(ctx, Snapshot{After: to.read})
		switch {
		case err != nil && to.read != from.read && ctx.Err() == nil:
			return answer(false) // the next request meets the error, if it stays
		case err != nil:
			return made, from, err
		case len(c.rows) == 0:
			return answer(true)
		}
		if err := o.own(c.origin); err != nil {
			return made, from, err
		}
		for _, e := range c.rows {
			to.read = e.Key
			if judged(table, collector, e) {
				to.got = e.Key
			}
			if collector.Full() {
				return answer(false)
			}
		}
		if time.Now().After(until) {
			return answer(false)
		}
	}
}

// judged adds a row to a digest, and reports whether the service gets it.
func judged(table *match.Table, collector *digest.Collector, e *event.Event) bool {
	switch decision := table.Expand(e); decision.Kind {
	case match.Copy:
		collector.Add(e.Key, decision.Data)
		collector.Read(e.Key)
		return true
	case match.Dead:
		collector.Unjudged()
	case match.Skip:
	}
	return false
}

// IsOwnerTrouble reports whether an error is about the rows' owner, which may answer later.
func IsOwnerTrouble(err error) bool {
	_, refused := errors.AsType[*contract.Error](err)
	return !refused
}
