package replhub

// maxHandedBytes bounds the payloads of one batch, unless it is one delivery. It is
// what a database takes in one statement without a thought: MariaDB's default
// max_allowed_packet is 16 MiB, and values grow on their way into a statement.
const maxHandedBytes = 4 << 20

// share is how many jobs a worker may take. All jobs of the desk, waiting or under
// way, are shared out evenly, so that no worker is idle while another has a long batch.
func (d *desk) share() int {
	if d.maxBatch == 1 {
		return 1
	}
	there := 0
	for src := range d.sources {
		there += src.active - len(src.session.held)
	}
	return min((there+d.workers-1)/d.workers, d.maxBatch)
}

// fill adds to a batch of one what waits, as far as there is room: the rest of its
// row, then the next row, and so on. The mutex is held.
func (d *desk) fill(b *bundle, share int) {
	first := b.jobs[0]
	if first.waits > 0 {
		share = d.maxBatch
	}
	room := first.room(share)
	bytes := len(first.msg.Data)
	fits := func(j *job) bool {
		room = min(room, j.room(share))
		bytes += len(j.msg.Data)
		return j.waits == 0 && len(b.jobs) < room && bytes <= maxHandedBytes
	}
	for row := first; ; {
		for j := row.behind; j != nil; j = j.behind {
			if !fits(j) {
				return
			}
			d.begin(b, j)
		}
		if first.waits > 0 {
			return
		}
		row = d.ready.peek()
		if row == nil || !fits(row) {
			return
		}
		d.ready.pop()
		d.begin(b, row)
	}
}

// room is how many jobs may be in a batch with this one. One that has failed is
// tried alone. One that comes again may have brought a process down, or have had a
// batch answered that something is away: each time the batch is an eighth of before.
func (j *job) room(share int) int {
	if j.letter != nil || j.attempts > 0 || j.conflicts > 0 {
		return 1
	}
	return max(share>>min(3*(max(j.delivered-1, 0)+j.doubts), 30), 1)
}

// peek is the first job that is not dropped; nil for none.
func (q *queue) peek() *job {
	for !q.empty() {
		if j := q.jobs[q.head]; j.state != jobDropped {
			return j
		}
		q.pop()
	}
	return nil
}
