package record

import (
	"bytes"
	"time"
)

// Same reports whether two states say the same, whoever wrote them and when.
func (s State) Same(other State) bool {
	a, errA := unsigned(s)
	b, errB := unsigned(other)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// unsigned is a state's record without its writer, and with all times of marks in UTC: a
// record that was read has them so.
func unsigned(s State) ([]byte, error) {
	s = s.Clone()
	s.Hub, s.Written = "", time.Time{}
	s.Pos.Time = s.Pos.Time.UTC()
	for i := range s.Fills {
		s.Fills[i].At.Time = s.Fills[i].At.Time.UTC()
	}
	return Encode(s)
}
