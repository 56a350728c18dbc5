package cluster

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/replhub/replhub/internal/testenv/child"
)

const (
	// zkJar is where Debian's package zookeeper (and libzookeeper-java below
	// it) puts the server; its manifest names most of what it needs.
	zkJar = "/usr/share/java/zookeeper.jar"
	// zkTick is ZooKeeper's tickTime: sessions last at least two, at most
	// twenty intervals.
	zkTick = 500 * time.Millisecond
	// zkReadyWithin bounds the wait for a server that serves: a JVM on a busy
	// machine of two cores needs some seconds.
	zkReadyWithin = 60 * time.Second
)

// zkClasspath is zookeeper.jar and what its manifest leaves out: a log binding
// and the Netty parts that TLS needs.
func zkClasspath() string {
	jars := []string{zkJar}
	for _, name := range []string{"slf4j-simple", "netty-codec", "netty-resolver"} {
		jars = append(jars, "/usr/share/java/"+name+".jar")
	}
	return strings.Join(jars, ":")
}

// ZooKeeperOption changes how a server is started.
type ZooKeeperOption func(*zkOptions)

type zkOptions struct {
	tls      *ZooKeeperTLS
	jvmFlags []string
	link     func(from, to int, addr string) string
}

// ZooKeeperTLS lets a server take clients over TLS, besides plain ones.
type ZooKeeperTLS struct {
	// KeyStore is a PEM file with the server's private key (PKCS 8) and its
	// certificate.
	KeyStore string
	// TrustStore is a PEM file with the authority of the clients' certificates.
	// Empty: clients need none.
	TrustStore string
}

// WithTLS opens a port for TLS; see SecureServers.
func WithTLS(t ZooKeeperTLS) ZooKeeperOption { return func(o *zkOptions) { o.tls = &t } }

// WithJVMFlags passes flags to java, "-Djute.maxbuffer=4194304" for instance.
func WithJVMFlags(flags ...string) ZooKeeperOption {
	return func(o *zkOptions) { o.jvmFlags = append(o.jvmFlags, flags...) }
}

// WithLink lets link replace the address under which member from reaches
// member to as its leader (members count from 1), so that a test can put a
// proxy there.
func WithLink(link func(from, to int, addr string) string) ZooKeeperOption {
	return func(o *zkOptions) { o.link = link }
}

// ZooKeeper is one server process with a folder of its own. It listens on
// loopback. Methods fail the test that started it; they are not safe for
// concurrent use.
type ZooKeeper struct {
	tb     testing.TB
	dir    string
	opts   zkOptions
	id     int // 0 for a server alone
	ports  zkPorts
	config string
	proc   *child.Process // nil when stopped
}

type zkPorts struct{ client, secure, quorum, election int }

// StartZooKeeper starts a server alone and waits until it serves. It is
// stopped, and its folder removed, when the test ends.
func StartZooKeeper(tb testing.TB, opts ...ZooKeeperOption) *ZooKeeper {
	tb.Helper()
	z := newZooKeeper(tb, 0, opts)
	z.config = z.baseConfig()
	z.Start()
	return z
}

func newZooKeeper(tb testing.TB, id int, opts []ZooKeeperOption) *ZooKeeper {
	tb.Helper()
	if _, err := os.Stat(zkJar); err != nil {
		tb.Fatalf("%s is missing: apt-get install zookeeper", zkJar)
	}
	if _, err := exec.LookPath("java"); err != nil {
		tb.Fatalf("java is missing: apt-get install zookeeper default-jre-headless")
	}
	z := &ZooKeeper{tb: tb, id: id, dir: tb.TempDir(), ports: zkPorts{
		client: reservePort(tb), secure: reservePort(tb), quorum: reservePort(tb), election: reservePort(tb),
	}}
	for _, opt := range opts {
		opt(&z.opts)
	}
	tb.Cleanup(func() {
		z.Kill()
		showLog(tb, "ZooKeeper", z.logFile())
	})
	return z
}

