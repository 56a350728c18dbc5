package lane

import "sync/atomic"

// counters are a lane's totals since this hub started.
type counters struct {
	copies, bytes          atomic.Uint64
	single, atomic, fast   atomic.Uint64
	records, dead, foreign atomic.Uint64
	fenced, retries        atomic.Uint64
}

func (c *counters) append(kind Kind) {
	switch kind {
	case Single:
		c.single.Add(1)
	case Atomic:
		c.atomic.Add(1)
	case Fast:
		c.fast.Add(1)
	}
}

// copied counts copies that are stored.
func (c *counters) copied(msgs, bytes int) {
	c.copies.Add(uint64(msgs))
	c.bytes.Add(uint64(bytes))
}

// Counts are a lane's totals since this hub started.
type Counts struct {
	// Copies that are stored, each counted once, and their bytes.
	Copies, Bytes uint64
	// Appends by kind, and state records.
	Single, Atomic, Fast, Records uint64
	// Dead letters that this hub stored, foreign messages, appends that another
	// writer forestalled, and other appends that were tried again.
	Dead, Foreign, Fenced, Retries uint64
}

// Counts returns the totals.
func (l *Lane) Counts() Counts {
	c := &l.counted
	return Counts{
		Copies: c.copies.Load(), Bytes: c.bytes.Load(),
		Single: c.single.Load(), Atomic: c.atomic.Load(), Fast: c.fast.Load(), Records: c.records.Load(),
		Dead: c.dead.Load(), Foreign: c.foreign.Load(), Fenced: c.fenced.Load(), Retries: c.retries.Load(),
	}
}

// outgoing are the sizes of copies that were handed to an append and are not known
// to be stored. They are counted once that is known: an append whose outcome is in
// doubt is made again from where the lane is then found to stand.
type outgoing struct {
	// first is the lane's sequence that the first of the sizes gets.
	first uint64
	sizes []int
}

// add takes copies that are appended behind a last sequence.
func (o *outgoing) add(last uint64, msgs []Message) {
	if len(o.sizes) == 0 {
		o.first = last + 1
	}
	for _, m := range msgs {
		o.sizes = append(o.sizes, m.size())
	}
}

// stored takes out the copies up to a sequence of the lane, which are stored.
func (o *outgoing) stored(upTo uint64) (msgs, bytes int) {
	if upTo < o.first {
		return 0, 0
	}
	msgs = int(min(upTo-o.first+1, uint64(len(o.sizes))))
	for _, size := range o.sizes[:msgs] {
		bytes += size
	}
	rest := copy(o.sizes, o.sizes[msgs:])
	o.sizes = o.sizes[:rest]
	o.first += uint64(msgs)
	return msgs, bytes
}

// lost forgets the copies that are not stored.
func (o *outgoing) lost() { o.sizes = o.sizes[:0] }

// storedUpTo counts the copies that are stored up to a sequence of the lane.
func (l *Lane) storedUpTo(seq uint64) {
	l.counted.copied(l.outgoing.stored(seq))
}
