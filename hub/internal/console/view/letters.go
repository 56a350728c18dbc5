package view

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"
)

// Letter is what a list needs of a dead letter.
type Letter struct {
	Seq                                       uint64
	Service, Entity, Op, Key, Reason, ErrText string
	Attempts                                  string
	Time                                      time.Time
}

// Group is the dead letters of one service, reason and pattern of error.
type Group struct {
	ID, Service, Reason, Pattern string
	Entities                     string
	Count                        int
	First, Last                  string
	// Newest is the sequence of the newest letter, whose error is Sample.
	Newest uint64
	Sample string
	// Seqs are those of the letters, ascending.
	Seqs []uint64
	// Bars are the counts over time, oldest first.
	Bars []Bar
}

// Bar is one bar of a histogram: its place and height in a box of 240 by 24.
type Bar struct {
	X, Y, Height, Count int
}

const (
	bars     = 24
	barWidth = 10
	barBox   = 24
)

// Groups groups letters, the newest group first.
func Groups(letters []Letter) []Group {
	type key struct{ service, reason, pattern string }
	grouped := make(map[key][]*Letter)
	var oldest, newest time.Time
	for i := range letters {
		l := &letters[i]
		k := key{l.Service, l.Reason, Pattern(l.ErrText)}
		grouped[k] = append(grouped[k], l)
		if oldest.IsZero() || l.Time.Before(oldest) {
			oldest = l.Time
		}
		if l.Time.After(newest) {
			newest = l.Time
		}
	}
	var groups []Group
	for k, of := range grouped {
		slices.SortFunc(of, func(a, b *Letter) int { return cmp.Compare(a.Seq, b.Seq) })
		last := of[len(of)-1]
		g := Group{
			ID: groupID(k.service, k.reason, k.pattern), Service: k.service, Reason: k.reason, Pattern: k.pattern, Count: len(of),
			First: Time(of[0].Time), Last: Time(last.Time), Newest: last.Seq, Sample: last.ErrText, Bars: histogram(of, oldest, newest),
		}
		entities := make(map[string]bool)
		for _, l := range of {
			g.Seqs = append(g.Seqs, l.Seq)
			entities[l.Entity] = true
		}
		g.Entities = strings.Join(slices.Sorted(maps.Keys(entities)), ", ")
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b Group) int { return cmp.Compare(b.Newest, a.Newest) })
	return groups
}

// groupID names a group in an address.
func groupID(service, reason, pattern string) string {
	sum := sha256.Sum256([]byte(service + "\x00" + reason + "\x00" + pattern))
	return hex.EncodeToString(sum[:8])
}

// histogram counts letters in equal parts of the time from the oldest letter to the
// newest one of all groups.
func histogram(letters []*Letter, oldest, newest time.Time) []Bar {
	counts := make([]int, bars)
	span := newest.Sub(oldest)
	for _, l := range letters {
		at := bars - 1
		if span > 0 {
			at = min(int(int64(bars)*int64(l.Time.Sub(oldest)/time.Millisecond)/max(int64(span/time.Millisecond), 1)), bars-1)
		}
		counts[at]++
	}
	most := slices.Max(counts)
	list := make([]Bar, 0, bars)
	for i, n := range counts {
		if n == 0 {
			continue
		}
		height := max(n*barBox/most, 2)
		list = append(list, Bar{X: i * barWidth, Y: barBox - height, Height: height, Count: n})
	}
	return list
}

// Find is the group of an id, with its letters up to a sequence: a confirmation names
// them, and later ones are not part of it.
func Find(groups []Group, id string, upTo uint64) (Group, bool) {
	for _, g := range groups {
		if g.ID != id {
			continue
		}
		g.Seqs = slices.DeleteFunc(slices.Clone(g.Seqs), func(seq uint64) bool { return seq > upTo })
		g.Count = len(g.Seqs)
		return g, g.Count > 0
	}
	return Group{}, false
}
