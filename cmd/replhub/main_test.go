package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"
	"go.uber.org/goleak"

	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/natstest"
	"github.com/replhub/replhub/internal/testenv/sqltest"
)

var update = flag.Bool("update", false, "write the golden files")

// asCommand has the test binary be the command itself, for tests of a process.
const asCommand = "REPLHUB_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		_ = os.Unsetenv(asCommand) // no variable of replhub serve
		main()
	}
	goleak.VerifyTestMain(sqltest.Main(m))
}

// bench is a real nats-server on which replies of a hub are laid out, for what
// the hub says is tested elsewhere.
type bench struct {
	server *natstest.Server
	nc     *nats.Conn
	// asked are the control requests that came, as "<subject> <body>".
	asked chan string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	for _, name := range os.Environ() {
		if key, _, _ := strings.Cut(name, "="); strings.HasPrefix(key, "NATS_") {
			t.Setenv(key, "")
		}
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	server := natstest.Start(t)
	t.Setenv("NATS_URL", server.URL())
	return &bench{server: server, nc: server.Connect(), asked: make(chan string, 100)}
}

// answer lays out a reply, or a refusal when it is a *contract.Error, on a control
// subject.
func (b *bench) answer(t *testing.T, subject string, reply any) {
	t.Helper()
	b.serve(t, subject, func(req micro.Request) {
		b.asked <- req.Subject() + " " + string(req.Data())
		refusal, ok := reply.(*contract.Error)
		if !ok {
			_ = req.RespondJSON(reply)
			return
		}
		body, _ := json.Marshal(contract.Refusal{Error: refusal})
		_ = req.Error(string(refusal.Code), refusal.Message, body)
	})
}

func (b *bench) serve(t *testing.T, subject string, respond micro.HandlerFunc) {
	t.Helper()
	service, err := micro.AddService(b.nc, micro.Config{Name: contract.MicroName, Version: "0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.AddEndpoint("verb", respond, micro.WithEndpointSubject(subject)); err != nil {
		t.Fatal(err)
	}
	b.flush(t)
}

func (b *bench) flush(t *testing.T) {
	t.Helper()
	if err := b.nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) jetStream(t *testing.T) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(b.nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func (b *bench) createStream(t *testing.T, name string, subjects ...string) jetstream.Stream {
	t.Helper()
	stream, err := b.jetStream(t).CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: subjects})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// outcome is what a run of the command left.
type outcome struct {
	code           int
	stdout, stderr string
}

func execute(ctx context.Context, stdin string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, strings.NewReader(stdin), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// stable replaces what differs from run to run.
func (b *bench) stable(text string) string {
	text = strings.ReplaceAll(text, b.server.URL(), "<server>")
	return regexp.MustCompile(`20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z`).ReplaceAllStringFunc(text, func(at string) string {
		if strings.HasPrefix(at, "2026-01-02") {
			return at // from a reply that was laid out
		}
		return "20XX-XX-XX XX:XX:XXZ"
	})
}

func (b *bench) golden(t *testing.T, name string, o outcome) {
	t.Helper()
	got := b.stable(fmt.Sprintf("exit %d\n-- stdout --\n%s-- stderr --\n%s", o.code, o.stdout, o.stderr))
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); rerun with -update if it is meant:\n%s", path, diff)
	}
}
