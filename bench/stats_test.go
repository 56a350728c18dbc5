package main

import (
	"slices"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		want   float64
	}{
		{"none", nil, 0},
		{"one", []float64{7}, 7},
		{"odd, unsorted", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 3, 2}, 2.5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.values)
			if got := median(tt.values); got != tt.want {
				t.Errorf("median %v, want %v", got, tt.want)
			}
			if !slices.Equal(before, tt.values) {
				t.Errorf("the rounds were put in another order: %v", tt.values)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	tests := []struct {
		name   string
		sorted []int
		p      float64
		want   int
	}{
		{"none", nil, 50, 0},
		{"one", []int{8}, 99, 8},
		{"half", hundred, 50, 50},
		{"99", hundred, 99, 99},
		{"most", hundred, 100, 100},
		{"least", hundred, 0, 1},
		{"between ranks goes up", []int{1, 2, 3}, 50, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := percentile(tt.sorted, tt.p); got != tt.want {
				t.Errorf("percentile %v is %d, want %d", tt.p, got, tt.want)
			}
		})
	}
}

func TestSummarize(t *testing.T) {
	s := summarize([]float64{12, 8, 10})
	if s.Median != 10 || s.Min != 8 || s.Max != 12 || !slices.Equal(s.Rounds, []float64{12, 8, 10}) {
		t.Errorf("summary %+v", s)
	}
	if s := summarize(nil); s.Median != 0 || s.Max != 0 {
		t.Errorf("summary of nothing %+v", s)
	}
}

func TestRatiosAreRoundByRound(t *testing.T) {
	// The machine slowed down by half in the second round, for both.
	got := ratios([]float64{120, 60, 90}, []float64{100, 50})
	if want := []float64{1.2, 1.2}; !slices.Equal(got, want) {
		t.Errorf("ratios %v, want %v", got, want)
	}
	if got := ratios([]float64{1}, []float64{0}); len(got) != 0 {
		t.Errorf("a ratio to nothing: %v", got)
	}
}

func TestRates(t *testing.T) {
	began := time.Now()
	ended := began.Add(4 * time.Second)
	rate, steady := rates(began, ended, seen{at: began.Add(2 * time.Second), total: 100}, 500)
	if rate != 125 || steady != 200 {
		t.Errorf("rate %v, steady %v; want 125 and 200", rate, steady)
	}
	// Over before it was looked at.
	if rate, steady = rates(began, ended, seen{at: ended, total: 500}, 500); rate != 125 || steady != 125 {
		t.Errorf("rate %v, steady %v; want 125 twice", rate, steady)
	}
}

func TestTurn(t *testing.T) {
	ways := []string{"a", "b", "c"}
	if got := turn(ways, 0); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("first round %v", got)
	}
	if got := turn(ways, 1); !slices.Equal(got, []string{"c", "b", "a"}) {
		t.Errorf("second round %v", got)
	}
	if !slices.Equal(ways, []string{"a", "b", "c"}) {
		t.Errorf("the ways themselves were turned: %v", ways)
	}
}
