package hub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

// sought is an owner's table whose rows are looked up by key. Its rows are so long that
// those of all keys fit in no answer.
type sought struct {
	rows    int
	read    atomic.Int64 // rows that were read one behind the other
	refuses bool         // a lookup
}

func (s *sought) key(n int) string { return fmt.Sprintf("k%06d", n) }

func (s *sought) row(n int) replhub.Event {
	return replhub.Event{Key: s.key(n), Data: fmt.Appendf(nil, `{"id":%q,"n":%d,"pad":%q}`, s.key(n), n, strings.Repeat("x", 6<<10))}
}

func (s *sought) all(_ context.Context, after string, yield func(replhub.Event) error) error {
	for n := range s.rows {
		if s.key(n) > after {
			s.read.Add(1)
			if err := yield(s.row(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// of yields the rows of keys from the last to the first, and one that nobody asked for.
func (s *sought) of(_ context.Context, keys []string, yield func(replhub.Event) error) error {
	if s.refuses {
		return errors.ErrUnsupported
	}
	_ = yield(s.row(0))
	for _, key := range slices.Backward(keys) {
		var n int
		if _, err := fmt.Sscanf(key, "k%06d", &n); err == nil && n < s.rows {
			if err := yield(s.row(n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// An owner that looks keys up does not read its rows: neither for the values of rows, with
// a filter or without, nor for a backfill of keys. Each key has its row, or is absent, once.
// An owner that cannot look them up reads its rows, and the result is the same.
func TestKeysAreLookedUp(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		w := newWorld(t)
		w.startHub()
		s := &sought{rows: 600, refuses: refuses}
		serveRows(t, w.connect(), "user", replhub.Rows{All: s.all, Of: s.of})
		w.register("s", `{"entities":["user"]}`)
		w.register("some", `{"interests":[{"entity":"user","filter":"data.n % 2 == 0"}]}`)
		var keys, quoted []string
		for n := 1; n < 600; n += 2 {
			keys = append(keys, s.key(n), s.key(n+1)) // the last one has no row
		}
		for _, key := range keys {
			quoted = append(quoted, `"`+key+`"`)
		}
		for service, want := range map[string]int{"s": 599, "some": 299} {
			ask := contract.DigestQuery{Columns: []contract.DigestColumn{{Path: "n", Form: "number"}, {Path: "pad", Form: "text"}}, Buckets: 1, Keys: keys}
			got, _ := w.digests(service, ask)
			slices.Sort(got.Keys)
			if len(got.Keys) != want || len(slices.Compact(got.Keys)) != want || len(got.Values) != want {
				t.Errorf("refuses %v, %s: values of %d rows, %d wanted", refuses, service, len(got.Values), want)
			}
		}
		reply := w.backfill("some", `{"entity":"user","keys":[`+strings.Join(quoted, ",")+`]}`)
		w.filled("some", reply.ID)
		got := told(w.settled("some"), reply.ID)
		if len(got) != 600 || got[0] != "1 delete k000001" || got[1] != "2 create k000002" || got[599] != "600 delete k000600" {
			t.Errorf("refuses %v: %d copies of a backfill", refuses, len(got))
		}
		if read := s.read.Load(); read > 10 != refuses {
			t.Errorf("refuses %v: the owner read %d rows one behind the other", refuses, read)
		}
	}
}
