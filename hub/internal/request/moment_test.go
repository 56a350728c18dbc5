package request_test

import (
	"errors"
	"testing"
	"time"

	"github.com/replhub/replhub/hub/internal/request"
	"github.com/replhub/replhub/internal/contract"
)

func TestMoments(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]struct {
		ok bool
		at time.Time // zero: by sequence
	}{
		"42":                   {ok: true},
		"0":                    {},
		"-1":                   {},
		"5m":                   {ok: true, at: now.Add(-5 * time.Minute)},
		"-5m":                  {},
		"2026-01-02T03:04:00Z": {ok: true, at: now.Add(-5 * time.Second)},
		"0001-01-01T00:00:00Z": {},
		"yesterday":            {},
		"":                     {},
	} {
		m, ok := request.ParseMoment(text)
		if ok != want.ok {
			t.Errorf("%q is a moment: %v", text, ok)
		}
		if !ok {
			continue
		}
		if at, err := m.Time(now, "start"); err != nil || !at.Equal(want.at) {
			t.Errorf("%q: %s, %v, want %s", text, at, err, want.at)
		}
	}
}

// A time to come would stand for "now" without saying so. A second is allowed to a
// client whose clock is ahead.
func TestMomentToComeIsRefused(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for ahead, refused := range map[time.Duration]bool{-time.Hour: false, 0: false, time.Second: false, time.Second + 1: true, time.Hour: true} {
		_, err := request.Moment{At: now.Add(ahead)}.Time(now, "start")
		refusal, ok := errors.AsType[*contract.Error](err)
		if ok != refused || ok && (refusal.Code != contract.CodeInvalidValue || refusal.Field != "start") {
			t.Errorf("%s ahead: %v", ahead, err)
		}
	}
	for seq, refused := range map[uint64]bool{1: false, 10: false, 11: false, 12: true} {
		if err := (request.Moment{Seq: seq}).Beyond(10, "start"); (err != nil) != refused {
			t.Errorf("sequence %d of 10: %v", seq, err)
		}
	}
}
