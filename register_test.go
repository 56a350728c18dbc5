package replhub_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/internal/contract"
)

func asSharing(c *replhub.Config) { c.Service = "sharing" }

func TestRegisterPutsInterestsInForce(t *testing.T) {
	l := newLab(t)
	l.startHub()
	c := l.client(asSharing)
	if _, err := c.Publish(t.Context(), user("a", 1)); err != nil {
		t.Fatal(err)
	}
	r := replhub.Registration{
		Interests: []replhub.Interest{
			{Entity: "user", Start: replhub.StartAll(), Ops: []replhub.Op{replhub.Update}, Filter: "key != 'x' || data.gone == 1", Fields: []string{"id"}, Echo: true},
			{Entity: "tenant", Start: replhub.StartNew()},
		},
		Queue:    replhub.Queue{Order: replhub.OrderKey, Partitions: 2, AckWait: time.Minute, MaxDeliver: 3},
		MaxBytes: 1 << 20,
	}
	for range 2 { // as often as a service starts
		got, err := c.Register(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if got.Stream != "SUB_sharing" || !slices.Equal(got.Consumers, []string{"workers-0", "workers-1"}) ||
			got.Since["user"] != 1 || got.Since["tenant"] != 2 || !got.Complete || got.Epoch == 0 ||
			len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "data.gone") {
			t.Errorf("registered %+v", got)
		}
	}
	var have contract.LaneStatus
	l.ask("replhub.describe.sharing", &have)
	at := slices.IndexFunc(have.Interests, func(in contract.InterestStatus) bool { return in.Entity == "user" })
	if at < 0 {
		t.Fatalf("no interest in user: %+v", have)
	}
	in := have.Interests[at]
	if !slices.Equal(in.Ops, []string{"update"}) || in.Filter != "key != 'x' || data.gone == 1" || !slices.Equal(in.Fields, []string{"id"}) || !in.Echo {
		t.Errorf("interest %+v", in)
	}
	want := contract.Queue{Order: "key", Partitions: 2, AckWait: contract.Duration(time.Minute), MaxDeliver: 3}
	if have.Queue != want || have.MaxBytes != 1<<20 {
		t.Errorf("queue %+v, %d bytes", have.Queue, have.MaxBytes)
	}
}

func TestRegisterFromATimeOrASequence(t *testing.T) {
	l := newLab(t)
	l.startHub()
	c := l.client(asSharing)
	for i := range 3 {
		if _, err := c.Publish(t.Context(), user("a", i)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Register(t.Context(), replhub.Registration{Interests: []replhub.Interest{
		{Entity: "user", Start: replhub.StartFrom(2)},
		{Entity: "tenant", Start: replhub.StartAt(time.Now().Add(-time.Nanosecond))},
	}})
	if err != nil || got.Since["user"] != 2 || got.Since["tenant"] != 4 {
		t.Errorf("registered %+v, %v", got, err)
	}
}

func TestRegisterThatIsRefused(t *testing.T) {
	l := newLab(t)
	l.startHub()
	c := l.client(asSharing)
	for name, tc := range map[string]struct {
		r     replhub.Registration
		code  replhub.Code
		field string
	}{
		"entity":    {replhub.Registration{Interests: []replhub.Interest{{Entity: "User"}}}, replhub.CodeInvalidName, "interests[0].entity"},
		"op":        {replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Ops: []replhub.Op{"x"}}}}, replhub.CodeInvalidValue, "interests[0].ops[0]"},
		"filter":    {replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Filter: "1 +"}}}, replhub.CodeInvalidFilter, "interests[0].filter"},
		"start":     {replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartAt(time.Now().Add(time.Hour))}}}, replhub.CodeInvalidValue, "interests[0].start"},
		"order":     {replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}, Queue: replhub.Queue{Order: "x"}}, replhub.CodeInvalidValue, "queue.order"},
		"nothing":   {replhub.Registration{}, replhub.CodeNotFound, ""},
		"max bytes": {replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}, MaxBytes: 1}, replhub.CodeInvalidValue, "max_bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Register(t.Context(), tc.r)
			refused, ok := errors.AsType[*replhub.RefusedError](err)
			if !ok || refused.Code != tc.code || refused.Field != tc.field || refused.Message == "" {
				t.Errorf("error %v, want a refusal %s of %q", err, tc.code, tc.field)
			}
		})
	}
}

// What the policy of an entity does not allow is a refusal that programs can decide on;
// what it narrows is a warning.
func TestRegisterUnderAPolicy(t *testing.T) {
	l := newLab(t)
	l.startHub()
	answer, err := l.js().Conn().Request("replhub.policy.user", []byte(`{"allow":{"sharing":{"fields":["id"]}}}`), 10*time.Second)
	if err != nil || answer.Header.Get("Nats-Service-Error-Code") != "" {
		t.Fatalf("%v, %+v", err, answer)
	}
	c := l.client(asSharing)
	_, err = c.Register(t.Context(), replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Fields: []string{"id", "secret"}}}})
	refused, ok := errors.AsType[*replhub.RefusedError](err)
	if !ok || refused.Code != replhub.CodeNotAllowed || refused.Field != "interests[0].fields[1]" {
		t.Errorf("error %v", err)
	}
	got, err := c.Register(t.Context(), replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}})
	if err != nil || len(got.Warnings) != 1 {
		t.Errorf("registered %+v, %v", got, err)
	}
}

