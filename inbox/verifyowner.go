package inbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/digest"
)

// ownerRows are the rows of an entity's owner, as the service gets them. The hub reads
// them from the owner, and answers with digests.
type ownerRows struct {
	client  *replhub.Client
	entity  string
	columns []digest.Column
}

// mostBuckets is how many buckets a reply has room for.
func (o ownerRows) mostBuckets() int {
	most := contract.MaxBuckets / 2
	for most > minBuckets && int64(most)*16 > o.client.MaxPayload() {
		most /= 2
	}
	return most
}

// sums are the sums of all rows.
func (o ownerRows) sums(ctx context.Context, buckets int, tell func(rows uint64)) (digest.Sums, contract.Digested, error) {
	all := make(digest.Sums, buckets)
	whole, err := o.each(ctx, contract.DigestQuery{Columns: o.columns, Buckets: buckets}, tell, func(part *contract.Digested) error {
		var sums digest.Sums
		if err := sums.UnmarshalBinary(part.Sums); err != nil {
			return err
		}
		return all.Join(sums)
	})
	return all, whole, err
}

// list returns the hashes of the rows of some buckets, by key.
func (o ownerRows) list(ctx context.Context, of digest.Set, buckets int, tell func(rows uint64)) (map[string]uint64, error) {
	rows := map[string]uint64{}
	_, err := o.each(ctx, contract.DigestQuery{Columns: o.columns, Buckets: buckets, List: of}, tell, func(part *contract.Digested) error {
		if len(part.Hashes) != 8*len(part.Keys) {
			return errors.New("the list of rows is damaged")
		}
		for n, key := range part.Keys {
			rows[key] = binary.LittleEndian.Uint64(part.Hashes[8*n:])
		}
		return nil
	})
	return rows, err
}

// keysAsked bounds one request's keys, in bytes.
const keysAsked = 256 << 10

// values visits the rows of some keys. A key without a row is left out.
func (o ownerRows) values(ctx context.Context, keys []string, tell func(rows uint64), visit func(key string, values []string)) error {
	for len(keys) > 0 {
		n, bytes := 0, 0
		for n < len(keys) && (n == 0 || bytes+len(keys[n])+3 <= min(keysAsked, int(o.client.MaxPayload())/4)) {
			bytes += len(keys[n]) + 3
			n++
		}
		_, err := o.each(ctx, contract.DigestQuery{Columns: o.columns, Buckets: 1, Keys: keys[:n]}, tell, func(part *contract.Digested) error {
			for n, key := range part.Keys {
				visit(key, part.Values[n])
			}
			return nil
		})
		if err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// each asks from the first row to the last.
func (o ownerRows) each(ctx context.Context, q contract.DigestQuery, tell func(rows uint64), visit func(part *contract.Digested) error) (whole contract.Digested, err error) {
	for {
		part, err := o.ask(ctx, contract.Digest{Entity: o.entity, After: whole.After, DigestQuery: q})
		if err == nil {
			err = visit(&part)
		}
		if err != nil {
			return whole, fmt.Errorf("read the owner's rows of %s: %w", o.entity, err)
		}
		whole.After, whole.Rows, whole.Unjudged = part.After, whole.Rows+part.Rows, whole.Unjudged+part.Unjudged
		tell(whole.Rows)
		if part.End {
			return whole, nil
		}
	}
}

const (
	ownerTries = 5
	ownerPause = 500 * time.Millisecond
)

// ask asks again where the owner, or the hub, is away for a moment.
func (o ownerRows) ask(ctx context.Context, request contract.Digest) (contract.Digested, error) {
	for try := 1; ; try++ {
		var part contract.Digested
		err := o.client.Ask(ctx, contract.VerbDigest, request, &part)
		refusal, refused := errors.AsType[*replhub.RefusedError](err)
		if err == nil || try == ownerTries || ctx.Err() != nil || refused && refusal.Code != replhub.CodeUnavailable {
			return part, err
		}
		if err := sleep(ctx, ownerPause); err != nil {
			return part, err
		}
	}
}
