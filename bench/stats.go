package main

import (
	"cmp"
	"math"
	"slices"
)

// summary is what several rounds of one figure come to.
type summary struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Rounds []float64 `json:"rounds"`
}

// summarize keeps the rounds in their order. No rounds make a zero summary.
func summarize(rounds []float64) summary {
	if len(rounds) == 0 {
		return summary{}
	}
	return summary{Median: median(rounds), Min: slices.Min(rounds), Max: slices.Max(rounds), Rounds: rounds}
}

// median of an even number is the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratios divides round by round: rounds that were measured next to each other
// share what the machine did meanwhile.
func ratios(of, to []float64) []float64 {
	out := make([]float64, 0, min(len(of), len(to)))
	for i := range min(len(of), len(to)) {
		if to[i] != 0 {
			out = append(out, of[i]/to[i])
		}
	}
	return out
}

// percentile is the smallest value that at least p of 100 values do not exceed
// (the nearest rank); sorted must be sorted.
func percentile[T cmp.Ordered](sorted []T, p float64) T {
	if len(sorted) == 0 {
		var zero T
		return zero
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// pick takes one figure out of every round.
func pick[R any](rounds []R, figure func(R) float64) []float64 {
	out := make([]float64, len(rounds))
	for i, r := range rounds {
		out[i] = figure(r)
	}
	return out
}
