package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

func TestPayload(t *testing.T) {
	for _, n := range []uint64{1, 42, 999_999, 10_000_000_000_000_00} {
		data := payload(n)
		var decoded struct{ ID string }
		if err := json.Unmarshal(data, &decoded); err != nil {
			t.Fatalf("event %d is not JSON: %v", n, err)
		}
		if len(data) != payloadBytes || decoded.ID != fmt.Sprintf("%016d", n) {
			t.Errorf("event %d: %d bytes, id %q", n, len(data), decoded.ID)
		}
		if got, err := numberIn(data); err != nil || got != n {
			t.Errorf("event %d reads back as %d, %v", n, got, err)
		}
	}
	for _, data := range []string{"", "{}", `{"id":"4"}`, string(payload(1)[:200])} {
		if n, err := numberIn([]byte(data)); err == nil {
			t.Errorf("%q is read as event %d", data, n)
		}
	}
}

func TestStamp(t *testing.T) {
	w := newStopwatch(1)
	before := time.Since(w.base)
	data := w.stamp(7)
	after := time.Since(w.base)
	if !json.Valid(data) {
		t.Errorf("not JSON: %s", data)
	}
	if n, err := numberIn(data); n != 7 || err != nil {
		t.Errorf("number %d, %v", n, err)
	}
	if at, err := stampIn(data); err != nil || at < before || at > after {
		t.Errorf("stamped at %s, %v; want between %s and %s", at, err, before, after)
	}
	if _, err := stampIn(payload(7)); err == nil {
		t.Error("a time was read where none is")
	}
}
