package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"
)

// A folder that is too small for the streams is refused with what to do, in dev as
// in serve.
func TestDevOnASmallDisk(t *testing.T) {
	dir := t.TempDir()
	var said string
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=40m"); err != nil {
		t.Logf("no file system of its own (%v): the server's answer is made up", err)
		refused := fmt.Errorf("create stream: %w", &jetstream.APIError{Code: 500, ErrorCode: codeNoStorage, Description: "insufficient storage resources available"})
		said = explainStart(refused, devSpace(dir, 40<<20)).Error()
	} else {
		t.Cleanup(func() {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		o := execute(t.Context(), "", "dev", "--port", "0", "--http", "127.0.0.1:0", "--store-dir", dir)
		if said = o.stderr; o.code != 1 {
			t.Errorf("exit %d", o.code)
		}
	}
	for _, part := range []string{"insufficient storage resources", dir, "40.0 MiB free", "--store-dir"} {
		if !strings.Contains(said, part) {
			t.Errorf("does not say %q: %s", part, said)
		}
	}
	if serve := explainStart(&jetstream.APIError{ErrorCode: codeNoStorage}, serveSpace).Error(); !strings.Contains(serve, "REPLHUB_INGEST_MAX_BYTES") {
		t.Error(serve)
	}
}
