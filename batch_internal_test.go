package replhub

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// deskOf is a desk whose jobs are of the keys, in their order.
func deskOf(workers, maxBatch int, keys ...string) (*desk, []*job) {
	d := newDesk(nil)
	d.workers, d.maxBatch = workers, maxBatch
	d.probePause = func(int) time.Duration { return time.Hour }
	src := &source{desk: d, session: session{news: make(chan struct{}, 1)}}
	d.sources[src] = true
	jobs := make([]*job, len(keys))
	for i, key := range keys {
		jobs[i] = &job{src: src, msg: &nats.Msg{}, seq: uint64(i + 1), delivered: 1, row: row{"user", key}}
		src.link(jobs[i])
		d.enqueue(jobs[i])
	}
	return d, jobs
}

func taken(d *desk) (b bundle, seqs []uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next(&b)
	for _, j := range b.jobs {
		seqs = append(seqs, j.seq)
	}
	return b, seqs
}

func TestBatchIsAFairShareOfWhatWaits(t *testing.T) {
	keys := func(n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = strconv.Itoa(i)
		}
		return list
	}
	for _, tt := range []struct {
		what              string
		workers, maxBatch int
		keys              []string
		change            func(jobs []*job)
		want              []uint64
	}{
		{"one that waits", 8, 500, keys(1), nil, []uint64{1}},
		{"a handler of one", 1, 1, keys(4), nil, []uint64{1}},
		{"one worker takes all", 1, 500, keys(4), nil, []uint64{1, 2, 3, 4}},
		{"up to a bound", 1, 3, keys(4), nil, []uint64{1, 2, 3}},
		{"workers share", 2, 500, keys(5), nil, []uint64{1, 2, 3}},
		{"a row stays together", 1, 500, []string{"a", "b", "a", "", "b"}, nil, []uint64{1, 3, 2, 5, 4}},
		{"by bytes", 1, 500, keys(4), func(jobs []*job) { jobs[2].msg.Data = make([]byte, maxHandedBytes) }, []uint64{1, 2, 3, 4}},
		{"by more bytes", 1, 500, keys(4), func(jobs []*job) { jobs[2].msg.Data = make([]byte, maxHandedBytes+1) }, []uint64{1, 2}},
		{"one that is too large is alone", 1, 500, keys(4), func(jobs []*job) { jobs[0].msg.Data = make([]byte, 2*maxHandedBytes) }, []uint64{1}},
		{"one that has failed waits for its own turn", 1, 500, keys(4), func(jobs []*job) { jobs[2].attempts = 1 }, []uint64{1, 2}},
		{"and is alone", 1, 500, keys(4), func(jobs []*job) { jobs[0].conflicts = 1 }, []uint64{1}},
		{"one that waits for another row takes the rest of its own", 8, 500, []string{"a", "b", "a", "c", "a"}, func(jobs []*job) { jobs[0].waits = 1 }, []uint64{1, 3, 5}},
		{"and joins none", 1, 500, keys(4), func(jobs []*job) { jobs[2].waits = 1 }, []uint64{1, 2}},
		{"one that comes again takes few with it", 1, 16, keys(16), func(jobs []*job) { jobs[0].delivered = 2 }, []uint64{1, 2}},
		{"and joins few", 1, 16, keys(16), func(jobs []*job) { jobs[3].delivered = 2 }, []uint64{1, 2, 3}},
		{"and at last none", 1, 500, keys(9), func(jobs []*job) { jobs[0].delivered = 4 }, []uint64{1}},
	} {
		d, jobs := deskOf(tt.workers, tt.maxBatch, tt.keys...)
		if tt.change != nil {
			tt.change(jobs)
		}
		if _, got := taken(d); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.what, got, tt.want)
		}
	}
}

// Batches of random keys that are done, fail, wait for an outage or are given back,
// by a desk without workers: each key's come in order, none in two batches at a time.
func TestDeskKeepsKeysInOrderInBatches(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 5))
		d, _ := deskOf(1+r.IntN(3), 1+r.IntN(20))
		d.probePause = func(int) time.Duration { return 0 }
		var src *source
		for src = range d.sources {
		}
		last, busy := make(map[string]uint64), make(map[string]int)
		running := map[int]*bundle{}
		now, sent, finished := time.Now(), uint64(0), 0
		for round := 0; finished < 300; round++ {
			now = now.Add(time.Millisecond)
			d.mu.Lock()
			for range r.IntN(5) {
				if sent < 300 {
					sent++
					j := &job{src: src, msg: &nats.Msg{}, seq: sent, delivered: 1, row: row{"user", strconv.Itoa(r.IntN(6))}}
					src.link(j)
					d.enqueue(j)
				}
			}
			d.revive(now)
			if d.mayBegin() && r.IntN(2) == 0 {
				b := &bundle{}
				d.next(b)
				for _, j := range b.jobs {
					if other, ok := busy[j.row.key]; ok && other != round {
						t.Fatalf("seed %d: key %s is in two batches at a time", seed, j.row.key)
					}
					busy[j.row.key] = round
				}
				running[round] = b
			}
			for id, b := range running {
				if r.IntN(3) > 0 {
					continue
				}
				delete(running, id)
				outage := r.IntN(8) == 0
				failed := map[string]bool{}
				for _, j := range b.jobs {
					delete(busy, j.row.key)
					switch {
					case outage:
						d.stall(j, nil, 1, now)
						d.outage.due = time.Time{} // by this test's clock it is always time
						continue
					case failed[j.row.key]:
						d.unanswered(j)
						d.release(j)
						continue
					}
					d.answered(j, true)
					if r.IntN(6) == 0 {
						failed[j.row.key] = true
						j.waits += r.IntN(2)
						d.again(j, now.Add(time.Duration(r.IntN(5))*time.Millisecond))
						continue
					}
					if last[j.row.key] > j.seq {
						t.Fatalf("seed %d: %d of key %s after %d", seed, j.seq, j.row.key, last[j.row.key])
					}
					last[j.row.key] = j.seq
					finished++
					d.done(j)
				}
			}
			d.mu.Unlock()
			if round > 1_000_000 {
				t.Fatalf("seed %d: %d of 300 handled, %d running: %+v", seed, finished, len(running), d.outage)
			}
		}
		if src.flight != 0 || src.active != 0 || src.running != 0 || len(d.lines) != 0 || src.first != nil {
			t.Fatalf("seed %d: left behind: %+v, %d lines", seed, src, len(d.lines))
		}
	}
}
