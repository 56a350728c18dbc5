package upgrade_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/replhub/replhub/internal/testenv/child"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/replhubtest"
)

// within bounds each wait.
const within = 30 * time.Second

// world is a server, the hubs of two versions on it, and what was published.
type world struct {
	t         *testing.T
	nats      *natstest.Server
	nc        *nats.Conn
	js        jetstream.JetStream
	published int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, nats: natstest.Start(t)}
	w.nc = w.nats.Connect()
	js, err := jetstream.New(w.nc)
	if err != nil {
		t.Fatal(err)
	}
	w.js = js
	return w
}

// hub starts a hub that believes to own every lane, unless env says otherwise, and waits
// until it answers.
func (w *world) hub(binary, id string, env ...string) *child.Process {
	w.t.Helper()
	cmd := exec.Command(binary, "serve")
	cmd.Env = append(withoutSettings(), "REPLHUB_NATS_URL="+w.nats.URL(), "REPLHUB_REGISTRY=kv", "REPLHUB_HTTP_ADDR=127.0.0.1:0",
		"REPLHUB_HUB_ID="+id, "REPLHUB_OWN_ALL=true", "REPLHUB_INGEST_MAX_BYTES=64MiB", "REPLHUB_DLQ_MAX_BYTES=64MiB")
	cmd.Env = append(cmd.Env, env...)
	log := filepath.Join(w.t.TempDir(), id+".log")
	p, err := child.Start(cmd, log)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			w.t.Error(err)
		}
		if w.t.Failed() {
			w.t.Logf("hub %s said:\n%s", id, child.Tail(log, 8<<10))
		}
	})
	w.await("hub "+id+" answers", func() error {
		if !p.Running() {
			w.t.Fatalf("hub %s has ended", id)
		}
		return w.answers(id)
	})
	return p
}

// withoutSettings is the environment without what a hub or a command would take.
func withoutSettings() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "REPLHUB_") || strings.HasPrefix(v, "NATS_") })
}

// answers asks all hubs, and looks for one.
func (w *world) answers(id string) error {
	inbox := w.nc.NewInbox()
	sub, err := w.nc.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := w.nc.PublishRequest("$SRV.PING.replhub", inbox, nil); err != nil {
		return err
	}
	for {
		m, err := sub.NextMsg(200 * time.Millisecond)
		if err != nil {
			return fmt.Errorf("wait for its answer: %w", err)
		}
		if strings.Contains(string(m.Data), `"hub":"`+id+`"`) {
			return nil
		}
	}
}

// register registers a service, whichever hub answers.
func (w *world) register(service, request string) {
	w.t.Helper()
	w.await("register "+service, func() error { return w.ask("register."+service, request) })
}

func (w *world) ask(verb, request string) error {
	m, err := w.nc.Request("replhub."+verb, []byte(request), 5*time.Second)
	if err != nil {
		return err
	}
	if m.Header.Get("Nats-Service-Error-Code") != "" {
		return errors.New(string(m.Data))
	}
	return nil
}

// publish publishes users, numbered on from the last one.
func (w *world) publish(n int) {
	w.t.Helper()
	for range n {
		w.published++
		payload := fmt.Appendf(nil, `{"id":"%d","n":%d,"tenant":"%s","secret":"x"}`, w.published%17, w.published, tenant(w.published))
		if _, err := w.js.Publish(w.t.Context(), "db.user.update", payload); err != nil {
			w.t.Fatal(err)
		}
	}
}

// tenant is that of the user of a number: every third is of acme.
func tenant(n int) string {
	if n%3 == 0 {
		return "acme"
	}
	return "other"
}

// copies are the numbers of the users in a lane, in their order there. Whatever
// else the versions may write differently, a payload is the publisher's.
func (w *world) copies(service string) ([]int, error) {
	stream, err := w.js.Stream(w.t.Context(), "SUB_"+service)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(w.t.Context(), seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var user struct{ N int }
		if strings.HasSuffix(m.Subject, "._state") {
			continue
		}
		if err := json.Unmarshal(m.Data, &user); err != nil {
			return nil, fmt.Errorf("copy %d: %w", seq, err)
		}
		numbers = append(numbers, user.N)
	}
	return numbers, nil
}

// holds waits until a lane has the users of these numbers, each once, in order.
func (w *world) holds(service string, due func(n int) bool) {
	w.t.Helper()
	var want []int
	for n := 1; n <= w.published; n++ {
		if due(n) {
			want = append(want, n)
		}
	}
	w.await(service+" has what is due", func() error {
		got, err := w.copies(service)
		switch {
		case err != nil:
			return err
		case !slices.Equal(got, want):
			return fmt.Errorf("it has %d copies %s, and is due %d %s", len(got), around(got, want), len(want), around(want, got))
		}
		return nil
	})
}

// around is where a list begins to differ from another.
func around(list, other []int) string {
	i := 0
	for i < len(list) && i < len(other) && list[i] == other[i] {
		i++
	}
	return "from " + strconv.Itoa(i) + ": " + fmt.Sprint(list[i:min(len(list), i+5)])
}

// command runs a command line against the hubs, and returns what it printed.
func (w *world) command(binary string, args ...string) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), binary, append(args, "-s", w.nats.URL(), "--no-context", "--json")...)
	cmd.Env = withoutSettings()
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Errorf("%s %v: %v\n%s", filepath.Base(binary), args, err, out)
	}
}

func (w *world) await(what string, holds func() error) {
	w.t.Helper()
	replhubtest.Await(w.t, what, holds, replhubtest.Within(within))
}
