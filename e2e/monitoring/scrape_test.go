//go:build long

package monitoring_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// target is an address that Prometheus scrapes.
type target struct {
	url string
	// labels are those that Prometheus adds: job and instance, and perhaps more.
	labels string
}

// sample is what one scrape of all targets gives: the value of each series.
type sample map[string]float64

// scrape asks all targets, as Prometheus does: a target that does not answer has no series
// but up, which is 0 then.
func scrape(t *testing.T, targets ...target) sample {
	t.Helper()
	s := make(sample)
	for _, tg := range targets {
		got, err := tg.scrape(t.Context())
		s[`up{`+tg.labels+`}`] = 1
		if err != nil {
			s[`up{`+tg.labels+`}`] = 0
			continue
		}
		maps.Copy(s, got)
	}
	return s
}

func (tg target) scrape(ctx context.Context) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, tg.url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %w", answer.Status, err)
	}
	return tg.parse(string(body))
}

// parse reads the series of this product, and leaves those of Go and of the process out.
func (tg target) parse(text string) (sample, error) {
	s := make(sample)
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "replhub_") {
			continue
		}
		line = strings.TrimSpace(line)
		cut := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[cut+1:], 64)
		if err != nil {
			return nil, err
		}
		name, labels, _ := strings.Cut(strings.TrimSuffix(line[:cut], "}"), "{")
		if labels != "" {
			labels = "," + labels
		}
		s[name+"{"+tg.labels+labels+"}"] = value
	}
	return s, nil
}

// values are those of all series with the name and these labels, in any order: two hubs
// may have different ones for a moment.
func (s sample) values(name string, labels ...string) []float64 {
	var found []float64
series:
	for series, value := range s {
		if !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(series, label) {
				continue series
			}
		}
		found = append(found, value)
	}
	return found
}

// all returns an error unless there are series with the name and the labels, and all are
// as they must be.
func (s sample) all(as string, is func(float64) bool, name string, labels ...string) error {
	found := s.values(name, labels...)
	if len(found) == 0 || slices.ContainsFunc(found, func(v float64) bool { return !is(v) }) {
		return fmt.Errorf("%s %v are %v, want %s", name, labels, found, as)
	}
	return nil
}

// has returns an error unless the series have the value.
func (s sample) has(want float64, name string, labels ...string) error {
	return s.all(fmt.Sprint(want), func(v float64) bool { return v == want }, name, labels...)
}

// above returns an error unless one of the series is above the value: a counter counts
// where it happened.
func (s sample) above(least float64, name string, labels ...string) error {
	found := s.values(name, labels...)
	if !slices.ContainsFunc(found, func(v float64) bool { return v > least }) {
		return fmt.Errorf("%s %v are %v, want one above %v", name, labels, found, least)
	}
	return nil
}

// below returns an error unless the series are below the value.
func (s sample) below(most float64, name string, labels ...string) error {
	return s.all(fmt.Sprint("less than ", most), func(v float64) bool { return v < most }, name, labels...)
}

// containsLabel reports whether a series has a label.
func containsLabel(series, label string) bool {
	return strings.Contains(series, "{"+label) || strings.Contains(series, ","+label)
}
