package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Handling is one run of a handler, in one instance. Times are nanoseconds of
// the machine's clock, which all processes share.
type Handling struct {
	Instance   string
	Key        string
	Epoch, Seq uint64
	Begin, End int64
	// Batch numbers the batches of the instance; 0 is one that was handled alone.
	Batch int64
	// Outcome is what it came to; Cut when the process ended before.
	Outcome string
}

// Outcomes of handlers that did not get through.
const (
	// Cut: the process was killed.
	Cut = "cut"
	// Failed: the handler gave an error.
	Failed = "failed"
)

func (h Handling) at() position { return position{h.Epoch, h.Seq} }

// String tells who handled what, and when.
func (h Handling) String() string {
	clock := func(ns int64) string { return time.Unix(0, ns).UTC().Format("15:04:05.000") }
	return fmt.Sprintf("%s on %d from %s to %s (%s)", h.Instance, h.Seq, clock(h.Begin), clock(h.End), h.Outcome)
}

func (h Handling) through() bool { return h.Outcome != Cut && h.Outcome != Failed }

// Freeze is a time in which an instance was stopped.
type Freeze struct {
	Instance string
	From, To int64
}

// ReadJournal reads what an instance wrote. A handler that has not ended did so
// when the process was gone. A last line without an end was being written then.
func ReadJournal(instance string, journal io.Reader, gone int64) ([]Handling, error) {
	var all []Handling
	open := make(map[int64]int) // by number: where in all
	lines := bufio.NewScanner(journal)
	lines.Split(wholeLines)
	for lines.Scan() {
		l := line{words: strings.Fields(lines.Text())}
		switch what, n := l.word(), l.number(); what {
		case "begin":
			open[n] = len(all)
			all = append(all, Handling{
				Instance: instance, Begin: l.number(), Epoch: uint64(l.number()), Seq: uint64(l.number()), Key: l.word(),
				Batch: l.number(), End: gone, Outcome: Cut,
			})
		case "end":
			at, ok := open[n]
			if !ok {
				return nil, fmt.Errorf("journal of %s: %q ends what has not begun", instance, lines.Text())
			}
			all[at].End, all[at].Outcome = l.number(), l.word()
			delete(open, n)
		default:
			l.bad = true
		}
		if l.bad {
			return nil, fmt.Errorf("journal of %s: cannot read %q", instance, lines.Text())
		}
	}
	return all, lines.Err()
}

// wholeLines leaves out a last line without its end.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if atEOF && !bytes.ContainsRune(data, '\n') {
		return len(data), nil, nil
	}
	return bufio.ScanLines(data, false)
}

// line is read word by word.
type line struct {
	words []string
	bad   bool
}

func (l *line) word() string {
	if len(l.words) == 0 {
		l.bad = true
		return ""
	}
	word := l.words[0]
	l.words = l.words[1:]
	return word
}

func (l *line) number() int64 {
	n, err := strconv.ParseInt(l.word(), 10, 64)
	l.bad = l.bad || err != nil
	return n
}

// byBegin orders handlings by when they began.
func byBegin(handlings []Handling) []Handling {
	sorted := slices.Clone(handlings)
	slices.SortStableFunc(sorted, func(a, b Handling) int { return cmp.Compare(a.Begin, b.Begin) })
	return sorted
}

// position is a place in ingest.
type position struct{ epoch, seq uint64 }

func (p position) less(o position) bool {
	return p.epoch < o.epoch || p.epoch == o.epoch && p.seq < o.seq
}

// judgeOrder: what a handler got through may come again, as its acknowledgement
// may be lost. What none got through has to come before what is newer.
func (v *Verdict) judgeOrder(handlings []Handling) {
	newest := make(map[string]Handling)
	done := make(map[position]int64) // when, at first
	for _, h := range byBegin(oneByOne(handlings)) {
		at, before := h.at(), newest[h.Key]
		end, ok := done[at]
		if at.less(before.at()) && (!ok || end > h.Begin) {
			v.found(Disordered, "of %s, %s after %s", h.Key, h, before)
		}
		if before.at().less(at) {
			newest[h.Key] = h
		}
		if h.through() && (!ok || h.End < end) {
			done[at] = h.End
		}
	}
}

// oneByOne takes batches apart: of each key, a batch has begun with its first
// change. On the others it has begun by its end, if it got through, else never.
func oneByOne(handlings []Handling) []Handling {
	type part struct {
		instance, key string
		batch         int64
	}
	begun := make(map[part]bool)
	all := make([]Handling, 0, len(handlings))
	for _, h := range handlings {
		of := part{h.Instance, h.Key, h.Batch}
		switch {
		case h.Batch == 0 || !begun[of]:
			begun[of] = true
		case h.through():
			h.Begin = h.End
		default:
			continue
		}
		all = append(all, h)
	}
	return all
}
