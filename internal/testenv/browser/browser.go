// Package browser drives a real Chromium for tests, by the DevTools protocol over pipes.
// It does what the tests need and no more: open a page, run a script in it, press keys,
// take a picture, and tell what the page complained of. A library would bring several
// hundred thousand generated lines into every build of the tests.
package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/testenv/child"
)

// programs are the names under which systems have Chromium.
func programs() []string { return []string{"chromium", "chromium-browser", "google-chrome"} }

// commandTime bounds one command: a busy machine starts a browser in seconds.
const commandTime = time.Minute

// Browser is a running Chromium. It may be used concurrently.
type Browser struct {
	in   *os.File
	next atomic.Int64

	mu      sync.Mutex // guards the rest
	waiting map[int64]chan reply
	heard   map[string]func(method string, params json.RawMessage) // by session
	ended   error
}

type reply struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// Start starts a browser that ends with the test.
func Start(t testing.TB) *Browser {
	t.Helper()
	program := ""
	for _, name := range programs() {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Fatal("chromium is missing (./scripts/deps installs it on Debian as root: apt-get install chromium)")
	}
	toRead, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, toWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--hide-scrollbars", "--user-data-dir="+t.TempDir(), "about:blank")
	cmd.ExtraFiles = []*os.File{toRead, toWrite}
	cmd.SysProcAttr = child.Attributes()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = toRead.Close(), toWrite.Close() // the browser has its own
	b := &Browser{in: in, waiting: make(map[int64]chan reply), heard: make(map[string]func(string, json.RawMessage))}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read(out)
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = b.call(ctx, "", "Browser.close", nil, nil) // it may have ended
		_ = in.Close()
		kill := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		kill.Stop()
		_ = out.Close()
		<-read
	})
	return b
}

// read hands on what the browser says until it ends.
func (b *Browser) read(out *os.File) {
	messages := bufio.NewReaderSize(out, 1<<20)
	for {
		raw, err := messages.ReadBytes(0)
		if err != nil {
			b.end(err)
			return
		}
		var m struct {
			ID        int64           `json:"id"`
			Method    string          `json:"method"`
			Params    json.RawMessage `json:"params"`
			SessionID string          `json:"sessionId"` //nolint:tagliatelle // the protocol's name
			reply
		}
		if err := json.Unmarshal(raw[:len(raw)-1], &m); err != nil {
			b.end(err)
			return
		}
		b.mu.Lock()
		waiting, hears := b.waiting[m.ID], b.heard[m.SessionID]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		switch {
		case m.Method == "" && waiting != nil:
			waiting <- m.reply
		case m.Method != "" && hears != nil:
			hears(m.Method, m.Params)
		}
	}
}

func (b *Browser) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = fmt.Errorf("the browser has ended: %w", err)
	for id, waiting := range b.waiting {
		close(waiting)
		delete(b.waiting, id)
	}
}

// call sends a command and decodes its result.
func (b *Browser) call(ctx context.Context, session, method string, params, result any) error {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	id := b.next.Add(1)
	command := map[string]any{"id": id, "method": method}
	if params != nil {
		command["params"] = params
	}
	if session != "" {
		command["sessionId"] = session
	}
	data, err := json.Marshal(command)
	if err != nil {
		return err
	}
	answered := make(chan reply, 1)
	b.mu.Lock()
	if err := b.ended; err != nil {
		b.mu.Unlock()
		return err
	}
	b.waiting[id] = answered
	_, err = b.in.Write(append(data, 0))
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case r, ok := <-answered:
		switch {
		case !ok:
			return errors.New("the browser has ended")
		case r.Error != nil:
			return fmt.Errorf("%s: %s", method, r.Error.Message)
		case result == nil:
			return nil
		}
		return json.Unmarshal(r.Result, result)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}
