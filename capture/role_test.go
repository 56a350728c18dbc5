package capture_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/replhub/replhub"
	"github.com/replhub/replhub/capture"
	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/captured"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/permissions"
	"github.com/replhub/replhub/internal/testenv/rolestest"
	"github.com/replhub/replhub/internal/testenv/sqltest"
	"github.com/replhub/replhub/kvmap"
	"github.com/replhub/replhub/replhubtest"
	"github.com/replhub/replhub/subjects"
)

// A capture stores changes, takes over from another one, and serves rows, with what
// "replhub auth service --captures" prints, and the server denies it nothing.
func TestRoleSuffices(t *testing.T) {
	t.Parallel() // it waits most of the time
	for _, layout := range []rolestest.Layout{rolestest.OneAccount, rolestest.TwoAccounts} {
		t.Run(string(layout), func(t *testing.T) {
			t.Parallel()
			slot := "r" + fmt.Sprint(rand.Uint64())
			user := []subjects.Name{nameOf(t, "user")}
			server := rolestest.Start(t, layout, "",
				permissions.ServiceRole{Name: nameOf(t, "owner"), Publishes: user, Snapshots: user, Records: []string{captured.Subject(slot)}},
				permissions.ServiceRole{Name: nameOf(t, "sharing")})
			startHub(t, server)
			s := &site{t: t, dsn: sqltest.Postgres(t)}
			s.owner = s.open(s.dsn)
			s.exec("CREATE TABLE users (id int PRIMARY KEY)")
			s.exec("INSERT INTO users VALUES (1)")
			t.Cleanup(func() { s.drop(slot) })
			cfg := capture.Config{
				Conn: server.Connect("owner"), Domain: server.Domain("owner"), DSN: s.dsn, Service: "owner", Slot: slot,
				Tables: []string{"public.users=user"}, Logger: slog.New(slog.DiscardHandler),
			}
			ingest, err := server.JetStream(server.Connect(rolestest.Root)).Stream(t.Context(), contract.StreamIngest)
			if err != nil {
				t.Fatal(err)
			}
			for id := 2; id <= 3; id++ { // the second capture reads back what the first one stored
				stop := begin(t, cfg)
				s.exec(fmt.Sprintf("INSERT INTO users VALUES (%d)", id))
				replhubtest.Await(t, "the change in ingest", func() error {
					m, err := ingest.GetLastMsgForSubject(context.WithoutCancel(t.Context()), "db.user.create")
					if err == nil && string(m.Data) != fmt.Sprintf(`{"id":%d}`, id) {
						err = fmt.Errorf("%s", m.Data)
					}
					return err
				})
				if id == 3 {
					rowsCome(t, server, 3)
				}
				stop()
			}
			for _, line := range server.Violations() {
				t.Errorf("denied: %s", line)
			}
		})
	}
}

func nameOf(t *testing.T, s string) subjects.Name {
	t.Helper()
	n, err := subjects.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// startHub runs a hub with a hub's permissions until the test ends.
func startHub(t *testing.T, server *rolestest.Server) {
	t.Helper()
	nc := server.Connect(rolestest.Hub)
	quiet := slog.New(slog.DiscardHandler)
	registry, err := kvmap.New(server.JetStream(nc), kvmap.Config{Bucket: contract.BucketRegistry, Records: hub.RegistryRecords(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	h, err := hub.New(hub.Config{Conn: nc, Registry: registry, Logger: quiet, IngestMaxBytes: 64 << 20, DLQMaxBytes: 16 << 20, LaneMaxBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	untilEnd(t, "the hub", h.Run)
	select {
	case <-h.Ready():
	case <-time.After(30 * time.Second):
		t.Fatalf("no hub; denied: %q", server.Violations())
	}
}

// begin runs a capture until the function that it returns is called.
func begin(t *testing.T, cfg capture.Config) (stop func()) {
	t.Helper()
	c, err := capture.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	stop = untilEnd(t, "the capture", c.Run)
	replhubtest.Await(t, "the capture to begin", func() error {
		if state := c.Status().State; state != "capturing" {
			return errors.New(state)
		}
		return nil
	})
	return stop
}

// rowsCome has another service get the rows in a snapshot.
func rowsCome(t *testing.T, server *rolestest.Server, rows int) {
	t.Helper()
	client, err := replhub.Connect(t.Context(), replhub.Config{
		URL: server.URL("sharing"), Service: "sharing", Domain: server.Domain("sharing"), Logger: slog.New(slog.DiscardHandler),
		Options: []nats.Option{nats.RootCAs(server.CA)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Register(t.Context(), replhub.Registration{Interests: []replhub.Interest{{Entity: "user", Start: replhub.StartSnapshot()}}}); err != nil {
		t.Fatal(err)
	}
	replhubtest.Await(t, "the rows", func() error {
		status, err := client.Describe(t.Context())
		if err == nil && (len(status.Filled) != 1 || status.Backlog < uint64(rows)) {
			err = fmt.Errorf("%+v", status)
		}
		return err
	})
}

// untilEnd runs until the test ends, or the function that it returns is called.
func untilEnd(t *testing.T, what string, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-over; err != nil {
			t.Errorf("%s: %v", what, err)
		}
	})
	t.Cleanup(stop)
	return stop
}
