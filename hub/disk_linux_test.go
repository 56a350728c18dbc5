package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/replhub/replhub/hub"
	"github.com/replhub/replhub/internal/contract"
	"github.com/replhub/replhub/internal/testenv/cluster"
)

// smallDisk is a folder for a server's streams that can be made full, and free
// again.
type smallDisk struct {
	dir    string
	filler string // empty where the folder is no file system of its own
}

func newSmallDisk(t *testing.T) *smallDisk {
	t.Helper()
	d := &smallDisk{dir: t.TempDir()}
	// Enough for what the hub's streams reserve.
	if err := unix.Mount("tmpfs", d.dir, "tmpfs", 0, "size=160m"); err != nil {
		t.Logf("no file system of its own (%v): files are kept from growing instead", err)
		return d
	}
	t.Cleanup(func() {
		if err := unix.Unmount(d.dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	d.filler = filepath.Join(d.dir, "filler")
	return d
}

// fill leaves next to no room for the server's streams.
func (d *smallDisk) fill(t *testing.T, server *cluster.NATS) {
	t.Helper()
	if d.filler == "" {
		limit := unix.Rlimit{Cur: 64 << 10, Max: unix.RLIM_INFINITY}
		if err := unix.Prlimit(server.PID(), unix.RLIMIT_FSIZE, &limit, nil); err != nil {
			t.Fatal(err)
		}
		return
	}
	f, err := os.Create(d.filler)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	size := int64(0)
	for chunk := make([]byte, 1<<20); ; {
		n, err := f.Write(chunk)
		size += int64(n)
		if errors.Is(err, unix.ENOSPC) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(size - 200<<10); err != nil {
		t.Fatal(err)
	}
}

// free makes room again; the server is not told.
func (d *smallDisk) free(t *testing.T) {
	t.Helper()
	if d.filler == "" {
		return // the next process has no limit
	}
	if err := os.Remove(d.filler); err != nil {
		t.Fatal(err)
	}
}

// A server whose disk was full answers publishers and the hub nothing, also when
// there is room again. The hub says what it is and what to do, and goes on after a
// restart.
func TestFullDiskIsNamed(t *testing.T) {
	disk := newSmallDisk(t)
	server := cluster.StartNATS(t, cluster.NATSStoreDir(filepath.Join(disk.dir, "js")))
	w := &world{t: t, server: server, dir: server.StoreDir(), url: server.URL(), patience: time.Minute}
	w.open()
	var log logged
	o := w.observe(nil, log.into, func(c *hub.Config) {
		c.IngestMaxBytes, c.DLQMaxBytes, c.LaneMaxBytes, c.TrimEvery = 8<<20, 1<<20, 8<<20, 50*time.Millisecond
	})
	w.register("s", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 1)
	disk.fill(t, server)
	pad := strings.Repeat("x", 20_000)
	for stored := true; stored; {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := w.js.Publish(ctx, "db.user.update", []byte(`{"id":"1","x":"`+pad+`"}`))
		cancel()
		stored = err == nil
	}
	const advice = "restart nats-server after freeing space"
	o.awaitHealth(w, http.StatusOK, advice+" (stream DB")
	disk.free(t)
	w.eventually("the lane to say so", func() error {
		status, err := w.describe("s")
		switch {
		case err != nil:
			return err
		case status.State == contract.LaneLive:
			return nil // ingest alone was hit
		case !strings.Contains(status.Reason, advice):
			return fmt.Errorf("%s: %s", status.State, status.Reason)
		}
		return nil
	})
	w.stopServer()
	w.startServer()
	w.publish("db.user.update", `{"id":"1"}`)
	w.eventually("all to be well", func() error {
		if _, health := readyz(t, o.Hub); len(health.Degraded) > 0 {
			return fmt.Errorf("%v", health.Degraded)
		}
		return nil
	})
	if log.count("level=WARN", advice, "stream DB") != 1 {
		t.Errorf("told %d times", log.count("level=WARN", advice, "stream DB"))
	}
}

// A lane's stream that the server could not write to says so as its reason, though
// ingest takes events.
func TestDiskOfALane(t *testing.T) {
	w := newWorld(t)
	o := w.observe(nil)
	w.register("s", `{"entities":["user"]}`)
	w.publish("db.user.update", `{"id":"1"}`)
	w.copies("s", 1)
	// A copy has more headers than its event, so its file is the first that must
	// not grow.
	(&smallDisk{}).fill(t, w.server)
	if err := w.publishAll(t.Context(), "user", 300); err != nil {
		t.Fatal(err)
	}
	w.eventually("the reason", func() error {
		status, err := w.describe("s")
		if err != nil {
			return err
		}
		if !strings.Contains(status.Reason, "restart nats-server after freeing space (stream SUB_s") {
			return fmt.Errorf("%s: %s", status.State, status.Reason)
		}
		return nil
	})
	// It did not go round and round, as it does with another writer.
	if fenced := o.metrics()[`replhub_lane_fenced_total{service="s"}`]; fenced > 20 {
		t.Errorf("took the server's refusals for another writer's appends %v times", fenced)
	}
	w.stopServer()
	w.startServer()
	w.eventually("the copies", func() error {
		n, err := w.stored("SUB_s")
		if err == nil && n < 301 {
			err = fmt.Errorf("%d so far", n)
		}
		return err
	})
	w.awaitState("s", contract.LaneLive)
}
