package inbox_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/inbox"
)

// What a fuzzer comes up with is stored as what it is, or refused.
func FuzzValues(f *testing.F) {
	for _, s := range samples() {
		f.Add([]byte(s.raw))
	}
	v := newAnyValue(f, typedDatabases()[3])
	f.Fuzz(func(t *testing.T, raw []byte) {
		if json.Valid(raw) && len(bytes.TrimSpace(raw)) == len(raw) && string(raw) != "null" {
			v.all(t, []string{string(raw)})
		}
	})
}

// The same on every database, with values that resemble others.
func TestValuesAtRandom(t *testing.T) {
	for n, d := range typedDatabases() {
		t.Run(d.name, func(t *testing.T) {
			v := newAnyValue(t, d)
			rng := rand.New(rand.NewPCG(11, uint64(n)))
			values := make([]string, 120)
			for at := range values {
				values[at] = randomValue(rng)
			}
			v.all(t, values)
		})
	}
}

// randomValue is JSON, mostly of numbers and times at the edges of what columns
// hold.
func randomValue(rng *rand.Rand) string {
	digits := func(n int) string {
		var s strings.Builder
		for range n {
			s.WriteByte(byte('0' + rng.IntN(10)))
		}
		return s.String()
	}
	two := func(below int) string { return strconv.Itoa(100 + rng.IntN(below))[1:] }
	sign := []string{"", "-"}[rng.IntN(2)]
	var number string
	switch rng.IntN(3) {
	case 0:
		number = sign + strconv.Itoa(1+rng.IntN(9)) + digits(rng.IntN(24))
	case 1:
		number = sign + strconv.Itoa(rng.IntN(10)) + "." + digits(1+rng.IntN(20))
	default:
		number = sign + strconv.Itoa(rng.IntN(10)) + "." + digits(1+rng.IntN(8)) + "e" + strconv.Itoa(rng.IntN(80)-40)
	}
	switch rng.IntN(5) {
	case 0, 1:
		return number
	case 2:
		return strconv.Quote(number)
	case 3:
		at := []string{"1", "2", "0"}[rng.IntN(3)] + digits(3) + "-" + two(14) + "-" + two(33) + []string{"T", " ", "t"}[rng.IntN(3)] +
			two(26) + ":" + two(62) + ":" + two(62) + []string{"", "." + digits(1+rng.IntN(10))}[rng.IntN(2)] + []string{"", "Z", "+05:30", "-00:00", "+14:00", "z", "+0100", "-23:59"}[rng.IntN(8)]
		return strconv.Quote(at)
	default:
		runes := []rune("aäß€😀\u0301 \t'\"\\%_,{}0+/=Ω\u2028\ufffd")
		text := make([]rune, rng.IntN(12))
		for n := range text {
			text[n] = runes[rng.IntN(len(runes))]
		}
		raw, err := json.Marshal(string(text))
		if err != nil {
			panic(err) // a string is always JSON
		}
		return string(raw)
	}
}

// anyValue stores one value in a column of each type.
type anyValue struct {
	typed

	write, read *sql.DB
	replicas    []*inbox.Table
}

func newAnyValue(tb testing.TB, d typed) *anyValue {
	tb.Helper()
	v := &anyValue{typed: d}
	v.write, v.read = d.open(tb)
	d.create(tb, v.write)
	for n := range d.types {
		v.replicas = append(v.replicas, d.replica(tb, n))
	}
	return v
}

// store puts a value into each column of a row, and returns the columns that took
// it.
func (v *anyValue) store(t *testing.T, conn *sql.Conn, key int, raw string) (took []int) {
	t.Helper()
	for n, c := range v.types {
		d := &replhub.Delivery{Entity: "user", Op: replhub.Update, Key: strconv.Itoa(key), Data: []byte(`{"v":` + raw + `}`)}
		err := v.replicas[n].Apply(t.Context(), conn, d)
		var refused *inbox.ValueError
		switch {
		case errors.As(err, &refused):
		case err != nil:
			t.Errorf("%s: %s: the database refused what should have been: %v", c.column, raw, err)
		default:
			took = append(took, n)
		}
	}
	return took
}

// all stores values, each in a row, and compares what is read back.
func (v *anyValue) all(t *testing.T, values []string) {
	t.Helper()
	conn, err := v.write.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	took := make([][]int, len(values))
	for key, raw := range values {
		took[key] = v.store(t, conn, key, raw)
	}
	for n, c := range v.types {
		stored := v.typed.read(t, v.read, n)
		for key, raw := range values {
			if !slices.Contains(took[key], n) {
				continue
			}
			if err := c.like.check(raw, stored[key].String); err != nil {
				t.Errorf("%s: %s became %q: %v", c.column, raw, stored[key].String, err)
			}
		}
	}
}
