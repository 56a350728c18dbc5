package engine

import (
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// A modifier under which values from before may have another form is told.
func TestNarrowed(t *testing.T) {
	numeric := func(precision, scale int32) int32 { return (precision<<16 | scale&0x7ff) + 4 }
	for name, c := range map[string]struct {
		kind          uint32
		before, after int32
		want          bool
	}{
		"the same":                          {pgtype.VarcharOID, 14, 14, false},
		"a longer varchar":                  {pgtype.VarcharOID, 14, 24, false},
		"a varchar without a length":        {pgtype.VarcharOID, 14, -1, false},
		"a shorter varchar":                 {pgtype.VarcharOID, 24, 14, true},
		"a varchar that gets a length":      {pgtype.VarcharOID, -1, 14, true},
		"a longer char":                     {pgtype.BPCharOID, 14, 24, true},
		"more digits":                       {pgtype.NumericOID, numeric(10, 2), numeric(12, 2), false},
		"more digits behind the point":      {pgtype.NumericOID, numeric(10, 2), numeric(12, 4), false},
		"fewer digits before the point":     {pgtype.NumericOID, numeric(12, 2), numeric(10, 2), false},
		"fewer digits behind the point":     {pgtype.NumericOID, numeric(10, 4), numeric(10, 2), true},
		"hundreds instead of hundredths":    {pgtype.NumericOID, numeric(10, 2), numeric(10, -2), true},
		"thousands instead of hundreds":     {pgtype.NumericOID, numeric(10, -2), numeric(10, -3), true},
		"a numeric that gets a scale":       {pgtype.NumericOID, -1, numeric(10, 2), true},
		"a numeric without a scale":         {pgtype.NumericOID, numeric(10, 2), -1, false},
		"an array of rounded numbers":       {pgtype.NumericArrayOID, numeric(10, 4), numeric(12, 2), true},
		"seconds instead of microseconds":   {pgtype.TimestamptzOID, 6, 0, true},
		"microseconds instead of seconds":   {pgtype.TimestampOID, 0, 6, false},
		"an interval of other fields":       {pgtype.IntervalOID, 0x7fff0003, 0x7fff0006, true},
		"a timestamp without a precision":   {pgtype.TimestampOID, 3, -1, false},
		"a timestamp that gets a precision": {pgtype.TimestampOID, -1, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := narrowed(c.kind, c.before, c.after); got != c.want {
				t.Errorf("narrowed: %v, want %v", got, c.want)
			}
		})
	}
}
