package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/replhub/replhub/internal/contract"
)

// erases answers erase with one reply after the other.
func (b *bench) erases(t *testing.T, replies ...any) {
	t.Helper()
	b.serve(t, "replhub.erase", func(req micro.Request) {
		b.asked <- string(req.Data())
		reply := replies[0]
		replies = replies[1:]
		if refusal, ok := reply.(*contract.Error); ok {
			body, _ := json.Marshal(contract.Refusal{Error: refusal})
			_ = req.Error(string(refusal.Code), refusal.Message, body)
			return
		}
		_ = req.RespondJSON(reply)
	})
}

func TestEraseShowsWhatItDid(t *testing.T) {
	copied := contract.ErasedMessage{Stream: "SUB_sharing", Seq: 17, Subject: "sub.sharing.user.update.0"}
	bare := contract.ErasedMessage{Stream: "DB", Seq: 18, Subject: "db.user.delete", Bare: true}
	first := contract.Erased{ID: "e1", Events: 2, Deletes: 1, Looked: 1000, Place: "DB", Next: "e1.1-9.0.8"}
	second := contract.Erased{ID: "e1", Events: 1, Copies: 3, DeadLetters: 1, InFlight: 1, Looked: 20, Place: "SUB_sharing"}
	stays := second
	stays.Left = []contract.ErasedMessage{{Stream: "DB", Reason: "the stream was created with deny_delete"}}
	nothing := contract.Erased{DryRun: true, Place: "SUB_sharing"}
	only := contract.Erased{DryRun: true, Events: 1, Deletes: 1, Place: "DB", Found: []contract.ErasedMessage{bare}}
	both := contract.Erased{DryRun: true, Events: 1, Copies: 1, Deletes: 1, Place: "DB", Found: []contract.ErasedMessage{bare, copied}}
	blind := contract.Erased{DryRun: true, Place: "SUB_sharing", Left: []contract.ErasedMessage{{Stream: "SUB_sharing", Reason: "no leader"}}}
	busy := contract.Errorf(contract.CodeBusy, "at work on another erasure")
	for name, tt := range map[string]struct {
		line    string
		replies []any
	}{
		"erase":              {"erase user 42", []any{first, second}},
		"erase-dry-run":      {"erase user 42 --dry-run", []any{both}},
		"erase-stays":        {"erase user 42", []any{stays}},
		"erase-publish":      {"erase user 42 --publish-delete --version 7 --verify", []any{first, second, only}},
		"erase-remains":      {"erase user 42 --verify", []any{second, both}},
		"erase-only-look":    {"erase user 42 --dry-run --verify", []any{both}},
		"erase-blind":        {"erase user 42 --dry-run --verify", []any{blind}},
		"erase-then-blind":   {"erase user 42 --verify", []any{second, blind}},
		"erase-nothing-left": {"erase user 42 --dry-run --verify", []any{nothing}},
		"erase-mistyped":     {"erase user 43 --verify", []any{contract.Erased{ID: "e1", Place: "DLQ"}, nothing}},
		"erase-busy":         {"erase user 42", []any{busy, first, busy, second}},
		"erase-full-ledger":  {"erase user 42", []any{first, contract.Errorf(contract.CodeLimit, "the ledger is full")}},
		"erase-bad-entity":   {"erase User 42", nil},
		"erase-bad-flags":    {"erase user 42 --dry-run --publish-delete", nil},
		"erase-lone-origin":  {"erase user 42 --origin profile", nil},
	} {
		for _, form := range []string{"", "-json"} {
			t.Run(name+form, func(t *testing.T) {
				b := newBench(t)
				b.createStream(t, contract.StreamIngest, "db.>")
				b.erases(t, tt.replies...)
				b.golden(t, name+form, execute(t.Context(), "", append(strings.Fields(tt.line), strings.Fields(strings.ReplaceAll(form, "-json", "--json"))...)...))
			})
		}
	}
}

// The delete carries the key, and what the flags say; a second one for the same erasure is
// the same event.
func TestErasePublishesADelete(t *testing.T) {
	b := newBench(t)
	s := b.createStream(t, contract.StreamIngest, "db.>")
	done := contract.Erased{ID: "e1", Place: "DB"}
	b.erases(t, done, done, done)
	for _, line := range []string{"erase user 42 --publish-delete", "erase user 42 --publish-delete"} {
		if o := execute(t.Context(), "", strings.Fields(line)...); o.code != exitDone {
			t.Fatalf("%s: exit %d, %s", line, o.code, o.stderr)
		}
	}
	m, err := s.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != "db.user.delete" || len(m.Data) > 0 || m.Header.Get(contract.HeaderKey) != "42" || m.Header.Get(contract.HeaderOrigin) != "" ||
		m.Header.Get(contract.HeaderVersion) != "" {
		t.Errorf("published %s %s %q", m.Subject, m.Header, m.Data)
	}
	if _, err := s.GetMsg(t.Context(), 2); err == nil {
		t.Error("the same delete was published twice")
	}
}

// A page is asked for again within bounds: a hub that is busy has two minutes, and one
// that does not answer has four attempts.
func TestPatienceOfAnErasure(t *testing.T) {
	begun := time.Now()
	busy := &refused{reason: contract.Errorf(contract.CodeBusy, "busy")}
	away := &refused{reason: contract.Errorf(contract.CodeUnavailable, "away")}
	late := failf(codeTimeout, "no answer")
	for name, tt := range map[string]struct {
		errs  []error
		after time.Duration
		last  bool // whether the last error is followed by another attempt
	}{
		"busy":                 {[]error{busy, busy, busy, busy, busy, busy}, time.Minute, true},
		"busy for long":        {[]error{busy}, 2 * time.Minute, false},
		"lost":                 {[]error{late, away, late}, 30 * time.Second, true},
		"lost often":           {[]error{late, away, late, late}, 30 * time.Second, false},
		"lost, but busy since": {[]error{late, late, late, busy, late}, 30 * time.Second, true},
		"refused":              {[]error{&refused{reason: contract.Errorf(contract.CodeLimit, "full")}}, 0, false},
		"anything else":        {[]error{errors.New("else")}, 0, false},
	} {
		p := erasePatience{since: begun}
		waits := ""
		for _, err := range tt.errs {
			waits = p.again(err, begun.Add(tt.after))
		}
		if (waits != "") != tt.last {
			t.Errorf("%s: waits for %q", name, waits)
		}
	}
}

// Ctrl-C ends the wait for a turn.
func TestEraseIsInterruptedWhileItWaits(t *testing.T) {
	b := newBench(t)
	b.serve(t, "replhub.erase", func(req micro.Request) {
		b.asked <- ""
		body, _ := json.Marshal(contract.Refusal{Error: contract.Errorf(contract.CodeBusy, "busy")})
		_ = req.Error(string(contract.CodeBusy), "busy", body)
	})
	r := start(t, "erase", "user", "42")
	<-b.asked
	r.stop()
	if code := r.ended(t); code != exitFailed || !strings.Contains(r.stderr.String(), "interrupted, and not all is looked at; run it again") {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
}

// The list of erasures has no key, and says what it has instead.
func TestStatusNamesTheHashOfAnErasedKey(t *testing.T) {
	if text := erasureText(&contract.Erasure{Entity: "user", Key: "a1b2"}); !strings.Contains(text, "user, SHA-256 a1b2:") || strings.Contains(text, "key") {
		t.Errorf("%q", text)
	}
}
