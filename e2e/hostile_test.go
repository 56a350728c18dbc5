package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/e2e/harness"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// send publishes with a reply, and returns the sequence, or what was refused.
func send(w *harness.World, subject string, header nats.Header, data []byte) (uint64, error) {
	m, err := w.NC.RequestMsg(&nats.Msg{Subject: subject, Header: header, Data: data}, 5*time.Second)
	if err != nil {
		return 0, err
	}
	var ack struct {
		Seq   uint64          `json:"seq"`
		Error json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return 0, err
	}
	if ack.Error != nil {
		return 0, errors.New(string(ack.Error))
	}
	return ack.Seq, nil
}

func mustSend(t *testing.T, w *harness.World, subject string, header nats.Header, data []byte) uint64 {
	t.Helper()
	seq, err := send(w, subject, header, data)
	if err != nil {
		t.Fatalf("publish %s: %v", subject, err)
	}
	return seq
}

func hostileWorld(t *testing.T, seed uint64, options ...cluster.NATSOption) *harness.World {
	t.Helper()
	w := harness.New(t, harness.Options{Binary: binary, Seed: seed, NATS: options})
	w.StartHub("h1")
	w.Register("plain", want("user"))
	w.Register("filtered", acmeOnly("user"))
	w.Register("projected", withoutSecret("user"))
	return w
}

const innocent = `{"id":"1","n":1,"tenant":"acme","secret":"s"}`

// TestHostileSubjects publishes where nobody listens, and under names that no
// entity can have.
func TestHostileSubjects(t *testing.T) {
	w := hostileWorld(t, 61)
	for _, subject := range []string{"db.user.rename", "db.user", "db.user.create.more", "db.user.CREATE", "dbx.user.create"} {
		if _, err := send(w, subject, nil, []byte(innocent)); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("publish %s: %v, want no responders", subject, err)
		}
	}
	for _, entity := range []string{"USER", "ü", "用户", "user!", "-user", "_", "a" + strings.Repeat("b", 300), "us\x01er", "\xff\xfe"} {
		// Stored or refused, whichever: the events behind it have to come.
		_, _ = send(w, "db."+entity+".create", nil, []byte(innocent))
		mustSend(t, w, "db.user.update", nil, []byte(innocent))
	}
	w.Finish("hostile subjects", 9, settleWithin)
}

// TestHostileHeaders publishes every header that is a command to a server or a
// client, or the hub's own, in several letter cases, with and without a body.
func TestHostileHeaders(t *testing.T) {
	w := hostileWorld(t, 62)
	names := []string{
		"Nats-Expected-Stream", "Nats-Expected-Last-Sequence", "Nats-Expected-Last-Subject-Sequence",
		"Nats-Expected-Last-Subject-Sequence-Subject", "Nats-Expected-Last-Msg-Id", "Nats-Rollup", "Nats-TTL",
		"Nats-Marker-Reason", "Nats-Schedule", "Nats-Schedule-Target", "Nats-Schedule-TTL", "Nats-Schedule-Next",
		"Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit", "Nats-Incr", "Nats-Counter-Sources",
		"Nats-Stream-Source", "Nats-Trace-Dest", "Nats-Trace-Only", "Nats-Msg-Size", "Nats-Sequence", "Nats-Subject",
		"Nats-Time-Stamp", "Nats-Num-Pending", "Nats-Pin-Id", "Nats-Required-Api-Level", "Nats-Service-Error",
		"Nats-Service-Error-Code", "Replhub-Position", "Replhub-Row", "Replhub-Time", "Replhub-Id", "Replhub-State",
		"Replhub-Reason", "Status", "Description", "X-Fine",
	}
	values := []string{"1", "sub", "all", "never", "503", ""}
	stored := 0
	for _, name := range names {
		for i, spelt := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			h := nats.Header{spelt: {values[(i+len(name))%len(values)], "second"}, "X-Own": {"1", "2"}}
			if _, err := send(w, "db.user.update", h, []byte(innocent)); err == nil {
				stored++
			}
		}
	}
	// A Status without a body is what servers send to clients as control
	// messages: clients swallow it.
	for _, status := range []string{"100", "400", "404", "408", "409", "423", "503", "200", "x", ""} {
		for _, name := range []string{"Status", "status"} {
			h := nats.Header{name: {status}, "Description": {"Consumer Deleted"}, "Replhub-Key": {"k"}}
			mustSend(t, w, "db.user.delete", h, nil)
			mustSend(t, w, "db.user.update", nil, []byte(innocent))
			stored++
		}
	}
	// And one with nothing behind it.
	mustSend(t, w, "db.user.delete", nats.Header{"Status": {"100"}, "Replhub-Key": {"k"}}, nil)
	if stored < 100 {
		t.Errorf("only %d events with hostile headers were stored", stored)
	}
	w.Finish("hostile headers", stored, settleWithin)
}

