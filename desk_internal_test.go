package replhub

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
)

func TestParseReply(t *testing.T) {
	for subject, want := range map[string]coordinates{
		"$JS.ACK.SUB_s.workers.3.1042.17.1700000000000000000.5":                 {stream: 1042, consumer: 17, delivered: 3},
		"$JS.ACK.hub.ACCHASH.SUB_s.workers.3.1042.17.1700000000000000000.5.tok": {stream: 1042, consumer: 17, delivered: 3},
		"$JS.ACK._.ACCHASH.SUB_s.workers.3.1042.17.1700000000000000000.5":       {stream: 1042, consumer: 17, delivered: 3},
	} {
		if got, ok := parseReply(subject); !ok || got != want {
			t.Errorf("parseReply(%q) = %+v, %v", subject, got, ok)
		}
	}
	for _, subject := range []string{"", "_INBOX.x", "$JS.ACK.", "$JS.ACK.SUB_s.workers.x.1.1.1.1", "$JS.ACK.a.b.c"} {
		if got, ok := parseReply(subject); ok {
			t.Errorf("parseReply(%q) = %+v", subject, got)
		}
	}
}

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	s := Subscription{MinBackoff: 100 * time.Millisecond, MaxBackoff: time.Second}
	for attempts, want := range map[int]time.Duration{
		1: s.MinBackoff, 2: 2 * s.MinBackoff, 3: 4 * s.MinBackoff, 4: 8 * s.MinBackoff, 5: s.MaxBackoff, 50: s.MaxBackoff, 500: s.MaxBackoff,
	} {
		for range 100 {
			if d := s.backoff(attempts); d < want/2 || d > want {
				t.Fatalf("after %d attempts %s, want %s to %s", attempts, d, want/2, want)
			}
		}
	}
}

func TestLeaseRunsFromItsRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lease{from: time.Now(), ttl: 3 * time.Second}
		<-time.After(2 * time.Second)
		sent := time.Now()
		<-time.After(time.Second)
		l.renew(sent)
		l.renew(sent.Add(-time.Second)) // an older answer
		<-time.After(2 * time.Second)
		if l.over(time.Now()) {
			t.Error("over before its time")
		}
		<-time.After(time.Millisecond)
		if !l.over(time.Now()) {
			t.Error("not over")
		}
	})
	// A suspended machine: the monotonic clock stood, the wall's went on.
	now := time.Now()
	l := &lease{from: now, ttl: 3 * time.Second}
	if wall := now.Round(0).Add(time.Minute); !l.over(wall) {
		t.Error("a minute on the wall clock is no time")
	}
}

// Jobs of random keys, some of which fail for a while, by a desk without
// workers: each key's come in order, one at a time, and all of them come.
func TestDeskKeepsKeysInOrder(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		d := newDesk(nil)
		src := &source{desk: d, session: session{news: make(chan struct{}, 1)}}
		last, busy := make(map[string]uint64), make(map[string]bool)
		var running []*job
		now := time.Now()
		sent, finished := uint64(0), 0
		for finished < 300 {
			now = now.Add(time.Millisecond)
			d.mu.Lock()
			if sent < 300 && r.IntN(2) == 0 {
				sent++
				j := &job{src: src, msg: &nats.Msg{}, seq: sent, row: row{"user", strconv.Itoa(r.IntN(5))}}
				src.link(j)
				d.enqueue(j)
			}
			d.revive(now)
			if !d.ready.empty() && r.IntN(2) == 0 {
				j := nextJob(d)
				if busy[j.row.key] {
					t.Fatalf("seed %d: two jobs of key %s at a time", seed, j.row.key)
				}
				busy[j.row.key] = true
				running = append(running, j)
			}
			if len(running) > 0 && r.IntN(2) == 0 {
				i := r.IntN(len(running))
				j := running[i]
				running = slices.Delete(running, i, i+1)
				busy[j.row.key] = false
				if r.IntN(3) == 0 {
					d.again(j, now.Add(time.Duration(r.IntN(5))*time.Millisecond))
				} else {
					if last[j.row.key] > j.seq {
						t.Fatalf("seed %d: %d of key %s after %d", seed, j.seq, j.row.key, last[j.row.key])
					}
					last[j.row.key] = j.seq
					finished++
					d.done(j)
				}
			}
			blocked := 0
			for j := src.first; j != nil; j = j.later {
				if j.blocked {
					blocked++
				}
			}
			if src.active != src.flight-blocked {
				t.Fatalf("seed %d: %d active of %d in flight, %d of them blocked", seed, src.active, src.flight, blocked)
			}
			d.mu.Unlock()
		}
		if src.flight != 0 || src.active != 0 || src.running != 0 || len(d.lines) != 0 || src.first != nil {
			t.Fatalf("seed %d: left behind: %+v, %d lines", seed, src, len(d.lines))
		}
	}
}

// One that comes late goes in front of those of its key that are newer and have
// not begun.
func TestDeskPutsLateOnesWhereTheyBelong(t *testing.T) {
	d := newDesk(nil)
	src := &source{desk: d, session: session{news: make(chan struct{}, 1)}}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, seq := range []uint64{1, 5, 9, 3, 7, 11} {
		j := &job{src: src, msg: &nats.Msg{}, seq: seq, row: row{"user", "k"}}
		src.link(j)
		d.enqueue(j)
	}
	var got []uint64
	for range 6 {
		j := nextJob(d)
		got = append(got, j.seq)
		d.done(j)
	}
	if !slices.Equal(got, []uint64{1, 3, 5, 7, 9, 11}) {
		t.Errorf("order %v", got)
	}
}

func TestFitLetterMakesRoom(t *testing.T) {
	letter := func() *nats.Msg {
		return &nats.Msg{Data: make([]byte, 1000), Header: nats.Header{"Replhub-Error": {"no"}, "Own": {string(make([]byte, 500))}}}
	}
	for limit, want := range map[int64][2]int{2000: {1000, 1}, 1200: {1000, 0}, 200: {0, 0}} {
		m := letter()
		fitLetter(m, "failed", limit)
		if len(m.Data) != want[0] || len(m.Header["Own"]) != want[1] {
			t.Errorf("limit %d: %d bytes, headers %v", limit, len(m.Data), m.Header)
		}
		if reason := m.Header.Get("Replhub-Reason"); (reason == "too_large") != (want[0] == 0) {
			t.Errorf("limit %d: reason %q", limit, reason)
		}
	}
}

func nextJob(d *desk) *job {
	var b bundle
	d.next(&b)
	return b.jobs[0]
}
