package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// trial is a bridge of the name push that shows what its settings came to.
type trial struct {
	flags  bridgeFlags
	URL    string
	Tables []string
	Wait   time.Duration
	Size   byteSize
	All    bool
}

func (tr *trial) run(args ...string) error {
	var a app
	cmd := &cobra.Command{Use: "push", SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error { return nil }, Annotations: map[string]string{bridgeVariables: "REPLHUB_PUSH_SECRET"}}
	a.conn.register(cmd.Flags())
	tr.flags.register(cmd, "127.0.0.1:0", true)
	cmd.Flags().StringVar(&tr.URL, "url", "", "")
	cmd.Flags().StringArrayVar(&tr.Tables, "table", nil, "")
	cmd.Flags().DurationVar(&tr.Wait, "max-wait", time.Second, "")
	cmd.Flags().Var(&tr.Size, "max-bytes", "")
	cmd.Flags().BoolVar(&tr.All, "all", false, "")
	cmd.SetArgs(args)
	return cmd.Execute()
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "push.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A flag has precedence over the environment, and the environment over the file.
func TestBridgeSettings(t *testing.T) {
	newBench(t)
	path := configFile(t, "url: file\nmax_wait: 3s\nmax_bytes: 3MiB\nall: true\ntable:\n  a: b\n  c: d\nserver: nats://file:1\nlog_level: debug\n")
	t.Setenv("REPLHUB_PUSH_CONFIG", path)
	t.Setenv("REPLHUB_PUSH_SECRET", "hush")
	t.Setenv("REPLHUB_APPLY_TABLE", "x=y") // another bridge's
	t.Setenv("REPLHUB_PUSH_MAX_WAIT", "2s")
	t.Setenv("REPLHUB_PUSH_URL", "environment")
	t.Setenv("REPLHUB_HTTP_ADDR", "127.0.0.1:0")
	var tr trial
	if err := tr.run("--url", "flag"); err != nil {
		t.Fatal(err)
	}
	got := []any{tr.URL, tr.Wait, int64(tr.Size), tr.All, tr.Tables, tr.flags.logLevel, tr.flags.http.Addr}
	want := []any{"flag", 2 * time.Second, int64(3 << 20), true, []string{"a=b", "c=d"}, "debug", "127.0.0.1:0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	t.Setenv("REPLHUB_PUSH_TABLE", "e=f, g\nh=i\n")
	tr = trial{}
	if err := tr.run(); err != nil || tr.URL != "environment" || cmp.Diff([]string{"e=f, g", "h=i"}, tr.Tables) != "" {
		t.Errorf("%v, %q, %q", err, tr.URL, tr.Tables)
	}
}

// A wrong setting is refused with the place where it stands, and nothing is ignored.
func TestWrongBridgeSettings(t *testing.T) {
	newBench(t)
	for name, tt := range map[string]struct{ file, variable, value, says string }{
		"unknown member":     {file: "url: x\nmax_waits: 3s\n", says: "push.yaml:2: there is no setting \"max_waits\"; did you mean max_wait?"},
		"wrong member":       {file: "url: x\nmax_wait: soon\n", says: "push.yaml:2: max_wait: "},
		"zero member":        {file: "max_wait: 0s\n", says: "--max-wait 0: must be above 0"},
		"two values":         {file: "url: [a, b]\n", says: "push.yaml:1: url takes one value"},
		"a password":         {file: "password: hush\n", says: "there is no setting \"password\""},
		"no file":            {file: "-", says: "read the configuration"},
		"unknown variable":   {variable: "REPLHUB_PUSH_MAXWAIT", value: "1s", says: "REPLHUB_PUSH_MAXWAIT is no variable of replhub push; did you mean REPLHUB_PUSH_MAX_WAIT?"},
		"nobody's variable":  {variable: "REPLHUB_HTTP_ADDRESS", value: "x", says: "did you mean REPLHUB_HTTP_ADDR?"},
		"wrong variable":     {variable: "REPLHUB_PUSH_MAX_WAIT", value: "soon", says: "REPLHUB_PUSH_MAX_WAIT: "},
		"the hub's variable": {variable: "REPLHUB_HISTORY", value: "1h"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.variable != "" {
				t.Setenv(tt.variable, tt.value)
			}
			var args []string
			if tt.file != "" {
				args = []string{"--config", "missing"}
			}
			if tt.file != "" && tt.file != "-" {
				args[1] = configFile(t, tt.file)
			}
			var tr trial
			err := tr.run(args...)
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v, want one that says %q", err, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("a secret is in %v", err)
			}
		})
	}
	// The hub lets the variables of bridges be, since both may run in one environment.
	t.Setenv("REPLHUB_PUSH_URL", "https://example.com")
	if _, err := readSettings(); err != nil {
		t.Errorf("serve: %v", err)
	}
}

// Several bridges on one machine do not collide at the default port; an address that was
// said is taken or refused.
func TestBridgeListens(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f := bridgeFlags{defaultAddr: taken.Addr().String()}
	listener, err := f.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	f.http.Addr = taken.Addr().String()
	if _, err := f.listen(t.Context()); err == nil || !strings.Contains(err.Error(), "the port is taken") {
		t.Errorf("%v", err)
	}
	f.http.Addr = "0.0.0.0:0"
	if _, err := f.listen(t.Context()); err == nil || !strings.Contains(err.Error(), "REPLHUB_HTTP_TOKEN_FILE") {
		t.Errorf("%v", err)
	}
	f.http.Addr = httpNone
	if listener, err := f.listen(t.Context()); listener != nil || err != nil {
		t.Errorf("%v, %v", listener, err)
	}
	f.logLevel = "loud"
	if _, err := f.logger(new(bytes.Buffer)); err == nil {
		t.Error("a level that does not exist")
	}
}
