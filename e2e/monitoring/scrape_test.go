package monitoring_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
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

// value is that of the one series with the name and these labels, in any order.
func (s sample) value(name string, labels ...string) (float64, bool) {
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
		return value, true
	}
	return 0, false
}

// has returns an error unless the series has the value.
func (s sample) has(want float64, name string, labels ...string) error {
	if got, ok := s.value(name, labels...); !ok || got != want {
		return fmt.Errorf("%s %v is %v (there: %v), want %v", name, labels, got, ok, want)
	}
	return nil
}

// above returns an error unless the series is above the value.
func (s sample) above(least float64, name string, labels ...string) error {
	if got, ok := s.value(name, labels...); !ok || got <= least {
		return fmt.Errorf("%s %v is %v (there: %v), want more than %v", name, labels, got, ok, least)
	}
	return nil
}

// containsLabel reports whether a series has a label.
func containsLabel(series, label string) bool {
	return strings.Contains(series, "{"+label) || strings.Contains(series, ","+label)
}
