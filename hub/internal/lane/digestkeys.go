package lane

import (
	"context"
	"slices"
	"time"

	"github.com/replhub/replhub/hub/internal/match"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/digest"
)

// digestKeysHere makes a digest of the rows of some keys, which come to this hub. The owner
// looks the keys up, or reads its rows behind a place.
func (o owner) digestKeysHere(ctx context.Context, ready *match.Interest, from place, query contract.DigestQuery) (made contract.Digested, to place, err error) {
	collector, err := digest.NewCollector(query, o.listBytes())
	if err != nil {
		return made, from, err
	}
	at, err := watermark(ctx, o.ingest)
	if err != nil {
		return made, from, err
	}
	answer := func(end bool) (contract.Digested, place, error) {
		made, err := collector.Answer(end)
		return made, to, err
	}
	table, keys := match.New(o.service, 1, []*match.Interest{ready}), query.Keys
	to = from
	for until := time.Now().Add(digestTime); ; {
		found, err := o.someOf(ctx, keys, to.read)
		if err == nil {
			err = o.own(found.origin)
		}
		if err != nil {
			return made, from, err
		}
		chunk, err := o.decode(at, Snapshot{After: to.read}, found.origin, found.rows)
		if err != nil {
			return made, from, err
		}
		for _, e := range chunk.rows {
			if collector.Full() {
				return answer(false)
			}
			got := judged(table, collector, e)
			switch {
			case found.looked > 0: // no place behind a row: another hub begins anew
				to.looked += slices.Index(query.Keys[to.looked-from.looked:], e.Key) + 1
			case got:
				to.read, to.got = e.Key, e.Key
			default:
				to.read = e.Key
			}
		}
		if found.looked > 0 {
			keys = keys[found.looked:]
			to.looked = from.looked + len(query.Keys) - len(keys)
		} else {
			to.read = found.after
		}
		if found.end || len(keys) == 0 {
			return answer(true)
		}
		if time.Now().After(until) {
			return answer(false)
		}
	}
}
