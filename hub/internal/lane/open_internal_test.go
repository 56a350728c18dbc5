package lane

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub/hub/internal/event"
	"github.com/replhub/replhub/internal/testenv/natstest"
)

// scripted is an open append whose answers the test gives: no stream is there.
type scripted struct {
	*OpenAppend
	t      *testing.T
	nc     *nats.Conn
	failed chan struct{}
	sent   *nats.Subscription
}

func script(t *testing.T) *scripted {
	t.Helper()
	js := natstest.Start(t).JetStream()
	a, err := NewAppender(js, Fast)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	s := &scripted{t: t, nc: js.Conn(), failed: make(chan struct{})}
	if s.sent, err = s.nc.SubscribeSync("sub.s.>"); err != nil {
		t.Fatal(err)
	}
	s.OpenAppend = a.Open("SUB_s", 0, func() { close(s.failed) })
	t.Cleanup(s.Drop)
	return s
}

// send sends messages on a goroutine of its own, as much of them as the answers
// allow.
func (s *scripted) send(texts ...string) (done <-chan error) {
	result := make(chan error, 1)
	go func() {
		msgs := make([]Message, len(texts))
		for i, text := range texts {
			msgs[i] = Message{Subject: "sub.s.user.create.0", Header: event.NewHeader(make(map[string][]string)), Data: []byte(text)}
		}
		result <- s.Send(s.t.Context(), msgs)
	}()
	return result
}

// next is the next message that the batch has sent, other than a ping, and what
// its reply subject says of it: "<sequence>.<operation>".
func (s *scripted) next(ping bool) (*nats.Msg, string) {
	s.t.Helper()
	for {
		m, err := s.sent.NextMsg(20 * time.Second)
		if err != nil {
			s.t.Fatal(err)
		}
		tokens := strings.Split(m.Reply, ".")
		says := strings.Join(tokens[len(tokens)-3:len(tokens)-1], ".")
		if strings.HasSuffix(m.Reply, fastPing) == ping {
			return m, says
		}
	}
}

// expect has the batch send exactly these messages before it waits for an answer.
func (s *scripted) expect(texts ...string) (last *nats.Msg) {
	s.t.Helper()
	for _, text := range texts {
		last, _ = s.next(false)
		if string(last.Data) != text {
			s.t.Fatalf("the batch sent %q, want %q", last.Data, text)
		}
	}
	// A batch that waits asks for an answer, and so says that nothing is on its way.
	m, err := s.sent.NextMsg(20 * time.Second)
	if err != nil || !strings.HasSuffix(m.Reply, fastPing) {
		s.t.Fatalf("the batch sent %v, %v behind %q, before it was answered", m, err, texts)
	}
	return last
}

func (s *scripted) answer(to *nats.Msg, text string) {
	s.t.Helper()
	if err := s.nc.Publish(to.Reply, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// The first message waits for its answer, and what may be on its way from then
// on is what the server's answers say. An answer that got lost is asked for.
func TestBatchKeepsToTheFlow(t *testing.T) {
	s := script(t)
	done := s.send("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l")
	m := s.expect("a")
	s.answer(m, `{"type":"ack","seq":0,"msgs":1}`)
	s.expect("b", "c", "d") // four answers outstanding
	ping, says := s.next(true)
	if says != "4.4" {
		t.Errorf("the ping says %q, want the last message sent", says)
	}
	s.answer(ping, `{"type":"ack","seq":1,"msgs":2}`)
	m = s.expect("e", "f", "g", "h", "i")
	s.answer(m, `{"type":"ack","seq":4,"msgs":60000}`) // more than was asked for
	for _, text := range []string{"j", "k", "l"} {
		if m, _ = s.next(false); string(m.Data) != text {
			t.Fatalf("the batch sent %q, want %q", m.Data, text)
		}
	}
	if err := <-done; err != nil || s.Unstored() != 8 || !s.Ready() {
		t.Errorf("sent with %v; %d unstored, ready: %v", err, s.Unstored(), s.Ready())
	}
	if w := s.window.Load(); w != outstandingAnswers*fastFlow {
		t.Errorf("a window of %d", w)
	}
}

// Whatever the server answers, an append counts as stored only by the final
// acknowledgement of its own batch, for all of it.
func TestAnswersToABatch(t *testing.T) {
	const ack = `"stream":"SUB_s","seq":2`
	for _, c := range []struct {
		name, answer string
		fenced       bool
		want         string
	}{
		{name: "refused in the middle", answer: `{"type":"err","seq":2,"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 1"}}`, fenced: true},
		{name: "another error in the middle", answer: `{"type":"err","seq":2,"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}`, want: "maximum bytes exceeded"},
		{name: "unknown batch", answer: `{"error":{"code":400,"err_code":10208,"description":"batch publish ID unknown"},"stream":"SUB_s","seq":0}`, want: "ID unknown"},
		{name: "lost on the way", answer: `{"type":"gap","last_seq":1,"seq":2}`, want: "lost on the way"},
		{name: "a prefix", answer: `{` + ack + `,"batch":"BATCH","count":1}`, want: "1 of 2"},
		{name: "another batch", answer: `{` + ack + `,"batch":"other","count":2}`, want: "takes no batches"},
		{name: "a single message", answer: `{` + ack + `}`, want: "takes no batches"},
		{name: "another stream", answer: `{"stream":"OTHER","seq":2,"batch":"BATCH","count":2}`, want: `stream "OTHER"`},
		{name: "an unknown type", answer: `{"type":"news","seq":2}`, want: `"news"`},
		{name: "stored", answer: `{` + ack + `,"batch":"BATCH","count":2}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := script(t)
			done := s.send("a", "b")
			m, _ := s.next(false)
			s.answer(m, `not an answer`)
			s.answer(m, `{"type":"ack","seq":0,"msgs":500}`)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			settled := make(chan error, 1)
			go func() { settled <- s.Settle(t.Context()) }()
			m, says := s.next(false)
			for says != "3.3" {
				m, says = s.next(false)
			}
			s.answer(m, strings.ReplaceAll(c.answer, "BATCH", s.id))
			err := <-settled
			switch {
			case c.fenced && !errors.Is(err, ErrFenced), c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)),
				!c.fenced && c.want == "" && err != nil:
				t.Errorf("settled with: %v", err)
			}
		})
	}
}

// A batch that ends of itself, or finds nobody, fails at once and says so to its
// lane, and nothing more of it is sent.
func TestBatchThatEndsOfItself(t *testing.T) {
	for name, end := range map[string]func(s *scripted, first *nats.Msg){
		"acknowledged": func(s *scripted, first *nats.Msg) {
			s.answer(first, `{"stream":"SUB_s","seq":1,"batch":"`+s.id+`","count":1}`)
		},
		"nobody there": func(s *scripted, first *nats.Msg) {
			m := &nats.Msg{Subject: first.Reply, Header: nats.Header{"Status": {"503"}}}
			if err := s.nc.PublishMsg(m); err != nil {
				s.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := script(t)
			done := s.send("a", "b")
			first := s.expect("a")
			end(s, first)
			<-s.failed
			if err := <-done; err == nil || s.Err() == nil || s.Ready() {
				t.Errorf("sent with %v; over: %v; ready: %v", err, s.Err(), s.Ready())
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := s.Settle(ctx); err == nil {
				t.Error("settled")
			}
		})
	}
}
