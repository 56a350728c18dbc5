package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/internal/contract"
)

// Keys come from flags and from stdin, each once.
func TestBackfillOfKeys(t *testing.T) {
	b := newBench(t)
	reply := begun()
	reply.Filter, reply.Warnings = "", nil
	b.answer(t, "replhub.backfill.sharing", reply)
	b.describes(t, rowsDone())
	args := []string{"backfill", "sharing", "user", "--interval", "1ms", "--key", "43", "--key", "a,b", "--key", "-"}
	b.golden(t, "backfill-keys", execute(t.Context(), "44\r\n43\n\n", args...))
	if got, want := <-b.asked, `replhub.backfill.sharing {"entity":"user","keys":["43","44","a,b"]}`; got != want {
		t.Errorf("asked %s\nwant  %s", got, want)
	}
	for stdin, args := range map[string][]string{
		"":                                   {"--key", "-"},
		" a\n":                               {"--key", "-"},
		"a\x01":                              {"--key", "-"},
		"filter":                             {"--key", "1", "--where", "true"},
		strings.Repeat("0123456789\n", 4000): {"--key", "-", "--key", strings.Repeat("k", 1025)},
	} {
		if o := execute(t.Context(), stdin, append([]string{"backfill", "sharing", "user"}, args...)...); o.code != exitUsage {
			t.Errorf("%q %v: exit %d, %s", stdin, args, o.code, o.stderr)
		}
	}
}

// Keys that are too many for one backfill take several, one behind the other: the next one
// begins when the one before has ended.
func TestBackfillOfManyKeys(t *testing.T) {
	b := newBench(t)
	var mu sync.Mutex // guards the rest
	var sizes []int
	seen, ended := map[string]bool{}, true
	b.serve(t, "replhub.backfill.sharing", func(req micro.Request) {
		mu.Lock()
		defer mu.Unlock()
		var asked contract.Backfill
		if err := json.Unmarshal(req.Data(), &asked); err != nil || !ended {
			t.Errorf("a request, though the one before has ended: %v, %v", ended, err)
		}
		for _, key := range asked.Keys {
			seen[key] = true
		}
		sizes, ended = append(sizes, len(asked.Keys)), false
		_ = req.RespondJSON(contract.Backfilling{Service: "sharing", Entity: "user", ID: fmt.Sprint("b", len(sizes))})
	})
	b.serve(t, "replhub.describe.sharing", func(req micro.Request) {
		mu.Lock()
		defer mu.Unlock()
		ended = true
		_ = req.RespondJSON(contract.LaneStatus{Service: "sharing", Filled: []contract.FilledStatus{{ID: fmt.Sprint("b", len(sizes)), Entity: "user"}}})
	})
	var keys strings.Builder
	for n := range 2500 {
		fmt.Fprintf(&keys, "k%d\n", n)
	}
	o := execute(t.Context(), keys.String(), "backfill", "sharing", "user", "--interval", "1ms", "--key", "-")
	if o.code != exitDone || len(sizes) != 3 || sizes[0] != contract.MaxBackfillKeys || len(seen) != 2500 {
		t.Errorf("exit %d, backfills of %v keys, %d keys in all; %s", o.code, sizes, len(seen), o.stderr)
	}
	if o := execute(t.Context(), keys.String(), "backfill", "sharing", "user", "--no-wait", "--key", "-"); o.code != exitUsage || !strings.Contains(o.stderr, "3 backfills") {
		t.Errorf("exit %d, %s", o.code, o.stderr)
	}
}
