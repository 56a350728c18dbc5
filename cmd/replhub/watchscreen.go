package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/livetable"
	"github.com/replhub/replhub/subjects"
)

// terminal is a person's terminal, for a program that takes keys.
type terminal struct{ in, out *os.File }

// screen is the terminal behind input and output; ok is false where one of them is none,
// or where JSON is wanted.
func (a *app) screen() (t terminal, ok bool) {
	out := a.out
	if o, wrapped := out.(*output); wrapped {
		out = o.Writer
	}
	t.out, ok = out.(*os.File)
	in, isFile := a.in.(*os.File)
	t.in = in
	return t, ok && isFile && !a.json && a.isTerminal(t.out) && a.isTerminal(in)
}

// screenTimeout bounds one look of the screen: that a hub is away is to be said soon.
const screenTimeout = 2 * time.Second

// watchScreen shows the services on a terminal until a person ends it. The terminal is
// restored however that ends, but for a kill that no process survives (SIGKILL).
func (a *app) watchScreen(ctx context.Context, l *connection, t terminal, every time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.timeout = min(l.timeout, screenTimeout)
	w := screenWatch{app: a, ctx: func() context.Context { return ctx }, link: l}
	model := livetable.New(livetable.Config{
		Every: every, Look: w.look, Open: w.open, Human: humanAge, Printable: printable, Plain: os.Getenv("NO_COLOR") != "",
	})
	// Signals end the context, as with every verb.
	program := tea.NewProgram(model, tea.WithContext(ctx), tea.WithInput(t.in), tea.WithOutput(t.out), tea.WithoutSignalHandler())
	last, err := program.Run()
	if ctx.Err() != nil {
		return nil // interrupted, which is a way to be done
	}
	if err != nil {
		return fmt.Errorf("show the screen: %w; 'replhub watch --lines' needs none", err)
	}
	if m, ok := last.(livetable.Model); ok {
		return m.Err()
	}
	return nil
}

// screenWatch answers the screen's questions.
type screenWatch struct {
	app  *app
	ctx  func() context.Context
	link *connection
}

// away is the error of a connection that does not stand.
func (w screenWatch) away() error {
	if w.link.nc.IsConnected() {
		return nil
	}
	return fmt.Errorf("no connection to NATS at %s", w.link.server)
}

func (w screenWatch) look() livetable.Looked {
	var reply contract.Services
	err := w.away()
	if err == nil {
		_, err = w.link.askPages(w.ctx(), servicePages(), &reply)
	}
	_, fatal := errors.AsType[*refused](err)
	return livetable.Looked{At: time.Now(), Services: reply.Services, Err: err, Fatal: fatal}
}

func (w screenWatch) open(service string) livetable.Opened {
	var lane contract.LaneStatus
	err := w.away()
	if err == nil {
		_, err = w.link.askPages(w.ctx(), lanePages(service), &lane)
	}
	if err != nil {
		return livetable.Opened{Service: service, Err: err}
	}
	letter := w.lastLetter(&lane)
	return livetable.Opened{Service: service, Lines: func(width int) []string {
		var lines []string
		for _, t := range []*table{laneTable(&lane), letter, interestTable(lane.Interests, false), policyTable(lane.Interests), workerTable(lane.Workers, lane.Queue.Order == orderKey)} {
			if t != nil {
				lines = append(append(lines, t.lines(width)...), "")
			}
		}
		return lines
	}}
}

// lastLetter is the newest dead letter of a service, nil without any. An observer may not
// read it.
func (w screenWatch) lastLetter(lane *contract.LaneStatus) *table {
	if lane.DeadLetters == 0 {
		return nil
	}
	t := newTable("last dead letter", "")
	header, err := w.newestLetter(lane.Service)
	if err != nil {
		t.rows[0][1] = fmt.Sprintf("it cannot be read: %v; 'replhub dlq ls %s --letters' needs an operator's credentials", err, lane.Service)
		t.wraps = true
		return t
	}
	t.rows[0][1] = header.at
	t.pair("reason", header.reason)
	t.pair("error", header.err)
	t.pair("key", header.key)
	return t
}

type letterHead struct{ at, reason, err, key string }

func (w screenWatch) newestLetter(service string) (letterHead, error) {
	name, err := subjects.ParseName(service)
	if err != nil {
		return letterHead{}, err
	}
	ctx, cancel := context.WithTimeout(w.ctx(), screenTimeout)
	defer cancel()
	js, err := w.link.jetStream()
	if err != nil {
		return letterHead{}, err
	}
	stream, err := js.Stream(ctx, contract.StreamDLQ)
	if err != nil {
		return letterHead{}, err
	}
	m, err := stream.GetLastMsgForSubject(ctx, subjects.DeadLetterFilter(name))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return letterHead{at: "gone meanwhile"}, nil
	}
	if err != nil {
		return letterHead{}, err
	}
	at := fmt.Sprintf("%d, %s, %s", m.Sequence, strings.TrimPrefix(m.Subject, "dlq."+service+"."), humanTime(m.Time))
	return letterHead{at, m.Header.Get(contract.HeaderReason), m.Header.Get(contract.HeaderError), m.Header.Get(contract.HeaderKey)}, nil
}
