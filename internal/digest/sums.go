package digest

import (
	"encoding/binary"
	"fmt"
)

// Sums are the sums of buckets' rows.
type Sums []uint64

// Add adds a row.
func (s Sums) Add(key string, hash uint64) { s[Bucket(key, len(s))] += hash }

// Join adds the sums of other rows.
func (s Sums) Join(other Sums) error {
	if len(s) != len(other) {
		return fmt.Errorf("%d buckets, and not %d", len(other), len(s))
	}
	for n := range other {
		s[n] += other[n]
	}
	return nil
}

// Differ returns the buckets that differ.
func (s Sums) Differ(other Sums) Set {
	set := NewSet(len(s))
	for n := range s {
		if s[n] != other[n] {
			set.Add(n)
		}
	}
	return set
}

// MarshalBinary writes eight bytes for each bucket.
func (s Sums) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, 8*len(s))
	for _, sum := range s {
		b = binary.LittleEndian.AppendUint64(b, sum)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (s *Sums) UnmarshalBinary(b []byte) error {
	if len(b)%8 != 0 {
		return fmt.Errorf("%d bytes are no sums", len(b))
	}
	*s = make(Sums, len(b)/8)
	for n := range *s {
		(*s)[n] = binary.LittleEndian.Uint64(b[8*n:])
	}
	return nil
}

// Set is a set of buckets, a bit for each.
type Set []byte

// NewSet is an empty set of many buckets.
func NewSet(many int) Set { return make(Set, (many+7)/8) }

// Add adds a bucket.
func (s Set) Add(n int) { s[n/8] |= 1 << (n % 8) }

// Has reports whether a bucket is in the set.
func (s Set) Has(n int) bool { return n/8 < len(s) && s[n/8]&(1<<(n%8)) != 0 }

// Empty reports whether no bucket is in the set.
func (s Set) Empty() bool {
	for _, b := range s {
		if b != 0 {
			return false
		}
	}
	return true
}
