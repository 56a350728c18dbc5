package push

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// Each status by its rule. What is not named here is like its class.
func TestMeaningOfAnswers(t *testing.T) {
	want := map[meaning][]int{
		delivered: {200, 201, 202, 204, 299},
		later:     {429},
		refused:   {400, 409, 412, 413, 415, 416, 417, 418, 422, 428, 431, 451, 460},
		gone:      {410},
		away: {
			100, 300, 301, 302, 303, 304, 307, 308, 401, 402, 403, 404, 405, 406, 407, 408, 411, 414, 421, 423, 424, 425, 426, 499,
			500, 501, 502, 503, 504, 505, 507, 520, 599, 600,
		},
	}
	for m, codes := range want {
		for _, code := range codes {
			if got := meaningOf(code, false); got != m {
				t.Errorf("%d means %d, want %d", code, got, m)
			}
		}
	}
	if meaningOf(503, true) != later || meaningOf(500, true) != away || meaningOf(400, true) != refused || meaningOf(200, true) != delivered {
		t.Error("Retry-After counts for 429 and 503")
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for name, tt := range map[string]struct {
		after, date string
		want        time.Duration
		given       bool
	}{
		"seconds":               {"120", "", 2 * time.Minute, true},
		"none":                  {"", "", 0, false},
		"zero":                  {"0", "", 0, true},
		"negative":              {"-5", "", 0, false},
		"a fraction":            {"1.5", "", 0, false},
		"nonsense":              {"soon", "", 0, false},
		"too many digits":       {"99999999999999999999", "", 0, false},
		"a date":                {at(time.Minute), "", time.Minute, true},
		"a date that is past":   {at(-time.Minute), "", 0, true},
		"by the endpoint clock": {at(time.Hour), at(59 * time.Minute), time.Minute, true},
		"with a broken date":    {at(time.Minute), "today", time.Minute, true},
	} {
		h := http.Header{}
		h.Set("Retry-After", tt.after)
		h.Set("Date", tt.date)
		if got, given := retryAfter(h, now); got != tt.want || given != tt.given {
			t.Errorf("%s: %s, %t", name, got, given)
		}
	}
}

// A wait that is asked for is kept, within the bound; one without a length grows.
func TestPauseLength(t *testing.T) {
	p := &Pusher{cfg: Config{}.withDefaults()}
	p.cfg.MaxRetryAfter = time.Minute
	var got []time.Duration
	for before := range 8 {
		got = append(got, p.pauseLength(0, false, before))
	}
	if want := []time.Duration{1e9, 2e9, 4e9, 8e9, 16e9, 32e9, 32e9, 32e9}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, tt := range []struct{ given, want time.Duration }{{5 * time.Second, 5 * time.Second}, {time.Hour, time.Minute}, {0, 100 * time.Millisecond}} {
		if got := p.pauseLength(tt.given, true, 0); got != tt.want {
			t.Errorf("%s: %s", tt.given, got)
		}
	}
}
