package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a flag's value in bytes: a number, alone or with a unit.
type byteSize int64

// Set implements pflag.Value: "1048576", "64MiB", "1 GB". Units with an "i"
// count 1024, others 1000.
func (b *byteSize) Set(text string) error {
	digits := strings.TrimRightFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	unit := strings.ToUpper(strings.TrimSpace(text[len(digits):]))
	factor, ok := unitFactor(unit)
	value, err := strconv.ParseFloat(digits, 64)
	if err != nil || !ok || value < 0 || value*factor >= math.MaxInt64 {
		return fmt.Errorf("want a size such as 1048576, 64MiB or 1GB")
	}
	*b = byteSize(value * factor)
	return nil
}

func unitFactor(unit string) (float64, bool) {
	const letters = "KMGT"
	if unit == "" || unit == "B" {
		return 1, true
	}
	power := strings.IndexByte(letters, unit[0]) + 1
	switch {
	case power == 0:
		return 0, false
	case unit[1:] == "IB" || unit[1:] == "I":
		return math.Pow(1024, float64(power)), true
	case unit[1:] == "B" || unit[1:] == "":
		return math.Pow(1000, float64(power)), true
	default:
		return 0, false
	}
}

// String implements pflag.Value.
func (b *byteSize) String() string {
	if *b == 0 {
		return ""
	}
	return humanBytes(int64(*b))
}

// Type implements pflag.Value.
func (b *byteSize) Type() string { return "size" }
