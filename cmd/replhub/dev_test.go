package main

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/replhub/replhub/hub"
)

func sorted(text string) []string { return slices.Sorted(strings.Lines(text)) }

// demoStable replaces what differs from run to run, and sorts what the services
// took: which instance takes what, and when, is theirs.
func demoStable(text string) string {
	for _, r := range []struct{ from, to string }{
		{`nats://127\.0\.0\.1:\d+`, "<nats>"},
		{`http://127\.0\.0\.1:\d+`, "<http>"},
		{`streams in \S+`, "streams in <dir>"},
		{`replhub \(?\S+\)?: `, "replhub <version>: "},
		{`(sharing|application)/\d`, "$1/N"},
	} {
		text = regexp.MustCompile(r.from).ReplaceAllString(text, r.to)
	}
	var rest, taken strings.Builder
	for _, line := range sorted(text) {
		if strings.HasPrefix(line, "  > ") {
			taken.WriteString(line)
		}
	}
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "  > "):
		case strings.Contains(line, " got "):
			rest.WriteString(line[:strings.Index(line, ":")] + "\n")
		default:
			rest.WriteString(line)
		}
	}
	return rest.String() + "-- taken --\n" + taken.String()
}

func TestDemo(t *testing.T) {
	b := &bench{server: newBench(t).server}
	o := execute(t.Context(), "", "dev", "--demo", "--demo-events", "6", "--port", "0", "--http", "127.0.0.1:0")
	for line := range strings.Lines(o.stdout) {
		if strings.HasPrefix(line, "  > ") && strings.Contains(line, "$2b$") {
			t.Errorf("a secret reached a subscriber: %s", line)
		}
	}
	got := o
	got.stdout = demoStable(o.stdout)
	b.golden(t, "dev-demo", got)
	if _, err := os.Stat(storeDirOf(t, o.stdout)); !os.IsNotExist(err) {
		t.Errorf("the temporary folder is left: %v", err)
	}
	if strings.Contains(o.stdout, "\x1b") {
		t.Error("colours where nobody sees them")
	}
}

// storeDirOf finds the folder in the banner.
func storeDirOf(t *testing.T, banner string) string {
	t.Helper()
	found := regexp.MustCompile(`streams in (\S+)`).FindStringSubmatch(banner)
	if found == nil {
		t.Fatalf("no folder in\n%s", banner)
	}
	return found[1]
}

func TestNoCopyIsShownBeforeItsEvent(t *testing.T) {
	newBench(t)
	o := execute(t.Context(), "", "dev", "--demo", "--demo-events", "12", "--port", "0", "--http", "127.0.0.1:0")
	published := map[string]int{}
	for line := range strings.Lines(o.stdout) {
		words := strings.Fields(line)
		switch {
		case len(words) > 4 && words[0] == demoPublisher && words[2] == "user":
			published[words[1]+words[3]]++
		case len(words) > 4 && words[0] == ">" && published[words[2]+words[4]] == 0:
			t.Errorf("shown before its event: %s", line)
		}
	}
	if len(published) != 12 {
		t.Errorf("%d changes published, want 12:\n%s", len(published), o.stdout)
	}
}

func TestDev(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	r := start(t, "dev", "--port", "0", "--http", "127.0.0.1:0", "--store-dir", dir)
	banner := r.stdout.await(t, "or with this program")
	url := regexp.MustCompile(`nats://[\d.:]+`).FindString(banner)
	for _, command := range []string{"nats -s " + url + " req replhub.register.sharing '{", "nats -s " + url + " pub -J db.user.create", "consumer next SUB_sharing workers"} {
		if !strings.Contains(banner, command) {
			t.Errorf("no %q in\n%s", command, banner)
		}
	}
	if o := execute(t.Context(), "", "register", "sharing", "user", "--server", url); o.code != exitDone {
		t.Errorf("register: %s", o.stderr)
	}
	for name, args := range map[string][]string{
		"NATS port": {"--port", portOf(t, url), "--http", "127.0.0.1:0"},
		"folder":    {"--port", "0", "--http", "127.0.0.1:0", "--store-dir", dir},
		"HTTP port": {"--port", "0", "--http", b.server.URL()[len("nats://"):]},
		"log level": {"--log-level", "loud"},
	} {
		o := execute(t.Context(), "", append([]string{"dev"}, args...)...)
		if o.code == exitDone || !strings.HasPrefix(o.stderr, "error: ") || o.stdout != "" {
			t.Errorf("%s: exit %d\n%s%s", name, o.code, o.stdout, o.stderr)
		}
	}
	r.stop()
	if code := r.ended(t); code != exitDone || r.stderr.String() != "" {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) == 0 {
		t.Errorf("--store-dir was not kept: %v, %v", entries, err)
	}
}

func portOf(t *testing.T, url string) string {
	t.Helper()
	port := url[strings.LastIndex(url, ":")+1:]
	if _, err := strconv.Atoi(port); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return port
}

func TestSmallDiskSmallLimits(t *testing.T) {
	const mib = 1 << 20
	for free, want := range map[int64][3]int64{
		0:             {0, 0, 0}, // unknown: the hub's own defaults
		100 * mib:     {16 * mib, 16 * mib, 16 * mib},
		2048 * mib:    {256 * mib, 128 * mib, 128 * mib},
		1 << 40:       {1024 * mib, 1024 * mib, 256 * mib},
		16 * 16 * mib: {32 * mib, 16 * mib, 16 * mib},
	} {
		var cfg hub.Config
		smallLimits(&cfg, free)
		if got := [3]int64{cfg.IngestMaxBytes, cfg.LaneMaxBytes, cfg.DLQMaxBytes}; got != want {
			t.Errorf("%d free: %v, want %v", free, got, want)
		}
	}
}

func TestColoursForATerminalOnly(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	for terminal, want := range map[bool]string{
		true:  "\x1b[36m  > sharing/1     create user 1   {}\x1b[0m\n",
		false: "  > sharing/1     create user 1   {}\n",
	} {
		var out strings.Builder
		newDemoScreen(&out, terminal).took("sharing", 1, "sub.sharing.user.create.0", "1", []byte("{}"))
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
