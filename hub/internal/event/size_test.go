package event_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/event"
)

// heap is what the program holds, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// An event takes no more than its Size says, once its copies' headers and its
// value have been made, and not many times less.
func TestSize(t *testing.T) {
	for name, c := range map[string]struct {
		header int    // how many
		value  string // of each
		data   string
	}{
		"small":             {0, "", `{"id":"1"}`},
		"256 bytes":         {0, "", `{"id":"1","x":"` + strings.Repeat("x", 240) + `"}`},
		"with an id":        {1, "4f0b2c62-0d3c-4a4c-9a2e-5b0f0a7f3a51", `{"id":"1"}`},
		"traced":            {3, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", `{"id":"1"}`},
		"many headers":      {200, "x", `{"id":"1"}`},
		"large headers":     {4, strings.Repeat("h", 10_000), `{"id":"1"}`},
		"a list of numbers": {0, "", `{"id":"1","l":[` + strings.Repeat("1,", 5000) + `1]}`},
	} {
		t.Run(name, func(t *testing.T) {
			const n = 500
			events := make([]*event.Event, n)
			before, said := heap(), int64(0)
			for i := range events {
				events[i] = arrived(t, i, c.header, c.value, c.data)
				events[i].CopyHeader()
				if _, err := events[i].Value(); err != nil {
					t.Fatal(err)
				}
				said += int64(events[i].Size())
			}
			took := heap() - before
			t.Logf("takes %d, said %d", took/n, said/n)
			if took > said || said > 4*took {
				t.Errorf("an event takes %d bytes, Size says %d", took/n, said/n)
			}
			runtime.KeepAlive(events)
		})
	}
}

// arrived makes an event as the client hands it over: header and payload in one
// buffer, and the header's strings beside it.
func arrived(t *testing.T, i, headers int, value, data string) *event.Event {
	t.Helper()
	h := make(nats.Header)
	var raw bytes.Buffer
	for n := range headers {
		name := fmt.Sprintf("X-Header-%d", n)
		h[name] = []string{strings.Clone(value)}
		fmt.Fprintf(&raw, "%s: %s\r\n", name, value)
	}
	buffer := append(bytes.Clone(raw.Bytes()), data...)
	e, err := event.Decode(event.Position{Epoch: 1, Seq: uint64(i + 1)}, time.Now(), "db.user.update", h, buffer[raw.Len():])
	if err != nil {
		t.Fatal(err)
	}
	return e
}