// Programs decide on codes: those of the contract are all there.
func TestCodesAreThoseOfTheContract(t *testing.T) {
	have := []replhub.Code{
		replhub.CodeBadJSON, replhub.CodeUnknownField, replhub.CodeInvalidValue, replhub.CodeInvalidName, replhub.CodeInvalidFilter,
		replhub.CodeNotFound, replhub.CodeTooOld, replhub.CodeBacklog, replhub.CodeInUse, replhub.CodeLimit, replhub.CodeDetached,
		replhub.CodeConflict, replhub.CodeNotAllowed, replhub.CodeBusy, replhub.CodePaused, replhub.CodeUnavailable, replhub.CodeInternal,
	}
	for i, code := range contract.Codes {
		if i >= len(have) || string(have[i]) != string(code) {
			t.Errorf("code %q of the contract is missing", code)
		}
	}
}

func TestUnregisterAndDescribe(t *testing.T) {
	l := newLab(t)
	l.startHub()
	c := l.client(asSharing)
	_, err := c.Describe(t.Context())
	if refused, ok := errors.AsType[*replhub.RefusedError](err); !ok || refused.Code != replhub.CodeNotFound {
		t.Errorf("error %v, want not_found", err)
	}
	if _, err := c.Register(t.Context(), replhub.Registration{Interests: []replhub.Interest{
		{Entity: "user", Echo: true}, {Entity: "tenant"}, {Entity: "group"},
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Publish(t.Context(), user("a", 1)); err != nil {
		t.Fatal(err)
	}
	l.eventually("the copy in the backlog", func() error {
		status, err := c.Describe(t.Context())
		if err != nil {
			return err
		}
		if status.State != replhub.StateLive || status.Lag != 0 || status.DeadLetters != 0 || len(status.Entities) != 3 {
			t.Logf("status %+v", status)
			return errors.New("not live")
		}
		if status.OldestUnacked <= 0 {
			return errors.New("no age of the backlog")
		}
		return count("backlog", int(status.Backlog), 1)
	})
	ended, err := c.Unregister(t.Context(), "tenant", "nothing")
	if err != nil || !slices.Equal(ended, []string{"tenant"}) {
		t.Errorf("ended %v, %v", ended, err)
	}
	if ended, err = c.Unregister(t.Context()); err != nil || len(ended) != 2 {
		t.Errorf("ended %v, %v", ended, err)
	}
}

func TestRegisterWithoutAHub(t *testing.T) {
	l := newLab(t)
	_, err := l.client(asSharing).Register(t.Context(), replhub.Registration{})
	wants(t, err, replhub.ErrNoHub)
	_, err = l.client().Register(t.Context(), replhub.Registration{})
	wants(t, err, replhub.ErrNoService)
}

func TestRegisterWithoutAnAnswer(t *testing.T) {
	l := newLab(t)
	nc, err := nats.Connect(l.url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.SubscribeSync("replhub.register.sharing"); err != nil { // and never says a word
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c := l.client(asSharing, hasty)
	_, err = c.Register(t.Context(), replhub.Registration{})
	wants(t, err, replhub.ErrUnknownOutcome)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = l.client(asSharing).Register(ctx, replhub.Registration{})
	wants(t, err, replhub.ErrUnknownOutcome, context.DeadlineExceeded)
}

// A hub that goes away and comes back is waited for by who asked to wait.
func TestRegisterWaitsForTheHub(t *testing.T) {
	l := newLab(t)
	stop, err := startHub(l.url)
	if err != nil {
		t.Fatal(err)
	}
	var log recorder
	c := l.client(asSharing, func(c *replhub.Config) {
		c.WaitForHub, c.Logger = true, log.logger()
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx := context.WithoutCancel(t.Context())
	go func() {
		_, err := c.Register(ctx, replhub.Registration{Interests: []replhub.Interest{{Entity: "user"}}})
		done <- err
	}()
	l.eventually("a word on waiting", func() error { return log.says("waiting for a hub") })
	l.startHub()
	if err := <-done; err != nil {
		t.Error(err)
	}
	// What waiting does not mend is said at once.
	_, err = c.Register(t.Context(), replhub.Registration{Interests: []replhub.Interest{{Entity: "User"}}})
	if refused, ok := errors.AsType[*replhub.RefusedError](err); !ok || refused.Code != replhub.CodeInvalidName {
		t.Errorf("error %v", err)
	}
}
