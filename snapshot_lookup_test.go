package replhub_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// An answer says how many keys were looked up: a key that the function does not know how to
// look up is never among them, nor one whose row did not fit.
func TestLookupOfSomeKeys(t *testing.T) {
	l := newLab(t)
	c := l.client(func(c *replhub.Config) { c.Service = "accounts" })
	var most int
	rows := replhub.Rows{All: numbers(3), Of: func(_ context.Context, keys []string, yield func(replhub.Event) error) error {
		most = max(most, len(keys))
		for _, key := range slices.Backward(keys) {
			switch {
			case strings.HasPrefix(key, "odd"):
				return errors.ErrUnsupported
			case strings.HasPrefix(key, "row"):
				if err := yield(replhub.Event{Key: key, Data: make([]byte, 300<<10)}); err != nil {
					return err
				}
			}
		}
		return yield(replhub.Event{Key: "unasked", Data: []byte("{}")})
	}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.ServeRows(ctx, "user", rows) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	long := make([]string, 0, 60)
	for n := range 60 {
		long = append(long, "row"+string(rune('A'+n)))
	}
	for name, tt := range map[string]struct {
		keys   []string
		want   []string
		looked int
		end    bool
	}{
		"all":                  {[]string{"row1", "none", "row2"}, []string{"row1", "row2"}, 3, true},
		"too long for memory":  {long, long[:4], 4, false},
		"not known at all":     {[]string{"odd", "1", "3"}, []string{"1", "3"}, 0, true},
		"not known from there": {append(slices.Repeat([]string{"none"}, 500), "odd"), nil, 500, false},
	} {
		keys, end, _ := l.askRows(l.js().Conn(), contract.SnapshotRequest{Keys: tt.keys, Lookup: true, Limit: 1000, MaxBytes: 1 << 20})
		var read contract.Digested
		err := json.Unmarshal([]byte(end.Header.Get(contract.HeaderDigest)), &read)
		if err != nil || !slices.Equal(keys, tt.want) || read.Looked != tt.looked || read.End != tt.end {
			t.Errorf("%s: rows %q, %+v, %v", name, keys, read, err)
		}
	}
	if most > 500 {
		t.Errorf("%d keys were looked up at once", most)
	}
	keys, _, _ := l.askRows(l.js().Conn(), contract.SnapshotRequest{Keys: []string{"row1", "2"}, Limit: 1000})
	if !slices.Equal(keys, []string{"2"}) {
		t.Errorf("a hub that does not understand lookups got %q", keys)
	}
}