func (z *ZooKeeper) dataDir() string { return filepath.Join(z.dir, "data") }

func (z *ZooKeeper) baseConfig() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tickTime=%d\ninitLimit=20\nsyncLimit=20\n", zkTick.Milliseconds())
	fmt.Fprintf(&b, "dataDir=%s\n", z.dataDir())
	fmt.Fprintf(&b, "clientPort=%d\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\n", z.ports.client)
	b.WriteString("admin.enableServer=false\n4lw.commands.whitelist=*\n")
	if t := z.opts.tls; t != nil {
		fmt.Fprintf(&b, "secureClientPort=%d\nsecureClientPortAddress=127.0.0.1\n", z.ports.secure)
		b.WriteString("serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n")
		fmt.Fprintf(&b, "ssl.keyStore.location=%s\nssl.keyStore.type=PEM\n", t.KeyStore)
		if t.TrustStore == "" {
			b.WriteString("ssl.clientAuth=none\n")
		} else {
			fmt.Fprintf(&b, "ssl.clientAuth=need\nssl.trustStore.location=%s\nssl.trustStore.type=PEM\n", t.TrustStore)
		}
	}
	return b.String()
}

// Servers returns the address for clients.
func (z *ZooKeeper) Servers() []string { return []string{loopback(z.ports.client)} }

// SecureServers returns the address for clients over TLS.
func (z *ZooKeeper) SecureServers() []string { return []string{loopback(z.ports.secure)} }

// ID is the member's number in its ensemble, from 1; 0 for a server alone.
func (z *ZooKeeper) ID() int { return z.id }

// PID returns the process id, 0 when the server is stopped.
func (z *ZooKeeper) PID() int {
	if z.proc == nil {
		return 0
	}
	return z.proc.Pid()
}

// Start starts the process on the data that is there and waits until it
// serves.
func (z *ZooKeeper) Start() {
	z.tb.Helper()
	z.launch()
	z.AwaitServing()
}

// launch starts the process without waiting: a member of an ensemble serves
// only once there is a quorum.
func (z *ZooKeeper) launch() {
	z.tb.Helper()
	if z.proc != nil {
		z.tb.Fatalf("start ZooKeeper %d: it is running", z.id)
	}
	if err := os.MkdirAll(z.dataDir(), 0o755); err != nil {
		z.tb.Fatalf("start ZooKeeper: %v", err)
	}
	if z.id != 0 {
		z.writeFile(filepath.Join(z.dataDir(), "myid"), strconv.Itoa(z.id))
	}
	config := filepath.Join(z.dir, "zoo.cfg")
	z.writeFile(config, z.config)
	proc, err := child.Start(exec.Command("java", z.javaArgs(config)...), z.logFile())
	if err != nil {
		z.tb.Fatalf("start ZooKeeper: %v", err)
	}
	z.proc = proc
}

func (z *ZooKeeper) javaArgs(config string) []string {
	args := []string{
		// Small and quick to start, rather than fast in the long run.
		"-Xms16m", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		// A process that is killed leaves its writes in the page cache.
		"-Dzookeeper.forceSync=no",
		"-Dzookeeper.admin.enableServer=false",
	}
	args = append(args, z.opts.jvmFlags...)
	return append(args, "-cp", zkClasspath(), "org.apache.zookeeper.server.quorum.QuorumPeerMain", config)
}

func (z *ZooKeeper) logFile() string { return filepath.Join(z.dir, "out.log") }

func (z *ZooKeeper) writeFile(name, content string) {
	z.tb.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		z.tb.Fatalf("configure ZooKeeper: %v", err)
	}
}

