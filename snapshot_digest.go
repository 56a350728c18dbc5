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
	answer    *answer
	collector *digest.Collector
	until     time.Time
	last      string // key of the last row
	fresh     int    // rows of this call of the function
}

// digest answers with a digest of rows.
func (s *snapshots) digest(ctx context.Context, a *answer) error {
	limit := cmp.Or(time.Duration(a.asked.Timeout), snapshotTime)
	collector, err := digest.NewCollector(*a.asked.Digest, a.asked.MaxBytes)
	if err != nil {
		return err
	}
	d := &digesting{answer: a, collector: collector, until: time.Now().Add(limit / 2), last: a.asked.After}
	for {
		d.fresh = 0
		err := s.rows(ctx, d.last, d.yield)
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
	return d.collector.Full() || d.collector.Rows() > 0 && time.Now().After(d.until)
}

func (d *digesting) yield(ev Event) error {
	if d.answer.failed != nil {
		return d.answer.failed
	}
	// The clock is read once for some rows, since that costs as much as a small row.
	if d.fresh%64 == 0 && d.enough() || d.collector.Full() {
		return errEnough
	}
	key, err := d.answer.key(ev)
	if err == nil && key == d.last {
		err = errors.New("is given again: rows must begin behind the key that is asked for")
	}
	if err != nil {
		d.answer.failed = fmt.Errorf("row %s: %w", contract.Quote(ev.Key), err)
		return d.answer.failed
	}
	d.collector.Add(key, ev.Data)
	d.collector.Read(key)
	d.fresh++
	d.last = key
	return nil
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

// send sends the digest. Behind it comes the end of the answer, as behind rows.
func (d *digesting) send(end bool) error {
	made, err := d.collector.Answer(end)
	if err != nil {
		return err
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
