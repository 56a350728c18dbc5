package digest

import (
	"encoding/binary"
	"fmt"

	"github.com/replhub/replhub/internal/contract"
)

// Collector makes the answer to a query of rows that are added one by one.
type Collector struct {
	query   contract.DigestQuery
	columns *Columns
	keys    map[string]bool
	sums    Sums
	answer  contract.Digested
	most    int // bytes of the answer's list
	bytes   int
}

// NewCollector checks a query. The answer's list has at most about maxBytes.
func NewCollector(q contract.DigestQuery, maxBytes int) (*Collector, error) {
	c := &Collector{query: q, columns: NewColumns(q.Columns), most: maxBytes}
	for n, column := range q.Columns {
		if !Form(column.Form).Known() {
			return nil, contract.FieldErrorf(contract.CodeInvalidValue, fmt.Sprintf("columns[%d].form", n), "%q is not a known form: upgrade this program, or use an older verifier", column.Form)
		}
	}
	switch {
	case q.Buckets < 1 || q.Buckets > contract.MaxBuckets:
		return nil, contract.FieldErrorf(contract.CodeInvalidValue, "buckets", "must be 1 to %d", contract.MaxBuckets)
	case len(q.Keys) > 0:
		c.keys = make(map[string]bool, len(q.Keys))
		for _, key := range q.Keys {
			c.keys[key] = true
		}
	case len(q.List) == 0:
		c.sums = make(Sums, q.Buckets)
	}
	return c, nil
}

// Add adds a row that the service gets. payload is as the columns' paths see it.
func (c *Collector) Add(key string, payload []byte) {
	switch {
	case c.keys != nil:
		if c.keys[key] {
			values := c.columns.Of(payload)
			c.answer.Keys, c.answer.Values = append(c.answer.Keys, key), append(c.answer.Values, values)
			c.bytes += len(key)
			for _, value := range values {
				c.bytes += len(value) + 3
			}
		}
	case c.sums != nil:
		c.sums.Add(key, Hash(key, c.columns.Of(payload)))
	case Set(c.query.List).Has(Bucket(key, c.query.Buckets)):
		c.answer.Keys = append(c.answer.Keys, key)
		c.answer.Hashes = binary.LittleEndian.AppendUint64(c.answer.Hashes, Hash(key, c.columns.Of(payload)))
		c.bytes += len(key) + 14
	}
}

// Read notes that a row which the service gets was read.
func (c *Collector) Read(key string) {
	c.answer.Rows++
	c.answer.After = key
}

// Unjudged notes a row that the service does not get because it cannot be judged.
func (c *Collector) Unjudged() { c.answer.Unjudged++ }

// Full reports whether the answer has no room for further rows.
func (c *Collector) Full() bool { return c.bytes >= c.most }

// Answer returns the answer. end says that there are no further rows.
func (c *Collector) Answer(end bool) (contract.Digested, error) {
	a := c.answer
	a.End = end
	if c.sums != nil {
		sums, err := c.sums.MarshalBinary()
		if err != nil {
			return contract.Digested{}, err
		}
		a.Sums = sums
	}
	return a, nil
}
