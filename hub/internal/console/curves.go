package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/replhub/replhub/hub/internal/console/view"
)

const (
	// sampleEvery and points are an hour together.
	sampleEvery = 10 * time.Second
	points      = 360
	// maxCurves bounds the lanes with curves: a lane takes about 7 KiB.
	maxCurves = 1000
)

// The series of a lane.
const (
	seriesCopies = iota // in a second; of a lane that this hub writes
	seriesLag
	seriesBacklog
	seriesAcks // in a second
	seriesRedelivered
	seriesCount
)

// seriesNames are the names of the series in JSON.
func seriesNames() [seriesCount]string {
	return [seriesCount]string{"copies", "lag", "backlog", "acks", "redelivered"}
}

// curves keep the last hour of each lane in memory. They may be used concurrently.
type curves struct {
	mu    sync.Mutex // guards the rest
	at    int        // the slot that is written next
	times [points]int64
	lanes map[string]*curve
}

// curve is one lane's.
type curve struct {
	values [seriesCount][points]float32
	copies uint64 // at the last sample
	known  bool   // copies is
	// acked is the total at the last reading, by when.
	acked uint64
	read  time.Time
	seen  bool // in this sample
}

// figures are a lane's in one sample.
type figures struct {
	service     string
	owned       bool
	copies, lag uint64
	// measured is nil where nobody looked lately.
	measured *measured
}

// measured is what a reading of the lanes says.
type measured struct {
	at                           time.Time
	backlog, redelivered, copies uint64
}

func newCurves() *curves { return &curves{lanes: make(map[string]*curve)} }

// add takes a sample of all lanes.
func (k *curves) add(now time.Time, all []figures) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.times[(k.at+points-1)%points]
	elapsed := float64(now.UnixMilli()-before) / 1000
	for _, f := range all {
		l := k.lanes[f.service]
		if l == nil {
			if len(k.lanes) >= maxCurves {
				continue
			}
			l = newCurve()
			k.lanes[f.service] = l
		}
		l.seen = true
		l.add(k.at, f, elapsed)
	}
	for service, l := range k.lanes {
		if !l.seen {
			delete(k.lanes, service)
		}
		l.seen = false
	}
	k.times[k.at] = now.UnixMilli()
	k.at = (k.at + 1) % points
}

func newCurve() *curve {
	l := new(curve)
	for s := range l.values {
		for i := range l.values[s] {
			l.values[s][i] = nothing()
		}
	}
	return l
}

// nothing is a value that is not known.
func nothing() float32 { return float32(math.NaN()) }

// add writes a sample into a slot; elapsed is the time since the one before, in seconds.
func (l *curve) add(at int, f figures, elapsed float64) {
	for s := range l.values {
		l.values[s][at] = nothing()
	}
	if f.owned {
		if l.known && f.copies >= l.copies && elapsed > 0 {
			l.values[seriesCopies][at] = float32(float64(f.copies-l.copies) / elapsed)
		}
		l.values[seriesLag][at] = float32(f.lag)
	}
	l.copies, l.known = f.copies, f.owned
	m := f.measured
	if m == nil {
		return
	}
	l.values[seriesBacklog][at] = float32(m.backlog)
	l.values[seriesRedelivered][at] = float32(m.redelivered)
	if !f.owned {
		return
	}
	// What was copied and is not in the backlog was acknowledged.
	acked := m.copies - min(m.backlog, m.copies)
	if between := m.at.Sub(l.read).Seconds(); between > 0 && !l.read.IsZero() && between < idleAfter.Seconds()*restFactor && acked >= l.acked {
		l.values[seriesAcks][at] = float32(float64(acked-l.acked) / between)
	}
	if !m.at.Equal(l.read) {
		l.acked, l.read = acked, m.at
	}
}

// json is a lane's curves, oldest first; ok is false without any.
func (k *curves) json(service string) (data []byte, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.lanes[service]
	if l == nil {
		return nil, false
	}
	var b bytes.Buffer
	b.WriteString(`{"t":[`)
	k.each(func(first bool, slot int) {
		comma(&b, first)
		fmt.Fprintf(&b, "%d", k.times[slot]/1000)
	})
	b.WriteByte(']')
	for s, name := range seriesNames() {
		fmt.Fprintf(&b, `,%q:[`, name)
		k.each(func(first bool, slot int) {
			comma(&b, first)
			value := float64(l.values[s][slot])
			if math.IsNaN(value) {
				b.WriteString("null")
				return
			}
			text, err := json.Marshal(value)
			if err != nil {
				text = []byte("null")
			}
			b.Write(text)
		})
		b.WriteByte(']')
	}
	b.WriteByte('}')
	return b.Bytes(), true
}

func comma(b *bytes.Buffer, first bool) {
	if !first {
		b.WriteByte(',')
	}
}

// each visits the slots that were written, oldest first.
func (k *curves) each(visit func(first bool, slot int)) {
	first := true
	for i := range points {
		slot := (k.at + i) % points
		if k.times[slot] == 0 {
			continue
		}
		visit(first, slot)
		first = false
	}
}

// sample takes a sample every ten seconds. What the hub has in memory is always known;
// backlogs are while a page is open.
func (c *Console) sample(ctx context.Context) error {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		c.curves.add(c.now(), c.figures())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// figures are those of all lanes now.
func (c *Console) figures() []figures {
	source := c.cfg.Source()
	end := source.End()
	byService := make(map[string]*measured)
	if latest := c.collector.latest.Load(); latest != nil && c.now().Before(latest.Next.Add(2*sampleEvery)) {
		for i := range latest.Lanes {
			byService[latest.Lanes[i].Service] = measuredOf(&latest.Snapshot, i)
		}
	}
	var all []figures
	for _, l := range source.Lanes.All() {
		f := figures{service: l.Service().String(), owned: l.Owned(), copies: l.Counts().Copies, measured: byService[l.Service().String()]}
		if s := l.Status(); len(s.State.Interests) > 0 {
			f.lag = end - min(s.State.Pos.Seq, end)
		}
		all = append(all, f)
	}
	return all
}

func measuredOf(s *view.Snapshot, i int) *measured {
	m := &measured{at: s.At, backlog: s.Lanes[i].Backlog, copies: s.Copies[s.Lanes[i].Service]}
	for _, w := range s.Lanes[i].Workers {
		m.redelivered += uint64(max(w.Redelivered, 0))
	}
	return m
}

// curvesOf answers with a lane's curves.
func (c *Console) curvesOf(w http.ResponseWriter, r *http.Request) {
	c.collector.get(r.Context()) // keeps backlogs known while a page is open
	data, ok := c.curves.json(r.PathValue("service"))
	if !ok {
		w.WriteHeader(http.StatusNoContent) // it has none yet
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data) // whoever asked has gone
}
