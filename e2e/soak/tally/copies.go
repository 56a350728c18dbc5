package tally

// chunkSize is how many events one chunk is about, and keptChunks how many are
// kept behind what is settled, for copies that come again: 131,072 events.
const (
	chunkSize  = 1 << 12
	keptChunks = 32
)

type chunk struct {
	ids  [chunkSize]uint32 // of the copy of each event, 0 for none
	lane uint64            // the highest lane sequence among them
}

// copies is, by ingest sequence, which copy came. Chunks that nothing is due of
// any more are dropped.
type copies struct {
	chunks  map[uint64]*chunk
	retired uint64 // chunks below are dropped
	// lane is the highest lane sequence in dropped chunks.
	lane uint64
}

// has reports whether an event's copy came. Those of dropped chunks did.
func (c *copies) has(seq uint64) bool {
	if seq/chunkSize < c.retired {
		return true
	}
	k := c.chunks[seq/chunkSize]
	return k != nil && k.ids[seq%chunkSize] != 0
}

// arrival is what a copy turns out to be.
type arrival int

const (
	first     arrival = iota
	again             // the same copy
	duplicate         // another copy of the same event
)

// add notes a copy. Lane is its lane sequence, 0 when it is not known.
func (c *copies) add(seq uint64, id uint32, lane uint64) arrival {
	at := seq / chunkSize
	if at < c.retired {
		if lane > c.lane {
			return duplicate
		}
		return again
	}
	k := c.chunks[at]
	if k == nil {
		if c.chunks == nil {
			c.chunks = make(map[uint64]*chunk)
		}
		k = &chunk{}
		c.chunks[at] = k
	}
	switch have := &k.ids[seq%chunkSize]; *have {
	case 0:
		*have = id
		k.lane = max(k.lane, lane)
		return first
	case id:
		return again
	default:
		return duplicate
	}
}

// retire drops chunks that lie well below a sequence, up to which everything
// has come.
func (c *copies) retire(settled uint64) {
	at := settled / chunkSize
	if at < keptChunks {
		return
	}
	at -= keptChunks
	if at <= c.retired {
		return
	}
	for n, k := range c.chunks {
		if n < at {
			c.lane = max(c.lane, k.lane)
			delete(c.chunks, n)
		}
	}
	c.retired = at
}
