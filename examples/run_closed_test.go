package examples_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// Who stops reading, as head does, ends it all: nothing is left behind.
func TestRunEndsWithItsOutput(t *testing.T) {
	folder, err := programs()
	if err != nil {
		t.Fatalf("build the programs: %v\n%s", err, folder)
	}
	temporary := t.TempDir()
	cmd := exec.Command(filepath.Join(folder, "run"), "-pause", "5ms")
	cmd.Env = environment("NATS_URL=", "DATABASE_URL=", "TMPDIR="+temporary)
	cmd.WaitDelay = stopTime
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Whatever goes wrong, what was started is stopped.
	t.Cleanup(func() { _ = cmd.Process.Signal(os.Interrupt) })
	url := ""
	for lines := bufio.NewScanner(out); url == "" || !regexp.MustCompile(`^sharing/1 +got`).Match(lines.Bytes()); {
		if !lines.Scan() {
			t.Fatalf("the output ended: %v", lines.Err())
		}
		if found := regexp.MustCompile(`nats://([0-9.:]+)`).FindStringSubmatch(lines.Text()); found != nil {
			url = found[1]
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(10*time.Second, func() {
		t.Error("run goes on though nobody reads what it says")
		_ = cmd.Process.Signal(os.Interrupt)
	})
	if err := cmd.Wait(); err != nil {
		t.Errorf("run: %v", err)
	}
	late.Stop()
	if conn, err := net.DialTimeout("tcp", url, time.Second); err == nil {
		_ = conn.Close()
		t.Errorf("%s is left behind", url)
	}
	left, err := os.ReadDir(temporary)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		t.Errorf("%s is left behind", entry.Name())
	}
}
