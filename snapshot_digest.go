package replhub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/digest"
)

// digesting makes a digest of rows instead of sending them. A SnapshotFunc may return
// before the last row; the digest covers the rows of as many calls as there is time for.
type digesting struct {
	answer *answer
	// collector makes a digest; nil where rows of some keys are asked for.
	collector *digest.Collector
	keys      map[string]bool
	until     time.Time
	read      contract.Digested // how far the rows were read
	fresh     int               // rows of this call of the function
}

// digest answers with a digest of rows.
func (s *snapshots) digest(ctx context.Context, a *answer) error {
	limit := cmp.Or(time.Duration(a.asked.Timeout), snapshotTime)
	d := &digesting{answer: a, until: time.Now().Add(limit / 2), read: contract.Digested{After: a.asked.After}}
	if a.asked.Digest != nil {
		var err error
		if d.collector, err = digest.NewCollector(*a.asked.Digest, a.asked.MaxBytes); err != nil {
			return err
		}
	}
	if len(a.asked.Keys) > 0 {
		d.keys = make(map[string]bool, len(a.asked.Keys))
		for _, key := range a.asked.Keys {
			d.keys[key] = true
		}
	}
	if a.asked.Lookup && s.lookup != nil {
		if err := s.lookUp(ctx, d); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	for {
		d.fresh = 0
		err := s.rows(ctx, d.read.After, d.yield)
		switch {
		case a.failed != nil:
			return a.failed
		case d.enough():
			return d.send(false)
		case err != nil:
			return err
		case d.fresh == 0:
			return d.send(true)
		}
	}
}

func (d *digesting) enough() bool {
	return d.full() || (d.read.Rows > 0 || d.read.Looked > 0) && time.Now().After(d.until)
}

func (d *digesting) full() bool {
	if d.collector == nil {
		return d.answer.full()
	}
	return d.collector.Full()
}

func (d *digesting) yield(ev Event) error {
	if d.answer.failed != nil {
		return d.answer.failed
	}
	// The clock is read once for some rows, since that costs as much as a small row.
	if d.fresh%64 == 0 && d.enough() || d.full() {
		return errEnough
	}
	key, err := d.answer.key(ev)
	if err == nil && key == d.read.After {
		err = errors.New("is given again: rows must begin behind the key that is asked for")
	}
	if err != nil {
		d.answer.failed = fmt.Errorf("row %s: %w", contract.Quote(ev.Key), err)
		return d.answer.failed
	}
	d.read.After = key
	d.fresh++
	return d.take(key, ev)
}

// take adds a row to the answer.
func (d *digesting) take(key string, ev Event) error {
	d.read.Rows++
	if d.collector != nil {
		d.collector.Add(key, ev.Data)
		d.collector.Read(key)
		return nil
	}
	if !d.keys[key] {
		return nil
	}
	ev.Key = key
	return d.answer.yield(ev)
}

// key is a row's key, checked as a row on its way to the hub is.
func (a *answer) key(ev Event) (string, error) {
	switch {
	case ev.Entity != "" && ev.Entity != a.entity:
		return "", invalid("Entity", "%s in a snapshot of %s", contract.Quote(ev.Entity), a.entity)
	case ev.Key == "":
		ev.Key = KeyOf(ev)
	}
	if !contract.ValidKey(ev.Key) {
		return "", invalid("Key", "a row needs one that a header can carry")
	}
	return ev.Key, nil
}

// send sends the digest. Behind it comes the end of the answer, as behind rows; behind
// rows of keys, the end says how far the rows were read.
func (d *digesting) send(end bool) error {
	if d.collector == nil {
		d.read.End = end
		text, err := json.Marshal(d.read)
		d.answer.read = string(text)
		return err
	}
	made, err := d.collector.Answer(end)
	if err != nil {
		return err
	}
	if made.Looked = d.read.Looked; made.Looked > 0 {
		made.After = "" // rows that are looked up come in no order
	}
	body, err := json.Marshal(made)
	if err != nil {
		return err
	}
	m := &nats.Msg{Subject: d.answer.subject, Header: nats.Header{contract.HeaderDigest: []string{"1"}}, Data: body}
	if err := d.answer.client.nc.PublishMsg(m); err != nil {
		return fmt.Errorf("send a digest: %w", sendFailed(err, d.answer.client.nc.MaxPayload()).err)
	}
	return nil
}