// TestHostilePayloads publishes what is no JSON, or hardly.
func TestHostilePayloads(t *testing.T) {
	w := hostileWorld(t, 63)
	nested := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	arrays := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	payloads := []string{
		"", "null", "true", "1", `"text"`, "[]", "{}", "{", "nonsense", "\x00\x01\xff", innocent + innocent, innocent + " ",
		`{"id":"1","tenant":"acme","n":1e400}`, `{"id":1e400,"tenant":"acme"}`, `{"id":` + strings.Repeat("9", 5000) + `,"tenant":"acme"}`,
		`{"id":"1","id":"2","tenant":"acme","tenant":"other"}`, `{"id":"` + strings.Repeat("k", 2000) + `","tenant":"acme"}`,
		`{"id":" padded ","tenant":"acme"}`, `{"id":"a\r\nNats-Rollup: all","tenant":"acme"}`, `{"id":"","tenant":"acme"}`,
		`{"id":null,"tenant":"acme"}`, `{"id":{},"tenant":"acme"}`, `{"id":"\u0000","tenant":"acme"}`,
		`{"tenant":["acme"]}`, `{"tenant":1}`, `{"address":1,"tenant":"acme"}`, `{"address":{"city":null},"tenant":"acme"}`,
		`{"address":[{"city":1}],"tenant":"acme"}`,
		`{"tenant":"acme","deep":` + nested(500) + "}", `{"tenant":"acme","deep":` + nested(20000) + "}",
		`{"tenant":"acme","deep":` + arrays(20000) + "}", nested(9000), arrays(9000), arrays(200000),
	}
	for i, p := range payloads {
		for _, op := range []string{"create", "delete"} {
			mustSend(t, w, "db.user."+op, nats.Header{"X-Case": {fmt.Sprint(i)}}, []byte(p))
		}
		mustSend(t, w, "db.user.update", nil, []byte(innocent))
	}
	w.Finish("hostile payloads", 2*len(payloads), settleWithin)
}

// TestHostileSizes publishes bodies and headers around the server's limits: a
// copy carries more headers than its event. Each event is copied or
// dead-lettered, and the next one comes.
func TestHostileSizes(t *testing.T) {
	const limit = 128 << 10
	w := hostileWorld(t, 64, cluster.NATSMaxPayload(limit))
	w.MustCall("replhub.register.big", `{"entities":["big"]}`, nil)
	w.MustCall("replhub.register.bigfields", `{"interests":[{"entity":"big","fields":["id"]}]}`, nil)
	sent := 0
	publish := func(h nats.Header, body int) {
		t.Helper()
		data := []byte(`{"id":"1","x":"` + strings.Repeat("x", max(body-17, 0)) + `"}`)
		if _, err := send(w, "db.big.update", h, data[:min(len(data), body)]); err != nil {
			return // refused at the publisher
		}
		sent++
		mustSend(t, w, "db.user.update", nil, []byte(innocent))
	}
	for _, less := range []int{0, 1, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 600, 1000} {
		publish(nil, limit-less)
	}
	for _, size := range []int{1000, 60000, 64000, 64800, 65000, 65200, 65400, 65500} {
		publish(nats.Header{"X-Big": {strings.Repeat("h", size)}}, 100)
		publish(nats.Header{"X-Big": {strings.Repeat("h", size)}}, limit-size-300)
	}
	if sent < 20 {
		t.Fatalf("only %d events were stored", sent)
	}
	for _, service := range []string{"big", "bigfields"} {
		w.Eventually("every event copied or dead-lettered for "+service, settleWithin, func() error {
			seen := map[string]int{}
			for _, m := range w.Lane(service) {
				if at := m.Header["Replhub-Position"]; at != nil {
					seen[at[0]]++
				}
			}
			copies := len(seen)
			for _, m := range w.Read(contract.StreamDLQ) {
				if strings.HasPrefix(m.Subject, "dlq."+service+".") {
					if got := m.Header.Get(contract.HeaderReason); got != contract.ReasonTooLarge && got != contract.ReasonNotJSON {
						t.Errorf("reason %q", got)
					}
					seen[m.Header.Get(contract.HeaderPosition)]++
				}
			}
			for seq, n := range seen {
				if n != 1 {
					t.Errorf("%s: event %s came %d times", service, seq, n)
				}
			}
			if len(seen) != sent {
				return fmt.Errorf("%d of %d, %d of them copies", len(seen), sent, copies)
			}
			return nil
		})
	}
	w.Finish("hostile sizes", sent, settleWithin)
}
