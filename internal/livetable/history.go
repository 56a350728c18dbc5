package livetable

import (
	"math"
	"strings"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// points is how many samples a curve has.
const points = 16

// history is what is remembered of one service.
type history struct {
	at   time.Time
	seq  uint64
	rate []float64 // copies/s
	lag  []float64
}

// add takes the next sample. Rates begin with the second one, and again where a lane was
// made anew.
func (h *history) add(at time.Time, s *contract.LaneStatus) {
	if took := at.Sub(h.at).Seconds(); !h.at.IsZero() && took > 0 && s.LastSeq >= h.seq {
		h.rate = push(h.rate, float64(s.LastSeq-h.seq)/took)
	}
	h.at, h.seq = at, s.LastSeq
	h.lag = push(h.lag, float64(s.Lag))
}

func push(curve []float64, v float64) []float64 {
	curve = append(curve, v)
	return curve[max(len(curve)-points, 0):]
}

// now is the last value of a curve.
func now(curve []float64) float64 {
	if len(curve) == 0 {
		return 0
	}
	return curve[len(curve)-1]
}

// sparkline draws a curve, of which the highest point is the highest letter. Nothing but
// zeros is a flat line.
func sparkline(curve []float64) string {
	letters := []rune("▁▂▃▄▅▆▇█")
	top := 0.0
	for _, v := range curve {
		top = max(top, v)
	}
	var out strings.Builder
	out.WriteString(strings.Repeat(" ", points-len(curve)))
	for _, v := range curve {
		i := 0
		if top > 0 && v > 0 {
			i = max(int(math.Ceil(v/top*float64(len(letters)-1))), 1) // more than nothing is seen
		}
		out.WriteRune(letters[i])
	}
	return out.String()
}
