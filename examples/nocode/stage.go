//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/replhub/replhub/examples/internal/programs"
)

// patience is how long a program may take to start, and to stop before it is killed.
const patience = time.Minute

// stage runs the programs, and shows what they say.
type stage struct {
	out  io.Writer
	dir  string
	url  string // of NATS
	fail func() // ends the play

	mu       sync.Mutex // guards the rest, and out
	programs []*program // in the order of their start
	broken   error      // why the first program ended by itself
}

// program is one process.
type program struct {
	name    string
	cmd     *exec.Cmd
	said    bytes.Buffer // guarded by the stage's mu
	news    chan struct{}
	ended   chan struct{}
	stopped bool // guarded by the stage's mu
}

func (s *stage) say(who, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sayLocked(who, line)
}

func (s *stage) sayLocked(who, line string) {
	if _, err := fmt.Fprintf(s.out, "%-9s %s\n", who, line); err != nil {
		s.fail()
	}
}

// start runs a command of replhub until stop.
func (s *stage) start(name string, environment []string, args ...string) {
	s.say(name, typed(args))
	s.launch(name, s.command(environment, args))
}

func (s *stage) command(environment, args []string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), s.binary(), args...) // stop ends it
	cmd.Env = append(append(os.Environ(), "NATS_URL="+s.url), environment...)
	return cmd
}

func (s *stage) launch(name string, cmd *exec.Cmd) {
	p := &program{name: name, cmd: cmd, news: make(chan struct{}, 1), ended: make(chan struct{})}
	out := &lines{stage: s, program: p}
	cmd.Stdout, cmd.Stderr = out, out
	programs.OwnGroup(cmd)
	s.mu.Lock()
	s.programs = append(s.programs, p)
	s.mu.Unlock()
	go func() {
		err := cmd.Run()
		s.mu.Lock()
		if !p.stopped {
			s.broken = errors.Join(s.broken, fmt.Errorf("%s ended: %w", name, orExited(err)))
			s.fail()
		}
		s.mu.Unlock()
		close(p.ended)
	}()
}

func orExited(err error) error {
	if err == nil {
		return errors.New("by itself")
	}
	return err
}

// await returns the first match of a pattern in what a program says.
func (s *stage) await(ctx context.Context, name, pattern string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.mu.Lock()
	p := s.programs[slices.IndexFunc(s.programs, func(p *program) bool { return p.name == name })]
	s.mu.Unlock()
	wanted := regexp.MustCompile(pattern)
	for {
		s.mu.Lock()
		found, broken := wanted.Find(p.said.Bytes()), s.broken
		s.mu.Unlock()
		if found != nil {
			return string(found), nil
		}
		select {
		case <-p.news:
		case <-ctx.Done():
			return "", errors.Join(fmt.Errorf("%s did not say %q: %w", name, pattern, ctx.Err()), broken)
		}
	}
}

// runOnce runs a command of replhub to its end.
func (s *stage) runOnce(ctx context.Context, name string, environment []string, args ...string) error {
	s.say(name, typed(args))
	cmd := s.command(environment, args)
	out := &lines{stage: s, program: &program{name: name, news: make(chan struct{}, 1)}}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(os.Interrupt) })
	defer stop()
	if err := cmd.Wait(); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return errors.Join(fmt.Errorf("%s: %w", name, err), s.broken)
	}
	return nil
}

// stop stops the programs, the last first.
func (s *stage) stop() error {
	s.mu.Lock()
	programs, err := slices.Clone(s.programs), s.broken
	s.mu.Unlock()
	for _, p := range slices.Backward(programs) {
		s.mu.Lock()
		p.stopped = true
		s.mu.Unlock()
		err = errors.Join(err, p.stop())
	}
	return err
}

func (p *program) stop() error {
	select {
	case <-p.ended:
		return nil
	default:
	}
	if p.cmd.Process == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("%s did not stop in %s, and was killed", p.name, patience), p.cmd.Process.Kill())
	}
}

// lines shows what a program writes, line by line. Of dev and PostgreSQL only errors are
// shown.
type lines struct {
	stage   *stage
	program *program
	rest    []byte
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.stage.mu.Lock()
	defer l.stage.mu.Unlock()
	l.program.said.Write(p)
	select {
	case l.program.news <- struct{}{}:
	default:
	}
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.rest = rest
		quiet := l.program.name == "dev" || l.program.name == "postgres"
		if !quiet || bytes.Contains(line, []byte("ERROR")) || bytes.HasPrefix(line, []byte("error:")) {
			l.stage.sayLocked(l.program.name, string(line))
		}
	}
}