// AwaitServing waits until the server answers clients.
func (z *ZooKeeper) AwaitServing() {
	z.tb.Helper()
	deadline := time.Now().Add(zkReadyWithin)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		if z.Mode() != "" {
			return
		}
		select {
		case <-z.proc.Done():
			z.tb.Fatalf("ZooKeeper ended at once")
		case <-tick.C:
		}
	}
	z.tb.Fatalf("ZooKeeper does not serve after %v", zkReadyWithin)
}

// Mode returns "standalone", "leader" or "follower", and "" while the server
// does not serve.
func (z *ZooKeeper) Mode() string {
	answer, err := z.Command("srvr")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(answer) {
		if mode, ok := strings.CutPrefix(line, "Mode: "); ok {
			return strings.TrimSpace(mode)
		}
	}
	return ""
}

// Command sends one of ZooKeeper's four-letter words and returns the answer.
func (z *ZooKeeper) Command(word string) (string, error) {
	conn, err := net.DialTimeout("tcp", loopback(z.ports.client), time.Second)
	if err != nil {
		return "", fmt.Errorf("%s: %w", word, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return "", fmt.Errorf("%s: %w", word, err)
	}
	if _, err := io.WriteString(conn, word); err != nil {
		return "", fmt.Errorf("%s: %w", word, err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return "", fmt.Errorf("%s: %w", word, err)
	}
	return string(answer), nil
}

// Stop ends the process as an operator would (SIGTERM) and waits for its end.
// The data stays. A stopped server is left as it is.
func (z *ZooKeeper) Stop() { z.tb.Helper(); z.end(terminate) }

// Kill ends the process at once (SIGKILL), paused or not, and waits for its
// end. The data stays. A stopped server is left as it is.
func (z *ZooKeeper) Kill() { z.tb.Helper(); z.end((*child.Process).Kill) }

func (z *ZooKeeper) end(how func(*child.Process) error) {
	z.tb.Helper()
	if z.proc == nil {
		return
	}
	if err := how(z.proc); err != nil {
		z.tb.Fatalf("stop ZooKeeper: %v", err)
	}
	z.proc = nil
}

// Pause freezes the process (SIGSTOP): connections stay, nothing answers.
func (z *ZooKeeper) Pause() { z.mustRun("pause"); z.must(z.proc.Freeze()) }

// Continue wakes a paused process (SIGCONT).
func (z *ZooKeeper) Continue() { z.mustRun("continue"); z.must(z.proc.Thaw()) }

func (z *ZooKeeper) must(err error) {
	z.tb.Helper()
	if err != nil {
		z.tb.Fatalf("ZooKeeper: %v", err)
	}
}

// Wipe removes the data of a stopped server.
func (z *ZooKeeper) Wipe() {
	z.mustStop("wipe")
	if err := os.RemoveAll(z.dataDir()); err != nil {
		z.tb.Fatalf("wipe ZooKeeper: %v", err)
	}
}

// Snapshot copies the data of a stopped server and returns the copy's folder,
// for Restore.
func (z *ZooKeeper) Snapshot() string {
	z.tb.Helper()
	z.mustStop("copy")
	dir := filepath.Join(z.tb.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(z.dataDir())); err != nil {
		z.tb.Fatalf("copy ZooKeeper's data: %v", err)
	}
	return dir
}

// Restore puts a copy in place of the data of a stopped server.
func (z *ZooKeeper) Restore(snapshot string) {
	z.tb.Helper()
	z.Wipe()
	if err := os.CopyFS(z.dataDir(), os.DirFS(snapshot)); err != nil {
		z.tb.Fatalf("restore ZooKeeper's data: %v", err)
	}
}

func (z *ZooKeeper) mustStop(step string) {
	z.tb.Helper()
	if z.proc != nil {
		z.tb.Fatalf("%s ZooKeeper: it is running", step)
	}
}

func (z *ZooKeeper) mustRun(step string) {
	z.tb.Helper()
	if z.proc == nil {
		z.tb.Fatalf("%s ZooKeeper: it is stopped", step)
	}
}
