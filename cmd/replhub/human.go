package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/replhub/replhub/internal/contract"
)

// humanBytes is a size in binary units, as in "1.5 KiB".
func humanBytes[N int64 | uint64](n N) string { return contract.SizeText(n) }

// humanDuration is a duration by its two greatest units, as in "2h5m".
func humanDuration(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Truncate(time.Second).String()
	case d < time.Hour:
		return twoUnits(d, time.Minute, "m", time.Second, "s")
	case d < 24*time.Hour:
		return twoUnits(d, time.Hour, "h", time.Minute, "m")
	default:
		return twoUnits(d, 24*time.Hour, "d", time.Hour, "h")
	}
}

func twoUnits(d, great time.Duration, greatName string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d%s", d/great, greatName)
	if rest := d % great / small; rest > 0 {
		text += fmt.Sprintf("%d%s", rest, smallName)
	}
	return text
}

// humanAge is a number of seconds as a duration; "-" for none.
func humanAge(seconds float64) string {
	if seconds <= 0 || math.IsNaN(seconds) {
		return "-"
	}
	return humanDuration(time.Duration(seconds * float64(time.Second)))
}

func humanTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func count[N int | int64 | uint64](n N) string { return fmt.Sprint(n) }

// list joins words; for no words it returns a given text.
func list(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ",")
}

// plural is "1 event", "2 events".
func plural[N int | uint64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
