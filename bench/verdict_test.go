package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	copies := func(lanes int, ratio float64) *report {
		return &report{Copies: []copiesResult{{Lanes: lanes, ToSources: summary{Median: ratio}}}}
	}
	latency := func(lanes int, ratio float64) *report {
		return &report{Latency: []latencyResult{{Lanes: lanes, P50: summary{Median: ratio}}}}
	}
	memory := func(ratio float64) *report {
		return &report{Memory: &memoryResult{Small: 1, Large: 10, Growth: summary{Median: ratio}}}
	}
	tests := []struct {
		name string
		r    *report
		miss string
	}{
		{"nothing measured", &report{}, ""},
		{"fast enough", copies(10, 0.8), ""},
		{"too slow", copies(10, 0.79), "copies into 10 lanes are 0.79"},
		{"another number of lanes", copies(1, 0.1), ""},
		{"quick enough", latency(10, 1.5), ""},
		{"too late", latency(10, 1.51), "p50 latency to 10 lanes is 1.51"},
		{"late with another number of lanes", latency(3, 1.75), ""},
		{"bounded", memory(1.2), ""},
		{"unbounded", memory(1.21), "peak memory with 10 events waiting is 1.21"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.r.verdict()
			if tt.miss == "" && err != nil {
				t.Errorf("missed: %v", err)
			}
			if tt.miss != "" && (!errors.Is(err, errMissed) || !strings.Contains(err.Error(), tt.miss)) {
				t.Errorf("error %v, want %q", err, tt.miss)
			}
		})
	}
}

func TestPrint(t *testing.T) {
	r := &report{
		Copies: []copiesResult{{
			Lanes: 10, Events: 5, Ways: map[string][]round{wayHub: {{Rate: 300_000}, {Rate: 100_000}, {Rate: 200_000}}},
			ToSources: summarize([]float64{1.1, 1.3}),
		}},
	}
	var out bytes.Buffer
	r.print(&out)
	for _, want := range []string{"200k [100k - 300k]", "1.20 [1.10 - 1.30]"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}
