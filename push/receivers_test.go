package push_test

import (
	"bufio"
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/push"
	"github.com/replhub/replhub/replhubtest"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// changes are published, and what the receivers of docs/push.md make of them, in order.
func changes() []replhub.Event {
	return []replhub.Event{
		{Entity: "user", Op: replhub.Create, Key: "1", Data: []byte(`{"id":"1"}`)},
		{Entity: "user", Op: replhub.Update, Key: "1", Data: []byte(`{"id":"1","name":"Ada"}`)},
		{Entity: "user", Op: replhub.Delete, Key: "1"},
	}
}

func applied() []string {
	return []string{`db.user.create user/1 {"id":"1"}`, `db.user.update user/1 {"id":"1","name":"Ada"}`, "db.user.delete user/1"}
}

// deliver pushes the changes twice: a rewind repeats all.
func deliver(t *testing.T, url string) {
	t.Helper()
	h := replhubtest.Start(t)
	nc, err := nats.Connect(h.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	h.Publish(t, changes()...)
	cfg := push.Config{
		Conn: nc, Service: "sharing", URL: url, Secrets: secret, AllowPrivate: true, Once: true,
		Registration: replhub.Registration{
			Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartAll()}}, Queue: replhub.Queue{Partitions: 1},
		},
	}
	for range 2 {
		summary, err := push.Run(t.Context(), cfg)
		if err != nil || summary.Delivered != len(changes()) {
			t.Fatalf("%+v, %v", summary, err)
		}
		h.Redeliver(t, "sharing", 1)
	}
}

// The receivers of docs/push.md verify what they get, and apply each change once.
func TestReceiverInGo(t *testing.T) {
	t.Parallel() // it waits most of the time
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	server := httptest.NewServer(receive(verifier, map[string]position{}, func(kind, row string, body []byte) {
		got = append(got, strings.TrimSpace(kind+" "+row+" "+string(body)))
	}))
	defer server.Close()
	deliver(t, server.URL)
	if !slices.Equal(got, applied()) {
		t.Errorf("applied %q", got)
	}
}

func TestReceiverInNode(t *testing.T) {
	t.Parallel() // it waits most of the time
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is not installed: see scripts/deps")
	}
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, node, "testdata/receiver.mjs")
	cmd.Env = append(os.Environ(), "SECRET="+secret, "PORT=0")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	lines := bufio.NewScanner(out)
	lines.Scan()
	port, _ := strings.CutPrefix(lines.Text(), "port ")
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines.Scan() {
			got = append(got, strings.TrimSpace(lines.Text()))
		}
	})
	deliver(t, "http://127.0.0.1:"+port)
	stop()
	reading.Wait()
	_ = cmd.Wait() // it was killed
	if !slices.Equal(got, applied()) {
		t.Errorf("applied %q", got)
	}
}

// The page shows the receivers that are tested here.
func TestPageShowsTheReceivers(t *testing.T) {
	page, err := os.ReadFile("../docs/push.md")
	if err != nil {
		t.Fatal(err)
	}
	for file, from := range map[string]string{"receiver_test.go": "// position is", "testdata/receiver.mjs": "import"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code := string(text)[strings.Index(string(text), from):]
		if !strings.Contains(string(page), strings.TrimSpace(code)) {
			t.Errorf("docs/push.md does not show %s as it is", file)
		}
	}
}
